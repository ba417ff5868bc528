package controllers

import (
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strings"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"slipway.dev/slipway/api/v1alpha1"
	"slipway.dev/slipway/internal/analysis"
	"slipway.dev/slipway/internal/judge"
	"slipway.dev/slipway/internal/prom"
	"slipway.dev/slipway/internal/release"
	"slipway.dev/slipway/internal/telemetry"
)

// historyBefore is how much of stable's past is read when a release begins.
const historyBefore = 5 * time.Minute

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
	cases   map[types.NamespacedName]*hearing
}

// NewBench returns a Bench that hears what the sampler reads.
func NewBench(s Sampler) *Bench {
	return &Bench{sampler: s, cases: map[types.NamespacedName]*hearing{}}
}

// hearing is the evidence of one release.
type hearing struct {
	// of identifies the release that the evidence is of; another one starts with none.
	of       string
	state    *judge.State
	lastLook time.Time
	// step is the step that the last look was of. Evidence of it says nothing about another.
	step int
	// after is where the sampler begins: the last look on record when the hearing began.
	after   time.Time
	last    judge.Assessment
	judged  bool
	problem string
	noData  bool
	// writtenAt is when status was last written with the evidence in it.
	writtenAt time.Time
	// refusal is why the API server would not have the canary; see refused.
	refusal string
}

