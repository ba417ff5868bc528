package controllers

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/clock"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"slipway.dev/slipway/api/v1alpha1"
	"slipway.dev/slipway/internal/store"
	"slipway.dev/slipway/internal/traffic"
)

// +kubebuilder:rbac:groups=slipway.dev,resources=retrypolicies,verbs=get;list;watch;patch
// +kubebuilder:rbac:groups=slipway.dev,resources=retrypolicies/status,verbs=patch
// +kubebuilder:rbac:groups=slipway.dev,resources=retrypolicies/finalizers,verbs=update

// RetryPolicyReconciler says in the status of one RetryPolicy what became of it on each of its targets. It writes no route:
// the RouteReconciler follows the spec.
type RetryPolicyReconciler struct {
	cache    client.Reader
	plans    planner
	store    *store.Store
	clock    clock.PassiveClock
	settling policySettling
}

// Reconcile records how things stand with one policy.
func (r *RetryPolicyReconciler) Reconcile(ctx context.Context, req ctrl.Request) (ctrl.Result, error) {
	policy := &v1alpha1.RetryPolicy{}
	if err := r.cache.Get(ctx, req.NamespacedName, policy); err != nil {
		if apierrors.IsNotFound(err) {
			r.settling.forget(req.NamespacedName)
			return ctrl.Result{}, nil
		}
		return ctrl.Result{}, fmt.Errorf("read RetryPolicy %s: %w", req.NamespacedName, err)
	}
	if !policy.DeletionTimestamp.IsZero() && !controllerutil.ContainsFinalizer(policy, v1alpha1.Finalizer) {
		return ctrl.Result{}, nil
	}
	result, err := r.follow(ctx, policy)
	if store.IsConflict(err) {
		return ctrl.Result{RequeueAfter: conflictRetry}, nil
	}
	return result, client.IgnoreNotFound(err)
}

func (r *RetryPolicyReconciler) follow(ctx context.Context, policy *v1alpha1.RetryPolicy) (ctrl.Result, error) {
	if policy.DeletionTimestamp.IsZero() && !controllerutil.ContainsFinalizer(policy, v1alpha1.Finalizer) {
		before := policy.DeepCopy()
		controllerutil.AddFinalizer(policy, v1alpha1.Finalizer)
		if _, err := r.store.ProjectUnstamped(ctx, before, policy); err != nil {
			return ctrl.Result{}, err
		}
	}
	facts, err := r.gather(ctx, policy)
	if err != nil {
		return ctrl.Result{}, err
	}
	d := decidePolicy(facts)
	after := policy.DeepCopy()
	after.Status = d.status
	if _, err := r.store.Record(ctx, policy, after); err != nil {
		return ctrl.Result{}, err
	}
	r.settling.keep(client.ObjectKeyFromObject(policy), policyGood{generation: policy.Generation, since: d.goodSince})
	if d.restored {
		before := after.DeepCopy()
		controllerutil.RemoveFinalizer(after, v1alpha1.Finalizer)
		_, err := r.store.ProjectUnstamped(ctx, before, after)
		r.settling.forget(client.ObjectKeyFromObject(policy))
		return ctrl.Result{}, err
	}
	return ctrl.Result{RequeueAfter: d.wake}, nil
}

func (r *RetryPolicyReconciler) gather(ctx context.Context, policy *v1alpha1.RetryPolicy) (policyFacts, error) {
	f := policyFacts{policy: policy, now: r.clock.Now()}
	if good := r.settling.at(client.ObjectKeyFromObject(policy)); good.generation == policy.Generation {
		f.goodSince = good.since
	}
	for _, ref := range policy.Spec.TargetRefs {
		plan, err := r.plans.plan(ctx, policyTarget(policy, ref))
		if err != nil {
			return f, err
		}
		retry, err := traffic.RetryOf(policy, ref)
		if err != nil {
			return f, err
		}
		f.targets = append(f.targets, policyTargetOf(plan, ref, retry))
	}
	return f, nil
}

