package controllers

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/prometheus/client_golang/prometheus"
	discoveryv1 "k8s.io/api/discovery/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/discovery"
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
	"slipway.dev/slipway/internal/traffic"
	"slipway.dev/slipway/internal/traffic/envoygateway"
	"slipway.dev/slipway/internal/traffic/gatewayapi"
)

// TrafficOptions is what the controllers of TrafficSplits, RetryPolicies and routes are started with.
type TrafficOptions struct {
	// Routers are the data planes that are known; nil: Gateway API by itself, and Envoy Gateway.
	Routers traffic.Registry
	// Clock is the time that decisions are made at; nil is the system's.
	Clock clock.PassiveClock
	// Concurrency is how many splits, and how many routes of each kind, are looked at at the same time; zero means 4.
	Concurrency int
}

// SetupTraffic adds the controllers of TrafficSplits and RetryPolicies, and of the routes that carry them, to a manager. A
// cluster without Gateway API is refused. Kinds of routes that are installed later are looked at from the next start on.
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
	discover, err := discovery.NewDiscoveryClientForConfig(mgr.GetConfig())
	if err != nil {
		return err
	}
	installed := &installedAPIs{discovery: discover, live: mgr.GetAPIReader(), clock: opts.Clock}
	apis, err := installed.facts(ctx)
	if err != nil {
		return err
	}
	parts := TrafficParts{
		Cache: mgr.GetCache(), Live: mgr.GetAPIReader(), Store: store.New(mgr.GetClient()), Clock: opts.Clock,
		Events: mgr.GetEventRecorder("slipway"), Routers: opts.Routers, APIs: installed.facts,
	}
	all := parts.controllers()
	watched := watch{targets: all.plans.installedTargets(apis), beside: watchedKinds(all.plans.routers, apis)}
	if err := all.splits.setup(mgr, opts, watched); err != nil {
		return fmt.Errorf("set up controller of TrafficSplits: %w", err)
	}
	if err := all.policies.setup(mgr, opts, watched); err != nil {
		return fmt.Errorf("set up controller of RetryPolicies: %w", err)
	}
	for _, routes := range all.routes {
		kind, ok := versioned(versionedTarget(routes.kind), apis)
		if !ok || !all.plans.takes(routes.kind, apis) {
			continue
		}
		if err := routes.setup(mgr, opts, kind, watched.beside); err != nil {
			return fmt.Errorf("set up controller of %ss: %w", kind.Kind, err)
		}
	}
	return nil
}

// watch is what the controllers are woken by: targets, and what else routers want to see.
type watch struct{ targets, beside []schema.GroupVersionKind }

// watchedKinds are the installed kinds that some router wants to see beside its targets, sorted.
func watchedKinds(routers traffic.Registry, apis map[string]traffic.API) []schema.GroupVersionKind {
	var out []schema.GroupVersionKind
	for _, router := range routers {
		if !isPresent(router, apis) {
			continue
		}
		for _, target := range targetKinds {
			if !router.Takes(target.GroupKind()) {
				continue
			}
			for _, kind := range router.Reads(target.GroupKind()) {
				if kind, ok := versioned(kind, apis); ok && kind != namespaceKind && !slices.Contains(out, kind) {
					out = append(out, kind)
				}
			}
		}
	}
	slices.SortFunc(out, func(a, b schema.GroupVersionKind) int { return cmp.Compare(a.String(), b.String()) })
	return out
}

func versionedTarget(kind schema.GroupKind) schema.GroupVersionKind {
	return targetKinds[slices.IndexFunc(targetKinds, func(k schema.GroupVersionKind) bool { return k.GroupKind() == kind })]
}

// TrafficParts are what the controllers of TrafficSplits, RetryPolicies and routes work with.
type TrafficParts struct {
	// Cache may be late; Live is what the API server has now.
	Cache, Live client.Reader
	Store       *store.Store
	Clock       clock.PassiveClock
	Events      events.EventRecorder
	// Routers are the data planes that are known; nil: Gateway API by itself, and Envoy Gateway.
	Routers traffic.Registry
	// APIs says what is installed; nil: HTTPRoute, without optional fields.
	APIs APIs
}

type trafficControllers struct {
	plans    planner
	splits   *TrafficSplitReconciler
	policies *RetryPolicyReconciler
	routes   []*RouteReconciler
}

