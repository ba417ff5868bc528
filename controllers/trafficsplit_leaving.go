package controllers

import (
	"slices"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"slipway.dev/slipway/api/v1alpha1"
	"slipway.dev/slipway/internal/traffic"
	"slipway.dev/slipway/internal/traffic/gatewayapi"
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

// leftVerdicts says for each route that is being left whether it carries what it is to carry meanwhile.
func leftVerdicts(f splitFacts, run v1alpha1.SplitRun, planned []traffic.Backend) []traffic.Verdict {
	backends := leavingBackends(f.split, planned)
	observed := traffic.Observed{ReadyEndpoints: f.ready, Now: f.now, GoodSince: f.goodSince}
	for _, b := range backends {
		if b.Name != f.split.Spec.ServiceRef.Name {
			observed.Leaving = append(observed.Leaving, b.Name)
		}
	}
	var out []traffic.Verdict
	for _, r := range f.left {
		out = append(out, gatewayapi.HTTPRoute{}.Applied(r.live, routeSplit(f.split, r.ref, run, backends), observed))
	}
	return out
}

// nextLeaving are the routes that are being left after this decision. Only a change of the spec adds one: a route that is
// forgotten carries the split for a moment still.
func nextLeaving(f splitFacts, run v1alpha1.SplitRun, planned []traffic.Backend, verdicts []traffic.Verdict) []v1alpha1.LeavingRoute {
	if run.Sequence == nil || onlyService(f.split, planned) {
		return nil
	}
	changed := ptr.Deref(run.Generation, 0) != f.split.Generation
	var out []v1alpha1.LeavingRoute
	for i, r := range f.left {
		at := slices.IndexFunc(run.Leaving, func(l v1alpha1.LeavingRoute) bool { return l.Name == r.ref.Name })
		switch {
		case at < 0 && changed:
			out = append(out, v1alpha1.LeavingRoute{Name: r.ref.Name, SectionName: r.ref.SectionName, Since: &metav1.MicroTime{Time: f.now}})
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
