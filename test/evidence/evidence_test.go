// Package evidence runs what metrics of every kind ask for in Prometheus's own engine, on made series, up to the evidence.
package evidence

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql"
	"github.com/prometheus/prometheus/promql/promqltest"
	"github.com/prometheus/prometheus/storage"

	"slipway.dev/slipway/internal/judge"
	"slipway.dev/slipway/internal/telemetry"
	"slipway.dev/slipway/internal/telemetry/application"
	"slipway.dev/slipway/internal/telemetry/envoy"
)

const every = 10 * time.Second

// server is a Prometheus that holds made series, one sample every ten seconds.
type server struct {
	t      *testing.T
	engine *promql.Engine
	series storage.Queryable
}

// read is what the operator's query returns at a moment, as it reads it.
func (s server) read(tracker *telemetry.Tracker, at time.Time, window time.Duration) []telemetry.Series {
	s.t.Helper()
	var fed []telemetry.Series
	for _, selector := range tracker.Selectors() {
		query, err := s.engine.NewInstantQuery(s.t.Context(), s.series, nil, fmt.Sprintf("%s[%ds]", selector, int(window.Seconds())), at)
		if err != nil {
			s.t.Fatalf("%s: %v", selector, err)
		}
		matrix, err := query.Exec(s.t.Context()).Matrix()
		if err != nil {
			s.t.Fatalf("%s: %v", selector, err)
		}
		for _, one := range matrix {
			fed = append(fed, convert(one))
		}
		query.Close()
	}
	return fed
}

func convert(one promql.Series) telemetry.Series {
	out := telemetry.Series{Labels: telemetry.Labels{}}
	one.Metric.Range(func(l labels.Label) { out.Labels[l.Name] = l.Value })
	for _, f := range one.Floats {
		out.Samples = append(out.Samples, telemetry.Sample{UnixMillis: f.T, Value: f.F})
	}
	for _, h := range one.Histograms {
		native := judge.NativeHistogram{Schema: int(h.H.Schema), Zero: h.H.ZeroCount, Buckets: map[int]float64{}}
		for buckets := h.H.PositiveBucketIterator(); buckets.Next(); {
			if b := buckets.At(); b.Count > 0 {
				native.Buckets[int(b.Index)] = b.Count
			}
		}
		out.Histograms = append(out.Histograms, telemetry.HistogramSample{UnixMillis: h.T, NativeHistogram: native})
	}
	return out
}

// load puts series in. The first sample is one interval after the beginning of time, which would be no time to a tracker.
func load(t *testing.T, series string) server {
	t.Helper()
	series = strings.ReplaceAll(strings.TrimSpace(series), "} ", "} _ ")
	series = strings.ReplaceAll(series, "}} _ ", "}} ") // the braces of a native histogram are no labels
	return server{t, promqltest.NewTestEngine(t, false, 0, 1_000_000), promqltest.LoadedStorage(t, fmt.Sprintf("load %s\n%s", every, series))}
}

// follow reads again and again while the series grow, and adds up what both arms have answered.
func (s server) follow(samples int, query telemetry.Query) (sum telemetry.Counts, health telemetry.MetricHealth) {
	tracker := telemetry.NewTracker(time.Time{}, []telemetry.Metric{{Name: "m", Query: query}})
	for i := range samples {
		for _, look := range tracker.Feed(s.read(tracker, time.UnixMilli(0).Add(time.Duration(i+1)*every), 5*time.Minute)) {
			add(&sum, look.Metrics[0])
		}
	}
	return sum, tracker.Health().Metrics[0]
}

func add(sum *telemetry.Counts, c telemetry.Counts) {
	sum.Canary, sum.Stable = addPods(sum.Canary, c.Canary), addPods(sum.Stable, c.Stable)
	for _, d := range c.Distributions {
		i := slices.IndexFunc(sum.Distributions, func(o telemetry.Distribution) bool { return o.Arm == d.Arm && o.Pod == d.Pod })
		if i < 0 || !sum.Distributions[i].Add(d) {
			sum.Distributions = append(sum.Distributions, d)
		}
	}
	for _, r := range c.Readings {
		i := slices.IndexFunc(sum.Readings, func(o telemetry.Reading) bool { return o.Arm == r.Arm && o.Pod == r.Pod })
		if i < 0 {
			sum.Readings = append(sum.Readings, r)
			continue
		}
		sum.Readings[i].N += r.N
		sum.Readings[i].Sum += r.Sum
	}
}

func addPods(into, pods []telemetry.PodCount) []telemetry.PodCount {
	for _, p := range pods {
		i := slices.IndexFunc(into, func(o telemetry.PodCount) bool { return o.Pod == p.Pod })
		if i < 0 {
			into = append(into, p)
			continue
		}
		into[i].Requests += p.Requests
		into[i].Bad += p.Bad
	}
	return into
}