// policyTargetOf is what a plan says of one target of a policy.
func policyTargetOf(plan *targetPlan, ref v1alpha1.PolicyTargetReference, retry traffic.Retry) policyOnTarget {
	key := traffic.RetryKey(retry)
	out := policyOnTarget{ref: ref, key: plan.key, retry: retry, router: plan.choice.Router, seen: plan.seen, holder: plan.lost[key]}
	switch {
	case plan.unchosen != nil:
		out.refusal = plan.unchosen
	default:
		out.refusal = plan.retryProblems[key]
	}
	if plan.live == nil || out.router == nil {
		return out
	}
	out.carried = slices.ContainsFunc(out.router.Carried(plan.seen).Retries, func(c traffic.Retry) bool { return c.UID == retry.UID })
	if offer, err := out.router.Offers(plan.seen); err == nil {
		out.plane, out.adds = offer.Plane, offer.Added(retry)
	}
	return out
}

func (r *RetryPolicyReconciler) setup(mgr ctrl.Manager, opts TrafficOptions, watched watch) error {
	fromMap := handler.EnqueueRequestsFromMapFunc
	specChanges := builder.WithPredicates(predicate.GenerationChangedPredicate{})
	b := ctrl.NewControllerManagedBy(mgr).
		Named("retrypolicy").
		For(&v1alpha1.RetryPolicy{}).
		// A policy that comes, goes or changes decides whether others on its targets are in conflict.
		Watches(&v1alpha1.RetryPolicy{}, fromMap(r.neighbours), specChanges).
		Watches(newUntyped(gatewayKind), fromMap(r.all), specChanges).
		Watches(newUntyped(gatewayClassKind), fromMap(r.all), specChanges).
		WithOptions(trafficController(opts))
	for _, kind := range watched.targets {
		b = b.Watches(newUntyped(kind), fromMap(r.ofRoute))
	}
	for _, kind := range watched.beside {
		b = b.Watches(newUntyped(kind), fromMap(r.ofObject), matters)
	}
	return b.Complete(r)
}

func (r *RetryPolicyReconciler) neighbours(ctx context.Context, o client.Object) []reconcile.Request {
	policy := o.(*v1alpha1.RetryPolicy)
	return slices.DeleteFunc(r.on(ctx, policyTargets(policy)), func(req reconcile.Request) bool { return req.Name == policy.Name })
}

func (r *RetryPolicyReconciler) ofObject(ctx context.Context, o client.Object) []reconcile.Request {
	return r.on(ctx, touched(ctx, r.cache, o))
}

func (r *RetryPolicyReconciler) ofRoute(ctx context.Context, o client.Object) []reconcile.Request {
	return r.on(ctx, []targetKey{itself(o)})
}

func (r *RetryPolicyReconciler) on(ctx context.Context, keys []targetKey) []reconcile.Request {
	var out []reconcile.Request
	for _, key := range keys {
		out = append(out, r.list(ctx, client.InNamespace(key.Namespace), client.MatchingFields{indexPolicyTarget: key.String()})...)
	}
	return out
}

func (r *RetryPolicyReconciler) all(ctx context.Context, _ client.Object) []reconcile.Request {
	return r.list(ctx)
}

func (r *RetryPolicyReconciler) list(ctx context.Context, opts ...client.ListOption) []reconcile.Request {
	var list v1alpha1.RetryPolicyList
	if err := r.cache.List(ctx, &list, append(opts, client.UnsafeDisableDeepCopy)...); err != nil {
		ctrl.LoggerFrom(ctx).Error(err, "Listing RetryPolicies failed")
		return nil
	}
	out := make([]reconcile.Request, 0, len(list.Items))
	for i := range list.Items {
		out = append(out, reconcile.Request{NamespacedName: client.ObjectKeyFromObject(&list.Items[i])})
	}
	return out
}

// policySettling remembers since when each policy has been in order. It may be lost: then it settles once more.
type policySettling struct {
	mu   sync.Mutex
	good map[types.NamespacedName]policyGood
}

type policyGood struct {
	generation int64
	since      time.Time
}

func (s *policySettling) at(key types.NamespacedName) policyGood {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.good[key]
}

func (s *policySettling) keep(key types.NamespacedName, good policyGood) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.good == nil {
		s.good = map[types.NamespacedName]policyGood{}
	}
	s.good[key] = good
}

func (s *policySettling) forget(key types.NamespacedName) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.good, key)
}
