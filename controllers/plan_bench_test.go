package controllers

import (
	"context"
	"fmt"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"slipway.dev/slipway/api/v1alpha1"
	"slipway.dev/slipway/internal/traffic"
	"slipway.dev/slipway/internal/traffic/envoygateway"
	"slipway.dev/slipway/internal/traffic/gatewayapi"
)

// shelf is a cache with a split and a policy for each of its routes, all on one Gateway of Envoy Gateway.
type shelf struct {
	routes   map[string]*unstructured.Unstructured
	splits   map[string][]v1alpha1.TrafficSplit
	policies map[string][]v1alpha1.RetryPolicy
	shared   map[string]*unstructured.Unstructured
}

func newShelf(routes int) *shelf {
	s := &shelf{routes: map[string]*unstructured.Unstructured{}, splits: map[string][]v1alpha1.TrafficSplit{}, policies: map[string][]v1alpha1.RetryPolicy{}}
	s.shared = map[string]*unstructured.Unstructured{
		"Gateway":      {Object: map[string]any{"spec": map[string]any{"gatewayClassName": "eg"}}},
		"GatewayClass": {Object: map[string]any{"spec": map[string]any{"controllerName": gatewayapi.EnvoyGateway}}},
	}
	for i := range routes {
		name := fmt.Sprintf("route-%d", i)
		service := fmt.Sprintf("app-%d", i)
		route := newHTTPRoute()
		route.SetName(name)
		route.SetNamespace("shop")
		route.Object["spec"] = map[string]any{
			"parentRefs": []any{map[string]any{"name": "eg"}},
			"rules": []any{
				map[string]any{"name": "pay", "backendRefs": []any{map[string]any{"name": service, "port": int64(80)}}},
				map[string]any{"name": "rest", "backendRefs": []any{map[string]any{"name": service, "port": int64(80)}}},
			},
		}
		s.routes[name] = route
		split := v1alpha1.TrafficSplit{ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: "shop", UID: types.UID("s" + name)}}
		split.Spec.ServiceRef.Name = service
		split.Spec.RouteRefs = []v1alpha1.RouteReference{{Name: name}}
		split.Status.Run = v1alpha1.SplitRun{Sequence: new(int64(3)), Backends: apiBackends([]traffic.Backend{{Name: service, Weight: 90}, {Name: service + "-canary", Weight: 10}})}
		policy := v1alpha1.RetryPolicy{ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: "shop", UID: types.UID("p" + name), Generation: 1}}
		policy.Spec = v1alpha1.RetryPolicySpec{
			TargetRefs: []v1alpha1.PolicyTargetReference{{Group: new(gatewayGroup), Kind: "HTTPRoute", Name: name}},
			Retries:    new(int32(2)), Triggers: []v1alpha1.RetryTrigger{v1alpha1.RetryConnectFailure}, Timeouts: v1alpha1.RetryTimeouts{Request: "1s"},
		}
		key := splitTarget(&split, split.Spec.RouteRefs[0]).String()
		s.splits[key], s.policies[key] = append(s.splits[key], split), append(s.policies[key], policy)
	}
	return s
}

// Get is client.Reader's.
func (s *shelf) Get(_ context.Context, key client.ObjectKey, into client.Object, _ ...client.GetOption) error {
	u := into.(*unstructured.Unstructured)
	from := s.shared[u.GetKind()]
	if route, ok := s.routes[key.Name]; ok {
		from = route
	}
	kind := u.GroupVersionKind()
	u.Object = from.DeepCopy().Object // as the cache does
	u.SetGroupVersionKind(kind)
	return nil
}

// List is client.Reader's.
func (s *shelf) List(_ context.Context, list client.ObjectList, opts ...client.ListOption) error {
	var o client.ListOptions
	o.ApplyOptions(opts)
	value := ""
	if o.FieldSelector != nil {
		value = o.FieldSelector.Requirements()[0].Value
	}
	switch l := list.(type) {
	case *v1alpha1.TrafficSplitList:
		l.Items = s.splits[value]
	case *v1alpha1.RetryPolicyList:
		l.Items = s.policies[value]
	}
	return nil
}

// BenchmarkThousandRoutes composes and renders a thousand routes with a split and a policy each, as after a start.
func BenchmarkThousandRoutes(b *testing.B) {
	const routes = 1000
	s := newShelf(routes)
	apis := map[string]traffic.API{
		traffic.APIName(httpRouteKind.GroupKind()): {Fields: gatewayapi.OptionalFields}, traffic.APIName(envoygateway.PolicyKind.GroupKind()): {},
	}
	p := planner{
		sight:   sight{cache: s, apis: func(context.Context) (map[string]traffic.API, error) { return apis, nil }},
		routers: traffic.Registry{gatewayapi.Router{}, envoygateway.Router{}},
	}
	b.ReportAllocs()
	for b.Loop() {
		for name := range s.routes {
			plan, err := p.plan(b.Context(), targetKey{kind: httpRouteKind.GroupKind(), NamespacedName: types.NamespacedName{Namespace: "shop", Name: name}})
			if err != nil {
				b.Fatal(err)
			}
			if len(plan.rendering.Generated) != 1 || len(plan.intent.Splits) != 1 {
				b.Fatalf("%s: %v, %v", name, plan.unchosen, plan.retryProblems)
			}
		}
	}
	b.ReportMetric(b.Elapsed().Seconds()/float64(b.N), "s/1000-routes")
}