const (
	canaryPod = `namespace="shop",pod="checkout-canary-5d4-x2x4z",job="app",instance="10.0.0.1:80"`
	stablePod = `namespace="shop",pod="checkout-1",job="app",instance="10.0.0.2:80"`
	otherPod  = `namespace="bank",pod="checkout-1",job="app",instance="10.0.0.3:80"`
)

var (
	pods  = strings.NewReplacer("CANARY", canaryPod, "STABLE", stablePod, "OTHER", otherPod)
	arms  = application.Arms{Namespace: "shop", Canary: application.Pods{Pattern: "checkout-canary-[a-z0-9]+-[a-z0-9]+"}, Stable: application.Pods{Listed: []application.Pod{{Name: "checkout-1"}}}}
	whole = telemetry.Boundary{Unit: "s", Whole: true}
)

// ownHistogram: the canary's pod begins again at the fourth scrape. Another namespace and another method are not asked for.
const ownHistogram = `
pay_seconds_bucket{CANARY,method="card",le="0.1"} 0 5 10 2 4
pay_seconds_bucket{CANARY,method="card",le="0.5"} 0 8 16 3 6
pay_seconds_bucket{CANARY,method="card",le="+Inf"} 0 10 20 5 10
pay_seconds_count{CANARY,method="card"} 0 10 20 5 10
pay_seconds_bucket{STABLE,method="card",le="0.1"} 1000 1090 1180 1270 1360
pay_seconds_bucket{STABLE,method="card",le="0.5"} 1100 1200 1300 1400 1500
pay_seconds_bucket{STABLE,method="card",le="+Inf"} 1100 1200 1300 1400 1500
pay_seconds_count{STABLE,method="card"} 1100 1200 1300 1400 1500
pay_seconds_bucket{STABLE,method="cash",le="0.1"} 0 0 0 0 0
pay_seconds_count{STABLE,method="cash"} 0 500 900 1000 2000
pay_seconds_count{OTHER,method="card"} 0 500 900 1000 2000
`

func histogram(t *testing.T, h application.Histogram) telemetry.Query {
	t.Helper()
	q, err := application.HistogramQuery(h, arms)
	if err != nil {
		t.Fatal(err)
	}
	return q
}

func TestOwnHistogram(t *testing.T) {
	s := load(t, pods.Replace(ownHistogram))
	card := application.Histogram{Selector: `pay_seconds{method="card"}`, SlowerThan: whole}
	got, health := s.follow(5, histogram(t, card))
	want := []telemetry.Distribution{
		{Arm: telemetry.Canary, Pod: "checkout-canary-5d4-x2x4z", Requests: 30, AtMost: map[float64]float64{.1: 14, .5: 22, math.Inf(1): 30}},
		{Arm: telemetry.Stable, Pod: "checkout-1", Requests: 400, AtMost: map[float64]float64{.1: 360, .5: 400, math.Inf(1): 400}},
	}
	if diff := cmp.Diff(want, got.Distributions); diff != "" || health.Problem != "" {
		t.Errorf("as a whole (-want +got):\n%sproblem %q", diff, health.Problem)
	}

	card.SlowerThan = telemetry.Boundary{Value: .2, Unit: "s"}
	got, health = s.follow(5, histogram(t, card))
	counts := telemetry.Counts{
		Canary: []telemetry.PodCount{{Pod: "checkout-canary-5d4-x2x4z", Requests: 30, Bad: 8}}, Stable: []telemetry.PodCount{{Pod: "checkout-1", Requests: 400}},
	}
	if diff := cmp.Diff(counts, got); diff != "" || health.Problem != "" {
		t.Errorf("slower than 200ms (-want +got):\n%sproblem %q", diff, health.Problem)
	}
	const note = "requests slower than 0.5s are counted: the histogram has no boundary at 0.2s; the nearest are 0.1s and 0.5s"
	if diff := cmp.Diff(note, health.Note); diff != "" {
		t.Errorf("note (-want +got):\n%s", diff)
	}
}

