package judge

import (
	"math"
	"time"
)

// surprise is how small the chance of a concentration must be to look at one canary pod.
const surprise = .05

// decide looks for the crossing of harm. When the evidence suffices but the canary's bad requests are on one pod, it
// must suffice without each pod as well (judging-method section 5.3). Once they were found on one pod, that stays so.
func (s *State) decide(p Policy, now time.Time) {
	s.mem.BadPod = ""
	harm := s.harm(p, -1)
	if harm.log < logGate(p.FalseRollbackRisk) {
		return
	}
	s.mem.Concentrated = s.mem.Concentrated || s.concentrated(p)
	if s.mem.Concentrated {
		least, pod := s.leastWithoutOne(p)
		if least < logGate(p.FalseRollbackRisk) {
			s.mem.BadPod = s.mem.Canary[pod]
			return
		}
	}
	s.mem.CrossedAt = now.UnixNano()
	s.mem.Crossed, s.mem.CrossedBy, s.mem.CrossedLimit = true, harm.metric, harm.byLimit
}

// combined is log Σ w E and the part that weighs most.
type combined struct {
	log     float64
	metric  int
	byLimit bool
}

// harm is the combined evidence of harm, with one canary pod left out or, for −1, with all. A weighted mean of
// e-values is one whatever the dependence (judging-method section 6, after Vovk and Wang 2021).
func (s *State) harm(p Policy, without int) combined {
	total := math.Log(p.totalImportance())
	out := combined{log: math.Inf(-1)}
	most := math.Inf(-1)
	weigh := func(metric int, limit bool, log float64) {
		out.log = logAdd(out.log, log)
		if log > most {
			most, out.metric, out.byLimit = log, metric, limit
		}
	}
	for i := range s.mem.Metrics {
		m, mp := &s.mem.Metrics[i], &p.Metrics[i]
		comparison, wide, limit := m.Harm, m.Wide, m.Limit
		if without >= 0 {
			pod := &m.CanaryPods[without]
			comparison, wide, limit = pod.Harm, pod.Wide, pod.Limit
		}
		weight := math.Log(mp.importance()) - total
		weigh(i, false, weight+harmLog(comparison, wide, s.mem.Idle)+m.Signs.logHarm())
		if mp.Limit > 0 {
			weigh(i, true, weight+limit.logValue(s.mem.Idle))
		}
	}
	return out
}

// leastWithoutOne is the least combined evidence of harm with one canary pod left out, and which pod that is.
func (s *State) leastWithoutOne(p Policy) (least float64, pod int) {
	least = math.Inf(1)
	for i := range s.mem.Canary {
		if log := s.harm(p, i).log; log < least {
			least, pod = log, i
		}
	}
	return least, pod
}

// concentrated reports whether the bad requests of a metric that speaks for harm are on one canary pod, over the run or
// over the last two minutes.
func (s *State) concentrated(p Policy) bool {
	for i := range s.mem.Metrics {
		m := &s.mem.Metrics[i]
		if max(harmLog(m.Harm, m.Wide, s.mem.Idle), m.Limit.logValue(s.mem.Idle)) <= 0 {
			continue
		}
		lower := p.Metrics[i].LowerIsWorse
		all := concentration(podTallies(m.CanaryPods, (*podMemory).all), lower)
		recent := concentration(podTallies(m.CanaryPods, (*podMemory).recent), lower)
		if min(all, recent) < surprise {
			return true
		}
	}
	return false
}

// all is the counts over the run.
func (p *podMemory) all() tally {
	return p.All
}

// podTallies draws one tally of each pod.
func podTallies(pods []podMemory, draw func(*podMemory) tally) []tally {
	out := make([]tally, len(pods))
	for i := range pods {
		out[i] = draw(&pods[i])
	}
	return out
}
