package policy

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"slipway.dev/slipway/api/v1alpha1"
)

var splitKind = schema.GroupVersionKind{Group: "slipway.dev", Version: "v1alpha1", Kind: "TrafficSplit"}

func split(spec string) string {
	return `{apiVersion: slipway.dev/v1alpha1, kind: TrafficSplit, metadata: {name: checkout}, spec: {serviceRef: {name: checkout}, ` + spec + `}}`
}

// rules are the names of a route's rules.
func (w world) rules() []string {
	w.t.Helper()
	var out []string
	for _, item := range w.read(routeKind, "shop").Object["spec"].(map[string]any)["rules"].([]any) {
		name, _ := item.(map[string]any)["name"].(string)
		out = append(out, name)
	}
	return out
}

// rule is a rule of the route by its name; nil if there is none.
func (w world) rule(name string) map[string]any {
	w.t.Helper()
	for _, item := range w.read(routeKind, "shop").Object["spec"].(map[string]any)["rules"].([]any) {
		if rule := item.(map[string]any); rule["name"] == name {
			return rule
		}
	}
	return nil
}

func (w world) headers(rule string) string {
	w.t.Helper()
	matches, _ := w.rule(rule)["matches"].([]any)
	if len(matches) == 0 {
		return ""
	}
	raw, _ := matches[0].(map[string]any)["headers"].([]any)
	var names []string
	for _, h := range raw {
		names = append(names, h.(map[string]any)["name"].(string))
	}
	return strings.Join(names, ",")
}

// TestMatchesComeAndGoDormant follows an A/B split: its rule is there before it takes requests, and after it took the last.
func TestMatchesComeAndGoDormant(t *testing.T) {
	w := newWorld(t, envoyGateway)
	route := w.create(shopRoute)
	w.create(split(`routeRefs: [{name: shop, sectionName: pay}], backends: [{name: checkout, weight: 1}],
	  matches: [{backend: checkout-canary, headers: [{name: x-beta, value: "yes"}]}], mirror: {backend: checkout-canary, percent: 10}`))
	const derived = "slipway-checkout-pay-match-0"
	w.eventually("a dormant rule", func() (bool, any) { return w.headers(derived) == "x-beta,X-Slipway-Dormant", w.rule(derived) })
	w.answer()
	w.eventually("an active rule", func() (bool, any) {
		return w.headers(derived) == "x-beta", w.read(splitKind, "checkout").Object["status"]
	})
	w.answer()
	w.splitCondition("checkout", v1alpha1.ConditionReady, metav1.ConditionTrue, "Applied")
	if filters := w.rule("pay")["filters"]; len(filters.([]any)) != 1 {
		t.Errorf("filters of the rule are %v", filters)
	}

	w.edit(routeKind, "shop", func(spec map[string]any) { spec["rules"] = spec["rules"].([]any)[:2] })
	w.eventually("rule is put back", func() (bool, any) { return w.rule(derived) != nil, w.rules() })

	w.edit(splitKind, "checkout", func(spec map[string]any) { delete(spec, "matches"); delete(spec, "mirror") })
	w.eventually("users are off at once", func() (bool, any) {
		return w.headers(derived) == "x-beta,X-Slipway-Dormant" && w.rule("pay")["filters"] == nil, w.rule(derived)
	})
	w.answer()
	w.eventually("the rule is gone", func() (bool, any) {
		return cmp.Equal(w.read(routeKind, "shop").Object["spec"].(map[string]any)["rules"], route.Object["spec"].(map[string]any)["rules"]), w.rules()
	})
	w.remove(splitKind, "checkout")
	w.eventually("split is gone", func() (bool, any) { w.answer(); return w.read(splitKind, "checkout") == nil, nil })
	if a := w.read(routeKind, "shop").GetAnnotations(); len(a) != 0 {
		t.Errorf("annotations are left: %v", a)
	}
}

