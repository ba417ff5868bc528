package hearing

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"slipway.dev/slipway/internal/judge"
	"slipway.dev/slipway/internal/telemetry"
)

// TestTheRecordFitsIntoStatus: as many metrics as the API takes, each of the largest kind, with more pods than are told
// apart. The API takes 256 KiB; a write that is refused would stop the release.
func TestTheRecordFitsIntoStatus(t *testing.T) {
	const limit = 256 << 10
	g := traffic{Rand: rand.New(rand.NewPCG(12, 1))}
	terms := Terms{Policy: judge.Policy{FalseRollbackRisk: .05, BadPromotionRisk: .05, WarmupTolerance: .05, MaxDuration: time.Hour, Steps: 3}}
	for i := range 8 {
		terms.Policy.Metrics = append(terms.Policy.Metrics, judge.MetricPolicy{Name: fmt.Sprint("metric-", i), Relative: .5, Absolute: .1, Importance: 1})
		terms.Measures = append(terms.Measures, Measure{Kind: Shape, Unit: "s"})
	}
	h := New(terms, "revision@2026-01-02T03:04:05.123456789Z")
	var all telemetry.Counts
	for p := range 300 {
		all.Distributions = append(all.Distributions, g.classic(telemetry.Stable, fmt.Sprintf("checkout-5d4f8c7b9-%05d", p), 5, 1, 1))
	}
	for i := range 9 {
		at := Circumstances{Step: -1}
		if i == 5 {
			for p := range 80 {
				all.Distributions = append(all.Distributions, g.classic(telemetry.Canary, fmt.Sprintf("checkout-canary-5d4f8c7b9-%05d", p), 5, 1, 1))
			}
		}
		if i >= 5 {
			at = Circumstances{Step: 0, NextShare: .5, Warming: i < 8}
		}
		look := telemetry.Look{From: time.Unix(int64(10*i), 123456789), To: time.Unix(int64(10*i+10), 123456789)}
		for range terms.Measures {
			look.Metrics = append(look.Metrics, all)
		}
		if err := h.Hear(terms, look, at); err != nil {
			t.Fatal(err)
		}
		if n := len(text(t, h)); n > limit {
			t.Fatalf("the record has %d bytes after look %d, more than %d", n, i, limit)
		}
	}
	t.Logf("%d bytes", len(text(t, h)))
}
