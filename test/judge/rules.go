package main

import (
	"math"
	"slices"
	"time"

	"slipway.dev/slipway/internal/judge"
)

// decision is what a rule says after a look.
type decision int

const (
	wait decision = iota
	advance
	rollBack
)

// look is what a rule sees.
type look struct {
	counts         judge.Counts
	history        bool
	share          float64 // of the canary
	nextShare      float64
	step           int
	settling       bool
	promoting      bool
	canary, stable tally
}

// tally is requests and bad requests of an arm.
type tally struct{ requests, bad float64 }

func (t tally) share() float64 { return t.bad / max(1, t.requests) }

func (t *tally) add(pods []judge.PodCount) {
	for i := range pods {
		t.requests += pods[i].Requests
		t.bad += pods[i].Bad
	}
}

// rule decides about one release.
type rule interface {
	see(look) decision
}

// ruleKind names a rule and starts it for a release.
type ruleKind struct {
	name  string
	start func(tolerance, releaseLength) rule
}

// tolerance is what the judge is told to tolerate; the other rules know no such thing.
type tolerance struct{ relative, absolute float64 }

// releaseLength is what the judge budgets its restarts for.
type releaseLength struct {
	steps  int
	atMost time.Duration
}

const risk = .05

// slipway is the judge, by the code that the operator runs.
type slipway struct {
	policy judge.Policy
	state  *judge.State
	end    time.Time
}

func startSlipway(t tolerance, l releaseLength) rule {
	p := judge.Policy{
		FalseRollbackRisk: risk, BadPromotionRisk: risk, WarmupTolerance: .05,
		MaxDuration: l.atMost, Steps: l.steps,
		Metrics: []judge.MetricPolicy{{Name: "errors", Relative: t.relative, Absolute: t.absolute}},
	}
	return &slipway{policy: p, state: judge.NewState(p), end: time.Unix(1_700_000_000, 0)}
}

func (s *slipway) see(l look) decision {
	from := s.end
	s.end = s.end.Add(every)
	err := s.state.Observe(s.policy, judge.Look{
		From: from, To: s.end, Step: l.step, NextShare: l.nextShare, WantedShare: l.share,
		Settling: l.settling, Promoting: l.promoting, History: l.history, Metrics: []judge.Counts{l.counts},
	})
	if err != nil {
		panic(err) // the world draws nothing that cannot be
	}
	if l.history {
		return wait
	}
	switch s.state.Conclude(s.policy, l.nextShare).Verdict {
	case judge.Rollback:
		return rollBack
	case judge.Advance:
		return advance
	case judge.Hold:
	}
	return wait
}

// threshold fails a check when the canary's share of bad requests of the last minute is over a limit, and rolls back
// after so many failed checks. A passed check leaves the step, as Flagger does at each interval.
type threshold struct {
	limit    float64
	failures int
	inARow   bool

	minute tally
	looks  int
	failed int
}

func (t *threshold) see(l look) decision {
	const looksOfMinute = int(time.Minute / every)
	if l.history {
		return wait
	}
	t.minute.requests += l.canary.requests
	t.minute.bad += l.canary.bad
	if t.looks++; t.looks%looksOfMinute != 0 {
		return wait
	}
	minute := t.minute
	t.minute = tally{}
	if minute.requests == 0 || minute.share() <= t.limit {
		if t.inARow {
			t.failed = 0
		}
		return advance
	}
	if t.failed++; t.failed >= t.failures {
		return rollBack
	}
	return wait
}

// mannWhitney compares the shares of bad requests of each minute, canary against stable, as Kayenta's default judge
// does: the 98 % confidence interval of the Hodges-Lehmann shift must not lie above a quarter of that shift. It is asked
// every ten minutes, about all minutes of the step.
type mannWhitney struct {
	canary, stable       []float64
	minuteCanary, minute tally
	looks, step          int
}

const (
	mannWhitneyTolerance = .25
	mannWhitneyZ         = 2.3263478740408408 // of 98 % on both sides
	mannWhitneyMinutes   = 10
)

func (m *mannWhitney) see(l look) decision {
	const looksOfMinute = int(time.Minute / every)
	if l.history {
		return wait
	}
	if l.step != m.step {
		*m = mannWhitney{step: l.step}
	}
	m.minuteCanary.requests, m.minuteCanary.bad = m.minuteCanary.requests+l.canary.requests, m.minuteCanary.bad+l.canary.bad
	m.minute.requests, m.minute.bad = m.minute.requests+l.stable.requests, m.minute.bad+l.stable.bad
	if m.looks++; m.looks%looksOfMinute != 0 {
		return wait
	}
	m.canary, m.stable = append(m.canary, m.minuteCanary.share()), append(m.stable, m.minute.share())
	m.minuteCanary, m.minute = tally{}, tally{}
	if len(m.canary)%mannWhitneyMinutes != 0 {
		return wait
	}
	lower, shift := shiftOf(m.canary, m.stable)
	if lower > mannWhitneyTolerance*math.Abs(shift) {
		return rollBack
	}
	return advance
}

// shiftOf is the Hodges-Lehmann estimate of how much greater a is than b, and the lower end of its interval by the normal
// approximation of the rank sum.
func shiftOf(a, b []float64) (lower, shift float64) {
	diffs := make([]float64, 0, len(a)*len(b))
	for _, x := range a {
		for _, y := range b {
			diffs = append(diffs, x-y)
		}
	}
	slices.Sort(diffs)
	m, n := float64(len(a)), float64(len(b))
	k := int(m*n/2 - mannWhitneyZ*math.Sqrt(m*n*(m+n+1)/12))
	if k < 0 {
		return math.Inf(-1), 0
	}
	half := len(diffs) / 2
	return diffs[k], (diffs[half] + diffs[(len(diffs)-1)/2]) / 2
}

// rules are compared with each other; the first is ours.
var rules = []ruleKind{
	{"Slipway", startSlipway},
	{"threshold of 1 %, 3 in a row", func(tolerance, releaseLength) rule { return &threshold{limit: .01, failures: 3, inARow: true} }},
	{"threshold of 1 %, 5 in all", func(tolerance, releaseLength) rule { return &threshold{limit: .01, failures: 5} }},
	{"failure limit of 3", func(tolerance, releaseLength) rule { return &threshold{limit: .01, failures: 4} }},
	{"Mann-Whitney", func(tolerance, releaseLength) rule { return &mannWhitney{} }},
}
