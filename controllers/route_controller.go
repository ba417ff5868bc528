package controllers

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/events"
	"k8s.io/klog/v2"
	"k8s.io/utils/clock"
	"k8s.io/utils/ptr"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"slipway.dev/slipway/api/v1alpha1"
	"slipway.dev/slipway/internal/store"
	"slipway.dev/slipway/internal/traffic"
)

// +kubebuilder:rbac:groups=gateway.networking.k8s.io,resources=httproutes;grpcroutes;tcproutes;tlsroutes,verbs=get;list;watch;patch
// +kubebuilder:rbac:groups=gateway.envoyproxy.io,resources=backendtrafficpolicies,verbs=get;list;watch;create;patch;delete
// +kubebuilder:rbac:groups=gateway.envoyproxy.io,resources=securitypolicies;envoyextensionpolicies,verbs=get;list;watch
// +kubebuilder:rbac:groups=gateway.kgateway.dev,resources=trafficpolicies,verbs=get;list;watch
// +kubebuilder:rbac:groups=gateway.nginx.org,resources=ratelimitpolicies,verbs=get;list;watch
// +kubebuilder:rbac:groups=kuadrant.io,resources=authpolicies;ratelimitpolicies,verbs=get;list;watch
// +kubebuilder:rbac:groups=slipway.dev,resources=trafficsplits;retrypolicies,verbs=get;list;watch
// +kubebuilder:rbac:groups=slipway.dev,resources=trafficsplits/status,verbs=patch
// +kubebuilder:rbac:groups=events.k8s.io,resources=events,verbs=create;patch

// RouteReconciler makes one target, a route or the Service of a mesh, carry what the records of all splits and the policies
// that name it say, and nothing else. It decides nothing: it is the only one that writes routes and what belongs to them, and
// it puts back what somebody else writes over that.
type RouteReconciler struct {
	// kind is the kind of the targets that this one looks at.
	kind    schema.GroupKind
	cache   client.Reader
	live    client.Reader
	plans   planner
	store   *store.Store
	clock   clock.PassiveClock
	events  events.EventRecorder
	contest *routeContest
}

// Reconcile writes one target if it is not as it should be.
func (r *RouteReconciler) Reconcile(ctx context.Context, req ctrl.Request) (ctrl.Result, error) {
	result, err := r.follow(ctx, targetKey{kind: r.kind, NamespacedName: req.NamespacedName})
	if store.IsConflict(err) || errors.Is(err, traffic.ErrOvertaken) {
		return ctrl.Result{RequeueAfter: conflictRetry}, nil
	}
	return result, client.IgnoreNotFound(err)
}

func (r *RouteReconciler) follow(ctx context.Context, key targetKey) (ctrl.Result, error) {
	if idle, err := r.idle(ctx, key); idle || err != nil {
		return ctrl.Result{}, err
	}
	plan, err := r.plans.plan(ctx, key)
	if err != nil {
		return ctrl.Result{}, err
	}
	if plan.live == nil {
		r.contest.forget(key)
		return ctrl.Result{}, nil
	}
	if plan.choice.Router == nil {
		return ctrl.Result{}, nil
	}
	carried := plan.choice.Router.Carried(plan.seen)
	if plan.intent.Empty() && carried.Empty() {
		return ctrl.Result{}, nil
	}
	if err := r.checkLeaving(ctx, key.Namespace, carried, plan.intent); err != nil {
		return ctrl.Result{}, err
	}
	return r.write(ctx, plan, carried)
}

// idle says whether nothing names the target and nothing says that it carries anything, as it is with most Services.
func (r *RouteReconciler) idle(ctx context.Context, key targetKey) (bool, error) {
	if key.kind.Kind != "Service" {
		return false, nil
	}
	splits, err := splitsOn(ctx, r.cache, key)
	if err != nil || len(splits) > 0 {
		return false, err
	}
	policies, err := policiesOn(ctx, r.cache, key)
	if err != nil || len(policies) > 0 {
		return false, err
	}
	carries, err := r.plans.carries(ctx, key)
	return !carries, err
}

// write projects the rendering of a plan. A split that has a newer record is written at once; what was written over is put
// back at once too, unless somebody does it again and again.
func (r *RouteReconciler) write(ctx context.Context, plan *targetPlan, carried traffic.Intent) (ctrl.Result, error) {
	changes := changesOf(plan)
	if changes.none() {
		return ctrl.Result{}, nil
	}
	manager, repair := foreignWriter(plan)
	if wait := r.contest.wait(plan.key, r.clock.Now()); repair && wait > 0 && sameRecords(carried, plan.intent) {
		return ctrl.Result{RequeueAfter: wait}, nil
	}
	if err := r.project(ctx, changes); err != nil {
		return ctrl.Result{}, err
	}
	klog.FromContext(ctx).Info("Projecting route", "kind", plan.key.kind.Kind, "route", klog.KRef(plan.key.Namespace, plan.key.Name), "carries", stampsOf(plan.intent), "repairedFrom", manager)
	if !repair {
		return ctrl.Result{}, nil
	}
	r.contest.repaired(plan.key, manager, r.clock.Now())
	routeRepairs.Inc()
	return ctrl.Result{}, r.reportRepair(ctx, plan, manager)
}