// TestNativeHistogram: buckets 1, 2, 3 of schema 0 reach up to 2, 4 and 8. The client makes them coarser at the third
// scrape, and begins again at the fourth.
func TestNativeHistogram(t *testing.T) {
	s := load(t, pods.Replace(`
pay_seconds{STABLE} {{schema:1 count:10 sum:9 offset:1 buckets:[4 4 2]}} {{schema:1 count:20 sum:9 offset:1 buckets:[8 8 4]}} {{schema:0 count:30 sum:9 offset:1 buckets:[24 6]}} {{schema:0 count:3 sum:9 offset:1 buckets:[2 1]}}
pay_seconds{CANARY} {{schema:0 count:0 sum:0}} {{schema:0 count:6 sum:9 offset:1 buckets:[1 2 3]}} {{schema:0 count:12 sum:9 offset:1 buckets:[2 4 6]}} {{schema:0 count:18 sum:9 offset:1 buckets:[3 6 9]}}
`))
	got, health := s.follow(4, histogram(t, application.Histogram{Selector: "pay_seconds", Native: true, SlowerThan: whole}))
	if len(got.Distributions) != 2 || health.Problem != "" {
		t.Fatalf("distributions %+v, problem %q", got.Distributions, health.Problem)
	}
	canary, stable := got.Distributions[0], got.Distributions[1]
	if diff := cmp.Diff(map[int]float64{1: 3, 2: 6, 3: 9}, canary.Native.Buckets); diff != "" || canary.Requests != 18 {
		t.Errorf("canary: %v requests, buckets (-want +got):\n%s", canary.Requests, diff)
	}
	// (1, 2] had 16 at the second scrape and 24 at the third, (2, 4] had 4 and 6: then 2 and 1 after the reset.
	if diff := cmp.Diff(map[int]float64{1: 8 + 8 + 2, 2: 2 + 2 + 1}, stable.Native.Buckets); diff != "" || stable.Requests != 23 {
		t.Errorf("stable: %v requests, buckets (-want +got):\n%s", stable.Requests, diff)
	}
	if above, _ := canary.Above(4); above != 9 {
		t.Errorf("%v of the canary's requests are above 4, want 9", above)
	}
}

func TestGauge(t *testing.T) {
	s := load(t, pods.Replace(`
queue_length{STABLE,queue="mail"} 4 6 8 6
queue_length{STABLE,queue="post"} 1 1 1 1
queue_length{CANARY,queue="mail"} 10 NaN -2 4
queue_length{OTHER,queue="mail"} 99 99 99 99
`))
	q, err := application.GaugeQuery(`queue_length{queue=~"mail|post"}`, arms)
	if err != nil {
		t.Fatal(err)
	}
	got, health := s.follow(4, q)
	// A value that is none is no reading, a negative one is.
	want := []telemetry.Reading{
		{Arm: telemetry.Canary, Pod: "checkout-canary-5d4-x2x4z", N: 3, Sum: 12},
		{Arm: telemetry.Stable, Pod: "checkout-1", N: 4, Sum: 28},
	}
	slices.SortFunc(got.Readings, func(a, b telemetry.Reading) int { return int(a.Arm) - int(b.Arm) })
	if diff := cmp.Diff(want, got.Readings); diff != "" || health.Problem != "" {
		t.Errorf("readings (-want +got):\n%sproblem %q", diff, health.Problem)
	}
}

func TestGoodOfAll(t *testing.T) {
	s := load(t, pods.Replace(`
orders_total{CANARY} 0 3 6 9
visits_total{CANARY} 0 10 20 30
orders_total{STABLE} 100 150 200 250
visits_total{STABLE} 200 300 400 500
`))
	q, err := application.Query(application.Pair{Good: "orders_total", Total: "visits_total"}, arms)
	if err != nil {
		t.Fatal(err)
	}
	got, health := s.follow(4, q)
	want := telemetry.Counts{
		Canary: []telemetry.PodCount{{Pod: "checkout-canary-5d4-x2x4z", Requests: 30, Bad: 9}}, Stable: []telemetry.PodCount{{Pod: "checkout-1", Requests: 300, Bad: 150}},
	}
	if diff := cmp.Diff(want, got); diff != "" || health.Problem != "" {
		t.Errorf("counts (-want +got):\n%sproblem %q", diff, health.Problem)
	}
}

func TestLatenciesOfAProxyAsAWhole(t *testing.T) {
	s := load(t, strings.NewReplacer("{C", `{envoy_cluster_name="c",job="envoy",instance="10.0.0.9:1"`, "{S", `{envoy_cluster_name="s",job="envoy",instance="10.0.0.9:1"`).Replace(`
envoy_cluster_upstream_rq_time_bucket{C,le="100"} 0 5 10
envoy_cluster_upstream_rq_time_bucket{C,le="+Inf"} 0 10 20
envoy_cluster_upstream_rq_time_count{C} 0 10 20
envoy_cluster_upstream_rq_time_bucket{S,le="100"} 900 1000 1100
envoy_cluster_upstream_rq_time_bucket{S,le="+Inf"} 1000 1110 1220
envoy_cluster_upstream_rq_time_count{S} 1000 1110 1220
`))
	q, err := (envoy.Dialect{}).Query(telemetry.Ask{Signal: telemetry.Latency, Canary: []string{"c"}, Stable: []string{"s"}, Whole: true})
	if err != nil {
		t.Fatal(err)
	}
	got, health := s.follow(3, q)
	if health.Problem != "" {
		t.Fatal(health.Problem)
	}
	var requests []float64
	for _, d := range got.Distributions {
		requests = append(requests, d.Requests, d.AtMost[100])
	}
	if diff := cmp.Diff([]float64{20, 10, 220, 200}, requests); diff != "" {
		t.Errorf("requests, and those up to 100ms, of canary and stable (-want +got):\n%s", diff)
	}
}
