package controllers

import (
	"slices"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/utils/ptr"

	"slipway.dev/slipway/api/v1alpha1"
	"slipway.dev/slipway/internal/traffic"
	"slipway.dev/slipway/internal/traffic/gatewayapi"
)

// splitReleaseLimit is how long a deleted split waits for data planes to confirm that its backends are at a feather.
// After that the route is restored all the same: what is left on those backends is one request in a million.
const splitReleaseLimit = time.Minute

// splitFacts is everything that a decision about a split depends on.
type splitFacts struct {
	split    *v1alpha1.TrafficSplit
	conflict *traffic.Conflict
	routes   []splitRoute
	// left are routes that the spec names no longer and that carry the split still.
	left []splitRoute
	// ready is the number of ready endpoints of each Service that the split names.
	ready map[string]int
	// adopt is what a route carries of this split when that is later than the split's own record: the record was lost.
	adopt     *traffic.Split
	now       time.Time
	goodSince time.Time
	// known are backends of the record that were applied at some time since they entered.
	known []string
}

// splitRoute is one of the routes of a split as it is now.
type splitRoute struct {
	ref         v1alpha1.RouteReference
	live        *unstructured.Unstructured // nil: it does not exist
	controllers []string
	refusal     error
	contestedBy string
}

// splitDecision is what follows from the facts.
type splitDecision struct {
	status v1alpha1.TrafficSplitStatus
	// goodSince is to be kept for the next decision on the same record.
	goodSince time.Time
	// known is to be kept too.
	known []string
	// restored means that a deleted split is on no route any more: it may go.
	restored bool
	// wake is when to decide again without an event; zero: only on an event.
	wake time.Duration
}

// decideSplit says what the routes are to carry next and how things stand. It is a function of the facts alone.
func decideSplit(f splitFacts) splitDecision {
	run, planned := recordedRun(f)
	want := wantedBackends(f.split)
	verdicts := splitVerdicts(f, run, planned, want)
	leaving := nextLeaving(f, run, planned, verdicts[len(f.routes):])
	d := splitDecision{goodSince: goodSince(f, verdicts), wake: longestWake(verdicts)}
	refusal := splitRefusal(f)
	done := true
	if run.Sequence != nil || (refusal == nil && f.split.DeletionTimestamp.IsZero()) {
		var next []traffic.Backend
		applied := allApplied(verdicts)
		next, done = nextBackends(f, planned, want, applied)
		d.known = stillKnown(f.known, planned, next, applied)
		if run.Sequence == nil || f.adopt != nil || !slices.Equal(next, planned) || !slices.Equal(leaving, run.Leaving) {
			run = nextRun(run, next, leaving)
			d.goodSince, d.wake = time.Time{}, 0
			verdicts = splitVerdicts(f, run, next, want)
		} else {
			d.restored = isReleased(f, next)
		}
		run.Generation = new(f.split.Generation)
	} else {
		d.restored = isReleased(f, []traffic.Backend{{Name: f.split.Spec.ServiceRef.Name, Weight: 1}})
	}
	finished := done && len(run.Leaving) == 0 && allApplied(verdicts) && refusal == nil
	if finished && run.AppliedAt == nil {
		run.AppliedAt = &metav1.MicroTime{Time: f.now}
	}
	d.wake = soonest(soonest(d.wake, untilRelease(f)), untilForgotten(f, run))
	d.status = splitStatus(f, statusInput{run: run, verdicts: verdicts, refusal: refusal, done: done})
	return d
}

// recordedRun is the split's record, or what a route still knows of one that was lost, and the backends of it.
// Before the first record a route carries the Service alone.
func recordedRun(f splitFacts) (v1alpha1.SplitRun, []traffic.Backend) {
	run := *f.split.Status.Run.DeepCopy()
	switch {
	case f.adopt != nil:
		run.Sequence = new(f.adopt.Sequence)
		return run, f.adopt.Backends
	case run.Sequence == nil:
		return run, []traffic.Backend{{Name: f.split.Spec.ServiceRef.Name, Weight: 1}}
	}
	return run, trafficBackends(run.Backends)
}

func nextRun(run v1alpha1.SplitRun, next []traffic.Backend, leaving []v1alpha1.LeavingRoute) v1alpha1.SplitRun {
	return v1alpha1.SplitRun{
		Sequence: new(ptr.Deref(run.Sequence, 0) + 1),
		Backends: apiBackends(next),
		Leaving:  leaving,
	}
}

// wantedBackends are those of the spec; a split that is being deleted wants its Service alone.
func wantedBackends(split *v1alpha1.TrafficSplit) []traffic.Backend {
	if !split.DeletionTimestamp.IsZero() {
		return []traffic.Backend{{Name: split.Spec.ServiceRef.Name, Weight: 1}}
	}
	return trafficBackends(split.Spec.Backends)
}

func nextBackends(f splitFacts, planned, want []traffic.Backend, applied bool) ([]traffic.Backend, bool) {
	if releaseOverdue(f) {
		return want, true
	}
	return traffic.FeatherKnowing(withoutDeadLeaving(planned, want, f.ready), want, applied, f.known)
}

// stillKnown are the backends of next that were applied before, or are now.
func stillKnown(known []string, planned, next []traffic.Backend, applied bool) []string {
	var out []string
	for _, b := range next {
		before := slices.ContainsFunc(planned, func(p traffic.Backend) bool { return p.Name == b.Name })
		if before && (applied || slices.Contains(known, b.Name)) {
			out = append(out, b.Name)
		}
	}
	return out
}

