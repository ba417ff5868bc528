package policy

import (
	"context"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/wait"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	ctrlconfig "sigs.k8s.io/controller-runtime/pkg/config"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"
	"sigs.k8s.io/yaml"

	"slipway.dev/slipway/api/v1alpha1"
	"slipway.dev/slipway/controllers"
)

// world is a namespace with a Gateway of some implementation, and the controllers that look at it.
type world struct {
	t          *testing.T
	namespace  string
	controller string
}

const (
	envoyGateway = "gateway.envoyproxy.io/gatewayclass-controller"
	istio        = "istio.io/gateway-controller"
)

func newWorld(t *testing.T, controller string) world {
	t.Helper()
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{GenerateName: "policy-"}}
	if err := server.Create(t.Context(), namespace); err != nil {
		t.Fatal(err)
	}
	w := world{t: t, namespace: namespace.Name, controller: controller}
	w.create(`{apiVersion: gateway.networking.k8s.io/v1, kind: GatewayClass, metadata: {name: CLASS}, spec: {controllerName: ` + controller + `}}`)
	w.create(`{apiVersion: gateway.networking.k8s.io/v1, kind: Gateway, metadata: {name: gw}, spec: {gatewayClassName: CLASS, listeners: [{name: http, port: 80, protocol: HTTP}]}}`)
	for _, service := range []string{"checkout", "checkout-canary"} {
		w.endpoints(service)
	}
	w.start()
	return w
}

func (w world) endpoints(service string) {
	w.t.Helper()
	slice := &discoveryv1.EndpointSlice{
		ObjectMeta:  metav1.ObjectMeta{Namespace: w.namespace, Name: service + "-1", Labels: map[string]string{discoveryv1.LabelServiceName: service}},
		AddressType: discoveryv1.AddressTypeIPv4,
		Endpoints:   []discoveryv1.Endpoint{{Addresses: []string{"10.0.0.1"}, Conditions: discoveryv1.EndpointConditions{Ready: new(true)}}},
	}
	if err := server.Create(w.t.Context(), slice); err != nil {
		w.t.Fatal(err)
	}
}

// start runs a manager until the test ends.
func (w world) start() {
	w.t.Helper()
	mgr, err := ctrl.NewManager(server.config, ctrl.Options{
		Scheme: server.scheme, Metrics: metricsserver.Options{BindAddress: "0"},
		Cache: cache.Options{DefaultNamespaces: map[string]cache.Config{w.namespace: {}}},
		// Tests of one process run the same controllers beside each other.
		Controller: ctrlconfig.Controller{SkipNameValidation: new(true)},
	})
	if err != nil {
		w.t.Fatal(err)
	}
	if err := controllers.SetupTraffic(context.Background(), mgr, controllers.TrafficOptions{}); err != nil {
		w.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- mgr.Start(ctx) }()
	w.t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			w.t.Error(err)
		}
	})
	if !mgr.GetCache().WaitForCacheSync(w.t.Context()) {
		w.t.Fatal("caches did not fill")
	}
}

// object is a manifest in this world.
func (w world) object(text string) *unstructured.Unstructured {
	w.t.Helper()
	raw, err := yaml.YAMLToJSON([]byte(strings.ReplaceAll(text, "CLASS", "class-"+w.namespace)))
	if err != nil {
		w.t.Fatal(err)
	}
	out := &unstructured.Unstructured{}
	if err := out.UnmarshalJSON(raw); err != nil {
		w.t.Fatal(err)
	}
	if out.GetKind() != "GatewayClass" {
		out.SetNamespace(w.namespace)
	}
	return out
}

func (w world) create(text string) *unstructured.Unstructured {
	w.t.Helper()
	out := w.object(text)
	if err := server.Create(w.t.Context(), out, client.FieldOwner("kubectl")); err != nil {
		w.t.Fatal(err)
	}
	return out
}

// read is an object by "<kind>/<name>"; nil if it is not there.
func (w world) read(kind schema.GroupVersionKind, name string) *unstructured.Unstructured {
	w.t.Helper()
	out := &unstructured.Unstructured{}
	out.SetGroupVersionKind(kind)
	err := server.Get(w.t.Context(), client.ObjectKey{Namespace: w.namespace, Name: name}, out)
	if client.IgnoreNotFound(err) != nil {
		w.t.Fatal(err)
	}
	if err != nil {
		return nil
	}
	return out
}

var (
	routeKind   = schema.GroupVersionKind{Group: "gateway.networking.k8s.io", Version: "v1", Kind: "HTTPRoute"}
	trafficKind = schema.GroupVersionKind{Group: "gateway.envoyproxy.io", Version: "v1alpha1", Kind: "BackendTrafficPolicy"}
)

