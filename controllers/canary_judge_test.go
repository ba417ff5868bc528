package controllers

import (
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"slipway.dev/slipway/internal/prom"
	"slipway.dev/slipway/internal/release"
	"slipway.dev/slipway/internal/telemetry"
)

// readings is a sampler that has what a test puts into it.
type readings struct {
	looks   []telemetry.Look
	noData  bool
	problem string
	watched *prom.Watch
}

func (r *readings) Watch(_ types.NamespacedName, w prom.Watch) { r.watched = &w }
func (r *readings) Forget(types.NamespacedName)                { r.watched = nil }
func (r *readings) Take(types.NamespacedName) prom.Report {
	out := prom.Report{Looks: r.looks, NoData: r.noData, Problem: r.problem}
	r.looks = nil
	return out
}

// look is ten seconds of traffic that end at second to: 100 requests at the canary, 900 at stable, with bad ones.
func look(to int64, canaryBad float64) telemetry.Look {
	counts := func(n, bad float64) []telemetry.PodCount { return []telemetry.PodCount{{Requests: n, Bad: bad}} }
	errors := telemetry.Counts{Canary: counts(100, canaryBad), Stable: counts(900, 0), PodsUnknown: true}
	latency := telemetry.Counts{Canary: counts(100, 0), Stable: counts(900, 0), PodsUnknown: true}
	return telemetry.Look{From: time.Unix(to-10, 0), To: time.Unix(to, 0), Metrics: []telemetry.Counts{errors, latency}}
}

func judgedWorld(stage release.Stage, step int) *world {
	return aWorld(func(w *world) {
		// Pods of a canary warm up when it gets its first users.
		w.twinSays.LatestReady = time.Unix(9, 0)
		w.run = release.Run{Stage: stage, Step: step, Canary: "abc", Started: time.Unix(1, 0), AppliedAt: time.Unix(5, 0)}
	})
}

// benchWithHistory has seen stable for a while before the canary had any traffic.
func benchWithHistory(r *readings) *Bench {
	b := NewBench(r)
	history := look(10, 0)
	for i := range history.Metrics {
		history.Metrics[i].Canary = nil
	}
	r.looks = []telemetry.Look{history}
	b.verdict(judgedWorld(release.Checking, 0))
	return b
}

func TestEvidenceIsOfTheStepWhoseShareTheCanaryHas(t *testing.T) {
	cases := map[string]struct {
		stage release.Stage
		step  int
		want  int
	}{
		"nothing is served while the first pods start":             {release.Preparing, 0, -1},
		"pods for step 2 are made while step 1's share is served":  {release.Preparing, 1, 0},
		"the share of step 2 is on its way":                        {release.Shifting, 1, 1},
		"step 2 is judged":                                         {release.Judging, 1, 1},
		"what is checked before a release begins is history":       {release.Checking, 0, -1},
		"the last step's share is served while stable's pods roll": {release.PromotionRolling, 1, 1},
		"the last looks of a promotion are of its share":           {release.PromotionFinishing, 1, 1},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			if got := servedStep(release.Run{Stage: tc.stage, Step: tc.step}); got != tc.want {
				t.Errorf("step %d, want %d", got, tc.want)
			}
		})
	}
}

func TestAVerdictOnThePresentStepNeedsALookOfIt(t *testing.T) {
	r := &readings{}
	b := NewBench(r)
	for second := int64(20); second <= 3000; second += 10 {
		r.looks = append(r.looks, look(second, 0))
	}
	if v := b.verdict(judgedWorld(release.Judging, 0)); v.Kind != release.Advance || v.Step != 0 {
		t.Fatalf("after 300 clean looks: %+v, want the first step passed", v)
	}
	if v := b.verdict(judgedWorld(release.Judging, 1)); v.Step != 0 {
		t.Errorf("a step that nothing was seen of has a verdict: %+v", v)
	}
}

func TestHarmIsHeardFromTheFirstShareOn(t *testing.T) {
	r := &readings{}
	b := benchWithHistory(r)
	r.looks = []telemetry.Look{look(20, 50), look(30, 50), look(40, 50)}
	v := b.verdict(judgedWorld(release.Shifting, 0))
	if v.Kind != release.Rollback || v.Reason != release.HarmProven {
		t.Errorf("half of the requests fail in three looks: %+v, want rollback", v)
	}
}

