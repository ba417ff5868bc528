package controllers

import (
	"context"
	"slices"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"slipway.dev/slipway/api/v1alpha1"
	"slipway.dev/slipway/internal/traffic"
)

// A split leaves a route that its spec names no longer as backends leave one: users come off at once, and what they came
// off is known to the data plane, by a feather and by rules that take no requests, until it has confirmed that. The record
// says which routes these are:
//
//	named ──spec changed──▶ leaving ──applied, or too late──▶ forgotten, and restored by the route's own controller

// maxLeaving is how many routes a record has at most: the API's limit. Those beyond are left at once.
const maxLeaving = 32

// all are the routes that the split has to do with, those that it leaves last.
func (f splitFacts) all() []splitRoute { return slices.Concat(f.routes, f.left) }

// leavingRefs are the routes that a split leaves, as its spec would name them.
func leavingRefs(split *v1alpha1.TrafficSplit) []v1alpha1.RouteReference {
	var out []v1alpha1.RouteReference
	for _, l := range split.Status.Run.Leaving {
		out = append(out, formerRef(l.Kind, l.Name, l.SectionName, l.DataPlane))
	}
	return out
}

// formerRef is how a spec named a route of which a status says no group: kinds of targets differ without it.
func formerRef(kind, name, section string, plane v1alpha1.DataPlane) v1alpha1.RouteReference {
	out := v1alpha1.RouteReference{Kind: kind, Name: name, SectionName: section, DataPlane: plane}
	for _, target := range targetKinds {
		if target.Kind == kind {
			out.Group = new(target.Group)
		}
	}
	return out
}

// gatherLeft reads the routes that the spec names no longer and that carry the split still, each rule by itself.
func (r *TrafficSplitReconciler) gatherLeft(ctx context.Context, split *v1alpha1.TrafficSplit) ([]splitRoute, error) {
	refs := leavingRefs(split)
	for _, s := range split.Status.Routes {
		refs = append(refs, formerRef(s.Kind, s.Name, "", s.DataPlane))
	}
	var out []splitRoute
	var looked []targetKey
	for _, ref := range refs {
		key := splitTarget(split, ref)
		if slices.Contains(looked, key) || isNamed(split, key) {
			continue
		}
		looked = append(looked, key)
		plan, err := r.plans.plan(ctx, key)
		if err != nil {
			return nil, err
		}
		for _, on := range plan.carriedOf(split) {
			ref := ref
			ref.SectionName = on.SectionName
			route := r.lookAt(plan, ref)
			route.carried = &on
			out = append(out, route)
		}
	}
	return out, nil
}

func isNamed(split *v1alpha1.TrafficSplit, key targetKey) bool {
	return slices.ContainsFunc(split.Spec.RouteRefs, func(ref v1alpha1.RouteReference) bool { return splitTarget(split, ref) == key })
}

// leavingRun is what a route carries of a split that leaves it.
func leavingRun(split *v1alpha1.TrafficSplit, run v1alpha1.SplitRun) v1alpha1.SplitRun {
	service := split.Spec.ServiceRef.Name
	backends, _ := traffic.FeatherKnowing(trafficBackends(run.Backends), []traffic.Backend{{Name: service, Weight: 1}}, false, []string{service})
	run.Backends = apiBackends(backends)
	run.Mirror = v1alpha1.TrafficMirror{}
	if besideOf(run).ruled() {
		run.Rules = v1alpha1.SplitRulesDormant
	}
	return run
}

// leftVerdicts says for each route that is being left whether it carries what it is to carry meanwhile.
func leftVerdicts(f splitFacts, run v1alpha1.SplitRun) []traffic.Verdict {
	run = leavingRun(f.split, run)
	var leaving []string
	for _, b := range run.Backends {
		if b.Name != f.split.Spec.ServiceRef.Name {
			leaving = append(leaving, b.Name)
		}
	}
	var out []traffic.Verdict
	for _, r := range f.left {
		seen := r.seen
		seen.ReadyEndpoints, seen.Now, seen.GoodSince, seen.Leaving = f.ready, f.now, f.goodSince, leaving
		out = append(out, r.router.Applied(seen, traffic.Intent{Splits: []traffic.Split{routeSplit(f.split, r.ref, run)}}))
	}
	return out
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
		at := slices.IndexFunc(run.Leaving, func(l v1alpha1.LeavingRoute) bool { return isRoute(l, r) })
		switch {
		case at < 0 && changed && !coarse([]splitRoute{r}):
			out = append(out, v1alpha1.LeavingRoute{
				Kind: r.key.kind.Kind, Name: r.key.Name, SectionName: r.ref.SectionName, DataPlane: r.ref.DataPlane,
				Since: &metav1.MicroTime{Time: f.now},
			})
		case at >= 0 && verdicts[i].State != traffic.True && f.now.Sub(leavingSince(run.Leaving[at])) < splitReleaseLimit:
			out = append(out, run.Leaving[at])
		}
	}
	return out[:min(len(out), maxLeaving)]
}

func isRoute(l v1alpha1.LeavingRoute, r splitRoute) bool {
	return l.Kind == r.key.kind.Kind && l.Name == r.key.Name && l.SectionName == r.ref.SectionName
}

// withLeaving is the next record with the routes that are left then. Where nothing else changes, that alone makes a record.
func withLeaving(next, run v1alpha1.SplitRun, leaving []v1alpha1.LeavingRoute) v1alpha1.SplitRun {
	same := slices.Equal(leaving, run.Leaving)
	if same && ptr.Deref(next.Sequence, 0) == ptr.Deref(run.Sequence, 0) {
		return next
	}
	next.Sequence, next.AppliedAt, next.Leaving = new(ptr.Deref(run.Sequence, 0)+1), nil, leaving
	return next
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
