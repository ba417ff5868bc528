package counters

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"slipway.dev/slipway/internal/telemetry"
)

// schema is a small data plane: counters rq and a histogram dur in seconds, by namespace and service, seen from side a.
var schema = Schema{
	Plane: "P", View: telemetry.Attempts, Requests: []string{"rq"}, Histograms: []string{"dur"}, Unit: time.Second, UnitName: "s",
	Backend: []string{"ns", "svc"}, Where: map[string][]string{"side": {"a"}},
	Bad: []Condition{{Label: "code", Prefix: "5"}, {Label: "error"}, {Label: "grpc", Values: []string{"14"}}},
}

func ask(signal telemetry.Signal) telemetry.Ask {
	return telemetry.Ask{Signal: signal, Canary: []string{"shop/c"}, Stable: []string{"shop/s"}, SlowerThan: 200 * time.Millisecond}
}

func query(t *testing.T, s Schema, a telemetry.Ask) telemetry.Query {
	t.Helper()
	q, err := s.Query(a)
	if err != nil {
		t.Fatal(err)
	}
	return q
}

func series(labels string, values ...float64) telemetry.Series {
	s := telemetry.Series{Labels: telemetry.Labels{"job": "j", "instance": "10.0.0.1:80", "side": "a", "ns": "shop"}}
	for pair := range strings.FieldsSeq(labels) {
		label, value, _ := strings.Cut(pair, "=")
		s.Labels[label] = value
	}
	for i, v := range values {
		s.Samples = append(s.Samples, telemetry.Sample{UnixMillis: int64(1e6 + 2000*i), Value: v})
	}
	return s
}

func follow(q telemetry.Query, fed ...telemetry.Series) (telemetry.Counts, string) {
	tr := telemetry.NewTracker(time.Time{}, []telemetry.Metric{{Name: "m", Query: q}})
	sum := telemetry.Counts{PodsUnknown: true}
	for _, l := range tr.Feed(fed) {
		sum.Canary = append(sum.Canary, l.Metrics[0].Canary...)
		sum.Stable = append(sum.Stable, l.Metrics[0].Stable...)
	}
	return sum, tr.Health().Metrics[0].Problem
}

func TestRole(t *testing.T) {
	q := query(t, schema, ask(telemetry.Errors))
	for name, c := range map[string]struct {
		labels string
		part   telemetry.Part
		arm    telemetry.Arm
		ours   bool
	}{
		"a good request":                    {"__name__=rq svc=c code=200", telemetry.Requests, telemetry.Canary, true},
		"a failed one":                      {"__name__=rq svc=s code=503", telemetry.RequestsAndBad, telemetry.Stable, true},
		"one with any error":                {"__name__=rq svc=s error=reset", telemetry.RequestsAndBad, telemetry.Stable, true},
		"one with a status of the list":     {"__name__=rq svc=s code=200 grpc=14", telemetry.RequestsAndBad, telemetry.Stable, true},
		"one with a status that is not":     {"__name__=rq svc=s code=200 grpc=1", telemetry.Requests, telemetry.Stable, true},
		"another side":                      {"__name__=rq svc=s side=b", 0, 0, false},
		"another namespace":                 {"__name__=rq svc=s ns=bank", 0, 0, false},
		"another backend":                   {"__name__=rq svc=cc", 0, 0, false},
		"another metric":                    {"__name__=rqs svc=c", 0, 0, false},
		"a bucket where none is asked for":  {"__name__=dur_bucket svc=c", 0, 0, false},
		"a name that looks like two labels": {"__name__=rq svc=shop/c ns=", 0, 0, false},
	} {
		t.Run(name, func(t *testing.T) {
			r, ours := q.Role(series(c.labels).Labels)
			if ours != c.ours || ours && (r.Part != c.part || r.Arm != c.arm || !r.BothArms) {
				t.Errorf("part %v, arm %v, ours %t; want %v, %v, %t", r.Part, r.Arm, ours, c.part, c.arm, c.ours)
			}
		})
	}
}