func TestWaitingForEvidenceSaysWhetherTheTrafficWillDo(t *testing.T) {
	quiet := func(to int64) telemetry.Look {
		l := look(to, 0)
		for i := range l.Metrics {
			l.Metrics[i].Canary = nil
		}
		return l
	}
	cases := map[string]struct {
		look    func(int64) telemetry.Look
		seconds int64
		change  func(*world)
		want    release.Reason
	}{
		"requests come: the step is being judged":        {look: func(to int64) telemetry.Look { return look(to, 0) }, seconds: 60, want: release.JudgingStep},
		"pods warm up, which proves no health":           {look: func(to int64) telemetry.Look { return look(to, 0) }, seconds: 60, change: func(w *world) { w.twinSays.LatestReady = time.Unix(9, 0) }, want: release.JudgingStep},
		"no request at all":                              {look: quiet, seconds: 60, want: "NoTraffic"},
		"no request yet, and the step has only begun":    {look: quiet, seconds: 20, want: release.JudgingStep},
		"so few requests that the time will not suffice": {look: func(to int64) telemetry.Look { return look(to, 0) }, seconds: 60, change: func(w *world) { w.plan.MaxDuration = 2 * time.Minute }, want: release.NotEnoughTraffic},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			r := &readings{}
			b := benchWithHistory(r)
			for at := int64(20); at <= tc.seconds; at += 10 {
				r.looks = append(r.looks, tc.look(at))
			}
			w := judgedWorld(release.Judging, 0)
			w.run.LookingSince = w.run.AppliedAt
			w.twinSays.LatestReady = time.Time{}
			if tc.change != nil {
				tc.change(w)
			}
			if v := b.verdict(w); v.Kind != release.NoVerdict || v.Reason != tc.want {
				t.Errorf("verdict %+v, want none for %s", v, tc.want)
			}
		})
	}
}

func TestNoDataIsNoVerdict(t *testing.T) {
	cases := map[string]*readings{
		"three scrapes are missing":  {noData: true},
		"Prometheus does not answer": {problem: "the endpoint does not answer"},
	}
	for name, r := range cases {
		t.Run(name, func(t *testing.T) {
			v := NewBench(r).verdict(judgedWorld(release.Judging, 0))
			if v.Kind != release.NoVerdict || v.Reason != release.NoData || v.Detail == "" {
				t.Errorf("verdict %+v, want none, with its cause", v)
			}
		})
	}
}

func TestARestartGoesOnWithTheEvidenceOnRecord(t *testing.T) {
	r := &readings{}
	w := judgedWorld(release.Judging, 0)
	first := benchWithHistory(r)
	r.looks = []telemetry.Look{look(20, 50), look(30, 50)}
	if v := first.verdict(w); v.Kind == release.Rollback {
		t.Fatal("two looks were enough: the test needs three")
	}
	text, err := first.written(w, w.run)
	if err != nil {
		t.Fatal(err)
	}
	w.cr.Status.Run.Evidence = text
	w.sources.metrics = []prom.MetricWatch{{Name: "errors"}}
	r.looks = []telemetry.Look{look(30, 50), look(40, 50)}
	second := NewBench(r)
	second.follow(w)
	if r.watched == nil || !r.watched.After.Equal(time.Unix(30, 0)) {
		t.Errorf("sampler was told %+v, want to go on after the last recorded look", r.watched)
	}
	if v := second.verdict(w); v.Kind != release.Rollback {
		t.Errorf("after a restart and the third look: %+v, want rollback", v)
	}
}

func TestAnotherReleaseStartsWithNoEvidence(t *testing.T) {
	r := &readings{}
	b := benchWithHistory(r)
	r.looks = []telemetry.Look{look(20, 50), look(30, 50), look(40, 50)}
	if v := b.verdict(judgedWorld(release.Judging, 0)); v.Kind != release.Rollback {
		t.Fatalf("the old release: %+v, want rollback", v)
	}
	w := judgedWorld(release.Judging, 0)
	w.run.Canary = "def"
	if v := b.verdict(w); v.Kind != release.NoVerdict {
		t.Errorf("a new release has the old one's verdict: %+v", v)
	}
}

func TestNobodyIsAskedWhileNothingRuns(t *testing.T) {
	r := &readings{watched: &prom.Watch{}}
	w := judgedWorld(release.RolledBack, 0)
	w.sources.metrics = []prom.MetricWatch{{Name: "errors"}}
	NewBench(r).follow(w)
	if r.watched != nil {
		t.Error("a release that is over is still followed")
	}
}
