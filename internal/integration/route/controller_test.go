package route

import (
	"context"
	"testing"
	"time"

	discoveryv1 "k8s.io/api/discovery/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/wait"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"slipway.dev/slipway/api/v1alpha1"
	"slipway.dev/slipway/internal/integration/apiserver"
	"slipway.dev/slipway/internal/traffic/gatewayapi"
)

// world is one namespace with the controllers at work in it.
type world struct {
	t         *testing.T
	namespace string
}

// newWorld starts the controllers for a namespace of its own, with a Gateway of Envoy Gateway's class.
func newWorld(t *testing.T) world {
	t.Helper()
	w := world{t: t, namespace: newNamespace(t, false)}
	class := untyped("GatewayClass", "", "eg-"+w.namespace)
	set(t, class, gatewayapi.EnvoyGateway, "spec", "controllerName")
	gateway := untyped("Gateway", w.namespace, "eg")
	set(t, gateway, "eg-"+w.namespace, "spec", "gatewayClassName")
	set(t, gateway, []any{map[string]any{"name": "http", "port": int64(80), "protocol": "HTTP"}}, "spec", "listeners")
	w.create(class)
	w.create(gateway)
	server.Start(t, w.namespace, apiserver.Traffic)
	return w
}

func untyped(kind, namespace, name string) *unstructured.Unstructured {
	u := &unstructured.Unstructured{}
	u.SetAPIVersion("gateway.networking.k8s.io/v1")
	u.SetKind(kind)
	u.SetNamespace(namespace)
	u.SetName(name)
	return u
}

func set(t *testing.T, u *unstructured.Unstructured, value any, path ...string) {
	t.Helper()
	if err := unstructured.SetNestedField(u.Object, value, path...); err != nil {
		t.Fatal(err)
	}
}

func (w world) create(obj client.Object) {
	w.t.Helper()
	if err := person.Create(w.t.Context(), obj, client.FieldOwner("kubectl")); err != nil {
		w.t.Fatal(err)
	}
}

// endpoints gives a Service a ready endpoint.
func (w world) endpoints(service string) {
	w.t.Helper()
	w.create(&discoveryv1.EndpointSlice{
		ObjectMeta:  metav1.ObjectMeta{Namespace: w.namespace, Name: service + "-1", Labels: map[string]string{discoveryv1.LabelServiceName: service}},
		AddressType: discoveryv1.AddressTypeIPv4,
		Endpoints:   []discoveryv1.Endpoint{{Addresses: []string{"10.0.0.1"}, Conditions: discoveryv1.EndpointConditions{Ready: new(true)}}},
	})
}

func (w world) split(name string, backends ...v1alpha1.WeightedBackend) *v1alpha1.TrafficSplit {
	return &v1alpha1.TrafficSplit{
		ObjectMeta: metav1.ObjectMeta{Namespace: w.namespace, Name: name},
		Spec: v1alpha1.TrafficSplitSpec{
			ServiceRef: v1alpha1.ServiceReference{Name: "checkout"},
			RouteRefs:  []v1alpha1.RouteReference{{Group: new("gateway.networking.k8s.io"), Kind: "HTTPRoute", Name: "shop"}},
			Backends:   backends,
		},
	}
}

func backend(name string, weight int32) v1alpha1.WeightedBackend {
	return v1alpha1.WeightedBackend{Name: name, Weight: new(weight)}
}

// eventually waits until the condition holds, and fails with what was seen last.
func (w world) eventually(what string, condition func() (bool, any)) {
	w.t.Helper()
	var seen any
	err := wait.PollUntilContextTimeout(w.t.Context(), 5*time.Millisecond, patience, true, func(context.Context) (bool, error) {
		var ok bool
		ok, seen = condition()
		return ok, nil
	})
	if err != nil {
		w.t.Fatalf("%s: not within %s; last seen: %v", what, patience, seen)
	}
}

// weights are the names and weights of a route's first rule.
func (w world) weights() map[string]int64 {
	w.t.Helper()
	rules, _, _ := unstructured.NestedSlice(liveRoute(w.t, w.namespace, "shop").Object, "spec", "rules")
	out := map[string]int64{}
	for _, item := range rules[0].(map[string]any)["backendRefs"].([]any) {
		ref := item.(map[string]any)
		out[ref["name"].(string)] = ref["weight"].(int64)
	}
	return out
}

func (w world) waitForWeights(want map[string]int64) {
	w.t.Helper()
	w.eventually("weights", func() (bool, any) {
		got := w.weights()
		if len(got) != len(want) {
			return false, got
		}
		for name, weight := range want {
			if got[name] != weight {
				return false, got
			}
		}
		return true, got
	})
}

