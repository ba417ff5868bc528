package judge

import (
	"math/rand/v2"
	"testing"
	"time"
)

// benchPolicy has four metrics, one with a limit.
func benchPolicy() Policy {
	p := errorsAndLatency(2)
	p.Metrics = append(p.Metrics,
		MetricPolicy{Name: "checkouts", Relative: .1, Absolute: .002},
		MetricPolicy{Name: "searches", Relative: .1, Absolute: .002})
	return p
}

// benchState has seen two hours of history and a few minutes of a release with forty pods.
func benchState(b *testing.B, p Policy, canary int, unknown bool) (*State, *stream, []Counts) {
	b.Helper()
	s, at := NewState(p), &stream{now: epoch, every: 10 * time.Second}
	r := rand.New(rand.NewPCG(1, 1))
	var counts []Counts
	for range p.Metrics {
		c := Counts{Canary: pods("canary", canary, 100, 0), Stable: pods("stable", 40-canary, 100, 0), PodsUnknown: unknown}
		for i := range c.Canary {
			c.Canary[i].Requests += float64(i)
			c.Canary[i].Bad = .3 * r.Float64()
		}
		for i := range c.Stable {
			c.Stable[i].Bad = .3 * (1 + r.Float64())
		}
		counts = append(counts, c)
	}
	for range 20 {
		mustObserve(b, s, p, at.next(counts...))
	}
	return s, at, counts
}

// BenchmarkObserve is one look of four metrics and forty pods. Leaving the canary's pods out one by one costs one more
// evaluation of the evidence for each; it cannot wait until harm is near its bound, because what a pod's absence would have
// changed depends on every interval.
func BenchmarkObserve(b *testing.B) {
	for _, c := range []struct {
		name    string
		canary  int
		unknown bool
	}{{"update alone", 8, true}, {"8 of 40 pods left out in turn", 8, false}, {"20 of 40 pods left out in turn", 20, false}} {
		b.Run(c.name, func(b *testing.B) {
			p := benchPolicy()
			s, at, counts := benchState(b, p, c.canary, c.unknown)
			b.ReportAllocs()
			for b.Loop() {
				mustObserve(b, s, p, at.next(counts...))
			}
			if s.mem.Crossed {
				b.Fatal("harm is proven: the looks after it cost nothing")
			}
		})
	}
}

func BenchmarkAssess(b *testing.B) {
	p := benchPolicy()
	s, _, _ := benchState(b, p, 8, false)
	b.ReportAllocs()
	for b.Loop() {
		_ = s.Assess(p, .5)
	}
}

func BenchmarkMarshal(b *testing.B) {
	p := benchPolicy()
	s, _, _ := benchState(b, p, 8, false)
	b.ReportAllocs()
	for b.Loop() {
		text, err := s.MarshalText()
		if err != nil {
			b.Fatal(err)
		}
		b.ReportMetric(float64(len(text)), "bytes")
	}
}
