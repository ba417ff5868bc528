package controllers

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/klog/v2"
	"k8s.io/utils/clock"
	"k8s.io/utils/ptr"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"

	"slipway.dev/slipway/api/v1alpha1"
	"slipway.dev/slipway/internal/store"
	"slipway.dev/slipway/internal/traffic"
)

// conflictRetry is when to look again after somebody else wrote first. The event of their write is on its way.
const conflictRetry = 20 * time.Millisecond

// +kubebuilder:rbac:groups=slipway.dev,resources=trafficsplits,verbs=get;list;watch;patch
// +kubebuilder:rbac:groups=slipway.dev,resources=trafficsplits/status,verbs=patch
// +kubebuilder:rbac:groups=slipway.dev,resources=trafficsplits/finalizers,verbs=update
// +kubebuilder:rbac:groups=gateway.networking.k8s.io,resources=httproutes;gateways;gatewayclasses,verbs=get;list;watch
// +kubebuilder:rbac:groups=gateway.envoyproxy.io,resources=envoyproxies,verbs=get;list;watch
// +kubebuilder:rbac:groups=discovery.k8s.io,resources=endpointslices,verbs=get;list;watch
// +kubebuilder:rbac:groups="",resources=services,verbs=get;list;watch

// TrafficSplitReconciler decides for one TrafficSplit what its routes are to carry next and records it in the split's
// status. It never writes a route: the RouteReconciler follows the record.
type TrafficSplitReconciler struct {
	cache    client.Reader
	live     client.Reader
	plans    planner
	store    *store.Store
	clock    clock.PassiveClock
	contest  *routeContest
	settling splitSettling
}

// Reconcile records what follows from the facts about one split.
func (r *TrafficSplitReconciler) Reconcile(ctx context.Context, req ctrl.Request) (ctrl.Result, error) {
	split := &v1alpha1.TrafficSplit{}
	if err := r.cache.Get(ctx, req.NamespacedName, split); err != nil {
		if apierrors.IsNotFound(err) {
			r.settling.forget(req.NamespacedName)
			return ctrl.Result{}, nil
		}
		return ctrl.Result{}, fmt.Errorf("read TrafficSplit %s: %w", req.NamespacedName, err)
	}
	if !split.DeletionTimestamp.IsZero() && !controllerutil.ContainsFinalizer(split, v1alpha1.Finalizer) {
		return ctrl.Result{}, nil
	}
	result, err := r.follow(ctx, split)
	if store.IsConflict(err) {
		return ctrl.Result{RequeueAfter: conflictRetry}, nil
	}
	return result, client.IgnoreNotFound(err)
}

func (r *TrafficSplitReconciler) follow(ctx context.Context, split *v1alpha1.TrafficSplit) (ctrl.Result, error) {
	if split.DeletionTimestamp.IsZero() && !controllerutil.ContainsFinalizer(split, v1alpha1.Finalizer) {
		before := split.DeepCopy()
		controllerutil.AddFinalizer(split, v1alpha1.Finalizer)
		if _, err := r.store.ProjectUnstamped(ctx, before, split); err != nil {
			return ctrl.Result{}, err
		}
	}
	facts, err := r.gather(ctx, split)
	if err != nil {
		return ctrl.Result{}, err
	}
	d := decideSplit(facts)
	after := split.DeepCopy()
	after.Status = d.status
	wrote, err := r.store.Record(ctx, split, after)
	if err != nil {
		return ctrl.Result{}, err
	}
	r.settling.keep(client.ObjectKeyFromObject(split), settlingRecord{sequence: ptr.Deref(d.status.Run.Sequence, 0), good: d.goodSince, known: d.known})
	if wrote && ptr.Deref(d.status.Run.Sequence, 0) != ptr.Deref(split.Status.Run.Sequence, 0) {
		klog.FromContext(ctx).Info("Recording backends", "TrafficSplit", klog.KObj(split), "sequence", *d.status.Run.Sequence,
			"backends", sharesText(d.status.Run.Backends))
	}
	if d.restored {
		return ctrl.Result{}, r.letGo(ctx, after)
	}
	return ctrl.Result{RequeueAfter: d.wake}, nil
}

// letGo removes the finalizer of a split that is on no route any more.
func (r *TrafficSplitReconciler) letGo(ctx context.Context, split *v1alpha1.TrafficSplit) error {
	before := split.DeepCopy()
	controllerutil.RemoveFinalizer(split, v1alpha1.Finalizer)
	_, err := r.store.ProjectUnstamped(ctx, before, split)
	r.settling.forget(client.ObjectKeyFromObject(split))
	return err
}

