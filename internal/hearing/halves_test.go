package hearing

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"slipway.dev/slipway/internal/judge"
	"slipway.dev/slipway/internal/telemetry"
)

var halvesTrial = judge.Trial{Shares: []float64{.1, .5}, CanaryPods: 2, Every: 10 * time.Second}

// stableAt is a look of stable at a place in time, of so many seconds.
func stableAt(second int64, metrics ...telemetry.Counts) telemetry.Look {
	return telemetry.Look{From: time.Unix(second-10, 0), To: time.Unix(second, 0), Metrics: metrics}
}

func stablePods(from, to int, requests, bad float64) telemetry.Counts {
	var c telemetry.Counts
	for i := from; i < to; i++ {
		c.Stable = append(c.Stable, telemetry.PodCount{Pod: fmt.Sprint("web-", i), Requests: requests, Bad: bad})
	}
	return c
}

func halvesTerms(kinds ...Measure) Terms {
	t := Terms{Policy: judge.Policy{FalseRollbackRisk: .05, BadPromotionRisk: .05, MaxDuration: 2 * time.Hour, Steps: 2}, Measures: kinds}
	for i := range kinds {
		t.Policy.Metrics = append(t.Policy.Metrics, judge.MetricPolicy{Name: fmt.Sprint("m", i), Relative: .1, Absolute: .001})
	}
	return t
}

func mustHearHalves(t *testing.T, h *Hearing, terms Terms, look telemetry.Look) {
	t.Helper()
	if err := h.HearHalves(terms, look); err != nil {
		t.Fatal(err)
	}
}

// TestPodsKeepTheirHalf: also over a restart, when pods come and go, and whatever their order is; and the halves of the
// pods that are there stay even.
func TestPodsKeepTheirHalf(t *testing.T) {
	terms, r := halvesTerms(Measure{}), rand.New(rand.NewPCG(5, 5))
	h, home := New(terms, "AA"), map[string]bool{}
	for i := range 60 {
		c := stablePods(i/10, 6+2*(i/10), 100, 1)
		r.Shuffle(len(c.Stable), func(a, b int) { c.Stable[a], c.Stable[b] = c.Stable[b], c.Stable[a] })
		mustHearHalves(t, h, terms, stableAt(int64(10*i+10), c))
		text, err := h.Text()
		if err != nil {
			t.Fatal(err)
		}
		var found bool
		if h, found = Read(terms, "AA", text); !found {
			t.Fatal("the comparison cannot be read back")
		}
		inFirst := 0
		for _, p := range c.Stable {
			first := slices.Contains(h.record.CanaryPods, p.Pod)
			if was, seen := home[p.Pod]; seen && was != first {
				t.Fatalf("pod %s changed its half", p.Pod)
			}
			if home[p.Pod] = first; first {
				inFirst++
			}
		}
		if off := 2*inFirst - len(c.Stable); off < -2 || off > 2 {
			t.Errorf("look %d: %d of %d pods are in one half", i, inFirst, len(c.Stable))
		}
	}
}

// TestHalvesByKind: two pods are in two halves, for each kind of metric.
func TestHalvesByKind(t *testing.T) {
	for name, c := range map[string]struct {
		measure Measure
		counts  func(i int) telemetry.Counts
		says    string
	}{
		"counts of two pods": {counts: func(int) telemetry.Counts { return stablePods(0, 2, 1000, 1) }, says: "0.10% (600/600,000) and 0.10% (600/600,000)"},
		"one pod: one look against the next": {
			counts: func(i int) telemetry.Counts { return stablePods(0, 1, 1000, float64(i%2)) }, says: "0.00% (0/300,000) and 0.10% (300/300,000)",
		},
		"pods that are not told apart": {
			counts: func(int) telemetry.Counts {
				return telemetry.Counts{PodsUnknown: true, Stable: []telemetry.PodCount{{Requests: 1000, Bad: 1}}}
			},
			says: "0.10% (300/300,000) and 0.10% (300/300,000)",
		},
		"a histogram": {
			measure: Measure{Kind: Slower, Place: .5, Unit: "s"},
			counts: func(int) telemetry.Counts {
				var out telemetry.Counts
				for i := range 2 {
					out.Distributions = append(out.Distributions, telemetry.Distribution{
						Arm: telemetry.Stable, Pod: fmt.Sprint("web-", i), Requests: 1000, AtMost: map[float64]float64{.1: 900, .5: 990},
					})
				}
				return out
			},
			says: "1.00% (5,990/599,000) and 1.00% (5,990/599,000)",
		},
		"a gauge": {
			measure: Measure{Kind: Gauge, Tolerance: .1},
			counts: func(int) telemetry.Counts {
				return telemetry.Counts{Readings: []telemetry.Reading{
					{Arm: telemetry.Stable, Pod: "web-0", Sum: 1, N: 1}, {Arm: telemetry.Stable, Pod: "web-1", Sum: 1, N: 1},
				}}
			},
			says: "0.00% (0/10)",
		},
	} {
		terms := halvesTerms(c.measure)
		h := New(terms, "AA")
		for i := range 600 {
			mustHearHalves(t, h, terms, stableAt(int64(10*i+10), c.counts(i)))
		}
		found := h.Calibrate(terms, halvesTrial)
		if len(found) != 1 || !strings.Contains(found[0].String(), c.says) {
			t.Errorf("%s: %v, want %q", name, found, c.says)
		}
	}
}

// TestLooksFarApartAreNotCompared: what is compared is one look against the next, and no look is heard twice.
func TestLooksFarApartAreNotCompared(t *testing.T) {
	terms := halvesTerms(Measure{})
	h := New(terms, "AA")
	one := stablePods(0, 1, 100, 1)
	for _, second := range []int64{10, 10, 1000, 2000} {
		mustHearHalves(t, h, terms, stableAt(second, one))
	}
	if found := h.Calibrate(terms, halvesTrial); found != nil {
		t.Errorf("looks far apart were compared: %v", found)
	}
	mustHearHalves(t, h, terms, stableAt(2010, one))
	if found := h.Calibrate(terms, halvesTrial); len(found) != 1 || found[0].First.Requests != 100 || found[0].Second.Requests != 100 {
		t.Errorf("two looks in a row: %v", found)
	}
}

// TestPodsBeyondThoseThatAreRemembered: each is in one half, and none is lost.
func TestPodsBeyondThoseThatAreRemembered(t *testing.T) {
	terms := halvesTerms(Measure{})
	h := New(terms, "AA")
	for i := range 3 {
		mustHearHalves(t, h, terms, stableAt(int64(10*i+10), stablePods(0, 500, 100, 0)))
	}
	m := h.Calibrate(terms, halvesTrial)[0]
	if sum := m.First.Requests + m.Second.Requests; sum != 3*500*100 || m.First.Requests < sum/3 || m.Second.Requests < sum/3 {
		t.Errorf("halves of %v and %v requests", m.First.Requests, m.Second.Requests)
	}
	if len(h.record.CanaryPods) != mostCanaryPods {
		t.Errorf("%d pods of the first half are remembered", len(h.record.CanaryPods))
	}
}
