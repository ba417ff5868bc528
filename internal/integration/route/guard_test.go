package route

import (
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"slipway.dev/slipway/internal/traffic"
	"slipway.dev/slipway/internal/traffic/gatewayapi"
)

// routeOf is an HTTPRoute with the given rules, as YAML.
func routeOf(t *testing.T, namespace, rules string) *unstructured.Unstructured {
	t.Helper()
	route := routeFrom(`
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: shop}
spec:
  parentRefs: [{name: eg}]
  hostnames: [shop.example.com]
`, namespace)
	var list []any
	if err := yaml.Unmarshal([]byte(rules), &list); err != nil {
		t.Fatal(err)
	}
	if err := unstructured.SetNestedSlice(route.Object, list, "spec", "rules"); err != nil {
		t.Fatal(err)
	}
	return route
}

func splitOf(service, section string, backends ...traffic.Backend) traffic.Split {
	return traffic.Split{Name: service + section, UID: "uid-" + service + section, Sequence: 3, Service: service, SectionName: section, Backends: backends}
}

func shares(stable string, weight int32, canary string, canaryWeight int32) []traffic.Backend {
	return []traffic.Backend{{Name: stable, Weight: weight}, {Name: canary, Weight: canaryWeight}}
}

// The ways in which a person or a tool writes a route.
var guardWriters = map[string]func(t *testing.T, route *unstructured.Unstructured, dryRun bool) *unstructured.Unstructured{
	"server-side apply with force": func(t *testing.T, route *unstructured.Unstructured, dryRun bool) *unstructured.Unstructured {
		t.Helper()
		text, err := json.Marshal(route.Object)
		if err != nil {
			t.Fatal(err)
		}
		opts := []client.PatchOption{client.ForceOwnership, client.FieldOwner("kustomize-controller")}
		if dryRun {
			opts = append(opts, client.DryRunAll)
		}
		out := route.DeepCopy()
		if err := person.Patch(t.Context(), out, client.RawPatch(types.ApplyPatchType, text), opts...); err != nil {
			t.Fatal(err)
		}
		return out
	},
	"replace": func(t *testing.T, route *unstructured.Unstructured, dryRun bool) *unstructured.Unstructured {
		t.Helper()
		out := route.DeepCopy()
		out.SetResourceVersion(liveRoute(t, route.GetNamespace(), route.GetName()).GetResourceVersion())
		opts := []client.UpdateOption{client.FieldOwner("kubectl-replace")}
		if dryRun {
			opts = append(opts, client.DryRunAll)
		}
		if err := person.Update(t.Context(), out, opts...); err != nil {
			t.Fatal(err)
		}
		return out
	},
}

