package api

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"slipway.dev/slipway/api/v1alpha1"
)

func TestTrafficSplitRules(t *testing.T) {
	for name, r := range map[string]rule{
		"somebody gets the traffic": {
			accept:    "spec: {backends: [{name: a, weight: 0}, {name: b, weight: 1}]}",
			reject:    "spec: {backends: [{name: a, weight: 0}, {name: b, weight: 0}]}",
			wantField: "spec", wantSays: "backends: at least one weight must be above 0",
		},
		"at least one backend": {
			accept:    "spec: {backends: [{name: a, weight: 1}]}",
			reject:    "spec: {backends: []}",
			wantField: "spec.backends", wantSays: "at least 1 items",
		},
		"at most 16 backends": {
			accept:    "spec: {backends: " + times(16, "{name: #, weight: 1}") + "}",
			reject:    "spec: {backends: " + times(17, "{name: #, weight: 1}") + "}",
			wantField: "spec.backends", wantSays: "16",
		},
		"a backend is named once": {
			accept:    "spec: {backends: [{name: a, weight: 1}, {name: b, weight: 1}]}",
			reject:    "spec: {backends: [{name: a, weight: 1}, {name: a, weight: 2}]}",
			wantField: "spec.backends[1]", wantSays: "Duplicate value",
		},
		"a weight is said": {
			accept:    "spec: {backends: [{name: a, weight: 1}]}",
			reject:    "spec: {backends: [{name: a}]}",
			wantField: "spec.backends[0].weight", wantSays: "Required",
		},
		"a weight is not negative": {
			accept:    "spec: {backends: [{name: a, weight: 1}, {name: b, weight: 0}]}",
			reject:    "spec: {backends: [{name: a, weight: 1}, {name: b, weight: -1}]}",
			wantField: "spec.backends[1].weight", wantSays: "greater than or equal to 0",
		},
		"a weight is a million at most": {
			accept:    "spec: {backends: [{name: a, weight: 1000000}]}",
			reject:    "spec: {backends: [{name: a, weight: 1000001}]}",
			wantField: "spec.backends[0].weight", wantSays: "less than or equal to 1000000",
		},
		"a backend's name has 63 characters at most": {
			accept:    "spec: {backends: [{weight: 1, name: " + long(63) + "}]}",
			reject:    "spec: {backends: [{weight: 1, name: " + long(64) + "}]}",
			wantField: "spec.backends[0].name", wantSays: "63",
		},
		"a Service is required": {
			accept:    "spec: {serviceRef: {name: a}}",
			reject:    "spec: {serviceRef: null}",
			wantField: "spec.serviceRef", wantSays: "Required",
		},
		"a route of Gateway API has its group": {
			accept:    "spec: {routeRefs: [{kind: GRPCRoute, name: a}]}",
			reject:    "spec: {routeRefs: [{group: networking.istio.io, kind: GRPCRoute, name: a}]}",
			wantField: "spec.routeRefs[0]", wantSays: "GRPCRoute, TCPRoute or TLSRoute with group gateway.networking.k8s.io",
		},
		"a VirtualService has Istio's group": {
			accept:    "spec: {routeRefs: [{group: networking.istio.io, kind: VirtualService, name: a}]}",
			reject:    "spec: {routeRefs: [{kind: VirtualService, name: a}]}",
			wantField: "spec.routeRefs[0]", wantSays: "VirtualService with group networking.istio.io",
		},
		"a Service has the empty group": {
			accept:    `spec: {routeRefs: [{group: "", kind: Service, name: a}]}`,
			reject:    "spec: {routeRefs: [{kind: Service, name: a}]}",
			wantField: "spec.routeRefs[0]", wantSays: `Service with group: "" for a mesh`,
		},
		"other kinds are no routes": {
			accept:    "spec: {routeRefs: [{kind: TLSRoute, name: a}]}",
			reject:    "spec: {routeRefs: [{kind: UDPRoute, name: a}]}",
			wantField: "spec.routeRefs[0]", wantSays: "kind must be HTTPRoute",
		},
		"a Service has no rules": {
			accept:    `spec: {routeRefs: [{kind: HTTPRoute, name: a, sectionName: b}]}`,
			reject:    `spec: {routeRefs: [{group: "", kind: Service, name: a, sectionName: b}]}`,
			wantField: "spec.routeRefs[0]", wantSays: "a Service has no rules to pick",
		},
		"the data plane is a known one": {
			accept:    "spec: {routeRefs: [{name: a, dataPlane: EnvoyGateway}]}",
			reject:    "spec: {routeRefs: [{name: a, dataPlane: Envoy}]}",
			wantField: "spec.routeRefs[0].dataPlane", wantSays: `"EnvoyGateway"`,
		},
		"a match has a condition": {
			accept:    "spec: {matches: [{backend: a, headers: [{name: x-beta, value: v}]}, {backend: a, cookies: [{name: b, value: v}]}]}",
			reject:    "spec: {matches: [{backend: a}]}",
			wantField: "spec.matches[0]", wantSays: "give headers or cookies",
		},
		"at most 8 matches": {
			accept:    "spec: {matches: " + times(8, "{backend: #, headers: [{name: x, value: v}]}") + "}",
			reject:    "spec: {matches: " + times(9, "{backend: #, headers: [{name: x, value: v}]}") + "}",
			wantField: "spec.matches", wantSays: "8",
		},
		"a header's name is one": {
			accept:    "spec: {matches: [{backend: a, headers: [{name: X-Beta_1, value: v w}]}]}",
			reject:    "spec: {matches: [{backend: a, headers: [{name: 'x beta', value: v}]}]}",
			wantField: "spec.matches[0].headers[0].name", wantSays: "should match",
		},
		"a cookie's value is one": {
			accept:    "spec: {matches: [{backend: a, cookies: [{name: beta, value: 'a=1'}]}]}",
			reject:    "spec: {matches: [{backend: a, cookies: [{name: beta, value: 'a;b'}]}]}",
			wantField: "spec.matches[0].cookies[0].value", wantSays: "should match",
		},
		"a mirror has 100 percent at most": {
			accept:    "spec: {mirror: {backend: a, percent: 100}}",
			reject:    "spec: {mirror: {backend: a, percent: 101}}",
			wantField: "spec.mirror.percent", wantSays: "100",
		},
		"a mirror copies 1 percent at least": {
			accept:    "spec: {mirror: {backend: a, percent: 1}}",
			reject:    "spec: {mirror: {backend: a, percent: 0}}",
			wantField: "spec.mirror.percent", wantSays: "greater than or equal to 1",
		},
		"nobody is sent copies of their own requests": {
			accept:    "spec: {mirror: {backend: other}}",
			reject:    "spec: {mirror: {backend: search}}",
			wantField: "spec", wantSays: "name another Service for their copies",
		},
		"a cookie of affinity lasts a second at least": {
			accept:    "spec: {affinity: {cookie: {name: a, maxAge: 1s}}}",
			reject:    "spec: {affinity: {cookie: {name: a, maxAge: 500ms}}}",
			wantField: "spec.affinity.cookie.maxAge", wantSays: "must be 1s or longer",
		},
		"a TCPRoute carries no HTTP fields": {
			accept:    "spec: {routeRefs: [{kind: TCPRoute, name: a}]}",
			reject:    "spec: {routeRefs: [{kind: TCPRoute, name: a}], mirror: {backend: a}}",
			wantField: "spec", wantSays: "a TrafficSplit of their own",
		},
		"at least one route": {
			accept:    "spec: {routeRefs: [{name: a}]}",
			reject:    "spec: {routeRefs: []}",
			wantField: "spec.routeRefs", wantSays: "at least 1 items",
		},
		"at most 16 routes": {
			accept:    "spec: {routeRefs: " + times(16, "{name: #}") + "}",
			reject:    "spec: {routeRefs: " + times(17, "{name: #}") + "}",
			wantField: "spec.routeRefs", wantSays: "16",
		},
		"a route's name has 253 characters at most": {
			accept:    "spec: {routeRefs: [{name: " + long(253) + "}]}",
			reject:    "spec: {routeRefs: [{name: " + long(254) + "}]}",
			wantField: "spec.routeRefs[0].name", wantSays: "253",
		},
		"a rule's name has 253 characters at most": {
			accept:    "spec: {routeRefs: [{name: a, sectionName: " + long(253) + "}]}",
			reject:    "spec: {routeRefs: [{name: a, sectionName: " + long(254) + "}]}",
			wantField: "spec.routeRefs[0].sectionName", wantSays: "253",
		},
	} {
		t.Run(name, func(t *testing.T) { check(t, plainSplit, r) })
	}
}

