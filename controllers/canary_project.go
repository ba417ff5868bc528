package controllers

import (
	"context"
	"fmt"
	"maps"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"

	"slipway.dev/slipway/api/v1alpha1"
	"slipway.dev/slipway/internal/release"
	"slipway.dev/slipway/internal/store"
	"slipway.dev/slipway/internal/workload"
)

// project makes the world what the record wants. The route comes first: what takes users off a bad version waits for
// nothing, and no failure of what follows can keep it back.
func (r *CanaryReconciler) project(ctx context.Context, w *world, d release.Decision) error {
	p := projection{r: r, w: w, d: d, stamp: stampOf(w.cr, d)}
	for _, part := range []func(context.Context) error{p.split, p.revisions, p.target, p.canary, p.tidy, p.replacePod, p.release} {
		if err := part(ctx); err != nil {
			return err
		}
	}
	return nil
}

type projection struct {
	r     *CanaryReconciler
	w     *world
	d     release.Decision
	stamp store.Stamp
}

// split has a TrafficSplit say the shares, or none.
func (p projection) split(ctx context.Context) error {
	live, want := p.w.split, p.d.Want
	if live != nil && !metav1.IsControlledBy(live, p.w.cr) {
		return nil
	}
	if !want.Split {
		if live == nil || !live.DeletionTimestamp.IsZero() {
			return nil
		}
		return p.r.Store.Delete(ctx, live)
	}
	if live == nil {
		return p.make(ctx, p.newSplit())
	}
	if !live.DeletionTimestamp.IsZero() {
		return nil
	}
	after := live.DeepCopy()
	after.Spec = p.newSplit().Spec
	_, err := p.r.Store.Project(ctx, live, after, p.stamp)
	return err
}

// make creates an object, unless the record is not the latest. A change of an object is refused by its version and its
// stamp; a new one has neither, and one that a later record has removed would come back.
func (p projection) make(ctx context.Context, obj client.Object) error {
	now := &v1alpha1.CanaryRelease{}
	if err := p.r.Live.Get(ctx, p.w.key(), now); err != nil {
		return wrap("read CanaryRelease", err)
	}
	if now.UID != p.w.cr.UID || now.Status.Run.Record != p.w.cr.Status.Run.Record {
		return fmt.Errorf("read CanaryRelease %s: %w", p.w.key(), store.ErrStale)
	}
	return p.r.Store.Create(ctx, obj, p.stamp)
}

func (p projection) newSplit() *v1alpha1.TrafficSplit {
	cr := p.w.cr
	return &v1alpha1.TrafficSplit{
		ObjectMeta: metav1.ObjectMeta{
			Name: cr.Name, Namespace: cr.Namespace,
			Labels:          map[string]string{v1alpha1.ReleaseLabel: cr.Name},
			OwnerReferences: []metav1.OwnerReference{*metav1.NewControllerRef(cr, v1alpha1.GroupVersion.WithKind("CanaryRelease"))},
		},
		Spec: splitSpec(p.w, p.d.Want.Shares),
	}
}

func splitSpec(w *world, shares release.Shares) v1alpha1.TrafficSplitSpec {
	return v1alpha1.TrafficSplitSpec{ServiceRef: w.cr.Spec.ServiceRef, RouteRefs: w.cr.Spec.RouteRefs, Backends: w.backendsOf(shares)}
}

// target writes the user's Deployment only when the record asks for it.
func (p projection) target(ctx context.Context) error {
	d := p.w.target
	if d == nil || p.w.contested {
		return nil
	}
	switch p.d.Want.Target {
	case release.Keep:
		return nil
	case release.LetGo:
		if !workload.Held(d) || p.newerIsHeld() {
			return nil
		}
		return p.writeTarget(ctx, d, workload.Release(d))
	case release.Freeze:
		return p.freeze(ctx, d)
	case release.PutBack:
		stable, known := p.stableTemplate()
		if !known {
			return nil
		}
		return p.putBack(ctx, d, stable)
	case release.Rehold:
		return p.rehold(ctx)
	}
	return nil
}

// freeze stops a rollout. What stands still already is left alone, and so are stable's pods on their way back.
func (p projection) freeze(ctx context.Context, d *appsv1.Deployment) error {
	if d.Spec.Paused || workload.Revision(d.Spec.Template) != p.d.Next.Canary {
		return nil
	}
	return p.writeTarget(ctx, d, workload.Freeze(d, p.w.cr.Name))
}

