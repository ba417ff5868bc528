package judge

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
	"time"
)

var epoch = time.Unix(1_700_000_000, 0)

// errorsAndLatency is the policy that releases have by default.
func errorsAndLatency(importance float64) Policy {
	return Policy{
		FalseRollbackRisk: .05, BadPromotionRisk: .05,
		Warmup: time.Minute, WarmupTolerance: .05, MaxDuration: 2 * time.Hour, Steps: 5,
		Metrics: []MetricPolicy{
			{Name: "errors", Relative: .1, Absolute: .001, Importance: importance},
			{Name: "latency", Relative: .1, Absolute: .005},
		},
	}
}

// oneMetric is a policy with one metric.
func oneMetric(m MetricPolicy) Policy {
	p := errorsAndLatency(1)
	p.Metrics = []MetricPolicy{m}
	return p
}

// pods makes equal pods of an arm.
func pods(arm string, n int, requests, bad float64) []PodCount {
	out := make([]PodCount, n)
	for i := range out {
		out[i] = PodCount{Pod: fmt.Sprintf("%s-%d", arm, i), Requests: requests, Bad: bad}
	}
	return out
}

// warming marks pods as warming up.
func warming(pods []PodCount) []PodCount {
	for i := range pods {
		pods[i].Warming = true
	}
	return pods
}

// stream hands out looks one after the other.
type stream struct {
	now   time.Time
	every time.Duration
}

func (s *stream) next(metrics ...Counts) Look {
	l := Look{From: s.now, To: s.now.Add(s.every), Metrics: metrics}
	s.now = l.To
	return l
}

// mustObserve records a look that is fine.
func mustObserve(tb testing.TB, s *State, p Policy, l Look) {
	tb.Helper()
	if err := s.Observe(p, l); err != nil {
		tb.Fatalf("observe: %v", err)
	}
}

// near reports whether two numbers agree to 1e-9.
func near(a, b float64) bool {
	return math.Abs(a-b) <= 1e-9*max(1, math.Abs(a), math.Abs(b))
}

// poisson draws a count.
func poisson(r *rand.Rand, mean float64) float64 {
	if mean > 500 {
		return max(0, math.Round(mean+math.Sqrt(mean)*r.NormFloat64()))
	}
	limit, k, p := math.Exp(-mean), 0.0, r.Float64()
	for p > limit {
		k++
		p *= r.Float64()
	}
	return k
}

// randomLooks is a lively stream of two metrics: warm-up, settling, steps, pods that come and go, arms that are missing.
func randomLooks(r *rand.Rand, n int) []Look {
	at := stream{now: epoch, every: 10 * time.Second}
	looks := make([]Look, 0, n)
	for i := range n {
		l := at.next(randomCounts(r, i), randomCounts(r, i))
		l.History = i < 10
		l.Step = i / 40
		l.Settling = i%40 == 0
		l.NextShare = min(1, .05*float64(1+l.Step))
		l.WantedShare = .2
		l.Promoting = i > 3*n/4
		if l.History {
			l.Step = 0
			for m := range l.Metrics {
				l.Metrics[m].Canary = nil
			}
		}
		looks = append(looks, l)
	}
	return looks
}

func randomCounts(r *rand.Rand, look int) Counts {
	c := Counts{}
	draw := func(arm string, n int, mean float64) []PodCount {
		var out []PodCount
		for i := range n {
			requests := poisson(r, mean)
			out = append(out, PodCount{
				Pod:      fmt.Sprintf("%s-%d", arm, i+look/50),
				Requests: requests, Bad: min(requests, poisson(r, mean*.01)), Warming: i == 0 && look%50 < 6,
			})
		}
		return out
	}
	if r.Float64() > .1 {
		c.Canary = draw("canary", 1+r.IntN(4), 50)
	}
	if r.Float64() > .1 {
		c.Stable = draw("stable", 2+r.IntN(8), 80)
	}
	return c
}