// edit changes an object as a person would.
func (w world) edit(kind schema.GroupVersionKind, name string, change func(spec map[string]any)) {
	w.t.Helper()
	w.eventually("edit "+name, func() (bool, any) {
		obj := w.read(kind, name)
		change(obj.Object["spec"].(map[string]any))
		err := server.Update(w.t.Context(), obj, client.FieldOwner("argocd"))
		return err == nil, err
	})
}

func (w world) remove(kind schema.GroupVersionKind, name string) {
	w.t.Helper()
	if err := server.Delete(w.t.Context(), w.read(kind, name)); err != nil {
		w.t.Fatal(err)
	}
}

// eventually waits until the condition holds, and fails with what was seen last.
func (w world) eventually(what string, condition func() (bool, any)) {
	w.t.Helper()
	var seen any
	err := wait.PollUntilContextTimeout(w.t.Context(), 10*time.Millisecond, patience, true, func(context.Context) (bool, error) {
		var ok bool
		ok, seen = condition()
		return ok, nil
	})
	if err != nil {
		w.t.Fatalf("%s: not within %s; last seen: %v", what, patience, seen)
	}
}

// answer writes what a data plane would say of routes and of policies: everything accepted at the newest generation.
func (w world) answer() {
	w.t.Helper()
	condition := func(kind string, generation int64) any {
		return map[string]any{
			"type": kind, "status": "True", "reason": kind, "message": "", "observedGeneration": generation, "lastTransitionTime": "2026-01-01T00:00:00Z",
		}
	}
	gateway := map[string]any{"group": "gateway.networking.k8s.io", "kind": "Gateway", "name": "gw"}
	w.eventually("answer as data plane", func() (bool, any) {
		var routes unstructured.UnstructuredList
		routes.SetGroupVersionKind(routeKind)
		if err := server.List(w.t.Context(), &routes, client.InNamespace(w.namespace)); err != nil {
			return false, err
		}
		for _, route := range routes.Items {
			route.Object["status"] = map[string]any{"parents": []any{map[string]any{
				"parentRef": gateway, "controllerName": w.controller,
				"conditions": []any{condition("Accepted", route.GetGeneration()), condition("ResolvedRefs", route.GetGeneration())},
			}}}
			if err := server.Status().Update(w.t.Context(), &route); err != nil {
				return false, err
			}
		}
		for _, policy := range w.generated() {
			policy.Object["status"] = map[string]any{"ancestors": []any{map[string]any{
				"ancestorRef": gateway, "controllerName": w.controller, "conditions": []any{condition("Accepted", policy.GetGeneration())},
			}}}
			if err := server.Status().Update(w.t.Context(), &policy); err != nil {
				return false, err
			}
		}
		return true, nil
	})
}

// generated are the BackendTrafficPolicies that are Slipway's.
func (w world) generated() []unstructured.Unstructured {
	w.t.Helper()
	var list unstructured.UnstructuredList
	list.SetGroupVersionKind(trafficKind)
	if err := server.List(w.t.Context(), &list, client.InNamespace(w.namespace), client.MatchingLabels{v1alpha1.ManagedByLabel: v1alpha1.ManagedBy}); err != nil {
		w.t.Fatal(err)
	}
	return list.Items
}

// policyCondition waits for a condition of a RetryPolicy on its newest generation.
func (w world) policyCondition(name, kind string, status metav1.ConditionStatus, reason string) metav1.Condition {
	w.t.Helper()
	var out metav1.Condition
	w.eventually("RetryPolicy "+name+" "+kind+"="+string(status)+", "+reason, func() (bool, any) {
		policy := &v1alpha1.RetryPolicy{}
		if err := server.Get(w.t.Context(), client.ObjectKey{Namespace: w.namespace, Name: name}, policy); err != nil {
			return false, err
		}
		c := meta.FindStatusCondition(policy.Status.Conditions, kind)
		if c == nil || c.Status != status || c.Reason != reason || c.ObservedGeneration != policy.Generation {
			return false, policy.Status
		}
		out = *c
		return true, nil
	})
	return out
}

func (w world) splitCondition(name, kind string, status metav1.ConditionStatus, reason string) metav1.Condition {
	w.t.Helper()
	var out metav1.Condition
	w.eventually("TrafficSplit "+name+" "+kind+"="+string(status)+", "+reason, func() (bool, any) {
		split := &v1alpha1.TrafficSplit{}
		if err := server.Get(w.t.Context(), client.ObjectKey{Namespace: w.namespace, Name: name}, split); err != nil {
			return false, err
		}
		c := meta.FindStatusCondition(split.Status.Conditions, kind)
		if c == nil || c.Status != status || c.Reason != reason || c.ObservedGeneration != split.Generation {
			return false, split.Status
		}
		out = *c
		return true, nil
	})
	return out
}

func (w world) convert(from *unstructured.Unstructured, to any) {
	w.t.Helper()
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(from.Object, to); err != nil {
		w.t.Fatal(err)
	}
}
