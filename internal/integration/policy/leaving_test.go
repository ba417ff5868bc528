package policy

import (
	"maps"
	"testing"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"slipway.dev/slipway/api/v1alpha1"
)

// weightsOf are the weights of the first rule of a route that has the name pay.
func (w world) weightsOf(route string) map[string]int64 {
	w.t.Helper()
	out := map[string]int64{}
	for _, item := range w.read(routeKind, route).Object["spec"].(map[string]any)["rules"].([]any) {
		rule := item.(map[string]any)
		if rule["name"] != "pay" {
			continue
		}
		for _, ref := range rule["backendRefs"].([]any) {
			r := ref.(map[string]any)
			out[r["name"].(string)] = r["weight"].(int64)
		}
	}
	return out
}

// TestASplitLeavesARouteWithAllThatItAdded names two routes, and then one. On the other the share, the match and the mirror
// go in the same write; what the data plane has to know of them stays until it has answered, and no longer.
func TestASplitLeavesARouteWithAllThatItAdded(t *testing.T) {
	w := newWorld(t, envoyGateway)
	route := w.create(shopRoute)
	w.create(`{apiVersion: gateway.networking.k8s.io/v1, kind: HTTPRoute, metadata: {name: other}, spec: {parentRefs: [{name: gw}], rules: [{name: pay, backendRefs: [{name: checkout, port: 80}]}]}}`)
	w.create(split(`routeRefs: [{name: shop, sectionName: pay}, {name: other}], backends: [{name: checkout, weight: 90}, {name: checkout-canary, weight: 10}],
	  matches: [{backend: checkout-canary, headers: [{name: x-beta, value: "yes"}]}], mirror: {backend: checkout-canary, percent: 10}`))
	shares := map[string]int64{"checkout": 90, "checkout-canary": 10}
	const derived = "slipway-checkout-pay-match-0"
	w.eventually("both routes carry the split", func() (bool, any) {
		w.answer()
		return maps.Equal(w.weightsOf("shop"), shares) && maps.Equal(w.weightsOf("other"), shares) && w.headers(derived) == "x-beta", w.weightsOf("shop")
	})
	w.answer()
	w.splitCondition("checkout", v1alpha1.ConditionReady, metav1.ConditionTrue, "Applied")

	w.edit(splitKind, "checkout", func(spec map[string]any) { spec["routeRefs"] = []any{map[string]any{"name": "other"}} })
	w.eventually("users are off at once", func() (bool, any) {
		feather := maps.Equal(w.weightsOf("shop"), map[string]int64{"checkout": 999_999, "checkout-canary": 1})
		return feather && w.headers(derived) == "x-beta,X-Slipway-Dormant" && w.rule("pay")["filters"] == nil, w.rule("pay")
	})
	w.splitCondition("checkout", v1alpha1.ConditionTrafficApplied, metav1.ConditionUnknown, "DataPlanePending")
	left := &v1alpha1.TrafficSplit{}
	w.convert(w.read(splitKind, "checkout"), left)
	if l := left.Status.Run.Leaving; len(l) != 1 || l[0].Name != "shop" || l[0].DataPlane != v1alpha1.DataPlaneEnvoyGateway {
		t.Errorf("leaving is %v, want shop by the data plane that served it", l)
	}
	if w.rule(derived) == nil || len(w.weightsOf("shop")) != 2 {
		t.Error("the route is not waited for")
	}
	w.eventually("the route is what its user wrote", func() (bool, any) {
		w.answer()
		live := w.read(routeKind, "shop")
		return cmp.Equal(live.Object["spec"], route.Object["spec"]) && len(live.GetAnnotations()) == 0, live
	})
	w.answer()
	w.splitCondition("checkout", v1alpha1.ConditionReady, metav1.ConditionTrue, "Applied")
	if got := w.weightsOf("other"); !maps.Equal(got, shares) {
		t.Errorf("the other route carries %v", got)
	}
	run := &v1alpha1.TrafficSplit{}
	w.convert(w.read(splitKind, "checkout"), run)
	if left := run.Status.Run.Leaving; len(left) != 0 {
		t.Errorf("still leaving: %v", left)
	}
}
