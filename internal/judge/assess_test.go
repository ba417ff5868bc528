package judge

import (
	"math"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// scene is a release of two metrics told look by look.
type scene struct {
	t  *testing.T
	p  Policy
	s  *State
	at stream
}

func newScene(t *testing.T, p Policy) *scene {
	t.Helper()
	sc := &scene{t: t, p: p, s: NewState(p), at: stream{now: epoch, every: 10 * time.Second}}
	for range 30 {
		sc.look(func(l *Look) {
			l.History = true
			for i := range l.Metrics {
				l.Metrics[i].Canary = nil
			}
		})
	}
	return sc
}

// look records a healthy look as changed.
func (sc *scene) look(change ...func(*Look)) {
	sc.t.Helper()
	var counts []Counts
	for range sc.p.Metrics {
		counts = append(counts, Counts{Canary: pods("canary", 2, 100, .1), Stable: pods("stable", 8, 100, .1)})
	}
	l := sc.at.next(counts...)
	l.NextShare = .2
	for _, f := range change {
		f(&l)
	}
	mustObserve(sc.t, sc.s, sc.p, l)
}

func (sc *scene) looks(n int, change ...func(*Look)) {
	sc.t.Helper()
	for range n {
		sc.look(change...)
	}
}

func harmful(l *Look)     { l.Metrics[0].Canary = pods("canary", 2, 100, 30) }
func nothingSeen(l *Look) { l.Metrics[1] = Counts{} }
func noCanary(l *Look)    { l.Metrics[0].Canary = nil }
func noStable(l *Look)    { l.Metrics[0].Stable, l.Metrics[1].Stable = nil, nil }
func wantsHalf(l *Look)   { l.WantedShare = .5 }
func secondStep(l *Look)  { l.Step = 1 }
func promotion(l *Look)   { l.NextShare = 1 }

func TestVerdicts(t *testing.T) {
	limited := errorsAndLatency(1)
	limited.Metrics[0].Limit = .05
	for name, c := range map[string]struct {
		policy *Policy
		tell   func(*scene)
		next   float64
		want   Verdict
		reason Reason
		metric string
	}{
		"nothing was seen yet": {
			tell: func(*scene) {}, next: .2, want: Hold, reason: NotEnoughTraffic, metric: "errors",
		},
		"healthy for a while passes the gate": {
			tell: func(s *scene) { s.looks(60) }, next: .2, want: Advance, reason: WithinTolerance, metric: "errors",
		},
		"healthy for one look is not enough": {
			tell: func(s *scene) { s.look() }, next: .2, want: Hold, reason: NotEnoughTraffic, metric: "errors",
		},
		"evidence for a small next share is none for promotion": {
			tell: func(s *scene) { s.looks(60) }, next: 1, want: Hold, reason: NotEnoughTraffic, metric: "errors",
		},
		"evidence for promotion is evidence for a small share": {
			tell: func(s *scene) { s.looks(200, promotion) }, next: .2, want: Advance, reason: WithinTolerance, metric: "errors",
		},
		"no share at all is no gate": {
			tell: func(s *scene) { s.looks(60) }, next: 0, want: Hold, reason: NotEnoughTraffic, metric: "errors",
		},
		"a new step starts the evidence of health anew": {
			tell: func(s *scene) { s.looks(60); s.look(secondStep) }, next: .2, want: Hold, reason: NotEnoughTraffic, metric: "errors",
		},
		"harm rolls back": {
			tell: func(s *scene) { s.looks(5, harmful) }, next: .2, want: Rollback, reason: HarmProven, metric: "errors",
		},
		"harm is final": {
			tell: func(s *scene) { s.looks(5, harmful); s.looks(300) }, next: .2, want: Rollback, reason: HarmProven, metric: "errors",
		},
		"harm in a later step counts": {
			tell: func(s *scene) { s.looks(60); s.looks(5, secondStep, harmful) }, next: .2, want: Rollback, reason: HarmProven, metric: "errors",
		},
		"a limit needs no stable arm": {
			policy: &limited,
			tell:   func(s *scene) { s.looks(8, harmful, noStable) }, next: .2, want: Rollback, reason: LimitExceeded, metric: "errors",
		},
		"three looks without a metric are no data": {
			tell: func(s *scene) { s.looks(60); s.looks(3, nothingSeen) }, next: .2, want: Hold, reason: NoData, metric: "latency",
		},
		"three looks without the canary are no data": {
			tell: func(s *scene) { s.looks(60); s.looks(3, noCanary) }, next: .2, want: Hold, reason: NoData, metric: "errors",
		},
		"two looks without a metric are a missed scrape": {
			tell: func(s *scene) { s.looks(60); s.looks(2, nothingSeen) }, next: .2, want: Advance, reason: WithinTolerance, metric: "errors",
		},
		"data that come back are data": {
			tell: func(s *scene) { s.looks(60); s.looks(3, nothingSeen); s.look() }, next: .2, want: Advance, reason: WithinTolerance, metric: "errors",
		},
		"harm goes before no data": {
			tell: func(s *scene) { s.looks(5, harmful); s.looks(5, nothingSeen) }, next: .2, want: Rollback, reason: HarmProven, metric: "errors",
		},
		"a fifth where half is wanted": {
			tell: func(s *scene) { s.looks(60, wantsHalf) }, next: .2, want: Hold, reason: ShareNotAsWanted, metric: "errors",
		},
		"a share is measured anew for each weight": {
			tell: func(s *scene) { s.looks(60, wantsHalf); s.look(func(l *Look) { l.WantedShare = .2 }) }, next: .2, want: Advance, reason: WithinTolerance, metric: "errors",
		},
	} {
		t.Run(name, func(t *testing.T) {
			p := errorsAndLatency(1)
			if c.policy != nil {
				p = *c.policy
			}
			s := newScene(t, p)
			c.tell(s)
			a := s.s.Assess(p, c.next)
			got, want := [3]string{a.Verdict.String(), string(a.Reason), a.Metric}, [3]string{c.want.String(), string(c.reason), c.metric}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("(-want +got)\n%s%s", diff, a.Detail)
			}
		})
	}
}

