package judge

import (
	"testing"
	"time"
)

// TestHalfOfRequestsFail: 10 requests a second on the canary, half of them errors, looked at every 2 s in warm-up: rolled
// back at the third look that has errors, at latest.
func TestHalfOfRequestsFail(t *testing.T) {
	for name, c := range map[string]struct {
		importance  float64
		podsUnknown bool
		stable      float64 // requests of stable in a full look
		first       float64 // requests of the canary in the first look
	}{
		"equal importance":                       {importance: 1, stable: 180, first: 20},
		"errors matter twice":                    {importance: 2, stable: 180, first: 20},
		"errors matter four times":               {importance: 4, stable: 180, first: 20},
		"a partial first look":                   {importance: 2, stable: 180, first: 6},
		"a partial first look, equal importance": {importance: 1, stable: 180, first: 6},
		"stable has as little traffic":           {importance: 2, stable: 20, first: 6},
		"pods are not known":                     {importance: 2, stable: 180, first: 6, podsUnknown: true},
	} {
		t.Run(name, func(t *testing.T) {
			p := errorsAndLatency(c.importance)
			s, at := NewState(p), stream{now: epoch, every: 10 * time.Second}
			history := Counts{Stable: pods("stable", 4, c.stable*5/4, 0), PodsUnknown: c.podsUnknown}
			for range 30 {
				l := at.next(history, history)
				l.History = true
				mustObserve(t, s, p, l)
			}
			at.every = 2 * time.Second
			for look, requests := range []float64{c.first, 20, 20} {
				errors := Counts{
					Canary:      warming(pods("canary", 2, requests/2, requests/4)),
					Stable:      pods("stable", 4, c.stable/4, 0),
					PodsUnknown: c.podsUnknown,
				}
				slow := Counts{Canary: warming(pods("canary", 2, requests/2, 0)), Stable: errors.Stable, PodsUnknown: c.podsUnknown}
				mustObserve(t, s, p, at.next(errors, slow))
				if a := s.Assess(p, .2); a.Verdict == Rollback {
					t.Logf("rolled back at look %d: %s", look+1, a.Detail)
					return
				}
			}
			t.Errorf("not rolled back: %s", s.Assess(p, .2).Detail)
		})
	}
}

// TestWarmUp: a cold cache is forgiven, and is no evidence of health either; the same rate without warm-up is harm.
func TestWarmUp(t *testing.T) {
	for name, c := range map[string]struct {
		cold, settling bool
		want           Verdict
	}{
		"warm pods with 3 % errors are rolled back":      {want: Rollback},
		"pods that warm up are forgiven 3 %":             {cold: true, want: Hold},
		"an interval of a weight change is forgiven 3 %": {settling: true, want: Hold},
	} {
		t.Run(name, func(t *testing.T) {
			p := errorsAndLatency(1)
			s, at := NewState(p), stream{now: epoch, every: 10 * time.Second}
			observeHistory(t, s, p, &at)
			for range 12 {
				bad := Counts{Canary: pods("canary", 2, 100, 3), Stable: pods("stable", 8, 100, 0)}
				if c.cold {
					bad.Canary = warming(bad.Canary)
				}
				l := at.next(bad, Counts{Canary: bad.Canary, Stable: bad.Stable})
				l.Settling = c.settling
				mustObserve(t, s, p, l)
			}
			a := s.Assess(p, 1)
			if a.Verdict != c.want {
				t.Errorf("verdict %v: %s", a.Verdict, a.Detail)
			}
			if c.want == Hold && (a.PromoteEvidence != 1 || s.mem.Metrics[0].Noise.Intervals != 0) {
				t.Errorf("evidence of health %v, %v residuals", a.PromoteEvidence, s.mem.Metrics[0].Noise.Intervals)
			}
		})
	}
}

// observeHistory is five minutes of a stable arm with few errors.
func observeHistory(t *testing.T, s *State, p Policy, at *stream) {
	t.Helper()
	for i := range 30 {
		bad := 0.0
		if i%5 == 0 {
			bad = .25
		}
		c := Counts{Stable: pods("stable", 8, 100, bad)}
		l := at.next(c, c)
		l.History = true
		mustObserve(t, s, p, l)
	}
}

func TestOneBadPod(t *testing.T) {
	for name, c := range map[string]struct {
		bad     []float64 // of 100 requests of each canary pod
		unknown bool
		want    Verdict
		reason  Reason
		pod     string
	}{
		"one of five":               {bad: []float64{20, 0, 0, 0, 0}, want: Hold, reason: OneBadPod, pod: "canary-0"},
		"all five":                  {bad: []float64{4, 4, 4, 4, 4}, want: Rollback, reason: HarmProven},
		"one worst, the others bad": {bad: []float64{40, 5, 5, 5, 5}, want: Rollback, reason: HarmProven},
		"the only pod":              {bad: []float64{20}, want: Rollback, reason: HarmProven},
		"pods are not known":        {bad: []float64{20, 0, 0, 0, 0}, unknown: true, want: Rollback, reason: HarmProven},
	} {
		t.Run(name, func(t *testing.T) {
			p := oneMetric(MetricPolicy{Name: "errors", Relative: .1, Absolute: .001})
			s, at := NewState(p), stream{now: epoch, every: 10 * time.Second}
			for range 30 {
				l := at.next(Counts{Stable: pods("stable", 8, 100, .05)})
				l.History = true
				mustObserve(t, s, p, l)
			}
			for range 12 {
				canary := pods("canary", len(c.bad), 100, 0)
				for i, bad := range c.bad {
					canary[i].Bad = bad
				}
				mustObserve(t, s, p, at.next(Counts{Canary: canary, Stable: pods("stable", 8, 100, .05), PodsUnknown: c.unknown}))
			}
			if a := s.Assess(p, 1); a.Verdict != c.want || a.Reason != c.reason || a.BadPod != c.pod {
				t.Errorf("%v, %v, pod %q: %s", a.Verdict, a.Reason, a.BadPod, a.Detail)
			}
		})
	}
}

