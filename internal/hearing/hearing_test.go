package hearing

import (
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"slipway.dev/slipway/internal/judge"
	"slipway.dev/slipway/internal/telemetry"
)

// every kind of metric, with pods and without.
func everyKind() Terms {
	return Terms{
		Policy: judge.Policy{
			FalseRollbackRisk: .05, BadPromotionRisk: .05, WarmupTolerance: .05, Warmup: time.Minute, MaxDuration: time.Hour, Steps: 2,
			Metrics: []judge.MetricPolicy{
				{Name: "queue", Importance: 1, Signs: true},
				{Name: "errors", Relative: .1, Absolute: .01, Importance: 2, Limit: .5},
				{Name: "orders", Relative: .1, Absolute: .05, Importance: 1, LowerIsWorse: true},
				{Name: "p90", Absolute: .1, Importance: 1},
				{Name: "shape", Relative: .1, Absolute: .02, Importance: 1},
				{Name: "native", Relative: .1, Absolute: .02, Importance: 1},
			},
		},
		Measures: []Measure{
			{Kind: Gauge, Tolerance: .1},
			{Kind: Counts, DataPlane: true},
			{Kind: Counts},
			{Kind: Quantile, Quantile: .9, Slowdown: .1, Unit: "ms", DataPlane: true},
			{Kind: Shape, Unit: "s"},
			{Kind: Slower, Place: .2, Unit: "s"},
		},
	}
}

var bounds = []float64{.05, .1, .2, .4, .8, 1.6}

// traffic makes looks of ten seconds: before from second 0 on, then two steps.
type traffic struct {
	*rand.Rand
	// slow makes the canary's requests take longer, fail makes them fail.
	slow, fail float64
	// fewer has a tenth of the requests.
	fewer bool
}

func (g traffic) classic(arm telemetry.Arm, pod string, n int, slower, scale float64) telemetry.Distribution {
	n = g.some(n)
	d := telemetry.Distribution{Arm: arm, Pod: pod, Requests: float64(n), AtMost: map[float64]float64{}}
	for _, b := range bounds {
		d.AtMost[b*scale] = 0
	}
	for range n {
		took := g.ExpFloat64() * .1 * slower
		for _, b := range bounds {
			if took <= b {
				d.AtMost[b*scale]++
			}
		}
	}
	return d
}

func (g traffic) native(arm telemetry.Arm, pod string, n, schema int, slower float64) telemetry.Distribution {
	n = g.some(n)
	h := judge.NativeHistogram{Schema: schema, Buckets: map[int]float64{}}
	for range n {
		h.Buckets[int(math.Ceil(math.Ldexp(math.Log2(g.ExpFloat64()*.1*slower+1e-9), schema)))]++
	}
	return telemetry.Distribution{Arm: arm, Pod: pod, Requests: float64(n), Native: h}
}

func (g traffic) some(n int) int {
	if g.fewer {
		return n / 5
	}
	return n
}

func (g traffic) pods(prefix string, pods, requests int, bad float64) []telemetry.PodCount {
	var out []telemetry.PodCount
	requests = g.some(requests)
	for i := range pods {
		p := telemetry.PodCount{Pod: fmt.Sprint(prefix, i), Requests: float64(requests)}
		for range requests {
			if g.Float64() < bad {
				p.Bad++
			}
		}
		out = append(out, p)
	}
	return out
}