// withoutDeadLeaving drops backends that are on their way out and have nothing that answers: no confirmation will come
// for them, and nobody can lose an answer there.
func withoutDeadLeaving(planned, want []traffic.Backend, ready map[string]int) []traffic.Backend {
	var total int64
	for _, b := range planned {
		total += int64(b.Weight)
	}
	return slices.DeleteFunc(slices.Clone(planned), func(b traffic.Backend) bool {
		atFeather := int64(b.Weight)*traffic.FeatherTotal <= total
		return atFeather && ready[b.Name] == 0 && !wants(want, b.Name)
	})
}

func wants(want []traffic.Backend, name string) bool {
	return slices.ContainsFunc(want, func(b traffic.Backend) bool { return b.Name == name && b.Weight > 0 })
}

// releaseOverdue says that a deleted split has waited long enough for data planes.
func releaseOverdue(f splitFacts) bool {
	at := f.split.DeletionTimestamp
	return !at.IsZero() && f.now.Sub(at.Time) >= splitReleaseLimit
}

func untilRelease(f splitFacts) time.Duration {
	at := f.split.DeletionTimestamp
	if at.IsZero() || releaseOverdue(f) {
		return 0
	}
	return splitReleaseLimit - f.now.Sub(at.Time)
}

// isReleased says whether a split that is being deleted is on no route any more.
func isReleased(f splitFacts, next []traffic.Backend) bool {
	if f.split.DeletionTimestamp.IsZero() || !onlyService(f.split, next) {
		return false
	}
	return !slices.ContainsFunc(f.all(), func(r splitRoute) bool { return carriedBy(r.live, f.split) != nil })
}

func onlyService(split *v1alpha1.TrafficSplit, backends []traffic.Backend) bool {
	return len(backends) == 1 && backends[0].Name == split.Spec.ServiceRef.Name
}

// carriedBy is what the route carries of the split, or nil.
func carriedBy(route *unstructured.Unstructured, split *v1alpha1.TrafficSplit) *traffic.Split {
	if route == nil {
		return nil
	}
	for _, s := range gatewayapi.Carried(route) {
		if s.UID == string(split.UID) {
			return &s
		}
	}
	return nil
}

// splitVerdicts says for each route whether it carries the record. A route that does not exist carries nothing, which is
// as it should be when the split is being deleted.
func splitVerdicts(f splitFacts, run v1alpha1.SplitRun, planned, want []traffic.Backend) []traffic.Verdict {
	observed := traffic.Observed{ReadyEndpoints: f.ready, Now: f.now, GoodSince: f.goodSince}
	for _, b := range planned {
		if !wants(want, b.Name) {
			observed.Leaving = append(observed.Leaving, b.Name)
		}
	}
	out := make([]traffic.Verdict, len(f.routes), len(f.routes)+len(f.left))
	for i, r := range f.routes {
		switch {
		case r.live == nil && !f.split.DeletionTimestamp.IsZero():
			out[i] = traffic.Verdict{State: traffic.True, Good: true}
		case r.live == nil:
			out[i] = traffic.Verdict{State: traffic.False, Cause: traffic.NotWritten, Message: "the route does not exist"}
		default:
			split := routeSplit(f.split, r.ref, run, planned)
			out[i] = gatewayapi.HTTPRoute{}.Applied(r.live, split, observed)
		}
	}
	return append(out, leftVerdicts(f, run, planned)...)
}

// routeSplit is the split's record as one route is to carry it.
func routeSplit(split *v1alpha1.TrafficSplit, ref v1alpha1.RouteReference, run v1alpha1.SplitRun, backends []traffic.Backend) traffic.Split {
	return traffic.Split{
		Name: split.Name, UID: string(split.UID), Sequence: ptr.Deref(run.Sequence, 0), Created: split.CreationTimestamp.Time,
		Service: split.Spec.ServiceRef.Name, SectionName: ref.SectionName, Backends: backends,
	}
}

func allApplied(verdicts []traffic.Verdict) bool {
	return !slices.ContainsFunc(verdicts, func(v traffic.Verdict) bool { return v.State != traffic.True })
}

// goodSince is since when only the settle time was left to wait for, on all routes.
func goodSince(f splitFacts, verdicts []traffic.Verdict) time.Time {
	if slices.ContainsFunc(verdicts, func(v traffic.Verdict) bool { return !v.Good }) {
		return time.Time{}
	}
	if f.goodSince.IsZero() {
		return f.now
	}
	return f.goodSince
}

// longestWake is when the last route will have settled, if all are about to.
func longestWake(verdicts []traffic.Verdict) time.Duration {
	var longest time.Duration
	for _, v := range verdicts {
		if !v.Good {
			return 0
		}
		longest = max(longest, v.Wake)
	}
	return longest
}

func soonest(a, b time.Duration) time.Duration {
	if a == 0 || (b != 0 && b < a) {
		return b
	}
	return a
}

func trafficBackends(in []v1alpha1.WeightedBackend) []traffic.Backend {
	out := make([]traffic.Backend, 0, len(in))
	for _, b := range in {
		out = append(out, traffic.Backend{Name: b.Name, Weight: ptr.Deref(b.Weight, 0)})
	}
	return out
}

func apiBackends(in []traffic.Backend) []v1alpha1.WeightedBackend {
	out := make([]v1alpha1.WeightedBackend, 0, len(in))
	for _, b := range in {
		out = append(out, v1alpha1.WeightedBackend{Name: b.Name, Weight: new(b.Weight)})
	}
	return out
}