// TestAffinityGrows has the share of the canary grow: who is on it stays, and the right part of stable's users is drawn anew.
func TestAffinityGrows(t *testing.T) {
	w := newWorld(t, envoyGateway)
	w.create(shopRoute)
	w.create(split(`routeRefs: [{name: shop, sectionName: pay}], backends: [{name: checkout, weight: 90}, {name: checkout-canary, weight: 10}], affinity: {cookie: {name: arm}}`))
	settle := func(canary int64) {
		w.eventually("the share is applied", func() (bool, any) {
			w.answer()
			refs := w.rule("pay")["backendRefs"].([]any)
			at := refs[len(refs)-1].(map[string]any)
			run := &v1alpha1.TrafficSplit{}
			w.convert(w.read(splitKind, "checkout"), run)
			return at["weight"] == canary && run.Status.Run.AppliedAt != nil && run.Status.Run.Rules == v1alpha1.SplitRulesActive, at
		})
	}
	settle(10)
	first := len(w.rules())
	w.edit(splitKind, "checkout", func(spec map[string]any) {
		backends := spec["backends"].([]any)
		backends[0].(map[string]any)["weight"], backends[1].(map[string]any)["weight"] = int64(75), int64(25)
	})
	settle(25)
	if now := len(w.rules()); now != first+1 {
		t.Errorf("%d rules, and then %d: %v", first, now, w.rules())
	}
	run := &v1alpha1.TrafficSplit{}
	w.convert(w.read(splitKind, "checkout"), run)
	if draws := run.Status.Run.Affinity.Draws; len(draws) != 3 {
		t.Errorf("draws are %v", draws)
	}
	w.remove(splitKind, "checkout")
	w.eventually("split is gone", func() (bool, any) { w.answer(); return w.read(splitKind, "checkout") == nil, w.rules() })
	if got := w.rules(); !cmp.Equal(got, []string{"pay", "rest"}) {
		t.Errorf("rules are %v", got)
	}
}

// TestAuthorizationOfARuleIsNotSlippedPast attaches somebody's policy to the rule.
func TestAuthorizationOfARuleIsNotSlippedPast(t *testing.T) {
	w := newWorld(t, envoyGateway)
	w.create(shopRoute)
	w.create(`{apiVersion: gateway.envoyproxy.io/v1alpha1, kind: SecurityPolicy, metadata: {name: locked}, spec: {targetRefs: [{group: gateway.networking.k8s.io, kind: HTTPRoute, name: shop, sectionName: pay}], authorization: {defaultAction: Deny}}}`)
	w.create(split(`routeRefs: [{name: shop}], backends: [{name: checkout, weight: 1}], matches: [{backend: checkout-canary, headers: [{name: x-beta, value: "yes"}]}]`))
	c := w.splitCondition("checkout", v1alpha1.ConditionAccepted, metav1.ConditionFalse, "PolicyTargetsRule")
	if !strings.Contains(c.Message, "SecurityPolicy locked") {
		t.Errorf("message %q does not name the policy", c.Message)
	}
	if got := w.rules(); !cmp.Equal(got, []string{"pay", "rest"}) {
		t.Errorf("rules are %v", got)
	}
	w.remove(schema.GroupVersionKind{Group: "gateway.envoyproxy.io", Version: "v1alpha1", Kind: "SecurityPolicy"}, "locked")
	w.splitCondition("checkout", v1alpha1.ConditionAccepted, metav1.ConditionTrue, "Accepted")
}

// TestOtherKindsOfRoutes splits the traffic of a GRPCRoute, a TCPRoute and a TLSRoute.
func TestOtherKindsOfRoutes(t *testing.T) {
	for _, kind := range []string{"GRPCRoute", "TCPRoute", "TLSRoute"} {
		t.Run(kind, func(t *testing.T) {
			w := newWorld(t, envoyGateway)
			hostnames := ""
			if kind == "TLSRoute" {
				hostnames = "hostnames: [a.example.com], "
			}
			w.create(`{apiVersion: gateway.networking.k8s.io/v1, kind: ` + kind + `, metadata: {name: shop}, spec: {` + hostnames + `parentRefs: [{name: gw}], rules: [{name: pay, backendRefs: [{name: checkout, port: 80}]}]}}`)
			w.create(split(`routeRefs: [{kind: ` + kind + `, name: shop}], backends: [{name: checkout, weight: 90}, {name: checkout-canary, weight: 10}]`))
			routes := schema.GroupVersionKind{Group: "gateway.networking.k8s.io", Version: "v1", Kind: kind}
			refs := func() []any {
				rule := w.read(routes, "shop").Object["spec"].(map[string]any)["rules"].([]any)[0].(map[string]any)
				return rule["backendRefs"].([]any)
			}
			w.eventually("a feather", func() (bool, any) { return len(refs()) == 2, refs() })
			w.remove(splitKind, "checkout")
			w.remove(routes, "shop")
			w.eventually("split is gone", func() (bool, any) { return w.read(splitKind, "checkout") == nil, nil })
		})
	}
}