// TestACountWithoutItsBucketMakesNothingSlow: one of two histograms of a target has other boundaries.
func TestACountWithoutItsBucketMakesNothingSlow(t *testing.T) {
	got, problem := follow(query(t, schema, ask(telemetry.Latency)),
		series("__name__=dur_count svc=c code=200", 0, 10), series("__name__=dur_bucket svc=c code=200 le=0.25", 0, 9),
		series("__name__=dur_count svc=c code=500", 0, 40), series("__name__=dur_bucket svc=c code=500 le=0.1", 0, 40),
		series("__name__=dur_count svc=s", 0, 5), series("__name__=dur_bucket svc=s le=0.25", 0, 5),
	)
	want := telemetry.Counts{Canary: []telemetry.PodCount{{Requests: 10, Bad: 1}}, Stable: []telemetry.PodCount{{Requests: 5}}, PodsUnknown: true}
	if diff := cmp.Diff(want, got); diff != "" || problem != "" {
		t.Errorf("counts (-want +got):\n%sproblem %q", diff, problem)
	}
}

func TestReplicasOfPrometheusAreFoundOut(t *testing.T) {
	got, problem := follow(query(t, schema, ask(telemetry.Errors)),
		series("__name__=rq svc=c prometheus_replica=0", 0, 10, 20), series("__name__=rq svc=c prometheus_replica=1", 0, 10, 20))
	if len(got.Canary) > 0 || problem == "" {
		t.Errorf("counted %v, problem %q; want nothing, and why", got.Canary, problem)
	}
}

// TestLabelsThatAMeshIsToldToAdd belong to requests, and say nothing of who was scraped.
func TestLabelsThatAMeshIsToldToAdd(t *testing.T) {
	got, problem := follow(query(t, schema, ask(telemetry.Errors)), series("__name__=rq svc=c path=/a", 0, 10), series("__name__=rq svc=c path=/b", 0, 10))
	if diff := cmp.Diff([]telemetry.PodCount{{Requests: 20}}, got.Canary); diff != "" || problem != "" {
		t.Errorf("canary (-want +got):\n%sproblem %q", diff, problem)
	}
}

func TestOnePassFetchesErrorsAndLatency(t *testing.T) {
	tr := telemetry.NewTracker(time.Time{}, []telemetry.Metric{
		{Name: "errors", Query: query(t, schema, ask(telemetry.Errors))}, {Name: "latency", Query: query(t, schema, ask(telemetry.Latency))},
	})
	tr.Feed([]telemetry.Series{series("__name__=dur_bucket svc=c le=0.25", 0, 9)})
	s := tr.Selectors()
	if s[0].Class() != s[1].Class() {
		t.Fatalf("classes %q and %q differ", s[0].Class(), s[1].Class())
	}
	const want = `{__name__=~"dur_bucket|dur_count|rq",svc=~"c|s",le=~"|0\\.25",ns=~"shop",side=~"a"}`
	if diff := cmp.Diff(want, s[0].Merge(s[1]).String()); diff != "" {
		t.Errorf("selector (-want +got):\n%s", diff)
	}
}

func TestRefused(t *testing.T) {
	with := func(change func(*telemetry.Ask)) telemetry.Ask {
		a := ask(telemetry.Errors)
		change(&a)
		return a
	}
	for name, a := range map[string]telemetry.Ask{
		"a backend in both arms":   with(func(a *telemetry.Ask) { a.Stable = a.Canary }),
		"an arm without a backend": with(func(a *telemetry.Ask) { a.Canary = nil }),
		"a name without namespace": with(func(a *telemetry.Ask) { a.Canary = []string{"c"} }),
		"a name with too much":     with(func(a *telemetry.Ask) { a.Canary = []string{"shop/c/x"} }),
		"an empty name":            with(func(a *telemetry.Ask) { a.Canary = []string{"shop/"} }),
		"latency without a time":   with(func(a *telemetry.Ask) { a.Signal, a.SlowerThan = telemetry.Latency, 0 }),
	} {
		if _, err := schema.Query(a); err == nil {
			t.Errorf("%s is accepted", name)
		}
	}
	bare := schema
	bare.Histograms = nil
	var unsupported *telemetry.UnsupportedError
	if _, err := bare.Query(ask(telemetry.Latency)); !errors.As(err, &unsupported) {
		t.Errorf("a signal that is not there: %v, want an UnsupportedError", err)
	}
}