// newerIsHeld says that what would be let go is not what was decided on.
func (p projection) newerIsHeld() bool {
	switch p.d.Next.Stage {
	case release.Deleting:
		return false
	case release.LettingThrough, release.PromotionRolling, release.PromotionFinishing:
		return workload.Revision(p.w.target.Spec.Template) != p.d.Next.Revision
	case release.Idle, release.Checking, release.Preparing, release.Shifting, release.Judging, release.PromotionPreparing,
		release.PromotionEntering, release.RollingBack, release.RolledBack, release.Evacuating, release.PuttingBack,
		release.Returning, release.Reholding:
	}
	return true
}

// writeTarget is compare-and-swap on the Deployment that was read; it needs no stamp, because the hold that it lifts is
// gone when it has succeeded.
func (p projection) writeTarget(ctx context.Context, before, after *appsv1.Deployment) error {
	_, err := p.r.Store.ProjectUnstamped(ctx, before, after)
	return err
}

// putBack writes stable's template, then gives its fields back to who owned them when it was recorded. Each is done when it is
// found undone: the operator may have died between the two.
func (p projection) putBack(ctx context.Context, d *appsv1.Deployment, stable corev1.PodTemplateSpec) error {
	if workload.Held(d) || !workload.SameTemplate(d.Spec.Template, stable) {
		if err := p.writeTarget(ctx, d, workload.PutBack(d, stable)); err != nil {
			return err
		}
	} else if !p.w.templateIsOurs {
		return nil
	}
	return p.giveBack(ctx, workload.PresentStable(p.w.cr, p.w.revisions))
}

// stableTemplate is that of stable's ReplicaSet, or, where somebody has deleted it, the one on record.
func (p projection) stableTemplate() (corev1.PodTemplateSpec, bool) {
	if p.w.stable != nil {
		return p.w.stable.Spec.Template, true
	}
	record := workload.PresentStable(p.w.cr, p.w.revisions)
	if record == nil {
		return corev1.PodTemplateSpec{}, false
	}
	template, err := workload.ReadTemplate(record)
	return template, err == nil
}

// giveBack restores the owners of the template's fields. It is a write of its own: one that changes fields takes them
// from their owners, whatever managedFields it carries. The Deployment is read live, because owners must be as they are.
func (p projection) giveBack(ctx context.Context, record *appsv1.ControllerRevision) error {
	live := &appsv1.Deployment{}
	if err := p.r.Live.Get(ctx, client.ObjectKeyFromObject(p.w.target), live); err != nil {
		return wrap("read Deployment", err)
	}
	var owners []metav1.ManagedFieldsEntry
	if record != nil {
		var err error
		if owners, err = workload.RecordedManagedFields(record); err != nil {
			return err
		}
	}
	owned, err := workload.RestoreOwnership(live, owners)
	if err != nil {
		return err
	}
	return p.writeTarget(ctx, live, owned)
}

// rehold puts the candidate's template back under the hold, then gives its fields back to their owners: otherwise the
// next apply from Git would make a third template. The Deployment is read live, because the cache has no managedFields.
func (p projection) rehold(ctx context.Context) error {
	revision := p.templateRecord(p.d.Next.Revision)
	live := &appsv1.Deployment{}
	if err := p.r.Live.Get(ctx, client.ObjectKeyFromObject(p.w.target), live); err != nil || revision == nil {
		return wrap("read Deployment", err)
	}
	template, err := workload.ReadTemplate(revision)
	if err != nil {
		return err
	}
	if !workload.Held(live) || !workload.SameTemplate(live.Spec.Template, template) {
		if err := p.writeTarget(ctx, live, workload.Rehold(live, template, p.w.cr.Name)); err != nil {
			return err
		}
	}
	return p.giveBack(ctx, revision)
}

// canary has what runs beside stable there, or not. What the API server has against it is for people to act on.
func (p projection) canary(ctx context.Context) error {
	err := p.twin(ctx)
	if err == nil {
		err = p.hold(ctx)
	}
	return p.r.Judge.refused(p.w, err)
}

// twin has the canary's Deployment and Service there, or not.
func (p projection) twin(ctx context.Context) error {
	if !p.d.Want.Twin {
		return p.removeTwin(ctx)
	}
	if p.w.twinSays.Foreign || p.w.target == nil || p.w.service == nil || p.w.label == "" {
		return nil
	}
	if err := p.twinDeployment(ctx); err != nil {
		return err
	}
	want := workload.TwinService(p.w.cr, p.w.service, p.w.target, p.w.label)
	return p.service(ctx, p.w.twinService, want)
}

