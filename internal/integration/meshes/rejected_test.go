package meshes

import (
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"slipway.dev/slipway/internal/integration/apiserver"
)

const (
	consulGroup  = "consul.hashicorp.com/v1alpha1"
	appMeshGroup = "appmesh.k8s.aws/v1beta2"
)

// target is a route's target in App Mesh.
const target = "{virtualNodeRef: {name: a}, weight: 1}"

// httpRoute is a VirtualRouter's spec with one route.
func httpRoute(fields string) string {
	return "{routes: [{name: a, httpRoute: {match: {prefix: /}, action: {weightedTargets: [" + target + "]}, " + fields + "}}]}"
}

func headers(n int) string {
	return "{routes: [{name: a, httpRoute: {match: {prefix: /, headers: [" + strings.Repeat("{name: x, match: {exact: a}}, ", n) + "]}, action: {weightedTargets: [" + target + "]}}}]}"
}

// TestLimits has for each limit of Consul and App Mesh an object that is just within it and one that is not: a translator
// that broke it would not have its golden objects accepted.
func TestLimits(t *testing.T) {
	if err := admin.Create(t.Context(), namespaceNamed("limits")); err != nil {
		t.Fatal(err)
	}
	route := func(fields string) string { return "{routes: [{" + fields + "}]}" }
	retried := func(fields string) string { return httpRoute("retryPolicy: {" + fields + "}") }
	const timed = "perRetryTimeout: {unit: s, value: 1}, httpRetryEvents: [gateway-error]"
	targets := func(n int) string {
		return "{routes: [{name: a, httpRoute: {match: {prefix: /}, action: {weightedTargets: [" + strings.Repeat(target+", ", n) + "]}}}]}"
	}
	priority := func(p string) string {
		return "{routes: [{name: a, priority: " + p + ", httpRoute: {match: {prefix: /}, action: {weightedTargets: [" + target + "]}}}]}"
	}
	weight := func(w string) string {
		return "{routes: [{name: a, httpRoute: {match: {prefix: /}, action: {weightedTargets: [{virtualNodeRef: {name: a}, weight: " + w + "}]}}}]}"
	}
	value := func(n int) string {
		return "{routes: [{name: a, httpRoute: {match: {prefix: /, headers: [{name: x, match: {regex: " + strings.Repeat("a", n) + "}}]}, action: {weightedTargets: [" + target + "]}}}]}"
	}
	name := func(n int) string {
		return "{routes: [{name: a, httpRoute: {match: {prefix: /, headers: [{name: " + strings.Repeat("a", n) + "}]}, action: {weightedTargets: [" + target + "]}}}]}"
	}
	for title, tc := range map[string]struct {
		group, kind, within, beyond, says string
	}{
		"Consul: weights are 100 in sum":               {consulGroup, "ServiceSplitter", "{splits: [{service: a, weight: 99}, {service: b, weight: 1}]}", "{splits: [{service: a, weight: 80}, {service: b, weight: 10}]}", "sum of all weights"},
		"Consul: a weight is 0.01 at least":            {consulGroup, "ServiceSplitter", "{splits: [{service: a, weight: 99.5}, {service: b, weight: 0.5}]}", "{splits: [{service: a, weight: 100}, {service: b, weight: 0.001}]}", "weight must be"},
		"Consul: a destination once":                   {consulGroup, "ServiceSplitter", "{splits: [{service: a, weight: 50}, {service: a, serviceSubset: s, weight: 50}]}", "{splits: [{service: a, weight: 50}, {service: a, weight: 50}]}", "twice"},
		"Consul: known retry conditions":               {consulGroup, "ServiceRouter", route("destination: {retryOn: [reset]}"), route("destination: {retryOn: [reset-before-request]}"), "retryOn"},
		"Consul: no timeout of a try":                  {consulGroup, "ServiceRouter", route("destination: {requestTimeout: 1.5s}"), route("destination: {perTryTimeout: 1s}"), "perTryTimeout"},
		"Consul: a duration of Go":                     {consulGroup, "ServiceRouter", route("destination: {requestTimeout: 1m30s}"), route("destination: {requestTimeout: 1 minute}"), "requestTimeout"},
		"Consul: one way to match a header":            {consulGroup, "ServiceRouter", route("match: {http: {header: [{name: a, exact: b}]}}"), route("match: {http: {header: [{name: a, exact: b, regex: c}]}}"), "at most one"},
		"Consul: one way to match a path":              {consulGroup, "ServiceRouter", route("match: {http: {pathPrefix: /}}"), route("match: {http: {pathPrefix: /, pathExact: /a}}"), "at most one"},
		"Consul: a default subset that is there":       {consulGroup, "ServiceResolver", "{defaultSubset: a, subsets: {a: {}}}", "{defaultSubset: b, subsets: {a: {}}}", "defaultSubset"},
		"Consul: names of subsets":                     {consulGroup, "ServiceResolver", "{subsets: {slipway-all: {}}}", "{subsets: {Slipway_all: {}}}", "subset names"},
		"Consul: a protocol":                           {consulGroup, "ServiceDefaults", "{protocol: http2}", "{protocol: quic}", "protocol"},
		"Consul: an action":                            {consulGroup, "ServiceIntentions", "{destination: {name: a}, sources: [{name: b, action: allow}]}", "{destination: {name: a}, sources: [{name: b, action: maybe}]}", "action"},
		"App Mesh: a weight is 100 at most":            {appMeshGroup, "VirtualRouter", weight("100"), weight("101"), "weight"},
		"App Mesh: ten targets":                        {appMeshGroup, "VirtualRouter", targets(10), targets(11), "weightedTargets"},
		"App Mesh: priorities to 1000":                 {appMeshGroup, "VirtualRouter", priority("1000"), priority("1001"), "priority"},
		"App Mesh: ten headers":                        {appMeshGroup, "VirtualRouter", headers(10), headers(11), "headers"},
		"App Mesh: 255 characters to match":            {appMeshGroup, "VirtualRouter", value(255), value(256), "regex"},
		"App Mesh: 50 characters of a header":          {appMeshGroup, "VirtualRouter", name(50), name(51), "name"},
		"App Mesh: a time for each try":                {appMeshGroup, "VirtualRouter", retried("maxRetries: 0, " + timed), retried("maxRetries: 0, httpRetryEvents: [gateway-error]"), "perRetryTimeout"},
		"App Mesh: some event":                         {appMeshGroup, "VirtualRouter", retried("maxRetries: 1, perRetryTimeout: {unit: s, value: 1}, tcpRetryEvents: [connection-error]"), retried("maxRetries: 1, perRetryTimeout: {unit: s, value: 1}"), "at least one"},
		"App Mesh: known events":                       {appMeshGroup, "VirtualRouter", retried("maxRetries: 1, " + timed), retried("maxRetries: 1, perRetryTimeout: {unit: s, value: 1}, httpRetryEvents: [\"503\"]"), "httpRetryEvents"},
		"App Mesh: known units":                        {appMeshGroup, "VirtualRouter", httpRoute("timeout: {perRequest: {unit: ms, value: 1}}"), httpRoute("timeout: {perRequest: {unit: m, value: 1}}"), "unit"},
		"App Mesh: one listener of a router":           {appMeshGroup, "VirtualRouter", "{listeners: [{portMapping: {port: 1, protocol: http}}]}", "{listeners: [{portMapping: {port: 1, protocol: http}}, {portMapping: {port: 2, protocol: http}}]}", "listeners"},
		"App Mesh: one kind of a route":                {appMeshGroup, "VirtualRouter", httpRoute(""), "{routes: [{name: a}]}", "one kind"},
		"App Mesh: a service is a node or a router":    {appMeshGroup, "VirtualService", "{provider: {virtualNode: {virtualNodeRef: {name: a}}}}", "{provider: {virtualNode: {virtualNodeRef: {name: a}}, virtualRouter: {virtualRouterRef: {name: a}}}}", "provider"},
		"App Mesh: protocols of a node":                {appMeshGroup, "VirtualNode", "{listeners: [{portMapping: {port: 1, protocol: tcp}}]}", "{listeners: [{portMapping: {port: 1, protocol: udp}}]}", "protocol"},
		"Linkerd's routes: weights up to a million":    {"gateway.networking.k8s.io/v1", "HTTPRoute", "{rules: [{backendRefs: [{name: a, port: 80, weight: 1000000}]}]}", "{rules: [{backendRefs: [{name: a, port: 80, weight: 1000001}]}]}", "weight"},
		"Linkerd's routes: a backend has to have port": {"gateway.networking.k8s.io/v1", "HTTPRoute", "{rules: [{backendRefs: [{name: a, port: 80}]}]}", "{rules: [{backendRefs: [{name: a}]}]}", "port"},
	} {
		t.Run(title, func(t *testing.T) {
			if err := create(t, tc.group, tc.kind, tc.within); err != nil {
				t.Errorf("what is within the limit is refused: %v", err)
			}
			err := create(t, tc.group, tc.kind, tc.beyond)
			if (!apierrors.IsInvalid(err) && !apierrors.IsBadRequest(err)) || !strings.Contains(err.Error(), tc.says) {
				t.Errorf("err = %v, want one that says %q", err, tc.says)
			}
		})
	}
}

func namespaceNamed(name string) *corev1.Namespace {
	out := &corev1.Namespace{}
	out.Name = name
	return out
}

func create(t *testing.T, group, kind, spec string) error {
	t.Helper()
	objects, err := apiserver.Decode([]byte("{apiVersion: " + group + ", kind: " + kind + ", metadata: {generateName: limit-, namespace: limits}, spec: " + spec + "}"))
	if err != nil {
		t.Fatal(err)
	}
	return admin.Create(t.Context(), objects[0])
}
