package policy

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"slipway.dev/slipway/api/v1alpha1"
)

const (
	shopRoute = `{apiVersion: gateway.networking.k8s.io/v1, kind: HTTPRoute, metadata: {name: shop}, spec: {parentRefs: [{name: gw}],
  rules: [{name: pay, matches: [{path: {type: PathPrefix, value: /pay}}], backendRefs: [{name: checkout, port: 80}]}, {name: rest, backendRefs: [{name: checkout, port: 80}]}]}}`
	onShop = `targetRefs: [{group: gateway.networking.k8s.io, kind: HTTPRoute, name: shop}]`
	onPay  = `targetRefs: [{group: gateway.networking.k8s.io, kind: HTTPRoute, name: shop, sectionName: pay}]`
)

var policyKind = schema.GroupVersionKind{Group: "slipway.dev", Version: "v1alpha1", Kind: "RetryPolicy"}

func policy(name, spec string) string {
	return `{apiVersion: slipway.dev/v1alpha1, kind: RetryPolicy, metadata: {name: ` + name + `}, spec: {` + spec + `}}`
}

// TestRetryPolicyOnEnvoyGateway follows a policy from its creation to its deletion.
func TestRetryPolicyOnEnvoyGateway(t *testing.T) {
	w := newWorld(t, envoyGateway)
	route := w.create(shopRoute)
	w.create(policy("retries", onShop+`, retries: 2, triggers: [ConnectFailure, GatewayError], httpStatusCodes: [503], methods: All,
	  timeouts: {request: 1s, perTry: 250ms}, backoff: {base: 25ms, max: 250ms}, budget: {percent: 20, minConcurrent: 3}`))
	w.eventually("BackendTrafficPolicy", func() (bool, any) { return len(w.generated()) == 1, w.generated() })
	w.policyCondition("retries", v1alpha1.ConditionAccepted, metav1.ConditionTrue, "Accepted")
	w.policyCondition("retries", v1alpha1.ConditionReady, metav1.ConditionUnknown, "DataPlanePending")
	w.answer()
	w.policyCondition("retries", v1alpha1.ConditionReady, metav1.ConditionTrue, "Applied")

	generated := w.generated()[0]
	retry := generated.Object["spec"].(map[string]any)["retry"]
	want := map[string]any{
		"numRetries": int64(2),
		"perRetry":   map[string]any{"timeout": "250ms", "backOff": map[string]any{"baseInterval": "25ms", "maxInterval": "250ms"}},
		"retryOn":    map[string]any{"httpStatusCodes": []any{int64(503)}, "triggers": []any{"connect-failure", "gateway-error", "retriable-status-codes"}},
	}
	if diff := cmp.Diff(want, retry); diff != "" {
		t.Errorf("retry as stored (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(route.Object["spec"], w.read(routeKind, "shop").Object["spec"]); diff != "" {
		t.Errorf("the route was changed:\n%s", diff)
	}

	w.edit(trafficKind, generated.GetName(), func(spec map[string]any) { spec["retry"].(map[string]any)["numRetries"] = int64(9) })
	w.eventually("edit is put back", func() (bool, any) {
		spec := w.generated()[0].Object["spec"].(map[string]any)
		return cmp.Equal(spec["retry"], retry), spec
	})
	w.remove(trafficKind, generated.GetName())
	w.eventually("policy is made again", func() (bool, any) {
		again := w.generated()
		return len(again) == 1 && again[0].GetUID() != generated.GetUID(), again
	})

	w.remove(policyKind, "retries")
	w.eventually("everything is gone", func() (bool, any) {
		return len(w.generated()) == 0 && w.read(policyKind, "retries") == nil, w.generated()
	})
}

// TestPolicyForARule is beside one for the whole route.
func TestPolicyForARule(t *testing.T) {
	w := newWorld(t, envoyGateway)
	w.create(shopRoute)
	w.create(policy("whole", onShop+", retries: 0"))
	w.create(policy("rule", onPay+", retries: 1, triggers: [ConnectFailure]"))
	w.create(policy("away", `targetRefs: [{group: gateway.networking.k8s.io, kind: HTTPRoute, name: shop, sectionName: away}], retries: 0`))
	w.eventually("two BackendTrafficPolicies", func() (bool, any) { return len(w.generated()) == 2, len(w.generated()) })
	w.answer()
	w.policyCondition("whole", v1alpha1.ConditionReady, metav1.ConditionTrue, "Applied")
	w.policyCondition("rule", v1alpha1.ConditionReady, metav1.ConditionTrue, "Applied")
	if c := w.policyCondition("away", v1alpha1.ConditionAccepted, metav1.ConditionFalse, "TargetNotFound"); !strings.Contains(c.Message, "away") {
		t.Errorf("message %q does not name the rule", c.Message)
	}
}

// TestTheOlderPolicyHoldsTheTarget has two for the same one.
func TestTheOlderPolicyHoldsTheTarget(t *testing.T) {
	w := newWorld(t, envoyGateway)
	w.create(shopRoute)
	w.create(policy("a", onShop+", retries: 1, triggers: [ConnectFailure]"))
	w.policyCondition("a", v1alpha1.ConditionAccepted, metav1.ConditionTrue, "Accepted")
	w.create(policy("b", onShop+", retries: 2, triggers: [ConnectFailure]"))
	c := w.policyCondition("b", v1alpha1.ConditionAccepted, metav1.ConditionFalse, "Conflicted")
	if !strings.Contains(c.Message, "RetryPolicy a") {
		t.Errorf("message %q does not name the holder", c.Message)
	}
	w.remove(policyKind, "a")
	w.policyCondition("b", v1alpha1.ConditionAccepted, metav1.ConditionTrue, "Accepted")
	w.eventually("the other one's retries", func() (bool, any) {
		list := w.generated()
		if len(list) != 1 {
			return false, list
		}
		retry := list[0].Object["spec"].(map[string]any)["retry"].(map[string]any)
		return retry["numRetries"] == int64(2), retry
	})
}

// TestWhatAUserHasStays has something of a user's own in the way of a policy: it is refused, and nothing is written.
func TestWhatAUserHasStays(t *testing.T) {
	mine := `{apiVersion: gateway.envoyproxy.io/v1alpha1, kind: BackendTrafficPolicy, metadata: {name: NAME}, spec: {targetRefs: [{group: gateway.networking.k8s.io, kind: HTTPRoute, name: TARGET}], retry: {numRetries: 5}}}`
	for name, tc := range map[string]struct{ there, says string }{
		"a BackendTrafficPolicy on the route":  {strings.NewReplacer("NAME", "mine", "TARGET", "shop").Replace(mine), "BackendTrafficPolicy mine"},
		"an object of the name that is needed": {strings.NewReplacer("NAME", "slipway-httproute-shop", "TARGET", "other").Replace(mine), "slipway-httproute-shop"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, envoyGateway)
			w.create(shopRoute)
			there := w.create(tc.there)
			w.create(policy("retries", onShop+", retries: 1, triggers: [ConnectFailure]"))
			c := w.policyCondition("retries", v1alpha1.ConditionAccepted, metav1.ConditionFalse, "Conflicted")
			if !strings.Contains(c.Message, tc.says) {
				t.Errorf("message %q does not say %q", c.Message, tc.says)
			}
			if len(w.generated()) != 0 {
				t.Errorf("generated: %v", w.generated())
			}
			if now := w.read(trafficKind, there.GetName()); !cmp.Equal(now.Object["spec"], there.Object["spec"]) {
				t.Errorf("the user's own is %v", now.Object["spec"])
			}
			w.remove(trafficKind, there.GetName())
			w.policyCondition("retries", v1alpha1.ConditionAccepted, metav1.ConditionTrue, "Accepted")
		})
	}
}

