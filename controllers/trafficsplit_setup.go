package controllers

import (
	"context"
	"errors"
	"fmt"

	"github.com/prometheus/client_golang/prometheus"
	discoveryv1 "k8s.io/api/discovery/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/events"
	"k8s.io/utils/clock"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/metrics"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"slipway.dev/slipway/api/v1alpha1"
	"slipway.dev/slipway/internal/store"
)

// TrafficOptions is what the controllers of TrafficSplits and routes are started with.
type TrafficOptions struct {
	// Clock is the time that decisions are made at; nil is the system's.
	Clock clock.PassiveClock
	// Concurrency is how many splits, and how many routes, are looked at at the same time; zero means 4.
	Concurrency int
}

// SetupTraffic adds the controllers of TrafficSplits and of the routes that carry them to a manager. A cluster without
// Gateway API is refused.
func SetupTraffic(ctx context.Context, mgr ctrl.Manager, opts TrafficOptions) error {
	if opts.Clock == nil {
		opts.Clock = clock.RealClock{}
	}
	if opts.Concurrency == 0 {
		opts.Concurrency = 4
	}
	if _, err := mgr.GetRESTMapper().RESTMapping(httpRouteKind.GroupKind(), httpRouteKind.Version); err != nil {
		return fmt.Errorf("find kind HTTPRoute of gateway.networking.k8s.io/v1: %w; install Gateway API's CRDs", err)
	}
	if err := indexTraffic(ctx, mgr.GetFieldIndexer()); err != nil {
		return err
	}
	if err := registerRepairs(); err != nil {
		return err
	}
	splits, routes := NewTraffic(TrafficParts{
		Cache: mgr.GetCache(), Live: mgr.GetAPIReader(), Store: store.New(mgr.GetClient()), Clock: opts.Clock,
		Events: mgr.GetEventRecorder("slipway"),
	})
	if err := splits.setup(mgr, opts); err != nil {
		return fmt.Errorf("set up controller of TrafficSplits: %w", err)
	}
	if err := routes.setup(mgr, opts); err != nil {
		return fmt.Errorf("set up controller of HTTPRoutes: %w", err)
	}
	return nil
}

// TrafficParts are what the controllers of TrafficSplits and routes work with.
type TrafficParts struct {
	// Cache may be late; Live is what the API server has now.
	Cache, Live client.Reader
	Store       *store.Store
	Clock       clock.PassiveClock
	Events      events.EventRecorder
}

// NewTraffic returns the two controllers without a manager. What they remember of fights over routes is shared.
func NewTraffic(p TrafficParts) (*TrafficSplitReconciler, *RouteReconciler) {
	contest := &routeContest{}
	return &TrafficSplitReconciler{cache: p.Cache, live: p.Live, store: p.Store, clock: p.Clock, contest: contest},
		&RouteReconciler{cache: p.Cache, live: p.Live, store: p.Store, clock: p.Clock, events: p.Events, contest: contest}
}

func registerRepairs() error {
	err := metrics.Registry.Register(routeRepairs)
	var already prometheus.AlreadyRegisteredError
	if err != nil && !errors.As(err, &already) {
		return fmt.Errorf("register metrics: %w", err)
	}
	return nil
}

func trafficController(opts TrafficOptions) controller.Options {
	return controller.Options{MaxConcurrentReconciles: opts.Concurrency}
}

func (r *TrafficSplitReconciler) setup(mgr ctrl.Manager, opts TrafficOptions) error {
	fromMap := handler.EnqueueRequestsFromMapFunc
	specChanges := builder.WithPredicates(predicate.GenerationChangedPredicate{})
	return ctrl.NewControllerManagedBy(mgr).
		Named("trafficsplit").
		For(&v1alpha1.TrafficSplit{}).
		// A split that comes, goes or changes decides whether others on its routes are in conflict.
		Watches(&v1alpha1.TrafficSplit{}, fromMap(r.neighbours), specChanges).
		Watches(newHTTPRoute(), fromMap(r.splitsOfRoute)).
		Watches(&discoveryv1.EndpointSlice{}, fromMap(r.splitsOfSlice)).
		Watches(newUntyped(gatewayKind), fromMap(r.allSplits), specChanges).
		Watches(newUntyped(gatewayClassKind), fromMap(r.allSplits), specChanges).
		WithOptions(trafficController(opts)).
		Complete(r)
}

func (r *TrafficSplitReconciler) neighbours(ctx context.Context, o client.Object) []reconcile.Request {
	split := o.(*v1alpha1.TrafficSplit)
	var out []reconcile.Request
	for _, name := range splitRouteNames(split) {
		for _, req := range r.splitsBy(ctx, split.Namespace, indexSplitRoute, name) {
			if req.Name != split.Name {
				out = append(out, req)
			}
		}
	}
	return out
}

func (r *TrafficSplitReconciler) splitsOfRoute(ctx context.Context, o client.Object) []reconcile.Request {
	return r.splitsBy(ctx, o.GetNamespace(), indexSplitRoute, o.GetName())
}

func (r *TrafficSplitReconciler) splitsOfSlice(ctx context.Context, o client.Object) []reconcile.Request {
	return r.splitsBy(ctx, o.GetNamespace(), indexSplitService, o.GetLabels()[discoveryv1.LabelServiceName])
}

func (r *TrafficSplitReconciler) allSplits(ctx context.Context, _ client.Object) []reconcile.Request {
	return r.list(ctx)
}

func (r *TrafficSplitReconciler) splitsBy(ctx context.Context, namespace, index, value string) []reconcile.Request {
	return r.list(ctx, client.InNamespace(namespace), client.MatchingFields{index: value})
}

func (r *TrafficSplitReconciler) list(ctx context.Context, opts ...client.ListOption) []reconcile.Request {
	var list v1alpha1.TrafficSplitList
	if err := r.cache.List(ctx, &list, append(opts, client.UnsafeDisableDeepCopy)...); err != nil {
		ctrl.LoggerFrom(ctx).Error(err, "Listing TrafficSplits failed")
		return nil
	}
	out := make([]reconcile.Request, 0, len(list.Items))
	for i := range list.Items {
		out = append(out, reconcile.Request{NamespacedName: client.ObjectKeyFromObject(&list.Items[i])})
	}
	return out
}

func (r *RouteReconciler) setup(mgr ctrl.Manager, opts TrafficOptions) error {
	return ctrl.NewControllerManagedBy(mgr).
		Named("route").
		For(newHTTPRoute()).
		Watches(&v1alpha1.TrafficSplit{}, handler.EnqueueRequestsFromMapFunc(r.routesOfSplit)).
		WithOptions(trafficController(opts)).
		Complete(r)
}

// routesOfSplit are the routes that a split names, and those that still carry it although it names them no more.
func (r *RouteReconciler) routesOfSplit(_ context.Context, o client.Object) []reconcile.Request {
	split := o.(*v1alpha1.TrafficSplit)
	var out []reconcile.Request
	for _, name := range splitRouteNames(split) {
		out = append(out, reconcile.Request{NamespacedName: types.NamespacedName{Namespace: split.Namespace, Name: name}})
	}
	return out
}
