package gatewayapi

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"slipway.dev/slipway/api/v1alpha1"
	"slipway.dev/slipway/internal/traffic"
)

func observedOn(controllers ...string) traffic.Observed {
	return traffic.Observed{Controllers: controllers, APIs: map[string]traffic.API{
		"HTTPRoute.gateway.networking.k8s.io": {Bundle: "v1.6.1", Channel: "experimental", Fields: OptionalFields},
	}}
}

func matching8(backend string) []traffic.Match {
	var out []traffic.Match
	for i := range 8 {
		out = append(out, traffic.Match{Backend: backend, Headers: []traffic.Pair{{Name: "x-beta", Value: fmt.Sprint(i)}}})
	}
	return out
}

func split(change func(*traffic.Split)) traffic.Intent {
	s := canarySplit(1, 95, 5)
	change(&s)
	return intentOf(s)
}

func retry(change func(*traffic.Retry)) traffic.Intent {
	r := traffic.Retry{Name: "r", UID: "r1", Retries: new(int32(2)), Codes: []int32{503}, AllMethods: true}
	change(&r)
	return traffic.Intent{Retries: []traffic.Retry{r}}
}

// TestRenderRefuses renders what cannot be, and wants a reason and a message that says where and what to do.
func TestRenderRefuses(t *testing.T) {
	one := `[{name: pay, backendRefs: [{name: checkout, port: 80}]}]`
	withMatch := func(s *traffic.Split) {
		s.Matches = []traffic.Match{{Backend: "checkout-canary", Headers: []traffic.Pair{{Name: "X-Beta", Value: "1"}}}}
	}
	pinned := func(s *traffic.Split) {
		s.Affinity = traffic.Pinned(traffic.Cookie{Name: "c", Round: "r"}, []traffic.Draw{{Number: 1, Backends: s.Backends}})
	}
	on := func(c string) traffic.Observed { return observedOn(c) }
	standard := observedOn(EnvoyGateway)
	standard.APIs = map[string]traffic.API{"HTTPRoute.gateway.networking.k8s.io": {Bundle: "v1.6.1", Channel: "standard", Fields: []string{"rules.name"}}}
	noMirror := observedOn(EnvoyGateway)
	noMirror.Features = []string{"Gateway", "HTTPRoute"}
	authorization := policyOn(t, "SecurityPolicy", "pay")
	tests := map[string]struct {
		rules    string
		intent   traffic.Intent
		observed traffic.Observed
		objects  []*unstructured.Unstructured
		// wantReason is of a RefusedError, wantMissing of an UnsupportedError.
		wantReason  traffic.Refusal
		wantMissing []traffic.Capability
		wantSays    []string
	}{
		"a retry that the Standard channel would drop": {
			intent: retry(func(*traffic.Retry) {}), observed: standard, wantMissing: []traffic.Capability{traffic.Retries, traffic.RetryStatusCodes},
			wantSays: []string{"(retries)", "v1.6.1, channel standard", "install 1.7 or later"},
		},
		"a kind of failure that has no code": {
			intent:   retry(func(r *traffic.Retry) { r.Triggers = []v1alpha1.RetryTrigger{v1alpha1.RetryGatewayError} }),
			observed: on(EnvoyGateway), wantMissing: []traffic.Capability{traffic.RetryGatewayError}, wantSays: []string{"triggers: GatewayError"},
		},
		"503 that Envoy Gateway adds where no code is listed": {
			intent: retry(func(r *traffic.Retry) {
				r.Codes, r.AllMethods, r.Triggers = nil, false, []v1alpha1.RetryTrigger{v1alpha1.RetryConnectFailure}
			}),
			observed: on(EnvoyGateway), wantReason: traffic.RetriesMore, wantSays: []string{"Envoy Gateway", "503", "methods: All"},
		},
		"resets that Cilium adds": {
			intent: retry(func(r *traffic.Retry) {
				r.Codes, r.AllMethods, r.Triggers = nil, false, []v1alpha1.RetryTrigger{v1alpha1.RetryConnectFailure}
			}),
			observed: on("io.cilium/gateway-controller"), wantReason: traffic.RetriesMore, wantSays: []string{"Cilium", "Reset"},
		},
		"a mirror on Traefik": {
			intent:   split(func(s *traffic.Split) { s.Mirror = &traffic.Mirror{Backend: "b", Percent: 100} }),
			observed: on("traefik.io/gateway-controller"), wantMissing: []traffic.Capability{traffic.MirrorRequests}, wantSays: []string{"Traefik", "(mirror)", "answer every request with an error"},
		},
		"timeouts on NGINX Gateway Fabric": {
			intent:   traffic.Intent{Retries: []traffic.Retry{{Name: "r", Request: time.Second}}},
			observed: on("gateway.nginx.org/nginx-gateway-controller"), wantMissing: []traffic.Capability{traffic.RequestTimeout}, wantSays: []string{"timeouts.request"},
		},
		"a share of one in a million on NGINX Gateway Fabric": {
			intent: intentOf(canarySplit(1, 999_999, 1)), observed: on("gateway.nginx.org/nginx-gateway-controller"),
			wantReason: traffic.WeightResolution, wantSays: []string{"checkout-canary would get 0% instead of 0.0001%", "multiples of 0.01%"},
		},
		"what one of two data planes does not do": {
			intent:   split(func(s *traffic.Split) { s.Mirror = &traffic.Mirror{Backend: "b", Percent: 100} }),
			observed: observedOn(EnvoyGateway, "konghq.com/kic-gateway-controller"), wantMissing: []traffic.Capability{traffic.MirrorRequests}, wantSays: []string{"Kong"},
		},
		"a mirror that the GatewayClass does not list": {
			intent:   split(func(s *traffic.Split) { s.Mirror = &traffic.Mirror{Backend: "b", Percent: 100} }),
			observed: noMirror, wantMissing: []traffic.Capability{traffic.MirrorRequests}, wantSays: []string{"supportedFeatures"},
		},
		"more rules than 16": {
			rules:  `[{name: pay, backendRefs: [{name: checkout}]}, {name: b, backendRefs: [{name: checkout}]}]`,
			intent: split(func(s *traffic.Split) { s.Matches = matching8("checkout-canary") }), observed: on(EnvoyGateway),
			wantReason: traffic.TooManyRules, wantSays: []string{"need 16 rules beside the 2", "allows 16", "sectionName"},
		},
		"somebody's authorization on the rule": {
			intent: split(withMatch), observed: on(EnvoyGateway), objects: []*unstructured.Unstructured{authorization},
			wantReason: traffic.PolicyTargetsRule, wantSays: []string{"SecurityPolicy locked", "rule pay", "whole route"},
		},
		"affinity beside another backend": {
			rules: `[{name: pay, backendRefs: [{name: checkout}, {name: legacy}]}]`, intent: split(pinned), observed: on(EnvoyGateway),
			wantReason: traffic.Conflicted, wantSays: []string{"affinity", "legacy"},
		},
		"a condition on a header that the rule has one on": {
			rules:  `[{matches: [{headers: [{name: x-beta, value: "2"}]}], backendRefs: [{name: checkout}]}]`,
			intent: split(withMatch), observed: on(EnvoyGateway), wantReason: traffic.Conflicted, wantSays: []string{"header X-Beta"},
		},
		"matches that Gateway API would reorder": {
			intent: split(func(s *traffic.Split) {
				s.Matches = []traffic.Match{
					{Backend: "a", Headers: []traffic.Pair{{Name: "a", Value: "1"}}},
					{Backend: "b", Headers: []traffic.Pair{{Name: "b", Value: "1"}, {Name: "c", Value: "1"}}},
				}
			}),
			observed: on(EnvoyGateway), wantReason: traffic.Conflicted, wantSays: []string{"matches[1]", "put it first"},
		},
		"four cookies": {
			intent: split(func(s *traffic.Split) {
				s.Matches = []traffic.Match{{Backend: "a", Cookies: cookies("a", "b", "c", "d")}}
			}),
			observed: on(EnvoyGateway), wantReason: traffic.TooManyCookies, wantSays: []string{"matches[].cookies"},
		},
		"a rule's own retry": {
			rules: `[{retry: {attempts: 1}, backendRefs: [{name: checkout}]}]`, intent: retry(func(*traffic.Retry) {}), observed: on(EnvoyGateway),
			wantReason: traffic.Conflicted, wantSays: []string{"rule 0", "retry of its own"},
		},
		"a rule's own timeouts": {
			rules: `[{timeouts: {request: 1s}, backendRefs: [{name: checkout}]}]`, intent: retry(func(r *traffic.Retry) { r.Request = time.Second }), observed: on(EnvoyGateway),
			wantReason: traffic.Conflicted, wantSays: []string{"timeouts.request of its own"},
		},
		"a rule that is not there": {
			intent: retry(func(r *traffic.Retry) { r.SectionName = "away" }), observed: on(EnvoyGateway), wantReason: traffic.NotFound, wantSays: []string{"no rule with the name away"},
		},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			if tc.rules == "" {
				tc.rules = one
			}
			_, err := Router{}.Render(traffic.Seen{Target: routeWith(t, tc.rules), Objects: tc.objects, Observed: tc.observed}, tc.intent)
			if refused, ok := errors.AsType[*traffic.RefusedError](err); tc.wantReason != "" && (!ok || refused.Reason != tc.wantReason) {
				t.Fatalf("err = %v, want %s", err, tc.wantReason)
			}
			unsupported, ok := errors.AsType[*traffic.UnsupportedError](err)
			for _, c := range tc.wantMissing {
				if !ok || !slices.Contains(unsupported.Missing, string(c)) {
					t.Fatalf("err = %v, want %s to be missing", err, c)
				}
			}
			for _, says := range tc.wantSays {
				if !strings.Contains(err.Error(), says) {
					t.Errorf("message %q does not say %q", err, says)
				}
			}
		})
	}
}