// look is of everyKind's metrics. Without users the canary has counted nothing.
func (g traffic) look(i int, users bool) telemetry.Look {
	at := time.Unix(int64(10*i), 0).UTC()
	l := telemetry.Look{From: at, To: at.Add(10 * time.Second), Metrics: make([]telemetry.Counts, 6)}
	l.Metrics[0].Readings = []telemetry.Reading{{Arm: telemetry.Stable, Pod: "s0", N: 5, Sum: 50 + 5*g.Float64()}}
	l.Metrics[1] = telemetry.Counts{Stable: g.pods("", 1, 400, .01), PodsUnknown: true}
	l.Metrics[2] = telemetry.Counts{Stable: g.pods("s", 4, 100, .5)}
	l.Metrics[3] = telemetry.Counts{PodsUnknown: true, Distributions: []telemetry.Distribution{g.classic(telemetry.Stable, "", 400, 1, 1000)}}
	for p := range 4 {
		pod := fmt.Sprint("s", p)
		l.Metrics[4].Distributions = append(l.Metrics[4].Distributions, g.classic(telemetry.Stable, pod, 100, 1, 1))
		l.Metrics[5].Distributions = append(l.Metrics[5].Distributions, g.native(telemetry.Stable, pod, 100, 3, 1))
	}
	if !users {
		return l
	}
	slow := 1 + g.slow
	l.Metrics[0].Readings = append(l.Metrics[0].Readings, telemetry.Reading{Arm: telemetry.Canary, Pod: "c0", N: 5, Sum: (50 + 5*g.Float64()) * slow})
	l.Metrics[1].Canary = g.pods("", 1, 100, .01+g.fail)
	l.Metrics[2].Canary = g.pods("c", 2, 50, .5-g.fail)
	l.Metrics[3].Distributions = append(l.Metrics[3].Distributions, g.classic(telemetry.Canary, "", 100, slow, 1000))
	for p := range 2 {
		pod := fmt.Sprint("c", p)
		l.Metrics[4].Distributions = append(l.Metrics[4].Distributions, g.classic(telemetry.Canary, pod, 50, slow, 1))
		l.Metrics[5].Distributions = append(l.Metrics[5].Distributions, g.native(telemetry.Canary, pod, 50, 2, slow))
	}
	return l
}

// stream is a release: history, a step that warms up, a second step.
type heardLook struct {
	telemetry.Look
	at Circumstances
}

func (g traffic) stream(looks int) []heardLook {
	var out []heardLook
	for i := range looks {
		at := Circumstances{Step: -1, NextShare: .5}
		switch {
		case i >= looks*2/3:
			at = Circumstances{Step: 1, NextShare: 1, WantedShare: .2, Settling: i == looks*2/3}
		case i >= looks/3:
			at = Circumstances{Step: 0, NextShare: .5, WantedShare: .2, Settling: i == looks/3, Warming: i < looks/3+3}
		}
		out = append(out, heardLook{g.look(i, at.Step >= 0), at})
	}
	return out
}

func hear(t *testing.T, h *Hearing, terms Terms, looks []heardLook) {
	t.Helper()
	for _, l := range looks {
		if err := h.Hear(terms, l.Look, l.at); err != nil {
			t.Fatal(err)
		}
	}
}

