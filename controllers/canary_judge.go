package controllers

import (
	"math"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"slipway.dev/slipway/api/v1alpha1"
	"slipway.dev/slipway/internal/analysis"
	"slipway.dev/slipway/internal/hearing"
	"slipway.dev/slipway/internal/judge"
	"slipway.dev/slipway/internal/prom"
	"slipway.dev/slipway/internal/release"
	"slipway.dev/slipway/internal/telemetry"
)

// Sampler reads Prometheus for the releases that run. Its answers never wait for the network.
type Sampler interface {
	Watch(key types.NamespacedName, w prom.Watch)
	Forget(key types.NamespacedName)
	Take(key types.NamespacedName) prom.Report
}

// Bench is where the judge sits: it keeps the evidence of each release that runs, between looks and over restarts.
type Bench struct {
	sampler Sampler
	mu      sync.Mutex
	cases   map[types.NamespacedName]*seat
}

// NewBench returns a Bench that hears what the sampler reads.
func NewBench(s Sampler) *Bench {
	return &Bench{sampler: s, cases: map[types.NamespacedName]*seat{}}
}

// seat is a release that is heard: its evidence, and what is known of how it is measured.
type seat struct {
	// of identifies the release that the evidence is of; another one starts with none.
	of string
	*hearing.Hearing
	// after is where the sampler begins: the last look on record when the hearing began.
	after   time.Time
	last    hearing.Assessment
	judged  bool
	problem string
	noData  bool
	// notes are what the sampler says of how metrics are counted.
	notes []string
	// writtenAt is when status was last written with the evidence in it.
	writtenAt time.Time
	// refusal is why the API server would not have the canary; see refused.
	refusal string
	// told are the kinds of advice that people were told by an event.
	told map[string]bool
}

// hearsEvidence says that the metrics of a release in this stage are looked at.
func hearsEvidence(s release.Stage) bool {
	switch s {
	case release.Checking, release.Preparing, release.Shifting, release.Judging, release.PromotionPreparing,
		release.PromotionEntering, release.PromotionRolling, release.PromotionFinishing:
		return true
	case release.Idle, release.LettingThrough, release.RollingBack, release.RolledBack,
		release.Evacuating, release.PuttingBack, release.Returning, release.Reholding, release.Deleting:
	}
	return false
}

// identity tells the evidence of one release from that of another: the template and when it began.
func identity(run release.Run) string {
	return run.Canary + "@" + run.Started.UTC().Format(time.RFC3339Nano)
}

func (b *Bench) forget(key types.NamespacedName) {
	b.sampler.Forget(key)
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.cases, key)
}

// seat of a release: the one in memory, else the one on record, else a new one.
func (b *Bench) seat(w *world) *seat {
	b.mu.Lock()
	defer b.mu.Unlock()
	s, ok := b.cases[w.key()]
	of := w.heardAs()
	if ok && s.of == of {
		return s
	}
	heard, found := hearing.Read(w.terms, of, w.cr.Status.Run.Evidence)
	s = &seat{of: of, Hearing: heard}
	if found {
		s.after = heard.LastLook()
	}
	b.cases[w.key()] = s
	return s
}

// heardAs identifies what is heard: the release that runs, or stable by itself.
func (w *world) heardAs() string {
	if w.calibrates() {
		return "AA " + w.run.Stable.UID + "@" + strconv.FormatInt(w.cr.Generation, 10)
	}
	return identity(w.run)
}

// heard says that the metrics of the release are looked at now.
func (w *world) heard() bool { return hearsEvidence(w.run.Stage) || w.calibrates() }

// follow has the sampler look at the release while it runs, and only then.
func (b *Bench) follow(w *world) {
	if !w.heard() || len(w.sources.metrics) == 0 {
		b.sampler.Forget(w.key())
		return
	}
	b.sampler.Watch(w.key(), prom.Watch{
		Endpoint: w.sources.endpoint, Every: w.sources.every, History: historyBefore(w.terms), After: b.seat(w).after, Metrics: w.sources.metrics,
	})
}

// historyBefore is how much of stable's past is read when a release begins: an hour where the length of a gauge's blocks
// follows from it.
func historyBefore(t hearing.Terms) time.Duration {
	if slices.ContainsFunc(t.Measures, func(m hearing.Measure) bool { return m.Kind == hearing.Gauge }) {
		return time.Hour
	}
	return 5 * time.Minute
}

// verdict hears what came in since the last look and says what it amounts to.
func (b *Bench) verdict(w *world) release.Verdict {
	if w.calibrates() {
		b.calibrate(w)
		return release.Verdict{}
	}
	if !hearsEvidence(w.run.Stage) {
		return release.Verdict{}
	}
	s := b.seat(w)
	report := b.sampler.Take(w.key())
	s.problem, s.noData, s.notes = report.Problem, report.NoData, report.Notes
	for _, look := range report.Looks {
		s.hear(w, look)
	}
	if s.problem == "" {
		s.problem = strings.Join(s.Unplaced(w.terms), "; ")
	}
	s.last, s.judged = s.Assess(w.terms, nextShareOf(w.plan, max(s.Step(), 0)), w.run.AppliedAt), true
	return s.verdict(w)
}

