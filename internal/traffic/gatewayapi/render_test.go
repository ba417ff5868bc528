package gatewayapi

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"

	"slipway.dev/slipway/api/v1alpha1"
	"slipway.dev/slipway/internal/traffic"
)

func routeWith(tb testing.TB, rules string) *unstructured.Unstructured {
	tb.Helper()
	var list []any
	if err := yaml.Unmarshal([]byte(rules), &list); err != nil {
		tb.Fatal(err)
	}
	return parsed(tb, map[string]any{
		"apiVersion": "gateway.networking.k8s.io/v1", "kind": "HTTPRoute",
		"metadata": map[string]any{"name": "shop", "namespace": "shop"},
		"spec":     map[string]any{"rules": list},
	})
}

// withRules is the route after somebody wrote other rules and nothing else.
func withRules(tb testing.TB, route *unstructured.Unstructured, rules string) *unstructured.Unstructured {
	tb.Helper()
	out := route.DeepCopy()
	out.Object["spec"] = routeWith(tb, rules).Object["spec"]
	return out
}

func canarySplit(sequence int64, stable, canary int32) traffic.Split {
	return traffic.Split{
		Name: "checkout", UID: "u1", Sequence: sequence, Service: "checkout",
		Backends: []traffic.Backend{{Name: "checkout", Weight: stable}, {Name: "checkout-canary", Weight: canary}},
	}
}

func intentOf(splits ...traffic.Split) traffic.Intent { return traffic.Intent{Splits: splits} }