// TestGuardPutsTheSplitBack checks that after any write of a user's own rules the route is exactly what the operator
// would make of those rules.
func TestGuardPutsTheSplitBack(t *testing.T) {
	one := []traffic.Split{splitOf("checkout", "", shares("checkout", 95, "checkout-canary", 5)...)}
	tests := map[string]struct {
		splits []traffic.Split
		before string
		// after are the rules that the user writes then; empty: the same again.
		after string
	}{
		"one rule, one backend": {
			splits: one,
			before: `[{backendRefs: [{name: checkout, port: 80}]}]`,
		},
		"a canary at a feather": {
			splits: []traffic.Split{splitOf("checkout", "", shares("checkout", 999_999, "checkout-canary", 1)...)},
			before: `[{backendRefs: [{name: checkout, port: 80, weight: 7}, {name: legacy, port: 81, weight: 3}]}]`,
		},
		"everything to one other backend": {
			splits: []traffic.Split{splitOf("checkout", "", traffic.Backend{Name: "checkout-stable-hold", Weight: 1})},
			before: `[{backendRefs: [{name: checkout, port: 80}, {name: legacy, port: 81}]}]`,
		},
		"nothing but the Service": {
			splits: []traffic.Split{splitOf("checkout", "", traffic.Backend{Name: "checkout", Weight: 100})},
			before: `[{backendRefs: [{name: checkout, port: 80, weight: 3}, {name: legacy, port: 81}]}]`,
		},
		"three backends": {
			splits: []traffic.Split{splitOf("checkout", "", append(shares("checkout", 90, "checkout-canary", 9), traffic.Backend{Name: "checkout-stable-hold", Weight: 1})...)},
			before: `[{backendRefs: [{name: legacy, port: 81}, {name: checkout, port: 80, weight: 4}]}]`,
		},
		"a filter on the user's backendRef is copied": {
			splits: one,
			before: `[{backendRefs: [{name: checkout, port: 80, filters: [{type: RequestHeaderModifier, requestHeaderModifier: {set: [{name: x-arm, value: a}]}}]}]}]`,
		},
		"a changed filter on the user's backendRef goes through and is copied": {
			splits: one,
			before: `[{backendRefs: [{name: checkout, port: 80, filters: [{type: RequestHeaderModifier, requestHeaderModifier: {set: [{name: x-arm, value: a}]}}]}]}]`,
			after:  `[{backendRefs: [{name: checkout, port: 80, filters: [{type: RequestHeaderModifier, requestHeaderModifier: {set: [{name: x-arm, value: b}], remove: [x-old]}}]}]}]`,
		},
		"a changed filter of the rule goes through": {
			splits: one,
			before: `[{backendRefs: [{name: checkout, port: 80}]}]`,
			after:  `[{filters: [{type: ResponseHeaderModifier, responseHeaderModifier: {remove: [server]}}], backendRefs: [{name: checkout, port: 80}]}]`,
		},
		"another backend of the user's comes in": {
			splits: one,
			before: `[{backendRefs: [{name: checkout, port: 80}]}]`,
			after:  `[{backendRefs: [{name: checkout, port: 80, weight: 3}, {name: legacy, port: 81, weight: 2}]}]`,
		},
		"the user's own weights change": {
			splits: one,
			before: `[{backendRefs: [{name: checkout, port: 80, weight: 3}, {name: legacy, port: 81, weight: 2}]}]`,
			after:  `[{backendRefs: [{name: checkout, port: 80, weight: 50000}, {name: legacy, port: 81, weight: 1}]}]`,
		},
		"the user takes the Service out of one rule": {
			splits: one,
			before: `[{backendRefs: [{name: checkout, port: 80}]}, {matches: [{path: {value: /b}}], backendRefs: [{name: checkout, port: 80}]}]`,
			after:  `[{backendRefs: [{name: checkout, port: 80}]}, {matches: [{path: {value: /b}}], backendRefs: [{name: legacy, port: 80}]}]`,
		},
		"a rule is put in before an unnamed one": {
			splits: one,
			before: `[{backendRefs: [{name: checkout, port: 80, weight: 2}, {name: legacy, port: 81}]}]`,
			after:  `[{matches: [{path: {value: /new}}], backendRefs: [{name: checkout, port: 80}]}, {backendRefs: [{name: checkout, port: 80, weight: 2}, {name: legacy, port: 81}]}]`,
		},
		"only the named rule is split": {
			splits: []traffic.Split{splitOf("checkout", "pay", shares("checkout", 95, "checkout-canary", 5)...)},
			before: `[{name: look, matches: [{path: {value: /look}}], backendRefs: [{name: checkout, port: 80}]}, {name: pay, backendRefs: [{name: checkout, port: 80}]}]`,
		},
		"named rules change places": {
			splits: []traffic.Split{splitOf("checkout", "pay", shares("checkout", 95, "checkout-canary", 5)...)},
			before: `[{name: look, matches: [{path: {value: /look}}], backendRefs: [{name: checkout, port: 80}]}, {name: pay, backendRefs: [{name: checkout, port: 80}]}]`,
			after:  `[{name: pay, backendRefs: [{name: checkout, port: 80}]}, {name: look, matches: [{path: {value: /look}}], backendRefs: [{name: checkout, port: 80}]}]`,
		},
		"two splits in one rule": {
			splits: []traffic.Split{
				splitOf("checkout", "", shares("checkout", 95, "checkout-canary", 5)...),
				splitOf("cart", "", shares("cart", 2, "cart-canary", 1)...),
			},
			before: `[{backendRefs: [{name: checkout, port: 80, weight: 3}, {name: cart, port: 80, weight: 7}, {name: legacy, port: 81}]}]`,
		},
		"two splits in two rules": {
			splits: []traffic.Split{
				splitOf("checkout", "", shares("checkout", 95, "checkout-canary", 5)...),
				splitOf("cart", "", shares("cart", 2, "cart-canary", 1)...),
			},
			before: `[{backendRefs: [{name: checkout, port: 80}]}, {matches: [{path: {value: /cart}}], backendRefs: [{name: cart, port: 80}]}, {matches: [{path: {value: /x}}], backendRefs: [{name: legacy, port: 80}]}]`,
		},
		"a backend of another kind with the Service's name": {
			splits: one,
			before: `[{backendRefs: [{name: checkout, port: 80}, {group: example.com, kind: Bucket, name: checkout, weight: 4}]}]`,
		},
		"a backend with weight zero": {
			splits: one,
			before: `[{backendRefs: [{name: checkout, port: 80, weight: 1}, {name: legacy, port: 80, weight: 0}]}]`,
		},
		"a Service with weight zero has nothing to split": {
			splits: one,
			before: `[{backendRefs: [{name: checkout, port: 80, weight: 0}, {name: legacy, port: 80, weight: 5}]}, {matches: [{path: {value: /b}}], backendRefs: [{name: checkout, port: 80}]}]`,
		},
	}
	for name, tc := range tests {
		for writer, write := range guardWriters {
			t.Run(name+", by "+writer, func(t *testing.T) {
				namespace := newNamespace(t, true)
				own := routeOf(t, namespace, tc.before)
				if err := person.Create(t.Context(), own.DeepCopy(), client.FieldOwner("kustomize-controller")); err != nil {
					t.Fatal(err)
				}
				intent := traffic.Intent{Splits: tc.splits}
				rendered := render(t, liveRoute(t, namespace, "shop"), intent)
				if err := operator.Update(t.Context(), rendered, client.FieldOwner("slipway")); err != nil {
					t.Fatal(err)
				}
				next := own
				if tc.after != "" {
					next = routeOf(t, namespace, tc.after)
				}
				dry := write(t, next, true)
				wet := write(t, next, false)
				live := liveRoute(t, namespace, "shop")
				if diff := cmp.Diff(specAndAnnotations(wet), specAndAnnotations(dry)); diff != "" {
					t.Errorf("dry run differs (-wet +dry):\n%s", diff)
				}
				if diff := cmp.Diff(specAndAnnotations(render(t, live, intent)), specAndAnnotations(live)); diff != "" {
					t.Errorf("the operator would still change the route (-operator +guard):\n%s", diff)
				}
				if tc.after == "" && live.GetGeneration() != rendered.GetGeneration() {
					t.Errorf("generation went from %d to %d on a write that changes nothing", rendered.GetGeneration(), live.GetGeneration())
				}
				checkRestores(t, live, next)
			})
		}
	}
}

// checkRestores checks that the user's own rules are still known: restored, the route is what the user wrote last.
func checkRestores(t *testing.T, live, own *unstructured.Unstructured) {
	t.Helper()
	restored, err := gatewayapi.HTTPRoute{}.Restore(live)
	if err != nil {
		t.Fatal(err)
	}
	want := own.DeepCopy()
	want.SetName("as-written")
	want.SetResourceVersion("")
	if err := person.Create(t.Context(), want); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(specAndAnnotations(want), specAndAnnotations(restored)); diff != "" {
		t.Errorf("restored route differs from what the user wrote (-want +got):\n%s", diff)
	}
}

func render(t *testing.T, route *unstructured.Unstructured, intent traffic.Intent) *unstructured.Unstructured {
	t.Helper()
	out, err := gatewayapi.HTTPRoute{}.Render(route, intent)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func specAndAnnotations(route *unstructured.Unstructured) map[string]any {
	return map[string]any{"spec": route.Object["spec"], "annotations": route.GetAnnotations()}
}