// hear adds one interval. A look that the judge refuses as nonsense is left out: it is no evidence.
func (s *seat) hear(w *world, look telemetry.Look) {
	step, settling := servedStep(w.run), settles(w.run, look)
	err := s.Hear(w.terms, look, hearing.Circumstances{
		Step: step, NextShare: nextShareOf(w.plan, max(step, 0)), WantedShare: wantedShare(w),
		Settling: settling, Warming: warming(w, look), Promoting: promoting(w.run.Stage),
	})
	if err != nil {
		s.problem = err.Error()
	}
}

// promoting says that stable's pods are new, some or all, so that what stable serves is no comparison any more.
func promoting(stage release.Stage) bool {
	return stage == release.PromotionRolling || stage == release.PromotionFinishing
}

// servedStep is the step whose share the canary has, or is being given: while pods are made ready for a step, that is the
// one before. Below 0: none yet, and what is seen is history.
func servedStep(run release.Run) int {
	switch run.Stage {
	case release.Preparing:
		return run.Step - 1
	case release.Shifting, release.Judging, release.PromotionPreparing, release.PromotionEntering, release.PromotionRolling,
		release.PromotionFinishing:
		return run.Step
	case release.Idle, release.LettingThrough, release.Checking, release.RollingBack,
		release.RolledBack, release.Evacuating, release.PuttingBack, release.Returning, release.Reholding, release.Deleting:
	}
	return -1
}

// settles says that a change of the share lands in this interval, or that it mixes two shares.
func settles(run release.Run, look telemetry.Look) bool {
	if run.Stage == release.PromotionFinishing {
		return look.To.After(run.Since)
	}
	return run.Stage == release.Shifting || (run.Stage != release.Preparing && look.From.Before(run.AppliedAt))
}

// wantedShare is what the canary's part of the traffic should be, once it has settled.
func wantedShare(w *world) float64 {
	return float64(w.run.Want.Shares.Canary) / float64(release.Million)
}

// warming says that canary pods are so new that a cold cache is forgiven in this interval.
func warming(w *world, look telemetry.Look) bool {
	return look.From.Before(w.twinSays.LatestReady.Add(w.terms.Policy.Warmup))
}

// verdict translates the assessment. What is not known leads nowhere.
func (s *seat) verdict(w *world) release.Verdict {
	v := release.Verdict{Step: s.Step(), NoData: s.noData, NoHarm: s.last.HarmEvidence < 1, Detail: s.last.Detail, BadPod: s.last.BadPod}
	v.Reason = release.Reason(s.last.Reason)
	switch s.last.Verdict {
	case judge.Rollback:
		v.Kind = release.Rollback
		return v
	case judge.Advance:
		v.Kind = release.Advance
	case judge.Hold:
	}
	switch {
	case s.problem != "":
		return s.unmeasured(w, s.problem)
	case s.noData:
		return s.unmeasured(w, "three scrapes in a row are missing; the release holds")
	case v.Kind == release.NoVerdict && s.last.Reason == judge.NotEnoughTraffic:
		v.Reason = s.trafficReason(w)
	}
	return v
}

// unmeasured is about now, whichever step the last look was of. Only scrapes that stay away are no data as onNoData means
// it.
func (s *seat) unmeasured(w *world, why string) release.Verdict {
	return release.Verdict{Step: w.run.Step, Reason: release.NoData, Detail: why, NoData: s.noData}
}

// trafficReason tells a step that is on its way from one that cannot get there: with no requests at all, or with so few
// that the evidence would come after maxDuration. It goes by the time of the samples.
func (s *seat) trafficReason(w *world) release.Reason {
	seen := s.LastLook().Sub(w.run.AppliedAt)
	if w.run.Stage != release.Judging || seen < trafficGrace {
		return release.JudgingStep
	}
	if s.last.CanaryRequests == 0 {
		return v1alpha1.ReasonNoTraffic
	}
	if s.LastLook().Before(w.twinSays.LatestReady.Add(w.terms.Policy.Warmup + trafficGrace)) {
		return release.JudgingStep // warm-up proves no health, however much of it there is
	}
	needed := time.Duration(s.last.CanaryRequestsNeeded / s.last.CanaryRequests * float64(seen))
	left := w.plan.MaxDuration - s.LastLook().Sub(w.run.LookingSince)
	if w.plan.MaxDuration > 0 && (math.IsInf(s.last.CanaryRequestsNeeded, 1) || needed > left) {
		return release.NotEnoughTraffic
	}
	return release.JudgingStep
}

// trafficGrace is how long a step is given before it is said that its traffic will not do.
const trafficGrace = 30 * time.Second

// progressDue is how long status may wait when nothing but progress has changed.
func (b *Bench) progressDue(w *world, now time.Time) time.Duration {
	if !w.heard() {
		return 0
	}
	return progressEvery - now.Sub(b.seat(w).writtenAt)
}

func (b *Bench) progressWritten(w *world, now time.Time) {
	if w.heard() {
		b.seat(w).writtenAt = now
	}
}

func joined(names []string) string {
	sorted := slices.Clone(names)
	slices.Sort(sorted)
	return strings.Join(sorted, "; ")
}

// sources are where a release's metrics come from.
type sources struct {
	endpoint string
	every    time.Duration
	metrics  []prom.MetricWatch
}

func everyOf(cr *v1alpha1.CanaryRelease) time.Duration {
	d, err := analysis.Duration("analysis.every", cr.Spec.Analysis.Every, analysis.DefaultEvery)
	if err != nil {
		return analysis.DefaultEvery
	}
	return d
}