// TestRenderAfterSomebodyWrote renders, lets somebody write other rules, renders again and restores.
func TestRenderAfterSomebodyWrote(t *testing.T) {
	tests := map[string]struct {
		before, written           string
		loseAnnotation            bool
		wantRendered, wantRestore string
	}{
		"a re-apply of the same list": {
			before:       `[{backendRefs: [{name: checkout, weight: 1}, {name: legacy, weight: 1}]}]`,
			written:      `[{backendRefs: [{name: checkout, weight: 1}, {name: legacy, weight: 1}]}]`,
			wantRendered: `[{backendRefs: [{name: checkout, weight: 95}, {name: legacy, weight: 100}, {name: checkout-canary, weight: 5}]}]`,
			wantRestore:  `[{backendRefs: [{name: checkout, weight: 1}, {name: legacy, weight: 1}]}]`,
		},
		"a re-apply with another backend and a filter": {
			before:       `[{backendRefs: [{name: checkout, weight: 1}]}]`,
			written:      `[{backendRefs: [{name: checkout, weight: 1, filters: [{type: X}]}, {name: legacy, weight: 2}]}]`,
			wantRendered: `[{backendRefs: [{name: checkout, weight: 95, filters: [{type: X}]}, {name: legacy, weight: 200}, {name: checkout-canary, weight: 5, filters: [{type: X}]}]}]`,
			wantRestore:  `[{backendRefs: [{name: checkout, weight: 1, filters: [{type: X}]}, {name: legacy, weight: 2}]}]`,
		},
		"an edit of the weights of the split is put back": {
			before:       `[{backendRefs: [{name: checkout, weight: 1}, {name: legacy, weight: 1}]}]`,
			written:      `[{backendRefs: [{name: checkout, weight: 0}, {name: legacy, weight: 100}, {name: checkout-canary, weight: 100}]}]`,
			wantRendered: `[{backendRefs: [{name: checkout, weight: 95}, {name: legacy, weight: 100}, {name: checkout-canary, weight: 5}]}]`,
			wantRestore:  `[{backendRefs: [{name: checkout, weight: 1}, {name: legacy, weight: 1}]}]`,
		},
		"a canary that was cut out comes back, and the user's weights are still known": {
			before:       `[{backendRefs: [{name: checkout, weight: 1}, {name: legacy, weight: 1}]}]`,
			written:      `[{backendRefs: [{name: checkout, weight: 95}, {name: legacy, weight: 100}]}]`,
			wantRendered: `[{backendRefs: [{name: checkout, weight: 95}, {name: legacy, weight: 100}, {name: checkout-canary, weight: 5}]}]`,
			wantRestore:  `[{backendRefs: [{name: checkout, weight: 1}, {name: legacy, weight: 1}]}]`,
		},
		"an edit of another backend's weight is the user's, in the scale that was seen": {
			before:       `[{backendRefs: [{name: checkout, weight: 1}, {name: legacy, weight: 1}]}]`,
			written:      `[{backendRefs: [{name: checkout, weight: 95}, {name: legacy, weight: 50}, {name: checkout-canary, weight: 5}]}]`,
			wantRendered: `[{backendRefs: [{name: checkout, weight: 9500}, {name: legacy, weight: 5000}, {name: checkout-canary, weight: 500}]}]`,
			wantRestore:  `[{backendRefs: [{name: checkout, weight: 100}, {name: legacy, weight: 50}]}]`,
		},
		"a filter put on the rendered backendRef is copied": {
			before:       `[{backendRefs: [{name: checkout, weight: 1}]}]`,
			written:      `[{backendRefs: [{name: checkout, weight: 95, filters: [{type: X}]}, {name: checkout-canary, weight: 5}]}]`,
			wantRendered: `[{backendRefs: [{name: checkout, weight: 95, filters: [{type: X}]}, {name: checkout-canary, weight: 5, filters: [{type: X}]}]}]`,
			wantRestore:  `[{backendRefs: [{name: checkout, weight: 1, filters: [{type: X}]}]}]`,
		},
		"a rule put in before the rendered one": {
			before:       `[{backendRefs: [{name: checkout, weight: 3}]}]`,
			written:      `[{backendRefs: [{name: legacy}]}, {backendRefs: [{name: checkout, weight: 285}, {name: checkout-canary, weight: 15}]}]`,
			wantRendered: `[{backendRefs: [{name: legacy}]}, {backendRefs: [{name: checkout, weight: 285}, {name: checkout-canary, weight: 15}]}]`,
			wantRestore:  `[{backendRefs: [{name: legacy}]}, {backendRefs: [{name: checkout, weight: 3}]}]`,
		},
		"the user takes the Service out": {
			before:       `[{backendRefs: [{name: checkout, weight: 1}]}]`,
			written:      `[{backendRefs: [{name: legacy}]}]`,
			wantRendered: `[{backendRefs: [{name: legacy}]}]`,
			wantRestore:  `[{backendRefs: [{name: legacy}]}]`,
		},
		"a backend of the canary's name that is the user's own stays": {
			before:       `[{backendRefs: [{name: checkout, weight: 1}, {name: checkout-canary, weight: 1}]}]`,
			written:      `[{backendRefs: [{name: checkout, weight: 1}, {name: checkout-canary, weight: 1}]}]`,
			wantRendered: `[{backendRefs: [{name: checkout, weight: 95}, {name: checkout-canary, weight: 100}, {name: checkout-canary, weight: 5}]}]`,
			wantRestore:  `[{backendRefs: [{name: checkout, weight: 1}, {name: checkout-canary, weight: 1}]}]`,
		},
		"the annotation was taken away and the backends are still there": {
			before:         `[{backendRefs: [{name: checkout, weight: 1}, {name: legacy, weight: 1}]}]`,
			written:        `[{backendRefs: [{name: checkout, weight: 95}, {name: legacy, weight: 100}, {name: checkout-canary, weight: 5}]}]`,
			loseAnnotation: true,
			wantRendered:   `[{backendRefs: [{name: checkout, weight: 9500}, {name: legacy, weight: 10000}, {name: checkout-canary, weight: 500}]}]`,
			wantRestore:    `[{backendRefs: [{name: checkout, weight: 100}, {name: legacy, weight: 100}]}]`,
		},
		"the annotation was taken away with the backends": {
			before:         `[{backendRefs: [{name: checkout, weight: 1}]}]`,
			written:        `[{backendRefs: [{name: checkout, weight: 1}]}]`,
			loseAnnotation: true,
			wantRendered:   `[{backendRefs: [{name: checkout, weight: 95}, {name: checkout-canary, weight: 5}]}]`,
			wantRestore:    `[{backendRefs: [{name: checkout, weight: 1}]}]`,
		},
		"a weight that was never written is left out again": {
			before:       `[{backendRefs: [{name: checkout}, {name: legacy}]}]`,
			written:      `[{backendRefs: [{name: checkout}, {name: legacy}]}]`,
			wantRendered: `[{backendRefs: [{name: checkout, weight: 95}, {name: legacy, weight: 100}, {name: checkout-canary, weight: 5}]}]`,
			wantRestore:  `[{backendRefs: [{name: checkout}, {name: legacy}]}]`,
		},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			intent := intentOf(canarySplit(4, 95, 5))
			live := withRules(t, mustRender(t, routeWith(t, tc.before), intentOf(canarySplit(1, 95, 5))), tc.written)
			if tc.loseAnnotation {
				live.SetAnnotations(nil)
			}
			rendered := mustRender(t, live, intent)
			if diff := cmp.Diff(routeWith(t, tc.wantRendered).Object["spec"], rendered.Object["spec"]); diff != "" {
				t.Errorf("rendered (-want +got):\n%s", diff)
			}
			restored := mustRender(t, rendered, traffic.Intent{})
			if diff := cmp.Diff(routeWith(t, tc.wantRestore).Object["spec"], restored.Object["spec"]); diff != "" {
				t.Errorf("restored (-want +got):\n%s", diff)
			}
		})
	}
}

