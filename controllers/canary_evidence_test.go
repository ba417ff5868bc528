package controllers

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	appsv1 "k8s.io/api/apps/v1"

	"slipway.dev/slipway/api/v1alpha1"
	"slipway.dev/slipway/internal/analysis"
	"slipway.dev/slipway/internal/hearing"
	"slipway.dev/slipway/internal/release"
	"slipway.dev/slipway/internal/telemetry"
)

// stableLook is ten seconds of stable alone.
func stableLook(to int64, requests, bad float64) telemetry.Look {
	counts := []telemetry.PodCount{{Requests: requests, Bad: bad}}
	both := telemetry.Counts{Stable: counts, PodsUnknown: true}
	return telemetry.Look{From: time.Unix(to-10, 0), To: time.Unix(to, 0), Metrics: []telemetry.Counts{both, both}}
}

func replicas(n int32) func(*world) {
	return func(w *world) {
		w.target = &appsv1.Deployment{Spec: appsv1.DeploymentSpec{Replicas: new(n)}}
	}
}

func specOf(change func(*v1alpha1.CanaryReleaseSpec)) func(*world) {
	return func(w *world) {
		change(&w.cr.Spec)
		w.plan, _ = planOf(w.cr)
		w.terms, _ = analysis.Terms(w.cr.Spec.Analysis, len(w.cr.Spec.Steps))
	}
}

func TestAdviceGivesTheFigures(t *testing.T) {
	steps := func(s *v1alpha1.CanaryReleaseSpec) {
		s.Steps = []v1alpha1.Step{{WeightPercent: 10}, {WeightPercent: 50}}
	}
	cases := map[string]struct {
		spec     func(*v1alpha1.CanaryReleaseSpec)
		replicas int32
		perLook  float64
		reason   string
		says     []string
	}{
		"nothing to say": {spec: steps, replicas: 4, perLook: 5000},
		"no absolute tolerance": {
			spec: func(s *v1alpha1.CanaryReleaseSpec) {
				steps(s)
				s.Analysis.Metrics = []v1alpha1.Metric{
					{Name: "errors", Signal: v1alpha1.SignalErrors, Tolerate: v1alpha1.Tolerance{Absolute: "0%"}},
					{Name: "latency", Signal: v1alpha1.SignalLatency, SlowerThan: "1s", Tolerate: v1alpha1.Tolerance{Absolute: "1%"}},
				}
			}, replicas: 4, perLook: 5000,
			reason: v1alpha1.ReasonNoAbsoluteTolerance, says: []string{`metric "errors"`, "0.1% takes about 2,996 canary requests"},
		},
		"one canary pod": {
			spec: func(s *v1alpha1.CanaryReleaseSpec) {
				steps(s)
				s.Canary.MinReplicas = 1
			}, replicas: 2, perLook: 5000,
			reason: v1alpha1.ReasonOneCanaryPod, says: []string{"one pod beside 2 of stable in step 1 (10%), 2 (50%)", "canary.minReplicas to 2"},
		},
		"so little traffic that the time does not suffice": {
			spec: steps, replicas: 4, perLook: 5,
			reason: v1alpha1.ReasonTooLittleTraffic, says: []string{"maxDuration is 2h0m0s", "canary requests for metric", "at the present 0.5 requests/s"},
		},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			r := &readings{}
			b := NewBench(r)
			w := aWorld(replicas(c.replicas), specOf(c.spec), func(w *world) {
				w.run = release.Run{Stage: release.Checking, Canary: "abc", Started: time.Unix(1, 0)}
			})
			for second := int64(10); second <= 300; second += 10 {
				r.looks = append(r.looks, stableLook(second, c.perLook, 0))
			}
			b.verdict(w)
			all := b.advice(w)
			if got := adviceReason(all); got != c.reason {
				t.Fatalf("reason %q, want %q: %s", got, c.reason, adviceText(all))
			}
			told := b.untold(w)
			if (len(told) > 0) != (c.reason != "") || len(b.untold(w)) != 0 {
				t.Errorf("told %+v, want each kind once", told)
			}
			for _, words := range c.says {
				if !strings.Contains(adviceText(all), words) {
					t.Errorf("%q is not in: %s", words, adviceText(all))
				}
			}
		})
	}
}