func (p projection) twinDeployment(ctx context.Context) error {
	live := p.w.twin
	template, known := p.twinTemplate()
	if !known {
		return nil
	}
	want := workload.Twin(p.w.cr, p.w.target, template, p.w.label, p.w.wantedTwinPods(p.d.Want))
	switch {
	case live == nil && p.d.Want.TwinPercent == 0:
		// A failed canary that somebody has deleted need not come back to be looked at.
		return nil
	case live == nil:
		return p.make(ctx, want)
	case !live.DeletionTimestamp.IsZero():
		return nil
	case !workload.SameSelector(live, want):
		return p.r.Store.Delete(ctx, live)
	}
	_, err := p.r.Store.Project(ctx, live, workload.TwinOnto(live, want), p.stamp)
	return err
}

// twinTemplate is the template that the twin is to run. Without a record of it the twin stays as it is.
func (p projection) twinTemplate() (corev1.PodTemplateSpec, bool) {
	if p.w.target != nil && workload.Revision(p.w.target.Spec.Template) == p.d.Want.TwinRevision {
		return p.w.target.Spec.Template, true
	}
	record := p.templateRecord(p.d.Want.TwinRevision)
	if record == nil {
		return corev1.PodTemplateSpec{}, false
	}
	template, err := workload.ReadTemplate(record)
	return template, err == nil
}

// removeTwin takes the canary away once no route carries it any more.
func (p projection) removeTwin(ctx context.Context) error {
	if p.inRoute(p.w.twinName()) {
		return nil
	}
	if p.w.twinIsOurs() && p.w.twin.DeletionTimestamp.IsZero() {
		if err := p.r.Store.Delete(ctx, p.w.twin); err != nil {
			return err
		}
	}
	return p.removeService(ctx, p.w.twinService)
}

// hold has the Service of the old pods there, or not.
func (p projection) hold(ctx context.Context) error {
	if !p.d.Want.HoldService {
		if p.inRoute(p.w.holdName()) {
			return nil
		}
		return p.removeService(ctx, p.w.holdService)
	}
	if p.w.service == nil || p.w.target == nil || p.w.stable == nil {
		return nil
	}
	return p.service(ctx, p.w.holdService, workload.HoldService(p.w.cr, p.w.service, p.w.target, p.w.stable))
}

// inRoute says that the split, as it is recorded or asked for, still carries a backend.
func (p projection) inRoute(name string) bool {
	s := p.w.split
	return s != nil && metav1.IsControlledBy(s, p.w.cr) && carriesCanary(s, name)
}

func (p projection) service(ctx context.Context, live, want *corev1.Service) error {
	switch {
	case live == nil:
		return p.make(ctx, want)
	case !metav1.IsControlledBy(live, p.w.cr) || !live.DeletionTimestamp.IsZero():
		return nil
	}
	_, err := p.r.Store.Project(ctx, live, workload.ServiceOnto(live, want), p.stamp)
	return err
}

func (p projection) removeService(ctx context.Context, live *corev1.Service) error {
	if live == nil || !metav1.IsControlledBy(live, p.w.cr) || !live.DeletionTimestamp.IsZero() {
		return nil
	}
	return p.r.Store.Delete(ctx, live)
}

// replacePod deletes the one canary pod that harm is on; its Deployment makes another. Nothing but a pod of the canary is
// ever deleted.
func (p projection) replacePod(ctx context.Context) error {
	if p.d.ReplacePod == "" || !p.w.twinIsOurs() {
		return nil
	}
	for i := range p.w.pods {
		if pod := &p.w.pods[i]; pod.Name == p.d.ReplacePod && pod.DeletionTimestamp.IsZero() {
			return p.r.Store.Delete(ctx, pod)
		}
	}
	return nil
}

// release lets go of the CanaryRelease itself: answered requests and, at the end, the finalizer.
func (p projection) release(ctx context.Context) error {
	after := p.w.cr.DeepCopy()
	if p.d.RequestDone {
		after.Annotations = maps.Clone(after.Annotations)
		for _, ask := range requests() {
			if p.d.Next.Handled == (release.Request{Verb: ask.verb, Revision: after.Annotations[ask.annotation]}).ID() {
				delete(after.Annotations, ask.annotation)
			}
		}
	}
	if p.d.Want.Forget {
		controllerutil.RemoveFinalizer(after, v1alpha1.Finalizer)
	}
	_, err := p.r.Store.ProjectUnstamped(ctx, p.w.cr, after)
	return err
}