func TestRenderNeverGoesBack(t *testing.T) {
	live := mustRender(t, routeWith(t, `[{backendRefs: [{name: checkout}]}]`), intentOf(canarySplit(7, 95, 5)))
	_, err := HTTPRoute{}.Render(live, intentOf(canarySplit(6, 50, 50)))
	if !errors.Is(err, traffic.ErrOvertaken) {
		t.Errorf("err = %v, want ErrOvertaken", err)
	}
	other := canarySplit(1, 50, 50)
	other.UID = "u2"
	if _, err := (HTTPRoute{}).Render(live, intentOf(other)); err != nil {
		t.Errorf("another object of the same name is refused: %v", err)
	}
}

func TestRenderRefusesTooManyBackends(t *testing.T) {
	rules := `[{backendRefs: [{name: checkout}`
	for i := range 15 {
		rules += fmt.Sprintf(", {name: b%d}", i)
	}
	_, err := HTTPRoute{}.Render(routeWith(t, rules+`]}]`), intentOf(canarySplit(1, 95, 5)))
	if refused, ok := errors.AsType[*traffic.RefusedError](err); !ok || refused.Reason != traffic.TooManyRules {
		t.Errorf("err = %v, want TooManyRules", err)
	}
}

func FuzzRender(f *testing.F) {
	f.Add(uint64(1))
	f.Fuzz(func(t *testing.T, seed uint64) { checkRandomRoute(t, seed) })
}

func TestRenderRandomRoutes(t *testing.T) {
	for seed := range uint64(500) {
		checkRandomRoute(t, seed)
	}
}

// checkRandomRoute checks that rendering A and then B is rendering B, that nothing but backendRefs and our annotation
// changes, that shares of the rule stay what they were, and that restoring gives back what the user wrote.
func checkRandomRoute(t *testing.T, seed uint64) {
	t.Helper()
	rng := rand.New(rand.NewPCG(seed, 3))
	route := randomRoute(t, rng)
	a, b := randomIntent(rng, 1), randomIntent(rng, 1)
	viaA := mustRender(t, mustRender(t, route, a), b)
	if diff := cmp.Diff(mustRender(t, route, b).Object, viaA.Object); diff != "" {
		t.Fatalf("seed %d: rendering A and then B is not rendering B (-B +AB):\n%s", seed, diff)
	}
	if diff := cmp.Diff(route.Object, mustRender(t, viaA, traffic.Intent{}).Object); diff != "" {
		t.Fatalf("seed %d: restored route is not the user's (-user +restored):\n%s", seed, diff)
	}
	if diff := cmp.Diff(withoutRefs(route), withoutRefs(viaA)); diff != "" {
		t.Fatalf("seed %d: something else changed (-before +after):\n%s", seed, diff)
	}
	checkWeights(t, seed, viaA)
}

