package envoy

import (
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"slipway.dev/slipway/internal/telemetry"
)

const (
	canary = "service/shop/checkout-canary/80/http"
	stable = "service/shop/checkout/80/http"
)

func ask(s telemetry.Signal) telemetry.Ask {
	return telemetry.Ask{
		Signal: s, SlowerThan: 400 * time.Millisecond,
		Canary: []string{canary, "httproute/shop/checkout/rule/0/backend/1"}, Stable: []string{stable},
	}
}

func query(t *testing.T, a telemetry.Ask) telemetry.Query {
	t.Helper()
	q, err := Dialect{}.Query(a)
	if err != nil {
		t.Fatal(err)
	}
	return q
}

func series(name, cluster, label, value string, samples ...float64) telemetry.Series {
	s := telemetry.Series{Labels: telemetry.Labels{
		"__name__": name, "envoy_cluster_name": cluster, label: value,
		"job": "envoy", "instance": "10.244.0.13:19001", "namespace": "envoy-gateway-system", "pod": "gw-1",
	}}
	if value == "" {
		delete(s.Labels, label)
	}
	for i, v := range samples {
		s.Samples = append(s.Samples, telemetry.Sample{UnixMillis: int64(1e6 + 2000*i), Value: v})
	}
	return s
}

func follow(q telemetry.Query, fed ...telemetry.Series) ([]telemetry.Counts, telemetry.MetricHealth) {
	tr := telemetry.NewTracker(time.Time{}, []telemetry.Metric{{Name: "m", Query: q}})
	var got []telemetry.Counts
	for _, l := range tr.Feed(fed) {
		got = append(got, l.Metrics...)
	}
	return got, tr.Health().Metrics[0]
}

func TestErrors(t *testing.T) {
	got, health := follow(query(t, ask(telemetry.Errors)),
		series(responses, stable, codeLabel, "200", 100, 150),
		series(responses, stable, codeLabel, "404", 10, 12),
		series(responses, canary, codeLabel, "503", 3, 5),
		series(responses, "httproute/shop/checkout/rule/0/backend/1", codeLabel, "200", 3, 4),
		series(responses, "service/shop/other/80/http", codeLabel, "500", 1, 1000),
	)
	want := []telemetry.Counts{{
		Canary: []telemetry.PodCount{{Requests: 3, Bad: 2}}, Stable: []telemetry.PodCount{{Requests: 52}}, PodsUnknown: true,
	}}
	if diff := cmp.Diff(want, got); diff != "" || health.Problem != "" {
		t.Errorf("counts (-want +got):\n%sproblem %q", diff, health.Problem)
	}
}

func TestLatency(t *testing.T) {
	got, health := follow(query(t, ask(telemetry.Latency)),
		series(timeCount, stable, boundary, "", 100, 150),
		series(timeBucket, stable, boundary, "250.0", 50, 60),
		series(timeBucket, stable, boundary, "500.0", 90, 130),
		series(timeBucket, stable, boundary, "1.8e+06", 100, 150),
		series(timeBucket, stable, boundary, "+Inf", 100, 150),
	)
	want := []telemetry.Counts{{Stable: []telemetry.PodCount{{Requests: 50, Bad: 10}}, PodsUnknown: true}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("counts (-want +got):\n%s", diff)
	}
	const note = "requests slower than 500ms are counted: the histogram has no boundary at 400ms; the nearest are 250ms and 500ms"
	if diff := cmp.Diff(note, health.Note); diff != "" {
		t.Errorf("note (-want +got):\n%s", diff)
	}
}

func TestLatencyAboveAllBoundaries(t *testing.T) {
	a := ask(telemetry.Latency)
	a.SlowerThan = time.Hour
	got, health := follow(query(t, a),
		series(timeCount, stable, boundary, "", 100, 150),
		series(timeBucket, stable, boundary, "500.0", 90, 130),
		series(timeBucket, stable, boundary, "+Inf", 100, 150),
	)
	if diff := cmp.Diff([]telemetry.Counts{{PodsUnknown: true}}, got); diff != "" {
		t.Errorf("counts (-want +got):\n%s", diff)
	}
	const problem = "slowerThan 3600000ms is above all boundaries of the histogram (500 ms): lower it to at most 500ms"
	if diff := cmp.Diff(problem, health.Problem); diff != "" {
		t.Errorf("problem (-want +got):\n%s", diff)
	}
}

func TestOneSelectorFetchesErrorsAndLatency(t *testing.T) {
	tr := telemetry.NewTracker(time.Time{}, []telemetry.Metric{
		{Name: "errors", Query: query(t, ask(telemetry.Errors))}, {Name: "latency", Query: query(t, ask(telemetry.Latency))},
	})
	tr.Feed([]telemetry.Series{series(timeBucket, stable, boundary, "500.0", 90, 130), series(timeBucket, stable, boundary, "1000.0", 90, 130)})
	s := tr.Selectors()
	if s[0].Class() != s[1].Class() {
		t.Fatalf("classes %q and %q differ", s[0].Class(), s[1].Class())
	}
	const want = `{__name__=~"envoy_cluster_upstream_rq|envoy_cluster_upstream_rq_time_bucket|envoy_cluster_upstream_rq_time_count",` +
		`envoy_cluster_name=~"httproute/shop/checkout/rule/0/backend/1|service/shop/checkout-canary/80/http|service/shop/checkout/80/http",` +
		`le=~"|500\\.0"}`
	if diff := cmp.Diff(want, s[0].Merge(s[1]).String()); diff != "" {
		t.Errorf("selector (-want +got):\n%s", diff)
	}
}

func TestTwoJobsThatScrapeOneProxyGiveNoCounts(t *testing.T) {
	a, b := series(responses, stable, codeLabel, "200", 100, 150, 200), series(responses, stable, codeLabel, "200", 100, 150, 200)
	b.Labels["job"] = "app"
	got, health := follow(query(t, ask(telemetry.Errors)), a, b)
	for _, c := range got {
		if len(c.Stable) > 0 {
			t.Errorf("counted %v", c.Stable)
		}
	}
	if health.Problem == "" {
		t.Error("nothing is said of the second job")
	}
}

func TestRefused(t *testing.T) {
	both := ask(telemetry.Errors)
	both.Stable = both.Canary
	none := ask(telemetry.Errors)
	none.Canary = nil
	noTime := ask(telemetry.Latency)
	noTime.SlowerThan = 0
	for name, a := range map[string]telemetry.Ask{
		"a cluster in both arms": both, "an arm without clusters": none, "latency without a time": noTime,
	} {
		if _, err := (Dialect{}).Query(a); err == nil {
			t.Errorf("%s is accepted", name)
		}
	}
	var unsupported *telemetry.UnsupportedError
	if _, err := (Dialect{}).Query(ask(telemetry.UnknownSignal)); !errors.As(err, &unsupported) {
		t.Errorf("an unknown signal: got %v, want an UnsupportedError", err)
	}
}
