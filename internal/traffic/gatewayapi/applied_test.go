package gatewayapi

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"slipway.dev/slipway/internal/traffic"
)

// answered is a route that carries the split and that Envoy Gateway has accepted at generation 3.
func answered(t *testing.T, split traffic.Split, edit func(conditions map[string]map[string]any)) *unstructured.Unstructured {
	t.Helper()
	route := mustRender(t, routeWith(t, `[{backendRefs: [{name: checkout, port: 80}]}]`), intentOf(split))
	route.SetGeneration(3)
	conditions := map[string]map[string]any{}
	for _, kind := range []string{"Accepted", "ResolvedRefs"} {
		conditions[kind] = map[string]any{"type": kind, "status": "True", "reason": kind, "observedGeneration": int64(3)}
	}
	if edit != nil {
		edit(conditions)
	}
	var list []any
	for _, c := range conditions {
		list = append(list, c)
	}
	route.Object["spec"].(map[string]any)["parentRefs"] = []any{map[string]any{"name": "eg"}}
	route.Object["status"] = map[string]any{"parents": []any{
		map[string]any{"parentRef": map[string]any{"name": "eg"}, "controllerName": "example.com/somebody-else", "conditions": []any{}},
		map[string]any{
			"parentRef":      map[string]any{"group": "gateway.networking.k8s.io", "kind": "Gateway", "namespace": "shop", "name": "eg"},
			"controllerName": EnvoyGateway, "conditions": list,
		},
	}}
	return route
}

func TestApplied(t *testing.T) {
	now := time.Unix(1000, 0)
	ready := map[string]int{"checkout": 3, "checkout-canary": 1}
	split := canarySplit(4, 95, 5)
	tests := map[string]struct {
		edit      func(conditions map[string]map[string]any)
		rewrite   func(route *unstructured.Unstructured)
		observed  traffic.Observed
		wantState traffic.State
		wantCause traffic.Cause
		wantGood  bool
		wantWake  time.Duration
	}{
		"everything in order for long enough": {
			observed: traffic.Observed{ReadyEndpoints: ready, GoodSince: now.Add(-SettleTime)}, wantState: traffic.True, wantGood: true,
		},
		"everything in order for the first time": {
			observed: traffic.Observed{ReadyEndpoints: ready}, wantCause: traffic.Settling, wantGood: true, wantWake: SettleTime,
		},
		"half of the settle time is left": {
			observed:  traffic.Observed{ReadyEndpoints: ready, GoodSince: now.Add(-SettleTime / 2)},
			wantCause: traffic.Settling, wantGood: true, wantWake: SettleTime / 2,
		},
		"not accepted": {
			edit:      func(c map[string]map[string]any) { c["Accepted"]["status"] = "False" },
			observed:  traffic.Observed{ReadyEndpoints: ready},
			wantState: traffic.False, wantCause: traffic.DataPlaneRefused,
		},
		"backends are not resolved": {
			edit:      func(c map[string]map[string]any) { c["ResolvedRefs"]["status"] = "False" },
			observed:  traffic.Observed{ReadyEndpoints: ready},
			wantState: traffic.False, wantCause: traffic.DataPlaneRefused,
		},
		"the answer is about an older generation": {
			edit:      func(c map[string]map[string]any) { c["Accepted"]["observedGeneration"] = int64(2) },
			observed:  traffic.Observed{ReadyEndpoints: ready},
			wantCause: traffic.DataPlanePending,
		},
		"a refusal of an older generation is no answer": {
			edit: func(c map[string]map[string]any) {
				c["Accepted"]["status"], c["Accepted"]["observedGeneration"] = "False", int64(2)
			},
			observed:  traffic.Observed{ReadyEndpoints: ready},
			wantCause: traffic.DataPlanePending,
		},
		"a condition is missing": {
			edit:      func(c map[string]map[string]any) { delete(c, "ResolvedRefs") },
			observed:  traffic.Observed{ReadyEndpoints: ready},
			wantCause: traffic.DataPlanePending,
		},
		"only a part was taken": {
			edit: func(c map[string]map[string]any) {
				c["PartiallyInvalid"] = map[string]any{"type": "PartiallyInvalid", "status": "True", "message": "Dropped Rule 1"}
			},
			observed:  traffic.Observed{ReadyEndpoints: ready},
			wantState: traffic.False, wantCause: traffic.DataPlaneRefused,
		},
		"only a stranger has answered": {
			rewrite: func(route *unstructured.Unstructured) {
				route.Object["status"] = map[string]any{"parents": []any{map[string]any{"parentRef": map[string]any{"name": "eg"}, "controllerName": "x"}}}
			},
			observed:  traffic.Observed{ReadyEndpoints: ready},
			wantCause: traffic.DataPlanePending,
		},
		"one of two parents has not answered": {
			rewrite: func(route *unstructured.Unstructured) {
				route.Object["spec"].(map[string]any)["parentRefs"] = []any{map[string]any{"name": "eg"}, map[string]any{"name": "eg", "sectionName": "https"}}
			},
			observed:  traffic.Observed{ReadyEndpoints: ready},
			wantCause: traffic.DataPlanePending,
		},
		"no ready endpoints behind the canary": {
			observed:  traffic.Observed{ReadyEndpoints: map[string]int{"checkout": 3}},
			wantState: traffic.False, wantCause: traffic.NoReadyEndpoints,
		},
		"a canary on its way out needs no endpoints": {
			observed:  traffic.Observed{ReadyEndpoints: map[string]int{"checkout": 3}, Leaving: []string{"checkout-canary"}, GoodSince: now.Add(-time.Hour)},
			wantState: traffic.True, wantGood: true,
		},
		"somebody wrote other weights": {
			rewrite: func(route *unstructured.Unstructured) {
				refsOf(rulesOf(route)[0])[0]["weight"] = int64(1)
			},
			observed:  traffic.Observed{ReadyEndpoints: ready},
			wantState: traffic.False, wantCause: traffic.WrittenOver,
		},
		"an older record is on the route": {
			rewrite: func(route *unstructured.Unstructured) {
				a := route.GetAnnotations()
				for k, v := range a {
					a[k] = strings.Replace(v, "u1/4", "u1/3", 1)
				}
				route.SetAnnotations(a)
			},
			observed:  traffic.Observed{ReadyEndpoints: ready},
			wantState: traffic.False, wantCause: traffic.NotWritten,
		},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			route := answered(t, split, tc.edit)
			if tc.rewrite != nil {
				tc.rewrite(route)
			}
			tc.observed.Now = now
			got := HTTPRoute{}.Applied(route, split, tc.observed)
			want := traffic.Verdict{State: tc.wantState, Cause: tc.wantCause, Good: tc.wantGood, Wake: tc.wantWake}
			if diff := cmp.Diff(want, got, cmpopts.IgnoreFields(traffic.Verdict{}, "Message")); diff != "" {
				t.Errorf("verdict (-want +got):\n%s", diff)
			}
			if (got.Message == "") != (got.State == traffic.True) {
				t.Errorf("message of %s is %q", got.State, got.Message)
			}
		})
	}
}

