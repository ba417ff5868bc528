package judge

import "math"

// Conclusion is the verdict without its explanation.
type Conclusion struct {
	Verdict Verdict
	Reason  Reason
	// Metric is the place of the metric that decided, or is furthest from its gate.
	Metric int
}

// Conclude is Assess without the words and the intervals: cheap enough for every look of a long recording, and without
// allocation.
func (s *State) Conclude(p Policy, nextShare float64) Conclusion {
	if p.Validate() != nil || len(p.Metrics) != len(s.mem.Metrics) {
		return Conclusion{Reason: NoData}
	}
	e := evidenceNow{harm: s.harm(p, -1), logPromote: math.Inf(1), nextShare: nextShare}
	for i := range s.mem.Metrics {
		if log := s.mem.Metrics[i].logPromote(); log < e.logPromote {
			e.furthest, e.logPromote = i, log
		}
	}
	return s.conclude(p, e)
}

// LogEvidence is one metric's log evidence of harm by comparison and by its limit (0 where it has none), and of health.
func (s *State) LogEvidence(p Policy, metric int) (harm, limit, promote float64) {
	m := &s.mem.Metrics[metric]
	if p.Metrics[metric].Limit > 0 {
		limit = m.Limit.logValue(s.mem.Idle)
	}
	return harmLog(m.Harm, m.Wide, s.mem.Idle) + m.Signs.logHarm(), limit, m.logPromote()
}

// evidenceNow is what a verdict is drawn from.
type evidenceNow struct {
	harm       combined
	logPromote float64
	furthest   int
	nextShare  float64
}

// conclude draws the verdict. Rollback is looked at first.
func (s *State) conclude(p Policy, e evidenceNow) Conclusion {
	switch {
	case s.mem.Crossed && s.mem.CrossedLimit:
		return Conclusion{Verdict: Rollback, Reason: LimitExceeded, Metric: s.mem.CrossedBy}
	case s.mem.Crossed:
		return Conclusion{Verdict: Rollback, Reason: HarmProven, Metric: s.mem.CrossedBy}
	case s.mem.BadPod != "":
		return Conclusion{Reason: OneBadPod, Metric: e.harm.metric}
	}
	if i := s.unseen(); i >= 0 {
		return Conclusion{Reason: NoData, Metric: i}
	}
	if s.mem.Split.Wrong {
		return Conclusion{Reason: ShareNotAsWanted}
	}
	if e.logPromote >= logGate(p.BadPromotionRisk) && e.harm.log <= math.Log(healthGate) && s.gathersFor(e.nextShare) {
		return Conclusion{Verdict: Advance, Reason: WithinTolerance, Metric: e.furthest}
	}
	return Conclusion{Reason: NotEnoughTraffic, Metric: e.furthest}
}