// TestHarmBeatsHealth: while there is some evidence of harm, enough evidence of health passes no gate.
func TestHarmBeatsHealth(t *testing.T) {
	s := newScene(t, errorsAndLatency(1))
	s.looks(60)
	for j := range s.s.mem.Metrics[1].Harm {
		s.s.mem.Metrics[1].Harm[j] = math.Log(4)
	}
	a := s.s.Assess(s.p, .2)
	if a.Verdict != Hold || a.PromoteProgress != 1 || !strings.Contains(a.Detail, "no gate is passed") {
		t.Errorf("%v, health %v, harm %v: %s", a.Verdict, a.PromoteEvidence, a.HarmEvidence, a.Detail)
	}
}

func TestDetail(t *testing.T) {
	limited := errorsAndLatency(1)
	limited.Metrics[0].Limit = .05
	for name, c := range map[string]struct {
		policy Policy // none: errors alone
		tell   func(*scene)
		want   string
	}{
		"nothing was seen": {
			tell: func(*scene) {},
			want: "errors: canary without requests, stable without requests; harm evidence 1 of 20 (0%); " +
				"promote evidence 1 of 20; no canary requests are counted in this step",
		},
		"harm": {
			tell: func(s *scene) { s.looks(2, harmful) },
			want: "harm is proven: errors: canary 30.00% (120/400), stable 0.10% (1.6/1,600); harm evidence 26.2 of 20 (100%); " +
				"promote evidence under 0.005 of 20; difference +29.90 points, between +21.54 and +39.24; " +
				"proven 20s after the canary's first traffic",
		},
		"another metric was not served": {
			policy: errorsAndLatency(2),
			tell:   func(s *scene) { s.looks(5, func(l *Look) { l.Metrics[1].Canary = pods("canary", 2, 0, 0) }) },
			want: "latency: canary without requests, stable 0.10% (4/4,000); harm evidence 1 of 60 (0%); " +
				"promote evidence 1 of 20; no canary requests are counted in this step for latency",
		},
		"each metric is counted against its part of the risk": {
			policy: errorsAndLatency(2),
			tell:   func(s *scene) { s.looks(2, harmful) },
			want: "errors: canary 30.00% (120/400), stable 0.10% (1.6/1,600); harm evidence 26.2 of 30 (96%); " +
				"promote evidence under 0.005 of 20; at the present rates the gate is not in reach for errors",
		},
		"the canary is gone": {
			tell: func(s *scene) { s.looks(3, noCanary) },
			want: "the canary was not seen in 3 looks or more: errors: canary without requests, stable 0.10% (2.4/2,400); " +
				"harm evidence 1 of 20 (0%); promote evidence 1 of 20",
		},
		"the limit": {
			policy: limited,
			tell:   func(s *scene) { s.looks(8, harmful, noStable) },
			want: "the limit is exceeded: errors: canary 30.00% (300/1,000), stable without requests; evidence over the limit " +
				"154 of 60 (100%); promote evidence under 0.005 of 20; the limit is 5%; proven 50s after the canary's first traffic",
		},
		"within tolerance": {
			tell: func(s *scene) { s.looks(60) },
			want: "within tolerance: errors: canary 0.10% (12/12,000), stable 0.10% (48/48,000); harm evidence 0.577 of 20 (0%); " +
				"promote evidence over 1,000,000 of 20; difference +0.00 points, between -0.08 and +0.11",
		},
	} {
		t.Run(name, func(t *testing.T) {
			p := oneMetric(MetricPolicy{Name: "errors", Relative: .1, Absolute: .001})
			if len(c.policy.Metrics) > 0 {
				p = c.policy
			}
			s := newScene(t, p)
			c.tell(s)
			if diff := cmp.Diff(c.want, s.s.Assess(p, .2).Detail); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}

func TestNumbersInWords(t *testing.T) {
	for want, got := range map[string]string{
		"0.52% (26/5,000)":  ArmCount{Requests: 5000, Bad: 26}.words(),
		"14.5 of 20 (89%)":  reached(math.Log(14.5251878703), .05),
		"over 1,000,000":    number(1e300),
		"12,346":            number(12345.6),
		"123":               number(123.4),
		"0.02":              number(.02),
		"under 0.005":       number(1e-9),
		"1,234,567.5":       grouped(1234567.5),
		"100 of 100 (100%)": reached(math.Log(100), .01),
	} {
		if got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

// TestIntervalCoversDifference: the interval for display holds the difference seen, and narrows with more requests.
func TestIntervalCoversDifference(t *testing.T) {
	for name, c := range map[string]counts{
		"the canary is worse":  {nc: 5000, ns: 20000, xc: 60, xs: 40},
		"the canary is better": {nc: 5000, ns: 20000, xc: 5, xs: 200},
		"they are the same":    {nc: 5000, ns: 20000, xc: 50, xs: 200},
		"nothing is bad":       {nc: 5000, ns: 20000},
	} {
		t.Run(name, func(t *testing.T) {
			view := snapshot{counts: c, baseline: tally{N: c.ns, X: c.xs}.rate(), noise: 1}
			low, high := view.difference(.05, .05)
			diff := c.xc/c.nc - c.xs/c.ns
			if !(low <= diff && diff <= high && high-low < .05) {
				t.Errorf("difference %v, interval %v to %v", diff, low, high)
			}
			view.counts = counts{nc: c.nc * 10, ns: c.ns * 10, xc: c.xc * 10, xs: c.xs * 10}
			if l, h := view.difference(.05, .05); h-l >= high-low {
				t.Errorf("ten times the requests: %v to %v, before %v to %v", l, h, low, high)
			}
		})
	}
	if low, high := (snapshot{noise: 1}).difference(.05, .05); low != -1 || high != 1 {
		t.Errorf("without requests: %v to %v", low, high)
	}
}

func TestLowerIsWorse(t *testing.T) {
	for name, c := range map[string]struct {
		canary float64 // conversions of 100 requests
		limit  float64
		want   Verdict
		reason Reason
	}{
		"half of the conversions are lost": {canary: 10, want: Rollback, reason: HarmProven},
		"none are lost":                    {canary: 20, want: Advance, reason: WithinTolerance},
		"more than before":                 {canary: 30, want: Advance, reason: WithinTolerance},
		"below the limit":                  {canary: 20, limit: .4, want: Rollback, reason: LimitExceeded},
		"far above the limit":              {canary: 20, limit: .05, want: Advance, reason: WithinTolerance},
	} {
		t.Run(name, func(t *testing.T) {
			p := oneMetric(MetricPolicy{Name: "conversions", Relative: .1, Absolute: .02, Limit: c.limit, LowerIsWorse: true})
			s, at := NewState(p), stream{now: epoch, every: 10 * time.Second}
			for range 100 {
				l := at.next(Counts{Canary: pods("canary", 2, 100, c.canary), Stable: pods("stable", 8, 100, 20)})
				l.NextShare = .5
				mustObserve(t, s, p, l)
			}
			if a := s.Assess(p, .5); a.Verdict != c.want || a.Reason != c.reason {
				t.Errorf("%v, %v: %s", a.Verdict, a.Reason, a.Detail)
			}
		})
	}
}

func TestForecast(t *testing.T) {
	for name, c := range map[string]struct {
		e        Expectation
		low, top float64
	}{
		"no errors and a tenth of a point: at least 2,996": {
			e:   Expectation{Absolute: .001, StablePerCanary: 9, BadPromotionRisk: .05},
			low: 2995, top: 2997,
		},
		"at the tolerance it never comes": {
			e:   Expectation{Relative: .1, CanaryBad: .011, StableBad: .01, StablePerCanary: 9, BadPromotionRisk: .05},
			low: math.Inf(1), top: math.Inf(1),
		},
		"nothing to prove with": {
			e:   Expectation{Relative: .1, StablePerCanary: 9, BadPromotionRisk: .05},
			low: math.Inf(1), top: math.Inf(1),
		},
		"enough already": {
			e:   Expectation{Absolute: .001, StablePerCanary: 9, BadPromotionRisk: .05, LogEvidence: 4},
			low: 0, top: 0,
		},
	} {
		t.Run(name, func(t *testing.T) {
			if got := Forecast(c.e); got < c.low || got > c.top {
				t.Errorf("%v canary requests", got)
			}
		})
	}
}