func checkWeights(t *testing.T, seed uint64, route *unstructured.Unstructured) {
	t.Helper()
	for _, rule := range rulesOf(route) {
		for _, ref := range refsOf(rule) {
			if w := effective(ref.weight()); w < 0 || w > maxWeight {
				t.Fatalf("seed %d: weight %d of %s is out of limits", seed, w, ref.name())
			}
		}
	}
}

// withoutRefs is the route without what may change.
func withoutRefs(route *unstructured.Unstructured) map[string]any {
	out := route.DeepCopy()
	for _, rule := range rulesOf(out) {
		delete(rule, "backendRefs")
	}
	annotations := out.GetAnnotations()
	delete(annotations, v1alpha1.SplitAnnotation)
	if len(annotations) == 0 {
		annotations = nil
	}
	out.SetAnnotations(annotations)
	return out.Object
}

func randomRoute(t *testing.T, rng *rand.Rand) *unstructured.Unstructured {
	t.Helper()
	names := []string{"checkout", "cart", "legacy", "checkout-canary"}
	weights := []any{nil, int64(0), int64(1), int64(3), int64(100), int64(999_999), int64(1_000_000)}
	var rules []any
	for i := range 1 + rng.IntN(4) {
		rule := map[string]any{"x": int64(i)}
		if rng.IntN(2) == 0 {
			rule["name"] = fmt.Sprintf("rule-%d", i)
		}
		var refs []any
		for range rng.IntN(4) {
			ref := map[string]any{"name": names[rng.IntN(len(names))], "port": int64(80 + rng.IntN(3))}
			if w := weights[rng.IntN(len(weights))]; w != nil {
				ref["weight"] = w
			}
			if rng.IntN(4) == 0 {
				ref["filters"] = []any{map[string]any{"type": "X", "unknown": []any{true, "a"}}}
			}
			if rng.IntN(8) == 0 {
				ref["namespace"] = "elsewhere"
			}
			refs = append(refs, ref)
		}
		if refs != nil {
			rule["backendRefs"] = refs
		}
		rules = append(rules, rule)
	}
	return &unstructured.Unstructured{Object: map[string]any{
		"metadata": map[string]any{"name": "shop", "namespace": "shop"},
		"spec":     map[string]any{"rules": rules, "unknown": map[string]any{"a": []any{int64(1)}}},
	}}
}

func randomIntent(rng *rand.Rand, sequence int64) traffic.Intent {
	var intent traffic.Intent
	for _, service := range []string{"checkout", "cart"} {
		if rng.IntN(3) == 0 {
			continue
		}
		s := traffic.Split{Name: service, UID: service, Sequence: sequence, Service: service, Backends: []traffic.Backend{
			{Name: service, Weight: rng.Int32N(1_000_001)}, {Name: service + "-canary", Weight: 1 + rng.Int32N(1_000_000)},
		}}
		if rng.IntN(3) == 0 {
			s.SectionName = "rule-0"
		}
		intent.Splits = append(intent.Splits, s)
	}
	return intent
}

func BenchmarkRender16Rules(b *testing.B) {
	rules := "["
	for i := range 16 {
		rules += fmt.Sprintf("{matches: [{path: {type: PathPrefix, value: /%d}}], filters: [{type: X}], backendRefs: [{name: checkout, port: 80, weight: 1}, {name: legacy, port: 81, weight: 1}]},", i)
	}
	route := routeWith(b, rules+"]")
	route = mustRender(b, route, intentOf(canarySplit(1, 999_999, 1)))
	intent := intentOf(canarySplit(2, 95, 5))
	for b.Loop() {
		if _, err := (HTTPRoute{}).Render(route, intent); err != nil {
			b.Fatal(err)
		}
	}
}