// controllers are all of them. What they remember of fights over routes is shared.
func (p TrafficParts) controllers() trafficControllers {
	if p.Routers == nil {
		p.Routers = traffic.Registry{gatewayapi.Router{}, envoygateway.Router{}}
	}
	contest := &routeContest{}
	out := trafficControllers{plans: planner{
		sight:   sight{cache: p.Cache, apis: p.APIs, namespaces: &namespaceLabels{live: p.Live, clock: p.Clock}},
		routers: p.Routers,
	}}
	out.splits = &TrafficSplitReconciler{cache: p.Cache, live: p.Live, plans: out.plans, store: p.Store, clock: p.Clock, contest: contest}
	out.policies = &RetryPolicyReconciler{cache: p.Cache, plans: out.plans, store: p.Store, clock: p.Clock}
	for _, kind := range targetKinds {
		out.routes = append(out.routes, &RouteReconciler{
			kind: kind.GroupKind(), cache: p.Cache, live: p.Live, plans: out.plans, store: p.Store, clock: p.Clock, events: p.Events, contest: contest,
		})
	}
	return out
}

// NewTraffic returns the controllers of TrafficSplits and HTTPRoutes without a manager.
func NewTraffic(p TrafficParts) (*TrafficSplitReconciler, *RouteReconciler) {
	all := p.controllers()
	return all.splits, all.routes[0]
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

func (r *TrafficSplitReconciler) setup(mgr ctrl.Manager, opts TrafficOptions, watched watch) error {
	fromMap := handler.EnqueueRequestsFromMapFunc
	specChanges := builder.WithPredicates(predicate.GenerationChangedPredicate{})
	b := ctrl.NewControllerManagedBy(mgr).
		Named("trafficsplit").
		For(&v1alpha1.TrafficSplit{}).
		// A split that comes, goes or changes decides whether others on its routes are in conflict.
		Watches(&v1alpha1.TrafficSplit{}, fromMap(r.neighbours), specChanges).
		Watches(&v1alpha1.RetryPolicy{}, fromMap(r.splitsOfPolicy), specChanges).
		Watches(&discoveryv1.EndpointSlice{}, fromMap(r.splitsOfSlice)).
		Watches(newUntyped(gatewayKind), fromMap(r.allSplits), specChanges).
		Watches(newUntyped(gatewayClassKind), fromMap(r.allSplits), specChanges).
		WithOptions(trafficController(opts))
	for _, kind := range watched.targets {
		b = b.Watches(newUntyped(kind), fromMap(r.splitsOfRoute))
	}
	for _, kind := range watched.beside {
		b = b.Watches(newUntyped(kind), fromMap(r.splitsOfObject), matters)
	}
	return b.Complete(r)
}

func (r *TrafficSplitReconciler) neighbours(ctx context.Context, o client.Object) []reconcile.Request {
	split := o.(*v1alpha1.TrafficSplit)
	return slices.DeleteFunc(r.splitsOn(ctx, splitTargets(split)), func(req reconcile.Request) bool { return req.Name == split.Name })
}

func (r *TrafficSplitReconciler) splitsOfPolicy(ctx context.Context, o client.Object) []reconcile.Request {
	return r.splitsOn(ctx, policyTargets(o.(*v1alpha1.RetryPolicy)))
}

func (r *TrafficSplitReconciler) splitsOfObject(ctx context.Context, o client.Object) []reconcile.Request {
	return r.splitsOn(ctx, touched(ctx, r.cache, o))
}

func (r *TrafficSplitReconciler) splitsOfRoute(ctx context.Context, o client.Object) []reconcile.Request {
	return r.splitsOn(ctx, []targetKey{itself(o)})
}

func (r *TrafficSplitReconciler) splitsOn(ctx context.Context, keys []targetKey) []reconcile.Request {
	var out []reconcile.Request
	for _, key := range keys {
		out = append(out, r.splitsBy(ctx, key.Namespace, indexSplitTarget, key.String())...)
	}
	return out
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

// takes says whether some router of what is installed takes targets of that kind.
func (p planner) takes(kind schema.GroupKind, apis map[string]traffic.API) bool {
	return slices.ContainsFunc(p.routers, func(r traffic.Router) bool { return r.Takes(kind) && isPresent(r, apis) })
}

// installedTargets are the kinds of targets that some router takes.
func (p planner) installedTargets(apis map[string]traffic.API) []schema.GroupVersionKind {
	var out []schema.GroupVersionKind
	for _, kind := range targetKinds {
		if kind, ok := versioned(kind, apis); ok && p.takes(kind.GroupKind(), apis) {
			out = append(out, kind)
		}
	}
	return out
}

// matters lets events through of what a translator looks at: everything about an object of ours, and of others what they
// are, not what is said of them.
var matters = builder.WithPredicates(predicate.Or(
	predicate.GenerationChangedPredicate{},
	predicate.NewPredicateFuncs(func(o client.Object) bool {
		obj, ok := o.(*unstructured.Unstructured)
		return o.GetGeneration() == 0 || ok && traffic.IsGenerated(obj)
	}),
))

// touched are the targets for which an object matters: that which it was generated for, or else every one in its namespace,
// because it may be attached to it, stand where something is to be generated, or claim the same host.
func touched(ctx context.Context, reader client.Reader, o client.Object) []targetKey {
	obj, ok := o.(*unstructured.Unstructured)
	if !ok {
		return nil
	}
	if kind, name, ok := strings.Cut(traffic.TargetOf(obj), "/"); ok && traffic.IsGenerated(obj) {
		return []targetKey{{kind: schema.ParseGroupKind(kind), NamespacedName: types.NamespacedName{Namespace: obj.GetNamespace(), Name: name}}}
	}
	var splits v1alpha1.TrafficSplitList
	var policies v1alpha1.RetryPolicyList
	if err := errors.Join(
		reader.List(ctx, &splits, client.InNamespace(obj.GetNamespace()), client.UnsafeDisableDeepCopy),
		reader.List(ctx, &policies, client.InNamespace(obj.GetNamespace()), client.UnsafeDisableDeepCopy),
	); err != nil {
		ctrl.LoggerFrom(ctx).Error(err, "Listing what names a target failed")
		return nil
	}
	var out []targetKey
	for i := range splits.Items {
		out = append(out, splitTargets(&splits.Items[i])...)
	}
	for i := range policies.Items {
		out = append(out, policyTargets(&policies.Items[i])...)
	}
	return out
}

// itself is an object as a target.
func itself(o client.Object) targetKey {
	return targetKey{kind: o.GetObjectKind().GroupVersionKind().GroupKind(), NamespacedName: client.ObjectKeyFromObject(o)}
}

func (r *RouteReconciler) setup(mgr ctrl.Manager, opts TrafficOptions, kind schema.GroupVersionKind, watched []schema.GroupVersionKind) error {
	fromMap := handler.EnqueueRequestsFromMapFunc
	name := "route"
	if kind.Kind != httpRouteKind.Kind {
		name += "-" + strings.ToLower(kind.Kind)
	}
	b := ctrl.NewControllerManagedBy(mgr).
		Named(name).
		For(newUntyped(kind)).
		Watches(&v1alpha1.TrafficSplit{}, fromMap(r.routesOfSplit)).
		Watches(&v1alpha1.RetryPolicy{}, fromMap(r.routesOfPolicy)).
		WithOptions(trafficController(opts))
	for _, other := range watched {
		if other != kind {
			b = b.Watches(newUntyped(other), fromMap(r.routesOfObject), matters)
		}
	}
	return b.Complete(r)
}

// routesOfSplit are the routes that a split names. Both sides of an update come here, so that a route which is named no
// more is looked at, too.
func (r *RouteReconciler) routesOfSplit(_ context.Context, o client.Object) []reconcile.Request {
	return r.mine(splitTargets(o.(*v1alpha1.TrafficSplit)))
}

func (r *RouteReconciler) routesOfPolicy(_ context.Context, o client.Object) []reconcile.Request {
	return r.mine(policyTargets(o.(*v1alpha1.RetryPolicy)))
}

func (r *RouteReconciler) routesOfObject(ctx context.Context, o client.Object) []reconcile.Request {
	return r.mine(touched(ctx, r.cache, o))
}

// mine are the requests for those targets that are of this controller's kind.
func (r *RouteReconciler) mine(keys []targetKey) []reconcile.Request {
	var out []reconcile.Request
	for _, key := range keys {
		if key.kind == r.kind {
			out = append(out, reconcile.Request{NamespacedName: key.NamespacedName})
		}
	}
	return out
}
