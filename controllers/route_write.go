package controllers

import (
	"context"
	"errors"
	"fmt"
	"reflect"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"slipway.dev/slipway/internal/store"
	"slipway.dev/slipway/internal/traffic"
)

// routeChanges is what has to be written for a rendering.
type routeChanges struct {
	patched   []change
	generated []change
	obsolete  []*unstructured.Unstructured
}

// change is an object as it was seen, nil if it is not there, and as it is to be.
type change struct{ before, after *unstructured.Unstructured }

func (c routeChanges) none() bool {
	return len(c.patched) == 0 && len(c.generated) == 0 && len(c.obsolete) == 0
}

// changesOf compares a rendering with what is there.
func changesOf(plan *targetPlan) routeChanges {
	var out routeChanges
	for _, after := range plan.rendering.Patched {
		before := plan.seen.Find(traffic.KindOf(after), after.GetName())
		if before != nil && !reflect.DeepEqual(before.Object, after.Object) {
			out.patched = append(out.patched, change{before, after})
		}
	}
	for _, after := range plan.rendering.Generated {
		before := plan.seen.Find(traffic.KindOf(after), after.GetName())
		if before == nil || !traffic.Same(before, after) || !reflect.DeepEqual(before.GetOwnerReferences(), after.GetOwnerReferences()) {
			out.generated = append(out.generated, change{before, after})
		}
	}
	for _, obj := range plan.seen.Objects {
		if !traffic.IsGenerated(obj) || traffic.TargetOf(obj) != traffic.TargetName(plan.live) {
			continue
		}
		wanted := false
		for _, g := range plan.rendering.Generated {
			wanted = wanted || (g.GetName() == obj.GetName() && traffic.KindOf(g) == traffic.KindOf(obj))
		}
		if !wanted {
			out.obsolete = append(out.obsolete, obj)
		}
	}
	for _, left := range plan.left {
		before := plan.seen.Find(traffic.KindOf(left.after), left.after.GetName())
		if before == nil {
			before = left.before
		}
		if !reflect.DeepEqual(before.Object, left.after.Object) {
			out.patched = append(out.patched, change{before, left.after})
		}
	}
	return out
}

// project writes the changes: first what was generated, so that a rule which a patch brings is covered from its first
// request on, then the objects of users, then what is not needed any more. What cannot be written does not keep the rest:
// the patch may be what takes users off.
func (r *RouteReconciler) project(ctx context.Context, c routeChanges) error {
	var errs []error
	for _, g := range c.generated {
		errs = append(errs, r.apply(ctx, g))
	}
	for _, p := range c.patched {
		_, err := r.store.ProjectUnstamped(ctx, p.before.DeepCopy(), p.after)
		errs = append(errs, err)
	}
	for _, obj := range c.obsolete {
		errs = append(errs, r.store.Delete(ctx, obj.DeepCopy()))
	}
	return errors.Join(errs...)
}

// apply writes an object of ours. One that is not there as far as the cache knows is looked for first: it may be somebody
// else's by now.
func (r *RouteReconciler) apply(ctx context.Context, g change) error {
	if g.before != nil {
		return r.store.Apply(ctx, g.before, g.after.DeepCopy())
	}
	there := newUntyped(g.after.GroupVersionKind())
	err := r.live.Get(ctx, client.ObjectKeyFromObject(g.after), there)
	switch {
	case err == nil:
		return fmt.Errorf("apply %s %s: %w", g.after.GetKind(), client.ObjectKeyFromObject(g.after), store.ErrStale)
	case !apierrors.IsNotFound(err):
		return fmt.Errorf("read %s %s: %w", g.after.GetKind(), client.ObjectKeyFromObject(g.after), err)
	}
	return r.store.Apply(ctx, nil, g.after.DeepCopy())
}
