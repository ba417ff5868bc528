package istio

import (
	"context"
	"maps"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/rest"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"slipway.dev/slipway/api/v1alpha1"
	"slipway.dev/slipway/controllers"
	"slipway.dev/slipway/internal/integration/apiserver"
	"slipway.dev/slipway/internal/traffic"
	"slipway.dev/slipway/internal/traffic/envoygateway"
	"slipway.dev/slipway/internal/traffic/gatewayapi"
	translator "slipway.dev/slipway/internal/traffic/istio"
)

// patience is how long a test waits for what is to come at once, or after the settle time.
const patience = 20 * time.Second

// shop is a namespace of the mesh with an operator.
type shop struct {
	t         *testing.T
	namespace string
}

func newShop(t *testing.T) shop {
	t.Helper()
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{GenerateName: "shop-", Labels: map[string]string{"istio-injection": "enabled"}}}
	if err := admin.Create(t.Context(), namespace); err != nil {
		t.Fatal(err)
	}
	s := shop{t: t, namespace: namespace.Name}
	for _, name := range []string{"checkout", "checkout-canary"} {
		service := &corev1.Service{ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: s.namespace}}
		service.Spec.Selector = map[string]string{"app": name}
		service.Spec.Ports = []corev1.ServicePort{{Name: "http", Port: 80}}
		slice := &discoveryv1.EndpointSlice{
			ObjectMeta:  metav1.ObjectMeta{Namespace: s.namespace, Name: name + "-1", Labels: map[string]string{discoveryv1.LabelServiceName: name}},
			AddressType: discoveryv1.AddressTypeIPv4,
			Endpoints:   []discoveryv1.Endpoint{{Addresses: []string{"10.0.0.1"}, Conditions: discoveryv1.EndpointConditions{Ready: new(true)}}},
		}
		for _, o := range []client.Object{service, slice} {
			if err := admin.Create(t.Context(), o); err != nil {
				t.Fatal(err)
			}
		}
	}
	server.Start(t, s.namespace, func(mgr ctrl.Manager, _ *rest.Config) error {
		return controllers.SetupTraffic(context.Background(), mgr, controllers.TrafficOptions{
			Routers: traffic.Registry{gatewayapi.Router{}, envoygateway.Router{}, translator.Router{}},
		})
	})
	return s
}

func (s shop) create(text string) {
	s.t.Helper()
	objects, err := apiserver.Decode([]byte(text))
	if err != nil {
		s.t.Fatal(err)
	}
	for _, o := range objects {
		o.SetNamespace(s.namespace)
		if err := admin.Create(s.t.Context(), o, client.FieldOwner("kubectl")); err != nil {
			s.t.Fatal(err)
		}
	}
}

// virtualServices are all of the namespace, by name.
func (s shop) virtualServices() map[string]*unstructured.Unstructured {
	s.t.Helper()
	var list unstructured.UnstructuredList
	list.SetAPIVersion("networking.istio.io/v1")
	list.SetKind("VirtualServiceList")
	if err := admin.List(s.t.Context(), &list, client.InNamespace(s.namespace)); err != nil {
		s.t.Fatal(err)
	}
	out := map[string]*unstructured.Unstructured{}
	for i := range list.Items {
		out[list.Items[i].GetName()] = &list.Items[i]
	}
	return out
}

// weights are those of the last route of a VirtualService, by host; one that is not written is zero.
func weights(vs *unstructured.Unstructured) map[string]int64 {
	if vs == nil {
		return nil
	}
	routes, _, _ := unstructured.NestedSlice(vs.Object, "spec", "http")
	if len(routes) == 0 {
		return nil
	}
	last, _ := routes[len(routes)-1].(map[string]any)
	destinations, _, _ := unstructured.NestedSlice(last, "route")
	out := map[string]int64{}
	for _, item := range destinations {
		d, _ := item.(map[string]any)
		host, _, _ := unstructured.NestedString(d, "destination", "host")
		weight, _, _ := unstructured.NestedInt64(d, "weight")
		out[host] = weight
	}
	return out
}