func TestOffers(t *testing.T) {
	tests := map[string]struct {
		controllers []string
		wantNamed   string
	}{
		"Envoy Gateway divides by weight":                   {controllers: []string{EnvoyGateway}},
		"two known data planes":                             {controllers: []string{EnvoyGateway, "istio.io/gateway-controller"}},
		"a route that nobody serves is refused":             {wantNamed: "no data plane serves"},
		"an unknown data plane is refused by its name":      {controllers: []string{"example.com/new"}, wantNamed: `"example.com/new"`},
		"a known data plane does not make up for the other": {controllers: []string{EnvoyGateway, "example.com/new"}, wantNamed: `"example.com/new"`},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			err := traffic.Require(Router{}, traffic.Seen{Target: routeWith(t, `[]`), Observed: traffic.Observed{Controllers: tc.controllers}}, intentOf(canarySplit(1, 9, 1)))
			var unsupported *traffic.UnsupportedError
			if errors.As(err, &unsupported) != (tc.wantNamed != "") {
				t.Fatalf("err = %v", err)
			}
			if unsupported != nil && !strings.Contains(unsupported.Router, tc.wantNamed) {
				t.Errorf("%q does not name %q", unsupported.Router, tc.wantNamed)
			}
		})
	}
}

func TestArmsOf(t *testing.T) {
	eg := func(merge bool, selector *metav1.LabelSelector) ClassFacts {
		return ClassFacts{
			Parents:       []ParentFacts{{Parent: "Gateway eg", Controller: EnvoyGateway, MergeBackends: merge, Selector: selector}},
			ServiceLabels: map[string]map[string]string{"checkout": {"merge": "yes"}},
		}
	}
	plain := `[{backendRefs: [{name: other, port: 80}]}, {backendRefs: [{name: checkout, port: 80}]}]`
	filtered := `[{backendRefs: [{name: checkout, port: 80, filters: [{type: RequestHeaderModifier}]}]}]`
	tests := map[string]struct {
		rules   string
		facts   ClassFacts
		want    map[string][]string
		wantWhy string
	}{
		"backends are merged across routes": {
			rules: plain, facts: eg(true, nil),
			want: map[string][]string{
				"checkout":        {"httproute/shop/shop/rule/1/backend/0", "service/shop/checkout/80/http"},
				"checkout-canary": {"httproute/shop/shop/rule/1/backend/1", "service/shop/checkout-canary/80/http"},
			},
		},
		"a filter on the user's backendRef gives each its cluster": {
			rules: filtered, facts: eg(false, nil),
			want: map[string][]string{
				"checkout":        {"httproute/shop/shop/rule/0/backend/0"},
				"checkout-canary": {"httproute/shop/shop/rule/0/backend/1"},
			},
		},
		"a filter goes before merging": {
			rules: filtered, facts: eg(true, nil),
			want: map[string][]string{
				"checkout":        {"httproute/shop/shop/rule/0/backend/0"},
				"checkout-canary": {"httproute/shop/shop/rule/0/backend/1"},
			},
		},
		"a filter on another backend of the rule changes that backend's cluster alone": {
			rules: `[{backendRefs: [{name: checkout, port: 80}, {name: other, port: 80, filters: [{type: RequestHeaderModifier}]}]}]`, facts: eg(true, nil),
			want: map[string][]string{
				"checkout":        {"httproute/shop/shop/rule/0/backend/0", "service/shop/checkout/80/http"},
				"checkout-canary": {"httproute/shop/shop/rule/0/backend/2", "service/shop/checkout-canary/80/http"},
			},
		},
		"neither":                               {rules: plain, facts: eg(false, nil), wantWhy: "mergeBackends"},
		"a selector that leaves the canary out": {rules: plain, facts: eg(true, &metav1.LabelSelector{MatchLabels: map[string]string{"merge": "yes"}}), wantWhy: "mergeBackends"},
		"another data plane":                    {rules: plain, facts: ClassFacts{Parents: []ParentFacts{{Controller: "traefik.io/gateway-controller"}}}, wantWhy: "traefik.io"},
		"no data plane":                         {rules: plain, wantWhy: "no data plane"},
		"no rule that sends to the split":       {rules: `[{backendRefs: [{name: other, port: 80}]}]`, facts: eg(true, nil), wantWhy: "no rule"},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			route := routeWith(t, tc.rules)
			split := canarySplit(4, 95, 5)
			for stage, live := range map[string]*unstructured.Unstructured{"before": route, "during": mustRender(t, route, intentOf(split))} {
				got := ArmsOf(live, split, tc.facts)
				if diff := cmp.Diff(tc.want, got.Clusters); diff != "" {
					t.Errorf("%s: clusters (-want +got):\n%s", stage, diff)
				}
				if !strings.Contains(got.Why, tc.wantWhy) || (tc.wantWhy == "") != (got.Why == "") {
					t.Errorf("%s: why is %q, want it to speak of %q", stage, got.Why, tc.wantWhy)
				}
			}
		})
	}
}

func TestRecordReadsWhatItWrites(t *testing.T) {
	text := "v1\nsplit checkout u1/4 checkout * checkout:95,checkout-canary:5\nsplit cart u2/1 cart pay cart:1\nrule 0 * checkout:1,/bucket:-\nrule 2 pay cart:7"
	r, err := parseRecord(text)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(text, r.String()); diff != "" {
		t.Errorf("record (-want +got):\n%s", diff)
	}
	for _, bad := range []string{"", "v2", "v1\nsplit", "v1\nsplit a u1 b * c:1", "v1\nsplit a u1/-1 b * c:1", "v1\nrule x * c:1", "v1\nrule 0 * c", "v1\nrule 0 * c:-5"} {
		if _, err := parseRecord(bad); err == nil {
			t.Errorf("%q was read as a record", bad)
		}
	}
}
