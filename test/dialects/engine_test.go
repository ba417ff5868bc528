// Package dialects runs what the dialects of internal/telemetry ask for in Prometheus's own engine, on made series.
package dialects

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql"
	"github.com/prometheus/prometheus/promql/promqltest"

	"slipway.dev/slipway/internal/telemetry"
)

// every is the scrape interval of the made series, window how far back a query reads.
const (
	every  = 10 * time.Second
	window = 5 * time.Minute
)

// arms are the backends that all cases are about.
var (
	canary = telemetry.Backend{Namespace: "shop", Service: "checkout-canary", Workload: "checkout-canary", Port: 80, Config: "infra/cilium-gateway-gw"}
	stable = telemetry.Backend{Namespace: "shop", Service: "checkout", Workload: "checkout", Port: 80, Config: "infra/cilium-gateway-gw"}
)

// tally is what both arms have answered over all looks.
type tally struct {
	Canary, CanaryBad, Stable, StableBad float64
	// Pods are the canary's, by what each has answered.
	Pods map[string]float64
}

// measured is a metric of a release, followed as the operator does it.
type measured struct {
	tally tally
	// Problem and Note are what a user is told.
	problem, note string
}

// follow makes one release's queries again and again while the series grow, and adds up what comes of them.
func follow(t *testing.T, series string, samples int, metrics ...telemetry.Metric) []measured {
	t.Helper()
	// The first scrape is one interval after the beginning of time, which would be no time to a tracker.
	series = strings.ReplaceAll(strings.TrimSpace(series), "} ", "} _ ")
	storage := promqltest.LoadedStorage(t, fmt.Sprintf("load %s\n%s", every, series))
	engine := promqltest.NewTestEngine(t, false, 0, 1_000_000)
	tracker := telemetry.NewTracker(time.Time{}, metrics)
	out := make([]measured, len(metrics))
	for i := range samples {
		at := time.UnixMilli(0).Add(time.Duration(i+1) * every)
		var fed []telemetry.Series
		for _, selector := range merged(tracker.Selectors()) {
			query, err := engine.NewInstantQuery(t.Context(), storage, nil, fmt.Sprintf("%s[%s]", selector, window), at)
			if err != nil {
				t.Fatalf("%s: %v", selector, err)
			}
			matrix, err := query.Exec(t.Context()).Matrix()
			if err != nil {
				t.Fatalf("%s: %v", selector, err)
			}
			fed = append(fed, convert(matrix)...)
			query.Close()
		}
		for _, look := range tracker.Feed(fed) {
			for m := range look.Metrics {
				out[m].tally.add(look.Metrics[m])
			}
		}
	}
	for m, health := range tracker.Health().Metrics {
		out[m].problem, out[m].note = health.Problem, health.Note
	}
	return out
}

// merged puts the selectors together that can be, as the operator does.
func merged(selectors []telemetry.Selector) []telemetry.Selector {
	var out []telemetry.Selector
	for _, s := range selectors {
		i := slices.IndexFunc(out, func(o telemetry.Selector) bool { return o.Class() == s.Class() })
		if i < 0 {
			out = append(out, s)
			continue
		}
		out[i] = out[i].Merge(s)
	}
	return out
}

func convert(matrix promql.Matrix) []telemetry.Series {
	var out []telemetry.Series
	for _, s := range matrix {
		one := telemetry.Series{Labels: telemetry.Labels{}}
		s.Metric.Range(func(l labels.Label) { one.Labels[l.Name] = l.Value })
		for _, f := range s.Floats {
			one.Samples = append(one.Samples, telemetry.Sample{UnixMillis: f.T, Value: f.F})
		}
		out = append(out, one)
	}
	return out
}

func (t *tally) add(c telemetry.Counts) {
	for _, p := range c.Canary {
		t.Canary, t.CanaryBad = t.Canary+p.Requests, t.CanaryBad+p.Bad
		if p.Pod != "" {
			if t.Pods == nil {
				t.Pods = map[string]float64{}
			}
			t.Pods[p.Pod] += p.Requests
		}
	}
	for _, p := range c.Stable {
		t.Stable, t.StableBad = t.Stable+p.Requests, t.StableBad+p.Bad
	}
}

// metric is one metric of a release over the arms.
func metric(t *testing.T, plane telemetry.Plane, signal telemetry.Signal, view telemetry.View) telemetry.Metric {
	t.Helper()
	ask := telemetry.Ask{Signal: signal, View: view, SlowerThan: 200 * time.Millisecond}
	var err error
	if ask.Canary, err = plane.Names(canary); err != nil {
		t.Fatal(err)
	}
	if ask.Stable, err = plane.Names(stable); err != nil {
		t.Fatal(err)
	}
	query, err := plane.Query(ask)
	if err != nil {
		t.Fatal(err)
	}
	return telemetry.Metric{Name: signal.String(), Query: query}
}

func compare(t *testing.T, what string, want tally, got measured) {
	t.Helper()
	if diff := cmp.Diff(want, got.tally); diff != "" {
		t.Errorf("%s (-want +got):\n%s", what, diff)
	}
	if got.problem != "" {
		t.Errorf("%s: problem %q", what, got.problem)
	}
}
