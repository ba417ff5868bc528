package controllers

import (
	"context"
	"fmt"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"slipway.dev/slipway/api/v1alpha1"
	"slipway.dev/slipway/internal/release"
	"slipway.dev/slipway/internal/workload"
)

// check finds out what stands against running the release as it is written, before anything is made.
func (r *CanaryReconciler) check(ctx context.Context, w *world) error {
	if why := r.Guard.Problem(ctx, r.Now()); why != "" {
		w.refuse(v1alpha1.ReasonAdmissionMissing, why)
	}
	if w.target == nil {
		w.refuse(release.TargetNotFound, fmt.Sprintf("spec.targetRef: there is no Deployment %q in this namespace; correct the name or create it", w.cr.Spec.TargetRef.Name))
		return nil
	}
	if err := r.contest(ctx, w); err != nil {
		return err
	}
	if w.service == nil {
		w.refuse(v1alpha1.ReasonServiceNotFound, fmt.Sprintf("spec.serviceRef: there is no Service %q in this namespace; correct the name or create it", w.cr.Spec.ServiceRef.Name))
		return nil
	}
	if err := r.findSources(ctx, w); err != nil {
		return err
	}
	switch w.run.Stage {
	case release.Idle:
		// Whoever sets a release up hears at once what would stand against the first change.
		return r.preflight(ctx, w)
	case release.Checking:
		for _, why := range r.Judge.impossible(w) {
			w.refuse(v1alpha1.ReasonMetricNotMeasurable, "spec.analysis.metrics: "+why)
		}
		if err := r.preflight(ctx, w); err != nil {
			return err
		}
		if err := r.tryTwin(ctx, w); err != nil {
			return err
		}
		return r.findUncovered(ctx, w)
	case release.LettingThrough, release.Preparing, release.Shifting, release.Judging, release.PromotionPreparing,
		release.PromotionEntering, release.PromotionRolling, release.PromotionFinishing, release.RollingBack,
		release.RolledBack, release.Evacuating, release.PuttingBack, release.Returning, release.Reholding, release.Deleting:
	}
	return nil
}

// contest refuses a release of a Deployment that an older one releases already.
func (r *CanaryReconciler) contest(ctx context.Context, w *world) error {
	list := &v1alpha1.CanaryReleaseList{}
	err := r.Client.List(ctx, list, client.InNamespace(w.cr.Namespace), client.MatchingFields{byTarget: w.cr.Spec.TargetRef.Name})
	if err != nil {
		return wrap("list CanaryReleases", err)
	}
	for i := range list.Items {
		if other := &list.Items[i]; other.UID != w.cr.UID && olderRelease(other, w.cr) {
			w.contested = true
			w.refuse(v1alpha1.ReasonTargetConflict, fmt.Sprintf("spec.targetRef: CanaryRelease %q is older and already releases Deployment %q; delete one of the two or name another Deployment",
				other.Name, w.cr.Spec.TargetRef.Name))
			return nil
		}
	}
	return nil
}

func olderRelease(a, b *v1alpha1.CanaryRelease) bool {
	if !a.CreationTimestamp.Equal(&b.CreationTimestamp) {
		return a.CreationTimestamp.Before(&b.CreationTimestamp)
	}
	return a.Name < b.Name
}

// preflight looks at what the canary would meet in the namespace. Claims are read live: few templates name any.
func (r *CanaryReconciler) preflight(ctx context.Context, w *world) error {
	in := workload.PreflightFacts{
		Release: w.cr, Deployment: w.target, Service: w.service, Held: w.target.Spec.Template, Stable: w.target.Spec.Template,
	}
	if w.stable != nil {
		in.Stable = w.stable.Spec.Template
	}
	services, deployments, claims := &corev1.ServiceList{}, &appsv1.DeploymentList{}, &corev1.PersistentVolumeClaimList{}
	if err := r.listHere(ctx, w, r.Client, services, deployments); err != nil {
		return err
	}
	if workload.MountsClaims(in.Held) {
		if err := r.listHere(ctx, w, r.Live, claims); err != nil {
			return err
		}
	}
	in.Services, in.Deployments, in.Claims = services.Items, deployments.Items, claims.Items
	for _, refusal := range workload.Preflight(in) {
		w.refuse(release.Reason(refusal.Reason), refusal.Message)
	}
	return nil
}

// tryTwin asks the API server whether it would take the canary as its first step makes it: a quota, a policy or a webhook
// may stand against it. Nothing has been written yet.
func (r *CanaryReconciler) tryTwin(ctx context.Context, w *world) error {
	if w.run.Checked || len(w.refusals) > 0 || w.twin != nil || len(w.plan.Steps) == 0 {
		return nil
	}
	first := release.Want{Twin: true, TwinPercent: w.plan.Steps[0].WeightPercent}
	err := r.Store.Try(ctx, workload.Twin(w.cr, w.target, w.target.Spec.Template, w.label, w.wantedTwinPods(first)))
	if why, refused := refusedByServer(err); refused {
		w.refuse(release.Refused, fmt.Sprintf("spec.template of Deployment %q: the API server does not take it as canary %q: %s; correct the template, or what stands against it",
			w.target.Name, w.twinName(), why))
		return nil
	}
	return err
}

func (r *CanaryReconciler) findUncovered(ctx context.Context, w *world) error {
	policies, budgets := &networkingv1.NetworkPolicyList{}, &policyv1.PodDisruptionBudgetList{}
	if err := r.listHere(ctx, w, r.Live, policies, budgets); err != nil {
		return err
	}
	w.uncovered = workload.Uncovered(workload.UncoveredFacts{
		Template: w.target.Spec.Template, Label: w.label, NetworkPolicies: policies.Items, PodDisruptionBudgets: budgets.Items,
	})
	w.knowsUncovered = true
	return nil
}

func (r *CanaryReconciler) listHere(ctx context.Context, w *world, from client.Reader, lists ...client.ObjectList) error {
	for _, list := range lists {
		if err := from.List(ctx, list, client.InNamespace(w.cr.Namespace)); err != nil {
			return wrap("look at the namespace", err)
		}
	}
	return nil
}