func TestAdviceSaysWhichBoundaryIsUsed(t *testing.T) {
	r := &readings{}
	b := NewBench(r)
	w := judgedWorld(release.Judging, 0)
	b.verdict(w)
	b.seat(w).notes = []string{`metric "latency": requests slower than 500ms are counted`}
	all := b.advice(w)
	if len(all) == 0 || all[len(all)-1].reason != v1alpha1.ReasonBoundaryNotAsAsked {
		t.Errorf("advice %+v, want the boundary in it", all)
	}
}

func TestEachMetricHasItsNumbers(t *testing.T) {
	r := &readings{}
	b := benchWithHistory(r)
	w := judgedWorld(release.Judging, 0)
	w.twinSays.LatestReady = time.Time{}
	for second := int64(20); second <= 30; second += 10 {
		r.looks = append(r.looks, look(second, 1))
	}
	b.verdict(w)
	_, metrics := b.shown(w, w.run)
	if len(metrics) != 2 || metrics[0].Name != "errors" {
		t.Fatalf("metrics %+v", metrics)
	}
	m := metrics[0]
	if m.Canary != "1.00% (2/200)" || m.Stable != "0.00% (0/1,800)" || !strings.HasPrefix(m.Difference, "+1.00 points (") || m.Noise == "" ||
		!strings.HasSuffix(m.Harm, " of 30") || !strings.HasSuffix(m.Health, " of 20") || m.HarmPercent == nil || m.HealthPercent == nil {
		t.Errorf("errors: %+v", m)
	}
	if latency := metrics[1]; latency.RequestsNeeded == nil || *latency.RequestsNeeded == 0 || latency.TimeNeeded == "" ||
		!strings.Contains(latency.Message, "at the present traffic") {
		t.Errorf("latency: %+v", latency)
	}
}

func TestMetricsThatWereEditedUnderARelease(t *testing.T) {
	r := &readings{}
	b := benchWithHistory(r)
	r.looks = []telemetry.Look{look(20, 0)}
	b.verdict(judgedWorld(release.Judging, 0))
	w := judgedWorld(release.Judging, 0)
	specOf(func(s *v1alpha1.CanaryReleaseSpec) {
		s.Analysis.Metrics = []v1alpha1.Metric{{Name: "one", Signal: v1alpha1.SignalErrors}}
	})(w)
	l := look(30, 0)
	l.Metrics = l.Metrics[:1]
	r.looks = []telemetry.Look{l}
	if v := b.verdict(w); v.Kind != release.NoVerdict || v.Reason != release.NoData || !strings.Contains(v.Detail, "metrics where the release began with") {
		t.Errorf("verdict %+v, want none, with its cause", v)
	}
	if _, metrics := b.shown(w, w.run); len(metrics) != 0 {
		t.Errorf("there are numbers of metrics that were not judged: %+v", metrics)
	}
}

func TestTheLastWordReadsWell(t *testing.T) {
	r := &readings{}
	b := benchWithHistory(r)
	r.looks = []telemetry.Look{look(20, 50), look(30, 50), look(40, 50)}
	v := b.verdict(judgedWorld(release.Shifting, 0))
	for _, words := range []string{
		"harm is proven: errors: canary 50.00% (150/300), stable 0.00% (0/2,700), +50.00 points (+", "10% and 0.1 points are tolerated", "known 30s after the first users, by look 3",
	} {
		if !strings.Contains(v.Detail, words) {
			t.Errorf("%q is not in: %s", words, v.Detail)
		}
	}
}

