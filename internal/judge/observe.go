package judge

import (
	"fmt"
	"math"
)

// logMostPerLook is the cap of guard 5.2: one interval multiplies the evidence of harm by at most 8.
var logMostPerLook = math.Log(8)

// workspace is memory that is used within one Observe only.
type workspace struct {
	canary  []tally // this interval's counts by place
	cold    []tally // … of them, pods that warm up
	stable  []tally // by place
	entries []tally // stable pods of the interval, for χ²
	steps   [harmBets]float64
	limits  [harmBets]float64
	spare   [harmBets]float64
	wide    [wideBets]float64
}

// arms is one metric in one interval, summed.
type arms struct {
	canary, warm, cold     tally   // all of the canary; its pods that are warm; those that warm up
	stable                 tally   // pods that count
	served                 float64 // requests of all stable pods
	canaryPods, stablePods float64
	podsKnown, settling    bool
	promoting, begins      bool // stable's pods are being replaced; from this interval on
}

// parts divides the canary's counts: those that are judged by the tolerance, and those that are judged with the wide
// margin because they are warm-up or settling.
func (a *arms) parts() (warm, cold tally) {
	if a.settling {
		return tally{}, a.canary
	}
	return a.warm, a.cold
}

// load is L, the requests of a canary pod for each of a stable pod (judging-method section 5.1).
func (a *arms) load() float64 {
	if !a.podsKnown || a.canaryPods == 0 || a.stable.N <= 0 {
		return 1
	}
	return (a.canary.N / a.canaryPods) / (a.stable.N / a.stablePods)
}

// Observe records one interval. A look that cannot be true is refused with an error and changes nothing. After harm is
// proven, the evidence stands still.
func (s *State) Observe(p Policy, l Look) error {
	if err := s.check(p, l); err != nil {
		return err
	}
	if s.mem.Crossed {
		s.mem.Last = l.To.UnixNano()
		return nil
	}
	s.turnSlots(floorDiv(l.To.Unix(), slotSeconds))
	if l.History {
		s.enterPods(l)
		s.recall(l)
	} else {
		s.begin(p, l)
		for i := range s.mem.Metrics {
			s.observeMetric(p, i, l)
		}
		s.mem.Promoting = l.Promoting
		s.decide(p, l.To)
	}
	s.mem.Last, s.mem.Seen = l.To.UnixNano(), true
	return nil
}

// check refuses what cannot be judged.
func (s *State) check(p Policy, l Look) error {
	if err := p.Validate(); err != nil {
		return err
	}
	if len(p.Metrics) != len(s.mem.Metrics) {
		return fmt.Errorf("%w: %d metrics where the release began with %d", ErrPolicy, len(p.Metrics), len(s.mem.Metrics))
	}
	if err := l.check(len(s.mem.Metrics)); err != nil {
		return err
	}
	if s.mem.Seen && l.From.UnixNano() < s.mem.Last {
		return fmt.Errorf("%w: it begins before the last one ended", ErrNonsense)
	}
	if l.History && s.mem.Begun {
		return fmt.Errorf("%w: it is before the release, which has begun", ErrNonsense)
	}
	return nil
}

// floorDiv rounds down, also below zero.
func floorDiv(a, b int64) int64 {
	q := a / b
	if a%b < 0 {
		q--
	}
	return q
}

// recall learns from an interval before the release: stable's rate, and how stable pods differ.
func (s *State) recall(l Look) {
	for i := range s.mem.Metrics {
		a := s.gather(i, &l.Metrics[i])
		s.mem.Metrics[i].learnStable(&a, &s.work, s.mem.Slot)
	}
}

// begin opens the interval for all metrics: a new step, the restart mass, new pods.
func (s *State) begin(p Policy, l Look) {
	first := !s.mem.Begun
	if first {
		s.mem.Begun, s.mem.Start = true, l.From.UnixNano()
	}
	stepChanged := !first && l.Step != s.mem.Step
	if first || stepChanged || l.nextShare() != s.mem.Share {
		s.renewHealth(first || stepChanged)
	}
	s.mem.Step, s.mem.Share = l.Step, l.nextShare()
	mass := s.restartMass(p, l, first, stepChanged)
	for i := range s.mem.Metrics {
		s.mem.Metrics[i].invest(&p.Metrics[i], mass)
	}
	s.enterPods(l)
}

// renewHealth starts the evidence of health anew: what was banked under one share says nothing of what breaks at a
// higher one.
func (s *State) renewHealth(newStep bool) {
	for i := range s.mem.Metrics {
		m := &s.mem.Metrics[i]
		m.Promote, m.LimitPromote = m.Promote[:0], m.LimitPromote[:0]
		m.Signs.renew()
		if newStep {
			m.Step, m.StepWarm = armTally{}, armTally{}
			m.Waiting.Settling = !m.Waiting.empty()
		}
	}
}

// invest adds restart mass to the evidence of harm, and opens that of health.
func (m *metricMemory) invest(p *MetricPolicy, mass float64) {
	m.Harm = m.Harm.invest(harmBets, mass)
	if len(m.Promote) == 0 {
		m.Promote = m.Promote.invest(promoteBets, 1)
	}
	if p.Limit > 0 {
		harm, promote := p.limitGrids()
		m.Limit = m.Limit.invest(len(harm), mass)
		if len(m.LimitPromote) == 0 {
			m.LimitPromote = m.LimitPromote.invest(len(promote), 1)
		}
	}
	for i := range m.CanaryPods {
		pod := &m.CanaryPods[i]
		pod.Harm = pod.Harm.invest(harmBets, mass)
		if p.Limit > 0 {
			harm, _ := p.limitGrids()
			pod.Limit = pod.Limit.invest(len(harm), mass)
		}
	}
}

// observeMetric takes in one metric's interval: first the evidence, from what was known before; then what it teaches.
func (s *State) observeMetric(p Policy, i int, l Look) {
	m, mp := &s.mem.Metrics[i], &p.Metrics[i]
	if mp.Signs {
		m.Signs.count(&l.Metrics[i], l.Settling)
		return
	}
	c, settling, ready := m.collect(&l.Metrics[i], l)
	if !ready {
		return
	}
	a := s.gather(i, &c)
	a.settling, a.promoting, a.begins = settling, l.Promoting, l.Promoting && !s.mem.Promoting
	j := m.judgement(mp, &a, p.WarmupTolerance, s.mem.Share)
	m.growHarm(&j, &a, &s.work)
	m.growHealth(&j, &a, &s.work)
	m.learn(&j, &a, &s.work, s.mem.Slot)
	if !a.promoting {
		m.suspectStable(mp)
	}
	if i == 0 && !settling {
		s.mem.Split.observe(l.WantedShare, a.canary.N, a.served)
	}
}