// checkLeaving makes sure, for each split that the target carries and is not to carry any more, that the cache is not
// just late: it compares what was read with what the API server has now.
func (r *RouteReconciler) checkLeaving(ctx context.Context, namespace string, carried, intent traffic.Intent) error {
	for _, on := range carried.Splits {
		if slices.ContainsFunc(intent.Splits, func(s traffic.Split) bool { return s.UID == on.UID }) {
			continue
		}
		key := types.NamespacedName{Namespace: namespace, Name: on.Name}
		if undecided, err := r.undecided(ctx, key, on.UID); err != nil || undecided {
			return cmp.Or(err, fmt.Errorf("follow TrafficSplit %s: its change is not decided on yet: %w", key, store.ErrStale))
		}
		now, err := versionOf(ctx, r.live, key, on.UID)
		if err != nil {
			return err
		}
		read, err := versionOf(ctx, r.cache, key, on.UID)
		if err != nil {
			return err
		}
		if now != read {
			return fmt.Errorf("read TrafficSplit %s: %w", key, store.ErrStale)
		}
	}
	return nil
}

// undecided says that a split's spec has changed and that its record does not follow yet: whether the route is being left,
// and how, is to be decided first.
func (r *RouteReconciler) undecided(ctx context.Context, key types.NamespacedName, uid string) (bool, error) {
	split := &v1alpha1.TrafficSplit{}
	if err := r.cache.Get(ctx, key, split); err != nil {
		return false, ignoreNotFound("TrafficSplit", key, err)
	}
	run := split.Status.Run
	return string(split.UID) == uid && split.DeletionTimestamp.IsZero() && run.Sequence != nil &&
		ptr.Deref(run.Generation, 0) != split.Generation, nil
}

// versionOf is the resourceVersion of the split of that uid, or empty when it is gone.
func versionOf(ctx context.Context, reader client.Reader, key types.NamespacedName, uid string) (string, error) {
	split := &v1alpha1.TrafficSplit{}
	if err := reader.Get(ctx, key, split); err != nil {
		return "", ignoreNotFound("TrafficSplit", key, err)
	}
	if string(split.UID) != uid {
		return "", nil
	}
	return split.ResourceVersion, nil
}

// repairAttempts is how often the count of a repair is written against others who write the same status.
const repairAttempts = 5

// reportRepair says on each split of the target whose write was put back. What the target is to carry was recorded before;
// this is only the count, made after the write so that a write which failed is not counted.
func (r *RouteReconciler) reportRepair(ctx context.Context, plan *targetPlan, manager string) error {
	var errs []error
	for _, split := range plan.splits {
		r.events.Eventf(split, plan.live, "Warning", reasonRepaired, "PutBack",
			"%s: field manager %q wrote over the split; it was put back", plan.key, manager)
		errs = append(errs, r.countRepair(ctx, client.ObjectKeyFromObject(split), plan.key, manager))
	}
	for _, policy := range plan.policies {
		r.events.Eventf(policy, plan.live, "Warning", reasonRepaired, "PutBack",
			"%s: field manager %q wrote over the policy; it was put back", plan.key, manager)
	}
	return errors.Join(errs...)
}

// countRepair reads past the cache: the split's own controller is most likely writing its status because of the same
// change of the route.
func (r *RouteReconciler) countRepair(ctx context.Context, key types.NamespacedName, route targetKey, manager string) error {
	var err error
	for range repairAttempts {
		split := &v1alpha1.TrafficSplit{}
		if err := r.live.Get(ctx, key, split); err != nil {
			return ignoreNotFound("TrafficSplit", key, err)
		}
		after := split.DeepCopy()
		for i := range after.Status.Routes {
			if s := &after.Status.Routes[i]; s.Name == route.Name && s.Kind == route.kind.Kind {
				s.Repairs, s.RepairedFrom = new(ptr.Deref(s.Repairs, 0)+1), manager
			}
		}
		if _, err = r.store.Record(ctx, split, after); !store.IsConflict(err) {
			return err
		}
	}
	return err
}

// sameRecords says whether the target claims to carry exactly the intent.
func sameRecords(carried, intent traffic.Intent) bool {
	return slices.Equal(stampsOf(carried), stampsOf(intent))
}

func stampsOf(intent traffic.Intent) []string {
	out := make([]string, 0, len(intent.Splits)+len(intent.Retries))
	for _, s := range intent.Splits {
		out = append(out, s.Name+" "+store.Stamp{UID: s.UID, Sequence: s.Sequence}.String())
	}
	for _, p := range intent.Retries {
		out = append(out, p.Name+" "+store.Stamp{UID: p.UID, Sequence: p.Generation}.String())
	}
	return out
}

func ignoreNotFound(kind string, key types.NamespacedName, err error) error {
	if apierrors.IsNotFound(err) {
		return nil
	}
	return fmt.Errorf("read %s %s: %w", kind, key, err)
}