func TestDecisionsAreKeptAndBounded(t *testing.T) {
	w := judgedWorld(release.Judging, 0)
	at := func(d release.Decision, before []v1alpha1.DecisionRecord) []v1alpha1.DecisionRecord {
		return decisionsWith(before, w, d, time.Unix(100, 5))
	}
	same := release.Decision{Next: w.run, Want: w.run.Want, Reason: release.JudgingStep, Detail: "gathering"}
	if got := at(same, nil); got != nil {
		t.Errorf("nothing was decided, and it is on record: %+v", got)
	}
	moved := same
	moved.Next.Step, moved.Detail = 1, strings.Repeat("x", 1000)
	var all []v1alpha1.DecisionRecord
	for range 50 {
		all = at(moved, all)
	}
	if len(all) != mostDecisions || len(all[0].Message) != longestDecision {
		t.Errorf("%d decisions, the first of %d bytes", len(all), len(all[0].Message))
	}
	observed := same
	observed.Observed = string(release.HarmProven)
	once := at(observed, nil)
	if len(once) != 1 || once[0].Reason != v1alpha1.ReasonHarmProven {
		t.Fatalf("what would have followed: %+v", once)
	}
	if diff := cmp.Diff(once, at(observed, once)); diff != "" {
		t.Errorf("said again (-once +twice):\n%s", diff)
	}
}

// calibrating is a release that stands still, in mode AA.
func calibrating() *world {
	w := aWorld(specOf(func(s *v1alpha1.CanaryReleaseSpec) { s.Analysis.Mode = v1alpha1.ModeAA }))
	w.run.Stable = release.Stable{UID: "u", Revision: "a"}
	return w
}

func TestStableIsComparedWithItself(t *testing.T) {
	r := &readings{}
	b := NewBench(r)
	w := calibrating()
	for i := range int64(200) {
		r.looks = append(r.looks, stableLook(10*(i+1), 1000, float64(i%3)))
	}
	if v := b.verdict(w); v != (release.Verdict{}) {
		t.Errorf("there is a verdict: %+v", v)
	}
	got := b.calibration(w)
	if len(got) != 2 || got[0].Name != "errors" || got[0].ProposedRelative != "10%" || got[0].ProposedAbsolute == "" ||
		!strings.Contains(got[0].Message, "halves of stable: 0.10% (") || !strings.Contains(got[0].Message, "the steps take about") {
		t.Errorf("calibration %+v", got)
	}
	text, err := b.written(w, w.run)
	if err != nil || text == "" {
		t.Fatalf("the comparison is not on record: %q, %v", text, err)
	}
	w.cr.Status.Run.Evidence = text
	again := NewBench(&readings{})
	again.verdict(w)
	if diff := cmp.Diff(got, again.calibration(w)); diff != "" {
		t.Errorf("after a restart (-before +after):\n%s", diff)
	}
}

func TestMetricsOfEachMetricEndWithIt(t *testing.T) {
	registry := prometheus.NewRegistry()
	m := NewMetrics(registry)
	series := func() map[string]float64 {
		families, err := registry.Gather()
		if err != nil {
			t.Fatal(err)
		}
		out := map[string]float64{}
		for _, f := range families {
			for _, one := range f.GetMetric() {
				name := f.GetName()
				for _, l := range one.GetLabel() {
					if l.GetName() == "metric" || l.GetName() == "arm" || l.GetName() == "of" {
						name += " " + l.GetValue()
					}
				}
				if strings.HasPrefix(name, "slipway_release_metric_") {
					out[name] = one.GetGauge().GetValue()
				}
			}
		}
		return out
	}
	r := &readings{}
	b := benchWithHistory(r)
	r.looks = []telemetry.Look{look(20, 50)}
	w := judgedWorld(release.Judging, 0)
	b.verdict(w)
	last, _ := b.progress(w)
	m.Evidence(w.key(), last)
	got := series()
	// Evidence, share of bad requests, noise and need of two metrics.
	if len(got) != 2*(2+2+1+1) || got["slipway_release_metric_bad_ratio canary errors"] != .5 {
		t.Errorf("series %v", got)
	}
	m.Evidence(w.key(), hearing.Assessment{})
	if got := series(); len(got) != 0 {
		t.Errorf("series of a release without metrics: %v", got)
	}
}