func TestTrafficSplitDefaults(t *testing.T) {
	var typed v1alpha1.TrafficSplit
	stored(t, plainSplit, "{}", &typed)
	want := []v1alpha1.RouteReference{{Group: new("gateway.networking.k8s.io"), Kind: "HTTPRoute", Name: "search", DataPlane: "Auto"}}
	if diff := cmp.Diff(want, typed.Spec.RouteRefs); diff != "" {
		t.Errorf("routeRefs as stored (-want +got):\n%s", diff)
	}
}

// An object with an empty status must be one that the API server takes: clients that send typed objects leave it out.
func TestTypedObjectsAreAccepted(t *testing.T) {
	for name, plain := range map[string]struct {
		yaml  string
		typed client.Object
	}{
		"a CanaryRelease": {yaml: plainRelease, typed: &v1alpha1.CanaryRelease{}},
		"a TrafficSplit":  {yaml: plainSplit, typed: &v1alpha1.TrafficSplit{}},
		"a RetryPolicy":   {yaml: plainPolicy, typed: &v1alpha1.RetryPolicy{}},
	} {
		t.Run(name, func(t *testing.T) {
			convert(t, object(t, plain.yaml, "{}").Object, plain.typed)
			if err := server.Create(t.Context(), plain.typed, client.DryRunAll); err != nil {
				t.Error(err)
			}
		})
	}
}

// stored is the object as the API server would store it.
func stored(t *testing.T, plain, patch string, typed client.Object) {
	t.Helper()
	obj := object(t, plain, patch)
	if err := server.Create(t.Context(), obj, client.DryRunAll); err != nil {
		t.Fatal(err)
	}
	convert(t, obj.Object, typed)
}

func convert(t *testing.T, from map[string]any, to client.Object) {
	t.Helper()
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(from, to); err != nil {
		t.Fatal(err)
	}
}
