package route

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"slipway.dev/slipway/api/v1alpha1"
	"slipway.dev/slipway/internal/traffic"
)

// carrying makes a guarded route that carries the splits.
func carrying(t *testing.T, rules string, splits ...traffic.Split) string {
	t.Helper()
	namespace := newNamespace(t, true)
	if err := person.Create(t.Context(), routeOf(t, namespace, rules)); err != nil {
		t.Fatal(err)
	}
	rendered := render(t, liveRoute(t, namespace, "shop"), traffic.Intent{Splits: splits})
	if err := operator.Update(t.Context(), rendered, client.FieldOwner("slipway")); err != nil {
		t.Fatal(err)
	}
	return namespace
}

// TestGuardLeavesOtherWritesAlone patches what is not the split.
func TestGuardLeavesOtherWritesAlone(t *testing.T) {
	split := splitOf("checkout", "", shares("checkout", 95, "checkout-canary", 5)...)
	tests := map[string]struct {
		patchType types.PatchType
		patch     string
		wantSame  bool // of the spec
	}{
		"a label":                      {types.MergePatchType, `{"metadata":{"labels":{"a":"b"}}}`, true},
		"another annotation":           {types.MergePatchType, `{"metadata":{"annotations":{"a":"b"}}}`, true},
		"the annotation is taken away": {types.MergePatchType, `{"metadata":{"annotations":{"slipway.dev/split":null}}}`, true},
		"the annotation is changed":    {types.MergePatchType, `{"metadata":{"annotations":{"slipway.dev/split":"v1"}}}`, true},
		"hostnames":                    {types.MergePatchType, `{"spec":{"hostnames":["other.example.com"]}}`, false},
		"a rule at the end":            {types.JSONPatchType, `[{"op":"add","path":"/spec/rules/-","value":{"matches":[{"path":{"type":"PathPrefix","value":"/x"}}],"backendRefs":[{"name":"legacy","port":80}]}}]`, false},
		"a rule at the front":          {types.JSONPatchType, `[{"op":"add","path":"/spec/rules/0","value":{"matches":[{"path":{"type":"PathPrefix","value":"/x"}}],"backendRefs":[{"name":"legacy","port":80}]}}]`, false},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			namespace := carrying(t, oneRule, split)
			before := liveRoute(t, namespace, "shop")
			if err := person.Patch(t.Context(), before.DeepCopy(), client.RawPatch(tc.patchType, []byte(tc.patch))); err != nil {
				t.Fatal(err)
			}
			live := liveRoute(t, namespace, "shop")
			if diff := cmp.Diff(before.Object["spec"], live.Object["spec"]); (diff == "") != tc.wantSame {
				t.Errorf("spec (-before +after):\n%s", diff)
			}
			again := render(t, live, traffic.Intent{Splits: []traffic.Split{split}})
			if diff := cmp.Diff(specAndAnnotations(again), specAndAnnotations(live)); diff != "" {
				t.Errorf("the operator would still change the route (-operator +guard):\n%s", diff)
			}
		})
	}
}

// TestGuardLetsTheOperatorThrough takes the split off, which nobody else can.
func TestGuardLetsTheOperatorThrough(t *testing.T) {
	namespace := carrying(t, oneRule, splitOf("checkout", "", shares("checkout", 95, "checkout-canary", 5)...))
	restored := render(t, liveRoute(t, namespace, "shop"), traffic.Intent{})
	if err := operator.Update(t.Context(), restored); err != nil {
		t.Fatal(err)
	}
	if text, on := liveRoute(t, namespace, "shop").GetAnnotations()[v1alpha1.SplitAnnotation]; on {
		t.Errorf("the split is still on the route: %s", text)
	}
}

// TestGuardDoesNotBlockWhatItCannotRead spoils the annotation, as the operator, and then writes as a person.
func TestGuardDoesNotBlockWhatItCannotRead(t *testing.T) {
	for _, spoilt := range []string{"", "nonsense", "v1\nsplit", "v1\nsplit a b c d e", "v1\nrule x", `{"a": 1}`} {
		t.Run(spoilt, func(t *testing.T) {
			namespace := carrying(t, oneRule, splitOf("checkout", "", shares("checkout", 95, "checkout-canary", 5)...))
			route := liveRoute(t, namespace, "shop")
			route.SetAnnotations(map[string]string{v1alpha1.SplitAnnotation: spoilt})
			if err := operator.Update(t.Context(), route); err != nil {
				t.Fatal(err)
			}
			own := routeOf(t, namespace, `[{backendRefs: [{name: legacy, port: 80}]}]`)
			own.SetResourceVersion(route.GetResourceVersion())
			if err := person.Update(t.Context(), own); err != nil {
				t.Errorf("the write is refused: %v", err)
			}
		})
	}
}

// TestGuardManagesTheLargestRoute is about the API server's budget for expressions.
func TestGuardManagesTheLargestRoute(t *testing.T) {
	filters := `filters: [{type: RequestHeaderModifier, requestHeaderModifier: {set: [{name: x-arm, value: v}]}}]`
	var rules strings.Builder
	rules.WriteString("[")
	for i := range 16 {
		fmt.Fprintf(&rules, "{matches: [{path: {value: /%d}}], backendRefs: [{name: checkout, port: 80, weight: 3, %s}, {name: cart, port: 80}", i, filters)
		for j := range 10 {
			fmt.Fprintf(&rules, ", {name: other-%d, port: 80, weight: %d}", j, j)
		}
		rules.WriteString("]},")
	}
	rules.WriteString("]")
	splits := []traffic.Split{
		splitOf("checkout", "", append(shares("checkout", 90, "checkout-canary", 9), traffic.Backend{Name: "checkout-stable-hold", Weight: 1})...),
		splitOf("cart", "", shares("cart", 2, "cart-canary", 1)...),
	}
	namespace := carrying(t, rules.String(), splits...)
	own := routeOf(t, namespace, rules.String())
	own.SetResourceVersion(liveRoute(t, namespace, "shop").GetResourceVersion())
	if err := person.Update(t.Context(), own); err != nil {
		t.Fatal(err)
	}
	live := liveRoute(t, namespace, "shop")
	if diff := cmp.Diff(specAndAnnotations(render(t, live, traffic.Intent{Splits: splits})), specAndAnnotations(live)); diff != "" {
		t.Errorf("the operator would still change the route (-operator +guard):\n%.3000s", diff)
	}
}