// evidence is how a hearing is kept in status.
type evidence struct {
	Of       string    `json:"of"`
	LastLook time.Time `json:"lastLook,omitzero"`
	Step     int       `json:"step,omitempty"`
	State    string    `json:"state"`
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

// hearing of a release: the one in memory, else the one on record, else a new one.
func (b *Bench) hearing(w *world) *hearing {
	b.mu.Lock()
	defer b.mu.Unlock()
	h, ok := b.cases[w.key()]
	of := identity(w.run)
	if ok && h.of == of {
		return h
	}
	h = recorded(w, of)
	b.cases[w.key()] = h
	return h
}

// recorded reads the evidence from status. What cannot be read, or is of another release, is no evidence.
func recorded(w *world, of string) *hearing {
	h := &hearing{of: of, state: judge.NewState(w.policy), step: -1}
	if w.cr.Status.Run.Evidence == "" {
		return h
	}
	var e evidence
	if json.Unmarshal([]byte(w.cr.Status.Run.Evidence), &e) != nil || e.Of != of {
		return h
	}
	state := judge.NewState(w.policy)
	if state.UnmarshalText([]byte(e.State)) == nil {
		h.state, h.lastLook, h.after, h.step = state, e.LastLook, e.LastLook, e.Step
	}
	return h
}

// follow has the sampler look at the release while it runs, and only then.
func (b *Bench) follow(w *world) {
	if !hearsEvidence(w.run.Stage) || len(w.sources.metrics) == 0 {
		b.sampler.Forget(w.key())
		return
	}
	h := b.hearing(w)
	b.sampler.Watch(w.key(), prom.Watch{
		Endpoint: w.sources.endpoint, Every: w.sources.every, History: historyBefore, After: h.after, Metrics: w.sources.metrics,
	})
}

// verdict hears what came in since the last look and says what it amounts to.
func (b *Bench) verdict(w *world) release.Verdict {
	if !hearsEvidence(w.run.Stage) {
		return release.Verdict{}
	}
	h := b.hearing(w)
	report := b.sampler.Take(w.key())
	for _, look := range report.Looks {
		h.hear(w, look)
	}
	h.problem, h.noData = report.Problem, report.NoData
	h.last, h.judged = h.state.Assess(w.policy, nextShareOf(w.plan, max(h.step, 0))), true
	return h.verdict(w)
}

// hear adds one interval. A look that the judge refuses as nonsense is left out: it is no evidence.
func (h *hearing) hear(w *world, look telemetry.Look) {
	if !look.To.After(h.lastLook) {
		return
	}
	h.lastLook, h.step = look.To, servedStep(w.run)
	settling := settles(w.run, look)
	err := h.state.Observe(w.policy, judge.Look{
		From: look.From, To: look.To, Step: max(h.step, 0), NextShare: nextShareOf(w.plan, max(h.step, 0)),
		WantedShare: wantedShare(w, settling), Settling: settling, History: h.step < 0,
		Metrics: countsOf(look, warming(w, look)),
	})
	if err != nil {
		h.problem = err.Error()
	}
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
func wantedShare(w *world, settling bool) float64 {
	if settling {
		return 0
	}
	return float64(w.run.Want.Shares.Canary) / float64(release.Million)
}

// warming says that canary pods are so new that a cold cache is forgiven in this interval.
func warming(w *world, look telemetry.Look) bool {
	return look.From.Before(w.twinSays.LatestReady.Add(w.policy.Warmup))
}

func countsOf(look telemetry.Look, warming bool) []judge.Counts {
	out := make([]judge.Counts, len(look.Metrics))
	for i, m := range look.Metrics {
		out[i] = judge.Counts{Canary: podCounts(m.Canary, warming), Stable: podCounts(m.Stable, false), PodsUnknown: m.PodsUnknown}
		if m.PodsUnknown {
			// A proxy tells about both arms in each scrape: an arm that is not listed had no requests.
			out[i].Canary, out[i].Stable = orZero(out[i].Canary, warming), orZero(out[i].Stable, false)
		}
	}
	return out
}

func orZero(pods []judge.PodCount, warming bool) []judge.PodCount {
	if len(pods) > 0 {
		return pods
	}
	return []judge.PodCount{{Warming: warming}}
}

func podCounts(pods []telemetry.PodCount, warming bool) []judge.PodCount {
	out := make([]judge.PodCount, len(pods))
	for i, p := range pods {
		out[i] = judge.PodCount{Pod: p.Pod, Requests: p.Requests, Bad: p.Bad, Warming: warming}
	}
	return out
}

// verdict translates the assessment. What is not known leads nowhere.
func (h *hearing) verdict(w *world) release.Verdict {
	v := release.Verdict{Step: h.step, NoData: h.noData, NoHarm: h.last.HarmEvidence < 1, Detail: h.last.Detail}
	v.Reason = release.Reason(h.last.Reason)
	switch h.last.Verdict {
	case judge.Rollback:
		v.Kind = release.Rollback
		return v
	case judge.Advance:
		v.Kind = release.Advance
	case judge.Hold:
	}
	switch {
	case h.problem != "":
		return h.unmeasured(w, h.problem)
	case h.noData:
		return h.unmeasured(w, "three scrapes in a row are missing; the release holds")
	case v.Kind == release.NoVerdict && h.last.Reason == judge.NotEnoughTraffic:
		v.Reason = h.trafficReason(w)
	}
	return v
}

// unmeasured is about now, whichever step the last look was of. Only scrapes that stay away are no data as onNoData means
// it.
func (h *hearing) unmeasured(w *world, why string) release.Verdict {
	return release.Verdict{Step: w.run.Step, Reason: release.NoData, Detail: why, NoData: h.noData}
}

// trafficReason tells a step that is on its way from one that cannot get there: with no requests at all, or with so few
// that the evidence would come after maxDuration. It goes by the time of the samples.
func (h *hearing) trafficReason(w *world) release.Reason {
	seen := h.lastLook.Sub(w.run.AppliedAt)
	if w.run.Stage != release.Judging || seen < trafficGrace {
		return release.JudgingStep
	}
	if h.last.CanaryRequests == 0 {
		return v1alpha1.ReasonNoTraffic
	}
	if h.lastLook.Before(w.twinSays.LatestReady.Add(w.policy.Warmup + trafficGrace)) {
		return release.JudgingStep // warm-up proves no health, however much of it there is
	}
	needed := time.Duration(h.last.CanaryRequestsNeeded / h.last.CanaryRequests * float64(seen))
	left := w.plan.MaxDuration - h.lastLook.Sub(w.run.LookingSince)
	if w.plan.MaxDuration > 0 && (math.IsInf(h.last.CanaryRequestsNeeded, 1) || needed > left) {
		return release.NotEnoughTraffic
	}
	return release.JudgingStep
}

// trafficGrace is how long a step is given before it is said that its traffic will not do.
const trafficGrace = 30 * time.Second

// written is the evidence as status keeps it; empty when no release runs.
func (b *Bench) written(w *world, next release.Run) (string, error) {
	if !hearsEvidence(next.Stage) || !hearsEvidence(w.run.Stage) {
		return "", nil
	}
	h := b.hearing(w)
	text, err := h.state.MarshalText()
	if err != nil {
		return "", wrap("write evidence", err)
	}
	out, err := json.Marshal(evidence{Of: h.of, LastLook: h.lastLook, Step: h.step, State: string(text)})
	return string(out), err
}

// shown is the evidence for people. After the end of a release it stays as it was at the end.
func (b *Bench) shown(w *world, next release.Run) (string, []v1alpha1.MetricStatus) {
	if next.Stage == release.Checking || next.Stage == release.Idle && next.Cause != release.Promoted {
		return "", nil
	}
	if !hearsEvidence(w.run.Stage) {
		return w.cr.Status.Evidence, w.cr.Status.Metrics
	}
	h := b.hearing(w)
	if !h.judged {
		return "", nil
	}
	var metrics []v1alpha1.MetricStatus
	for _, m := range h.last.Metrics {
		metrics = append(metrics, v1alpha1.MetricStatus{Name: m.Name, Message: m.Detail})
	}
	return fmt.Sprintf("harm %.0f%%, health %.0f%%", 100*h.last.HarmProgress, 100*h.last.PromoteProgress), metrics
}

// progress is how far harm and health are proven, from 0 to 1, and the end of the last look.
func (b *Bench) progress(w *world) (harm, health float64, lastLook time.Time) {
	if !hearsEvidence(w.run.Stage) {
		return 0, 0, time.Time{}
	}
	h := b.hearing(w)
	return h.last.HarmProgress, h.last.PromoteProgress, h.lastLook
}

// progressDue is how long status may wait when nothing but progress has changed.
func (b *Bench) progressDue(w *world, now time.Time) time.Duration {
	if !hearsEvidence(w.run.Stage) {
		return 0
	}
	return progressEvery - now.Sub(b.hearing(w).writtenAt)
}

func (b *Bench) progressWritten(w *world, now time.Time) {
	if hearsEvidence(w.run.Stage) {
		b.hearing(w).writtenAt = now
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