func (s shop) waitForWeights(name string, want map[string]int64) {
	s.t.Helper()
	s.eventually("weights of VirtualService "+name, func() (bool, any) {
		got := weights(s.virtualServices()[name])
		return maps.Equal(got, want), got
	})
}

func (s shop) eventually(what string, look func() (bool, any)) {
	s.t.Helper()
	var seen any
	err := wait.PollUntilContextTimeout(s.t.Context(), 20*time.Millisecond, patience, true, func(context.Context) (bool, error) {
		var done bool
		done, seen = look()
		return done, nil
	})
	if err != nil {
		split := &v1alpha1.TrafficSplit{}
		_ = admin.Get(s.t.Context(), client.ObjectKey{Namespace: s.namespace, Name: "checkout"}, split)
		s.t.Fatalf("no %s within %s; last seen: %+v; the split says %+v", what, patience, seen, split.Status)
	}
}

func (s shop) name(routes ...v1alpha1.RouteReference) {
	s.t.Helper()
	split := &v1alpha1.TrafficSplit{}
	if err := admin.Get(s.t.Context(), client.ObjectKey{Namespace: s.namespace, Name: "checkout"}, split); err != nil {
		s.t.Fatal(err)
	}
	before := split.DeepCopy()
	split.Spec.RouteRefs = routes
	if err := admin.Patch(s.t.Context(), split, client.MergeFrom(before)); err != nil {
		s.t.Fatal(err)
	}
}

const splitOf = `
apiVersion: slipway.dev/v1alpha1
kind: TrafficSplit
metadata: {name: checkout}
spec: {serviceRef: {name: checkout}, backends: [{name: checkout, weight: 90}, {name: checkout-canary, weight: 10}], routeRefs: [`

const two = `
{apiVersion: networking.istio.io/v1, kind: VirtualService, metadata: {name: in}, spec: {hosts: [checkout], http: [{route: [{destination: {host: checkout}}]}]}}
---
{apiVersion: networking.istio.io/v1, kind: VirtualService, metadata: {name: out}, spec: {hosts: [shop.example], http: [{route: [{destination: {host: checkout}}]}]}}
`

var (
	alone   = map[string]int64{"checkout": 0}
	feather = map[string]int64{"checkout": 999_999, "checkout-canary": 1}
	shares  = map[string]int64{"checkout": 90, "checkout-canary": 10}
)

// TestASplitLeavesAVirtualService names two, and then one: the other is left by a feather, and is then as its user wrote it.
func TestASplitLeavesAVirtualService(t *testing.T) {
	s := newShop(t)
	s.create(two)
	s.create(splitOf + `{group: networking.istio.io, kind: VirtualService, name: in}, {group: networking.istio.io, kind: VirtualService, name: out}]}`)
	s.waitForWeights("in", shares)
	s.waitForWeights("out", shares)
	s.name(v1alpha1.RouteReference{Group: new("networking.istio.io"), Kind: "VirtualService", Name: "in"})
	s.waitForWeights("out", feather)
	s.waitForWeights("out", alone)
	if on := s.virtualServices()["out"].GetAnnotations(); len(on) > 0 {
		t.Errorf("annotations are left: %v", on)
	}
	s.waitForWeights("in", shares)
}

// TestASplitLeavesAServiceOfTheMesh has a VirtualService made for a Service, and taken away when another target is named.
func TestASplitLeavesAServiceOfTheMesh(t *testing.T) {
	s := newShop(t)
	s.create(splitOf + `{group: "", kind: Service, name: checkout}]}`)
	const made = "slipway-service-checkout"
	s.waitForWeights(made, shares)
	s.create(`{apiVersion: networking.istio.io/v1, kind: VirtualService, metadata: {name: out}, spec: {hosts: [shop.example], http: [{route: [{destination: {host: checkout}}]}]}}`)
	s.name(v1alpha1.RouteReference{Group: new("networking.istio.io"), Kind: "VirtualService", Name: "out"})
	s.waitForWeights(made, feather)
	s.eventually("end of the VirtualService that was made", func() (bool, any) {
		all := s.virtualServices()
		return all[made] == nil, all
	})
	s.waitForWeights("out", shares)
}