// TestBadStablePod: a stable pod that is bad alone would hide harm, so it is left out and named.
func TestBadStablePod(t *testing.T) {
	p := oneMetric(MetricPolicy{Name: "errors", Relative: .1, Absolute: .001})
	s, at := NewState(p), stream{now: epoch, every: 10 * time.Second}
	observe := func(stableBad, canaryBad float64, history bool) {
		c := Counts{Stable: pods("stable", 8, 100, .1)}
		c.Stable[3].Bad = stableBad
		if !history {
			c.Canary = pods("canary", 4, 100, canaryBad)
		}
		l := at.next(c)
		l.History = history
		mustObserve(t, s, p, l)
	}
	for range 30 {
		observe(.1, 0, true)
	}
	for range 5 {
		observe(30, .1, false)
	}
	a := s.Assess(p, 1)
	if len(a.Metrics[0].StableLeftOut) != 1 || a.Metrics[0].StableLeftOut[0] != "stable-3" {
		t.Fatalf("left out: %v", a.Metrics[0].StableLeftOut)
	}
	before := s.mem.Metrics[0].Stable
	observe(30, 4, false)
	if got := s.mem.Metrics[0].Stable.N - before.N; got != 700 {
		t.Errorf("%v stable requests compared, want 700", got)
	}
}

// TestWarmingStablePods: stable pods that warm up are left out where others are warm.
func TestWarmingStablePods(t *testing.T) {
	for name, c := range map[string]struct {
		warming int
		want    float64
	}{
		"two of four warm up":  {warming: 2, want: 200},
		"all of them warm up":  {warming: 4, want: 400},
		"none of them warm up": {warming: 0, want: 400},
	} {
		t.Run(name, func(t *testing.T) {
			p := oneMetric(MetricPolicy{Name: "errors", Absolute: .01})
			s, at := NewState(p), stream{now: epoch, every: 10 * time.Second}
			stable := pods("stable", 4, 100, 1)
			warming(stable[:c.warming])
			mustObserve(t, s, p, at.next(Counts{Canary: pods("canary", 1, 100, 1), Stable: stable}))
			if got := s.mem.Metrics[0].Stable.N; got != c.want {
				t.Errorf("%v stable requests, want %v", got, c.want)
			}
		})
	}
}

// TestPodsThatDiffer: the wider stable pods are apart, the wider the margin of harm, the more so with few pods.
func TestPodsThatDiffer(t *testing.T) {
	p := oneMetric(MetricPolicy{Name: "errors", Absolute: .001})
	s, at := NewState(p), stream{now: epoch, every: 10 * time.Second}
	stable := pods("stable", 4, 1000, 10)
	stable[0].Bad, stable[1].Bad = 30, 2
	for range 10 {
		l := at.next(Counts{Stable: stable})
		l.History = true
		mustObserve(t, s, p, l)
	}
	m := &s.mem.Metrics[0]
	few := m.podsWiden(&arms{podsKnown: true, canaryPods: 1, stablePods: 4})
	many := m.podsWiden(&arms{podsKnown: true, canaryPods: 20, stablePods: 4})
	if !(few > many && many > 1.2) {
		t.Errorf("factor %v with one canary pod, %v with twenty", few, many)
	}
	if got := m.podsWiden(&arms{canaryPods: 1, stablePods: 1}); got != 1 {
		t.Errorf("factor %v where pods are not known", got)
	}
}

// TestCap: one look multiplies the evidence of harm by at most 8.
func TestCap(t *testing.T) {
	p := oneMetric(MetricPolicy{Name: "errors", Absolute: .001, Limit: .01})
	s, at := NewState(p), stream{now: epoch, every: 10 * time.Second}
	history := at.next(Counts{Stable: pods("stable", 4, 1000, 1)})
	history.History = true
	mustObserve(t, s, p, history)
	last := s.harm(p, -1).log
	for range 3 {
		mustObserve(t, s, p, at.next(Counts{Canary: pods("canary", 4, 1000, 1000), Stable: pods("stable", 4, 1000, 1)}))
		now := s.harm(p, -1).log
		if now-last > logMostPerLook+1e-9 {
			t.Fatalf("evidence grew by a factor of %v", plain(now-last))
		}
		last = now
	}
}

// TestNoiseWeakensEvidence: the same harm counts for less where pods are apart from look to look.
func TestNoiseWeakensEvidence(t *testing.T) {
	calm, rough := harmAfterHistory(t, 0), harmAfterHistory(t, 30)
	if !(rough < calm && rough > 0) {
		t.Errorf("log evidence %v in calm traffic, %v in rough", calm, rough)
	}
}

func harmAfterHistory(t *testing.T, swing float64) float64 {
	t.Helper()
	p := oneMetric(MetricPolicy{Name: "errors", Absolute: .001})
	s, at := NewState(p), stream{now: epoch, every: 10 * time.Second}
	for i := range 30 {
		stable := pods("stable", 4, 1000, 40)
		stable[i%4].Bad += swing
		l := at.next(Counts{Stable: stable})
		l.History = true
		mustObserve(t, s, p, l)
	}
	mustObserve(t, s, p, at.next(Counts{Canary: pods("canary", 4, 250, 24), Stable: pods("stable", 4, 1000, 40)}))
	return s.harm(p, -1).log
}