// TestRetryInTheRoute is on a data plane that is configured by routes alone.
func TestRetryInTheRoute(t *testing.T) {
	w := newWorld(t, istio)
	route := w.create(shopRoute)
	w.create(policy("retries", onPay+", retries: 2, httpStatusCodes: [503], methods: All, timeouts: {request: 1500ms}, backoff: {base: 25ms}"))
	rule := func(i int) map[string]any {
		return w.read(routeKind, "shop").Object["spec"].(map[string]any)["rules"].([]any)[i].(map[string]any)
	}
	want := map[string]any{"attempts": int64(2), "codes": []any{int64(503)}, "backoff": "25ms"}
	w.eventually("retry in the rule", func() (bool, any) { return cmp.Equal(rule(0)["retry"], any(want)), rule(0) })
	if rule(1)["retry"] != nil {
		t.Errorf("the other rule has retries, too: %v", rule(1))
	}
	w.answer()
	w.policyCondition("retries", v1alpha1.ConditionReady, metav1.ConditionTrue, "Applied")
	if c := w.policyCondition("retries", v1alpha1.ConditionAccepted, metav1.ConditionTrue, "Accepted"); !strings.Contains(c.Message, "RefusedStream") {
		t.Errorf("message %q does not say what Istio adds", c.Message)
	}
	w.edit(routeKind, "shop", func(spec map[string]any) {
		delete(spec["rules"].([]any)[0].(map[string]any), "retry")
		spec["hostnames"] = []any{"shop.example.com"}
	})
	w.eventually("retry is put back", func() (bool, any) { return cmp.Equal(rule(0)["retry"], any(want)), rule(0) })

	w.create(policy("errors", `targetRefs: [{group: gateway.networking.k8s.io, kind: HTTPRoute, name: shop, sectionName: rest}], retries: 2, triggers: [GatewayError], methods: All`))
	w.policyCondition("errors", v1alpha1.ConditionAccepted, metav1.ConditionFalse, "UnsupportedByDataPlane")

	w.remove(policyKind, "retries")
	w.eventually("the route is its user's own", func() (bool, any) {
		now := w.read(routeKind, "shop")
		spec := now.Object["spec"].(map[string]any)
		return cmp.Equal(spec["rules"], route.Object["spec"].(map[string]any)["rules"]) && len(now.GetAnnotations()) == 0, now.Object
	})
	w.eventually("policy is gone", func() (bool, any) { return w.read(policyKind, "retries") == nil, nil })
}