func policyOn(t *testing.T, kind, section string) *unstructured.Unstructured {
	t.Helper()
	return parsed(t, map[string]any{
		"apiVersion": "gateway.envoyproxy.io/v1alpha1", "kind": kind, "metadata": map[string]any{"name": "locked", "namespace": "shop"},
		"spec": map[string]any{"targetRefs": []any{map[string]any{"group": group, "kind": "HTTPRoute", "name": "shop", "sectionName": section}}},
	})
}

// TestWhatSomebodyWroteIsTheirs renders what a route has beside shares, has somebody write, and renders again.
func TestWhatSomebodyWroteIsTheirs(t *testing.T) {
	intent := split(func(s *traffic.Split) {
		s.Sequence = 2
		s.Mirror = &traffic.Mirror{Backend: "shadow", Percent: 5}
		s.Matches = []traffic.Match{{Backend: "checkout-canary", Headers: []traffic.Pair{{Name: "x-beta", Value: "1"}}}}
	})
	intent.Retries = []traffic.Retry{{Name: "r", UID: "r1", Request: time.Second}}
	user := `[{name: pay, backendRefs: [{name: checkout, port: 80, weight: 1}]}]`
	mine := `[{name: pay, filters: [{type: X}], backendRefs: [{name: checkout, port: 80, weight: 1}]}, {name: new, backendRefs: [{name: other}]}]`
	for name, written := range map[string]string{"the same list from Git": user, "another list from Git": mine} {
		t.Run(name, func(t *testing.T) {
			live := mustRender(t, routeWith(t, user), intent)
			if WrittenOver(live) {
				t.Fatal("what was rendered counts as written over")
			}
			live = withRules(t, live, written)
			if !WrittenOver(live) {
				t.Error("a route without its rules does not count as written over")
			}
			again := mustRender(t, live, intent)
			want := mustRender(t, routeWith(t, written), intent)
			if again.Object["spec"] == nil || !slices.Equal(names(again), names(want)) {
				t.Errorf("rules are %v, want %v", names(again), names(want))
			}
			restored := mustRender(t, again, traffic.Intent{})
			if got, want := fmt.Sprint(restored.Object["spec"]), fmt.Sprint(routeWith(t, written).Object["spec"]); got != want {
				t.Errorf("restored:\n%s\nwant:\n%s", got, want)
			}
		})
	}
}

func names(route *unstructured.Unstructured) []string {
	var out []string
	for _, rule := range rulesOf(route) {
		out = append(out, text(rule, "name"))
	}
	return out
}

func cookies(names ...string) []traffic.Pair {
	var out []traffic.Pair
	for _, name := range names {
		out = append(out, traffic.Pair{Name: name, Value: "1"})
	}
	return out
}