// answer writes what a data plane would: everything accepted at the newest generation.
func (w world) answer() {
	w.t.Helper()
	w.eventually("answer as data plane", func() (bool, any) {
		route := liveRoute(w.t, w.namespace, "shop")
		condition := func(kind string) any {
			return map[string]any{
				"type": kind, "status": "True", "reason": kind, "message": "", "observedGeneration": route.GetGeneration(),
				"lastTransitionTime": "2026-01-01T00:00:00Z",
			}
		}
		parents := []any{map[string]any{
			"parentRef":      map[string]any{"group": "gateway.networking.k8s.io", "kind": "Gateway", "name": "eg"},
			"controllerName": gatewayapi.EnvoyGateway,
			"conditions":     []any{condition("Accepted"), condition("ResolvedRefs")},
		}}
		set(w.t, route, parents, "status", "parents")
		err := person.Status().Update(w.t.Context(), route, client.FieldOwner("envoy-gateway"))
		return err == nil, err
	})
}

func (w world) read(name string) *v1alpha1.TrafficSplit {
	w.t.Helper()
	split := &v1alpha1.TrafficSplit{}
	if err := person.Get(w.t.Context(), client.ObjectKey{Namespace: w.namespace, Name: name}, split); err != nil {
		w.t.Fatal(err)
	}
	return split
}

// waitForCondition waits for the status and reason of a condition on the spec's newest generation.
func (w world) waitForCondition(name, kind string, status metav1.ConditionStatus, reason string) *metav1.Condition {
	w.t.Helper()
	var c *metav1.Condition
	w.eventually("condition "+kind+"="+string(status)+", "+reason, func() (bool, any) {
		split := w.read(name)
		c = meta.FindStatusCondition(split.Status.Conditions, kind)
		return c != nil && c.Status == status && c.Reason == reason && c.ObservedGeneration == split.Generation, split.Status
	})
	return c
}

func (w world) setBackends(name string, backends ...v1alpha1.WeightedBackend) {
	w.t.Helper()
	split := w.read(name)
	before := split.DeepCopy()
	split.Spec.Backends = backends
	if err := person.Patch(w.t.Context(), split, client.MergeFrom(before)); err != nil {
		w.t.Fatal(err)
	}
}

const oneRule = `[{backendRefs: [{name: checkout, port: 80}]}]`

// TestSplitGoesInByAFeatherAndOut follows one split from its first write to its deletion.
func TestSplitGoesInByAFeatherAndOut(t *testing.T) {
	w := newWorld(t)
	route := routeOf(t, w.namespace, oneRule)
	w.create(route)
	w.endpoints("checkout")
	w.endpoints("checkout-canary")
	w.create(w.split("checkout", backend("checkout", 95), backend("checkout-canary", 5)))

	w.waitForWeights(map[string]int64{"checkout": 999_999, "checkout-canary": 1})
	w.waitForCondition("checkout", v1alpha1.ConditionTrafficApplied, metav1.ConditionUnknown, "DataPlanePending")
	w.answer()
	w.waitForWeights(map[string]int64{"checkout": 95, "checkout-canary": 5})
	w.answer()
	w.waitForCondition("checkout", v1alpha1.ConditionReady, metav1.ConditionTrue, "Applied")

	start := time.Now()
	w.setBackends("checkout", backend("checkout", 1))
	w.waitForWeights(map[string]int64{"checkout": 999_999, "checkout-canary": 1})
	t.Logf("users were off after %s", time.Since(start))
	w.answer()
	w.waitForWeights(map[string]int64{"checkout": 1})
	w.answer()
	w.waitForCondition("checkout", v1alpha1.ConditionReady, metav1.ConditionTrue, "Applied")

	w.setBackends("checkout", backend("checkout", 50), backend("checkout-canary", 50))
	w.waitForWeights(map[string]int64{"checkout": 999_999, "checkout-canary": 1})
	w.answer()
	w.waitForWeights(map[string]int64{"checkout": 50, "checkout-canary": 50})
	if err := person.Delete(t.Context(), w.read("checkout")); err != nil {
		t.Fatal(err)
	}
	w.waitForWeights(map[string]int64{"checkout": 999_999, "checkout-canary": 1})
	w.answer()
	w.waitForSplitsGone()
	restored := liveRoute(t, w.namespace, "shop")
	if len(restored.GetAnnotations()) != 0 {
		t.Errorf("annotations are left: %v", restored.GetAnnotations())
	}
	w.waitForWeights(map[string]int64{"checkout": 1})
}