// TestTheDataPlaneOfAPolicyChanges has retries move from a BackendTrafficPolicy into the route, and back.
func TestTheDataPlaneOfAPolicyChanges(t *testing.T) {
	w := newWorld(t, envoyGateway)
	w.create(shopRoute)
	w.create(policy("retries", onPay+", retries: 2, httpStatusCodes: [503], methods: All"))
	where := func() (inRoute bool, generated int) {
		return w.rule("pay")["retry"] != nil, len(w.generated())
	}
	plane := func(name string) {
		w.edit(policyKind, "retries", func(spec map[string]any) { spec["dataPlane"] = name })
	}
	wait := func(what string, wantInRoute bool, wantGenerated int) {
		w.eventually(what, func() (bool, any) {
			inRoute, generated := where()
			return inRoute == wantInRoute && generated == wantGenerated, fmt.Sprintf("in the route: %t, generated: %d", inRoute, generated)
		})
	}
	wait("a BackendTrafficPolicy", false, 1)
	plane("GatewayAPI")
	wait("retry in the route", true, 0)
	plane("EnvoyGateway")
	wait("a BackendTrafficPolicy again", false, 1)
	plane("Istio")
	w.policyCondition("retries", v1alpha1.ConditionAccepted, metav1.ConditionFalse, "UnsupportedByDataPlane")
	w.remove(policyKind, "retries")
	wait("nothing", false, 0)
	w.eventually("policy is gone", func() (bool, any) { return w.read(policyKind, "retries") == nil, nil })
}

// TestPolicyOnNothing names a route that does not exist, and one of a kind that nothing here carries.
func TestPolicyOnNothing(t *testing.T) {
	w := newWorld(t, envoyGateway)
	w.create(policy("early", onShop+", retries: 0"))
	w.policyCondition("early", v1alpha1.ConditionAccepted, metav1.ConditionFalse, "TargetNotFound")
	w.create(policy("mesh", `targetRefs: [{group: "", kind: Service, name: checkout}], retries: 0`))
	w.policyCondition("mesh", v1alpha1.ConditionAccepted, metav1.ConditionFalse, "TargetNotFound")
	w.create(shopRoute)
	w.policyCondition("early", v1alpha1.ConditionAccepted, metav1.ConditionTrue, "Accepted")
	for _, name := range []string{"early", "mesh"} {
		w.remove(policyKind, name)
		w.eventually("policy is gone", func() (bool, any) { return w.read(policyKind, name) == nil, nil })
	}
	var list v1alpha1.RetryPolicyList
	if err := server.List(t.Context(), &list, client.InNamespace(w.namespace)); err != nil || len(list.Items) != 0 {
		t.Errorf("policies are left: %v, %v", list.Items, err)
	}
}