// gather reads what a decision about the split depends on.
func (r *TrafficSplitReconciler) gather(ctx context.Context, split *v1alpha1.TrafficSplit) (splitFacts, error) {
	f := splitFacts{split: split, now: r.clock.Now(), ready: map[string]int{}}
	if at := r.settling.at(client.ObjectKeyFromObject(split)); at.sequence == ptr.Deref(split.Status.Run.Sequence, 0) {
		f.goodSince, f.known = at.good, at.known
	}
	for _, name := range splitServices(split) {
		ready, err := readyEndpoints(ctx, r.cache, split.Namespace, name)
		if err != nil {
			return f, err
		}
		f.ready[name] = ready
	}
	for _, ref := range split.Spec.RouteRefs {
		plan, err := r.plans.plan(ctx, splitTarget(split, ref))
		if err != nil {
			return f, err
		}
		if c, lost := plan.conflicts[split.Name]; lost {
			f.conflict = &c
		}
		route, err := r.routeOf(plan, split, ref)
		if err != nil {
			return f, err
		}
		f.routes = append(f.routes, route)
	}
	var err error
	if f.left, err = r.gatherLeft(ctx, split); err != nil {
		return f, err
	}
	f.adopt, err = r.lostRecord(ctx, f)
	return f, err
}

// gatherLeft reads the routes that the spec names no longer and that carry the split still.
func (r *TrafficSplitReconciler) gatherLeft(ctx context.Context, split *v1alpha1.TrafficSplit) ([]splitRoute, error) {
	var refs []v1alpha1.RouteReference
	for _, s := range split.Status.Routes {
		refs = append(refs, leavingRef(v1alpha1.LeavingRoute{Kind: s.Kind, Name: s.Name}))
	}
	for _, l := range split.Status.Run.Leaving {
		refs = append(refs, leavingRef(l))
	}
	named := slices.Clone(namedTargets(split))
	var out []splitRoute
	for _, ref := range refs {
		key := splitTarget(split, ref)
		if slices.Contains(named, key) {
			continue
		}
		named = append(named, key)
		plan, err := r.plans.plan(ctx, key)
		if err != nil {
			return nil, err
		}
		route, err := r.routeOf(plan, split, ref)
		if err != nil {
			return nil, err
		}
		if route.carried != nil {
			route.ref.SectionName = route.carried.SectionName
			out = append(out, route)
		}
	}
	slices.SortFunc(out, func(a, b splitRoute) int { return cmp.Compare(a.key.String(), b.key.String()) })
	return out, nil
}

// routeOf is what a plan says of one route of the split.
func (r *TrafficSplitReconciler) routeOf(plan *targetPlan, split *v1alpha1.TrafficSplit, ref v1alpha1.RouteReference) (splitRoute, error) {
	out := splitRoute{ref: ref, key: plan.key, live: plan.live, router: plan.choice.Router, seen: plan.seen}
	if plan.live == nil {
		return out, nil
	}
	out.contestedBy = r.contest.by(plan.key, r.clock.Now())
	if out.refusal = plan.wouldRefuse(wishSplit(split, ref)); out.refusal != nil && !isRefusal(out.refusal) {
		return out, out.refusal
	}
	if out.router == nil {
		return out, nil
	}
	if offer, err := out.router.Offers(plan.seen); err == nil {
		out.parts = offer.Parts
	}
	for _, s := range out.router.Carried(plan.seen).Splits {
		if s.UID == string(split.UID) {
			out.carried = &s
		}
	}
	return out, nil
}

// lostRecord finds out that the split's own record is older than what a route carries of it. Mostly the cache is late,
// which is a conflict; but if the API server has no later record either, it was lost and the route's is taken up.
func (r *TrafficSplitReconciler) lostRecord(ctx context.Context, f splitFacts) (*traffic.Split, error) {
	var latest *traffic.Split
	for _, route := range f.routes {
		on := route.carried
		if on != nil && on.Sequence > ptr.Deref(f.split.Status.Run.Sequence, 0) && (latest == nil || on.Sequence > latest.Sequence) {
			latest = on
		}
	}
	if latest == nil {
		return nil, nil
	}
	stored := &v1alpha1.TrafficSplit{}
	if err := r.live.Get(ctx, client.ObjectKeyFromObject(f.split), stored); err != nil {
		return nil, err
	}
	if ptr.Deref(stored.Status.Run.Sequence, 0) >= latest.Sequence {
		return nil, store.ErrStale
	}
	return latest, nil
}

// splitSettling remembers since when the present record of each split has been in order, and which of its backends have
// been applied before. It may be lost: then what is known is waited for once more.
type splitSettling struct {
	mu      sync.Mutex
	records map[types.NamespacedName]settlingRecord
}

type settlingRecord struct {
	sequence int64
	good     time.Time
	known    []string
}

func (s *splitSettling) at(key types.NamespacedName) settlingRecord {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.records[key]
}

func (s *splitSettling) keep(key types.NamespacedName, record settlingRecord) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.records == nil {
		s.records = map[types.NamespacedName]settlingRecord{}
	}
	s.records[key] = record
}

func (s *splitSettling) forget(key types.NamespacedName) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.records, key)
}
