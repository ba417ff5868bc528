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
func benchState(b *testing.B, p Policy) (*State, *stream, []Counts) {
	b.Helper()
	s, at := NewState(p), &stream{now: epoch, every: 10 * time.Second}
	r := rand.New(rand.NewPCG(1, 1))
	var counts []Counts
	for range p.Metrics {
		c := Counts{Canary: pods("canary", 8, 100, 0), Stable: pods("stable", 32, 100, 0)}
		for i := range c.Canary {
			c.Canary[i].Bad = poisson(r, .3)
		}
		for i := range c.Stable {
			c.Stable[i].Bad = poisson(r, .3)
		}
		counts = append(counts, c)
	}
	for range 20 {
		mustObserve(b, s, p, at.next(counts...))
	}
	return s, at, counts
}

func BenchmarkObserve(b *testing.B) {
	p := benchPolicy()
	s, at, counts := benchState(b, p)
	b.ReportAllocs()
	for b.Loop() {
		mustObserve(b, s, p, at.next(counts...))
	}
}

func BenchmarkAssess(b *testing.B) {
	p := benchPolicy()
	s, _, _ := benchState(b, p)
	b.ReportAllocs()
	for b.Loop() {
		_ = s.Assess(p, .5)
	}
}

func BenchmarkMarshal(b *testing.B) {
	p := benchPolicy()
	s, _, _ := benchState(b, p)
	b.ReportAllocs()
	for b.Loop() {
		text, err := s.MarshalText()
		if err != nil {
			b.Fatal(err)
		}
		b.ReportMetric(float64(len(text)), "bytes")
	}
}
