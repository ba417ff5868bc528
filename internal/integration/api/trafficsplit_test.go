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
		"at most 8 backends": {
			accept:    "spec: {backends: " + times(8, "{name: #, weight: 1}") + "}",
			reject:    "spec: {backends: " + times(9, "{name: #, weight: 1}") + "}",
			wantField: "spec.backends", wantSays: "8",
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
		"only an HTTPRoute of Gateway API is a route": {
			accept:    "spec: {routeRefs: [{kind: HTTPRoute, name: a}]}",
			reject:    "spec: {routeRefs: [{kind: GRPCRoute, name: a}]}",
			wantField: "spec.routeRefs[0]", wantSays: "set kind to HTTPRoute",
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
	want := []v1alpha1.RouteReference{{Group: "gateway.networking.k8s.io", Kind: "HTTPRoute", Name: "search"}}
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