func text(t *testing.T, h *Hearing) string {
	t.Helper()
	s, err := h.Text()
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// TestAnyCutGivesTheSameEvidence stops after each look, reads the hearing back from its record, and gives it some of the
// looks of before again, as a sampler does that reads Prometheus anew, and then the rest.
func TestAnyCutGivesTheSameEvidence(t *testing.T) {
	terms := everyKind()
	for name, g := range map[string]traffic{
		"a healthy release": {Rand: rand.New(rand.NewPCG(1, 1))},
		"a slow one":        {Rand: rand.New(rand.NewPCG(2, 1)), slow: 1, fewer: true},
		"a failing one":     {Rand: rand.New(rand.NewPCG(3, 1)), fail: .2, fewer: true},
	} {
		t.Run(name, func(t *testing.T) {
			stream := g.stream(66)
			whole := New(terms, "x")
			hear(t, whole, terms, stream)
			want := text(t, whole)
			upTo := New(terms, "x")
			for cut := range stream {
				hear(t, upTo, terms, stream[cut:cut+1])
				again, found := Read(terms, "x", text(t, upTo))
				if !found {
					t.Fatalf("after look %d: the record cannot be read", cut)
				}
				hear(t, again, terms, stream[max(0, cut-5):])
				if diff := cmp.Diff(want, text(t, again)); diff != "" {
					t.Fatalf("cut after look %d (-never stopped +started again):\n%s", cut, diff)
				}
			}
		})
	}
}

func TestEveryKindIsJudged(t *testing.T) {
	terms := everyKind()
	only := func(i int) Terms {
		one := terms
		one.Policy.Metrics, one.Measures = terms.Policy.Metrics[i:i+1], terms.Measures[i:i+1]
		return one
	}
	for i, metric := range terms.Policy.Metrics {
		t.Run(metric.Name, func(t *testing.T) {
			one := only(i)
			verdict := func(g traffic) Assessment {
				h := New(one, "x")
				for _, l := range g.stream(450) {
					l.Metrics = l.Metrics[i : i+1]
					if err := h.Hear(one, l.Look, l.at); err != nil {
						t.Fatal(err)
					}
				}
				return h.Assess(one, 1, time.Unix(3000, 0))
			}
			bad := verdict(traffic{Rand: rand.New(rand.NewPCG(5, uint64(i))), slow: 1.5, fail: .25, fewer: true})
			if bad.Verdict != judge.Rollback || !strings.Contains(bad.Detail, metric.Name) || !strings.Contains(bad.Detail, "after the first users") {
				t.Errorf("a bad version: %v: %s", bad.Verdict, bad.Detail)
			}
			good := verdict(traffic{Rand: rand.New(rand.NewPCG(6, uint64(i))), slow: -.3, fewer: true})
			if good.Verdict != judge.Advance {
				t.Errorf("a good version: %v: %s", good.Verdict, good.Detail)
			}
		})
	}
}

// TestAShapeIsOneMetric: its places share its part of the risk, and the average of their evidence is its own.
func TestAShapeIsOneMetric(t *testing.T) {
	terms := everyKind()
	terms.Policy.Metrics, terms.Measures = terms.Policy.Metrics[4:5], terms.Measures[4:5]
	h := New(terms, "x")
	for _, l := range (traffic{Rand: rand.New(rand.NewPCG(7, 1)), slow: .3}).stream(60) {
		l.Metrics = l.Metrics[4:5]
		if err := h.Hear(terms, l.Look, l.at); err != nil {
			t.Fatal(err)
		}
	}
	a := h.Assess(terms, 1, time.Time{})
	sum, least := 0.0, math.Inf(1)
	for _, m := range a.Metrics {
		sum += math.Exp(m.LogHarm)
		least = min(least, m.LogPromote)
	}
	if len(a.Metrics) != shapeCuts || len(a.ByMetric) != 1 {
		t.Fatalf("%d comparisons of %d metrics", len(a.Metrics), len(a.ByMetric))
	}
	if got := math.Exp(a.ByMetric[0].LogHarm); math.Abs(got/(sum/shapeCuts)-1) > 1e-9 || math.Abs(got/a.HarmEvidence-1) > 1e-9 {
		t.Errorf("evidence of harm %v, want the average %v, which is all there is: %v", got, sum/shapeCuts, a.HarmEvidence)
	}
	if a.ByMetric[0].LogPromote != least {
		t.Errorf("evidence of health %v, want the least %v", a.ByMetric[0].LogPromote, least)
	}
}

func TestWherePlacesAreChosen(t *testing.T) {
	g := traffic{Rand: rand.New(rand.NewPCG(8, 1))}
	for name, c := range map[string]struct {
		measure Measure
		past    telemetry.Distribution
		want    []float64
		problem string
	}{
		"a quantile's place is the boundary over it, slowed down": {
			measure: Measure{Kind: Quantile, Quantile: .9, Slowdown: .1, Unit: "s"}, past: g.classic(telemetry.Stable, "", 4000, 1, 1), want: []float64{.4},
		},
		"a quantile above all boundaries cannot be watched": {
			measure: Measure{Kind: Quantile, Quantile: .9, Slowdown: .1, Unit: "s"}, past: g.classic(telemetry.Stable, "", 4000, 20, 1), problem: "above all boundaries",
		},
		"a native histogram has a boundary everywhere": {
			measure: Measure{Kind: Slower, Place: .3, Unit: "s"}, past: g.native(telemetry.Stable, "", 100, 1, 1), want: []float64{math.Exp2(-1.5)},
		},
		"where all of stable is below the lowest boundary, a shape is seen there": {
			measure: Measure{Kind: Shape, Unit: "s"}, past: g.classic(telemetry.Stable, "", 4000, .01, 1), want: []float64{.05, .05, .05, .05, .05},
		},
	} {
		t.Run(name, func(t *testing.T) {
			got, problem := c.measure.places(c.past)
			if diff := cmp.Diff(c.want, got); diff != "" || !strings.Contains(problem, c.problem) || (c.problem == "") != (problem == "") {
				t.Errorf("places (-want +got):\n%sproblem %q, want %q", diff, problem, c.problem)
			}
		})
	}
}

func TestWhatCannotBeComparedIsSaidAndHoldsNothingElseUp(t *testing.T) {
	terms := everyKind()
	terms.Policy.Metrics, terms.Measures = terms.Policy.Metrics[1:4:4], terms.Measures[1:4:4]
	terms.Measures[2].Quantile = .9999
	h := New(terms, "x")
	for _, l := range (traffic{Rand: rand.New(rand.NewPCG(9, 1)), fail: .3}).stream(60) {
		l.Metrics = l.Metrics[1:4]
		if err := h.Hear(terms, l.Look, l.at); err != nil {
			t.Fatal(err)
		}
	}
	if a := h.Assess(terms, 1, time.Time{}); a.Verdict != judge.Rollback || !strings.Contains(a.Detail, "errors") {
		t.Errorf("errors beside it: %v: %s", a.Verdict, a.Detail)
	}
	if said := strings.Join(h.Unplaced(terms), "; "); !strings.Contains(said, `metric "p90": `) || !strings.Contains(said, "of 200,000 requests") {
		t.Errorf("said %q", said)
	}
}

// A record with a number that JSON has no word for could never be written again: the release would stand still for good.
func TestNonsenseIsNotRemembered(t *testing.T) {
	terms := everyKind()
	for name, at := range map[string]Circumstances{"history": {Step: -1}, "evidence": {Step: 0, NextShare: .5}} {
		for _, nonsense := range []float64{math.Inf(1), math.NaN(), -1} {
			h := New(terms, "x")
			l := (traffic{Rand: rand.New(rand.NewPCG(10, 1))}).look(0, false)
			for i := range l.Metrics {
				for p := range l.Metrics[i].Stable {
					l.Metrics[i].Stable[p].Requests = nonsense
				}
			}
			if err := h.Hear(terms, l, at); err == nil {
				t.Errorf("%s: %v requests were heard", name, nonsense)
			}
			if _, err := h.Text(); err != nil {
				t.Errorf("%s: after %v requests: %v", name, nonsense, err)
			}
		}
	}
}

func TestForecastSaysWhatAStepNeeds(t *testing.T) {
	terms := everyKind()
	terms.Policy.Metrics, terms.Measures = terms.Policy.Metrics[1:2], terms.Measures[1:2]
	terms.Policy.Metrics[0].Limit = 0
	h := New(terms, "x")
	for i := range 30 {
		l := (traffic{Rand: rand.New(rand.NewPCG(10, 1))}).look(i, false)
		l.Metrics = l.Metrics[1:2]
		for p := range l.Metrics[0].Stable {
			l.Metrics[0].Stable[p].Bad = 0
		}
		if err := h.Hear(terms, l, Circumstances{Step: -1}); err != nil {
			t.Fatal(err)
		}
	}
	need, known := h.Forecast(terms, .1, 1)
	// Without errors it is ln(1/β)/δ.
	if want := math.Log(20) / .01; !known || need.PerSecond != 40 || math.Abs(need.Requests-want) > .5 || math.Abs(need.Time.Seconds()-want/4) > 1 {
		t.Errorf("%+v (%t), want %.0f requests at 40/s", need, known, want)
	}
}
