package controllers

import (
	"slices"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/utils/ptr"

	"slipway.dev/slipway/api/v1alpha1"
	"slipway.dev/slipway/internal/traffic"
)

// A split leaves a route that its spec names no longer as backends leave one: users come off at once, and what they came
// off is known to the data plane, by a feather, until it has confirmed that. The record says which routes these are:
//
//	named ──spec changed──▶ leaving ──applied, or too late──▶ forgotten, and restored by the route's own controller

// all are the routes that the split has to do with, those that it leaves last.
func (f splitFacts) all() []splitRoute { return slices.Concat(f.routes, f.left) }

// leavingBackends are what a route carries of a split that leaves it.
func leavingBackends(split *v1alpha1.TrafficSplit, planned []traffic.Backend) []traffic.Backend {
	service := split.Spec.ServiceRef.Name
	next, _ := traffic.FeatherKnowing(planned, []traffic.Backend{{Name: service, Weight: 1}}, false, []string{service})
	return next
}

// leavingRun is the record as a route carries it that is being left: its rules take no requests, and nothing is copied.
func leavingRun(split *v1alpha1.TrafficSplit, run v1alpha1.SplitRun) v1alpha1.SplitRun {
	run.Backends = apiBackends(leavingBackends(split, trafficBackends(run.Backends)))
	if run.Rules != "" {
		run.Rules = v1alpha1.SplitRulesDormant
	}
	run.Mirror = v1alpha1.TrafficMirror{}
	return run
}

// leftVerdicts says for each route that is being left whether it carries what it is to carry meanwhile.
func leftVerdicts(f splitFacts, run v1alpha1.SplitRun) []traffic.Verdict {
	if len(f.left) == 0 {
		return nil
	}
	run = leavingRun(f.split, run)
	observed := traffic.Observed{ReadyEndpoints: f.ready, Now: f.now, GoodSince: f.goodSince}
	for _, b := range run.Backends {
		if b.Name != f.split.Spec.ServiceRef.Name {
			observed.Leaving = append(observed.Leaving, b.Name)
		}
	}
	var out []traffic.Verdict
	for _, r := range f.left {
		seen := r.seen
		seen.ReadyEndpoints, seen.Now, seen.GoodSince, seen.Leaving = observed.ReadyEndpoints, observed.Now, observed.GoodSince, observed.Leaving
		out = append(out, r.router.Applied(seen, traffic.Intent{Splits: []traffic.Split{routeSplit(f.split, r.ref, run)}}))
	}
	return out
}

// leavingRef is a route that is being left, as the spec named it.
func leavingRef(l v1alpha1.LeavingRoute) v1alpha1.RouteReference {
	out := v1alpha1.RouteReference{Kind: l.Kind, Name: l.Name, SectionName: l.SectionName}
	if at := slices.IndexFunc(targetKinds, func(k schema.GroupVersionKind) bool { return k.Kind == l.Kind }); at >= 0 {
		out.Group = new(targetKinds[at].Group)
	}
	return out
}

// isLeaving says whether the record says that the route is being left.
func isLeaving(split *v1alpha1.TrafficSplit, l v1alpha1.LeavingRoute, key targetKey) bool {
	return splitTarget(split, leavingRef(l)) == key
}

// nextLeaving are the routes that are being left after this decision. Only a change of the spec adds one: a route that is
// forgotten carries the split for a moment still.
func nextLeaving(f splitFacts, run v1alpha1.SplitRun, verdicts []traffic.Verdict) []v1alpha1.LeavingRoute {
	if run.Sequence == nil || isHome(f.split, run) {
		return nil
	}
	changed := ptr.Deref(run.Generation, 0) != f.split.Generation
	var out []v1alpha1.LeavingRoute
	for i, r := range f.left {
		at := slices.IndexFunc(run.Leaving, func(l v1alpha1.LeavingRoute) bool { return isLeaving(f.split, l, r.key) })
		switch {
		case at < 0 && changed:
			out = append(out, v1alpha1.LeavingRoute{Kind: leavingKind(r.key), Name: r.ref.Name, SectionName: r.ref.SectionName, Since: &metav1.MicroTime{Time: f.now}})
		case at >= 0 && verdicts[i].State != traffic.True && f.now.Sub(leavingSince(run.Leaving[at])) < splitReleaseLimit:
			out = append(out, run.Leaving[at])
		}
	}
	return out
}

// untilForgotten is when the first of the routes that are being left will have been waited for long enough.
func untilForgotten(f splitFacts, run v1alpha1.SplitRun) time.Duration {
	var wake time.Duration
	for _, l := range run.Leaving {
		left := max(1, splitReleaseLimit-f.now.Sub(leavingSince(l)))
		wake = soonest(wake, left)
	}
	return wake
}

// leavingSince is long ago where the record does not say: nothing is waited for then.
func leavingSince(l v1alpha1.LeavingRoute) time.Time {
	if l.Since == nil {
		return time.Time{}
	}
	return l.Since.Time
}

// leavingKind is the kind as the record has it: none for an HTTPRoute.
func leavingKind(key targetKey) string {
	if key.kind == httpRouteKind.GroupKind() {
		return ""
	}
	return key.kind.Kind
}
