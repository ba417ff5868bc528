package istio

import (
	"errors"
	"net/http"
	"testing"
	"time"

	"slipway.dev/slipway/internal/traffic"
)

// TestRenderRefuses renders what cannot be, and wants a reason and a message that says where, and what to do.
func TestRenderRefuses(t *testing.T) {
	both := traffic.Intent{Splits: split().Splits, Retries: retry(budgetOf20).Retries}
	waypoint := func(status string) string {
		return `{apiVersion: gateway.networking.k8s.io/v1, kind: Gateway, metadata: {name: waypoint}, spec: {}, status: {conditions: [{type: Programmed, status: "` + status + `"}]}}`
	}
	labelled := `{apiVersion: v1, kind: Service, metadata: {name: checkout, labels: {istio.io/use-waypoint: waypoint}}, spec: {clusterIP: 10.96.0.7, ports: [{name: http, port: 80}]}}`
	tests := map[string]struct {
		target  string
		objects []string
		intent  traffic.Intent
		want    traffic.Refusal
		says    []string
	}{
		"no rule sends to the Service": {
			target: virtualServiceOf(`{hosts: [a.example.com], http: [{route: [{destination: {host: cart}}]}]}`), intent: split(),
			want: traffic.NotFound, says: []string{"routeRefs", "shop", "checkout"},
		},
		"the Service of another namespace is another": {
			target: virtualServiceOf(`{hosts: [a.example.com], http: [{route: [{destination: {host: checkout.bank.svc.cluster.local}}]}]}`), intent: split(), want: traffic.NotFound,
		},
		"no rule of that name": {
			target: simple, intent: split(func(s *traffic.Split) { s.SectionName = "buy" }), want: traffic.NotFound, says: []string{"buy"},
		},
		"no rule of that name for a policy": {
			target: simple, intent: retry(func(r *traffic.Retry) { r.SectionName = "buy" }), want: traffic.NotFound, says: []string{"sectionName", "buy"},
		},
		"nothing to retry": {
			target: virtualServiceOf(`{hosts: [a.example.com], tcp: [{route: [{destination: {host: checkout}}]}]}`), intent: retry(), want: traffic.NotFound, says: []string{"HTTP"},
		},
		"a split of another Service on a Service": {
			target: serviceTarget, intent: split(func(s *traffic.Split) { s.Service = "cart" }), want: traffic.NotFound, says: []string{"cart"},
		},
		"a subset": {
			target: virtualServiceOf(`{hosts: [a.example.com], http: [{route: [{destination: {host: checkout, subset: v1}}]}]}`), intent: split(),
			want: traffic.Conflicted, says: []string{"v1", "spec.http[0]", "subset"},
		},
		"retries of the user's": {
			target: virtualServiceOf(`{hosts: [checkout], http: [{name: pay, retries: {attempts: 1}, route: [{destination: {host: checkout}}]}]}`), intent: retry(),
			want: traffic.Conflicted, says: []string{"spec.http[0] (pay)", "retries"},
		},
		"a timeout of the user's": {
			target: virtualServiceOf(`{hosts: [checkout], http: [{timeout: 1s, route: [{destination: {host: checkout}}]}]}`), intent: retry(func(r *traffic.Retry) { r.Request = time.Second }),
			want: traffic.Conflicted, says: []string{"timeouts.request"},
		},
		"an old mirror of the user's": {
			target: virtualServiceOf(`{hosts: [checkout], http: [{mirror: {host: audit}, route: [{destination: {host: checkout}}]}]}`), intent: split(mirrored),
			want: traffic.Conflicted, says: []string{"mirrors"},
		},
		"a header that the rule wants otherwise": {
			target: virtualServiceOf(`{hosts: [checkout], http: [{match: [{headers: {X-BETA: {exact: "2"}}}], route: [{destination: {host: checkout}}]}]}`), intent: split(matching),
			want: traffic.Conflicted, says: []string{"X-BETA"},
		},
		"cookies that the rule matches itself": {
			target: virtualServiceOf(`{hosts: [checkout], http: [{match: [{headers: {cookie: {regex: ".*"}}}], route: [{destination: {host: checkout}}]}]}`), intent: split(cookied),
			want: traffic.Conflicted, says: []string{"cookie"},
		},
		"a Set-Cookie of the user's": {
			target: virtualServiceOf(`{hosts: [checkout], http: [{route: [{destination: {host: checkout}, headers: {response: {add: {set-cookie: a=b}}}}]}]}`), intent: split(pinned),
			want: traffic.Conflicted, says: []string{"headers.response.add.set-cookie"},
		},
		"affinity where others get a share": {
			target: virtualServiceOf(`{hosts: [checkout], http: [{route: [{destination: {host: checkout}, weight: 1}, {destination: {host: cart}, weight: 1}]}]}`), intent: split(pinned),
			want: traffic.Conflicted, says: []string{"affinity", "cart"},
		},
		"an EnvoyFilter for the rule": {
			target: simple, intent: split(matching), want: traffic.PolicyTargetsRule, says: []string{"authz", "pay"},
			objects: []string{`{apiVersion: networking.istio.io/v1alpha3, kind: EnvoyFilter, metadata: {name: authz}, spec: {configPatches: [{applyTo: HTTP_ROUTE, match: {routeConfiguration: {vhost: {route: {name: pay}}}}}]}}`},
		},
		"a code that Istio does not know": {
			target: simple, intent: retry(func(r *traffic.Retry) { r.Codes = []int32{503, 520, 599} }), want: unsupported, says: []string{"httpStatusCodes", "520, 599"},
		},
		"a longest pause": {
			target: simple, intent: retry(func(r *traffic.Retry) { r.BackoffMax = time.Second }), want: unsupported, says: []string{"backoff.max", "ten times"},
		},
		"a budget by rate": {
			target: simple, intent: retry(func(r *traffic.Retry) { r.Budget = &traffic.Budget{Percent: 1, MinPerSecond: new(int32(1))} }), want: unsupported, says: []string{"minConcurrent"},
		},
		"a rule of a Service": {
			target: serviceTarget, intent: split(func(s *traffic.Split) { s.SectionName = "pay" }), want: unsupported, says: []string{"sectionName"},
		},
		"matches for connections": {
			target: virtualServiceOf(`{hosts: [checkout], tcp: [{route: [{destination: {host: checkout}}]}]}`), intent: split(matching), want: unsupported, says: []string{"spec.tcp[0]", "matches[].headers"},
		},
		"no budget at all for few": {
			target: simple, intent: retry(func(r *traffic.Retry) { r.Budget = &traffic.Budget{Percent: 1, MinConcurrent: new(int32(0))} }), want: traffic.Conflicted, says: []string{"budget.minConcurrent", "1 or more"},
		},
		"a budget of the user's": {
			target: simple, intent: both, want: traffic.Conflicted, says: []string{"DestinationRule mine", "retryBudget"},
			objects: []string{destinationRuleOf("mine", `{host: checkout, trafficPolicy: {retryBudget: {percent: 5}}}`)},
		},
		"settings of ports replace a budget": {
			target: simple, intent: both, want: traffic.Conflicted, says: []string{"portLevelSettings"},
			objects: []string{destinationRuleOf("mine", `{host: checkout, trafficPolicy: {portLevelSettings: [{port: {number: 80}}]}}`)},
		},
		"a subset's budget": {
			target: simple, intent: both, want: traffic.Conflicted, says: []string{"v1"},
			objects: []string{destinationRuleOf("mine", `{host: checkout, subsets: [{name: v1, trafficPolicy: {retryBudget: {percent: 5}}}]}`)},
		},
		"two DestinationRules": {
			target: simple, intent: both, want: traffic.Conflicted, says: []string{"2 DestinationRules"},
			objects: []string{destinationRuleOf("a", `{host: checkout}`), destinationRuleOf("b", `{host: checkout.shop.svc.cluster.local}`)},
		},
		"a DestinationRule with a wildcard": {
			target: simple, intent: both, want: traffic.Conflicted, says: []string{"DestinationRule all", "*.shop.svc.cluster.local"},
			objects: []string{destinationRuleOf("all", `{host: "*.shop.svc.cluster.local", trafficPolicy: {tls: {mode: ISTIO_MUTUAL}}}`)},
		},
		"a budget where rules differ": {
			target: virtualServiceOf(`{hosts: [checkout], http: [{name: pay, route: [{destination: {host: checkout}}]}, {route: [{destination: {host: checkout}}]}]}`),
			intent: retry(budgetOf20, func(r *traffic.Retry) { r.SectionName = "pay" }), want: traffic.Conflicted, says: []string{"spec.http[0] (pay)", "spec.http[1]"},
		},
		"a budget for a host that is no Service here": {
			target: virtualServiceOf(`{hosts: [checkout], http: [{route: [{destination: {host: api.example.com}}]}]}`), intent: retry(budgetOf20), want: traffic.Conflicted, says: []string{"api.example.com"},
		},
		"an HTTPRoute for the Service": {
			target: simple, intent: split(), want: traffic.Conflicted, says: []string{"HTTPRoute checkout", "VirtualService shop"},
			objects: []string{`{apiVersion: gateway.networking.k8s.io/v1, kind: HTTPRoute, metadata: {name: checkout}, spec: {parentRefs: [{group: "", kind: Service, name: checkout}]}}`},
		},
		"a GRPCRoute for the Service that is the target": {
			target: serviceTarget, intent: split(), want: traffic.Conflicted, says: []string{"GRPCRoute checkout"},
			objects: []string{`{apiVersion: gateway.networking.k8s.io/v1, kind: GRPCRoute, metadata: {name: checkout}, spec: {parentRefs: [{group: "", kind: Service, name: checkout}]}}`},
		},
		"an HTTPRoute of Istio's for the host at a gateway": {
			target: virtualServiceOf(`{hosts: [shop.example.com], gateways: [ingress], http: [{route: [{destination: {host: checkout}}]}]}`), intent: split(), want: traffic.Conflicted,
			says:    []string{"HTTPRoute web", "shop.example.com"},
			objects: []string{`{apiVersion: gateway.networking.k8s.io/v1, kind: HTTPRoute, metadata: {name: web}, spec: {hostnames: [shop.example.com]}, status: {parents: [{controllerName: istio.io/gateway-controller}]}}`},
		},
		"a VirtualService for the Service that is the target": {
			target: serviceTarget, objects: []string{simple}, intent: split(), want: traffic.Conflicted, says: []string{"VirtualService shop", "instead of the Service"},
		},
		"two VirtualServices for a host": {
			target: simple, intent: split(), want: traffic.Conflicted, says: []string{"VirtualService other"},
			objects: []string{`{apiVersion: networking.istio.io/v1, kind: VirtualService, metadata: {name: other}, spec: {hosts: [checkout.shop.svc.cluster.local]}}`},
		},
		"a headless Service": {
			target: simple, intent: split(), want: traffic.NotReady, says: []string{"checkout-canary", "headless"},
			objects: []string{`{apiVersion: v1, kind: Service, metadata: {name: checkout-canary}, spec: {clusterIP: None}}`},
		},
		"a port that is not HTTP": {
			target: `{apiVersion: v1, kind: Service, metadata: {name: checkout}, spec: {clusterIP: 10.96.0.7, ports: [{name: http, port: 80}, {name: tcp-admin, port: 81}]}}`, intent: split(),
			want: traffic.NotReady, says: []string{"port 81", "tcp", "appProtocol"},
		},
		"a Service without HTTP, with a VirtualService for HTTP": {
			target: simple, intent: split(), want: traffic.NotReady, says: []string{"port 5432", "tcp"},
			objects: []string{`{apiVersion: v1, kind: Service, metadata: {name: checkout}, spec: {clusterIP: 10.96.0.7, ports: [{name: tcp-db, port: 5432}]}}`},
		},
		"a Sidecar that does not know the canary": {
			target: simple, intent: split(), want: traffic.NotReady, says: []string{"Sidecar default", "checkout-canary", "egress.hosts"},
			objects: []string{`{apiVersion: networking.istio.io/v1, kind: Sidecar, metadata: {name: default}, spec: {egress: [{hosts: ["istio-system/*", "./checkout.shop.svc.cluster.local"]}]}}`},
		},
		"ambient without a waypoint": {
			target: serviceTarget, objects: []string{inAmbient}, intent: split(), want: traffic.NotReady, says: []string{"without a waypoint", "istio.io/use-waypoint"},
		},
		"ambient without a waypoint, with a VirtualService": {
			target: simple, objects: []string{inAmbient, serviceTarget}, intent: split(), want: traffic.NotReady, says: []string{"without a waypoint"},
		},
		"a waypoint that is not there": {
			target: simple, objects: []string{inAmbient, labelled}, intent: split(), want: traffic.NotReady, says: []string{"does not exist"},
		},
		"a waypoint that does not work": {
			target: simple, objects: []string{inAmbient, labelled, waypoint("False")}, intent: split(), want: traffic.NotReady, says: []string{"not programmed"},
		},
		"a Service in ambient": {
			target: labelled, objects: []string{inAmbient, waypoint("True")}, intent: split(), want: traffic.NotReady, says: []string{"HTTPRoute", "dataPlane: GatewayAPI"},
		},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			seen := world(t, tc.target, tc.objects...)
			_, err := Router{}.Render(seen, tc.intent)
			if got := reasonOf(err); got != tc.want {
				t.Fatalf("reason %q, want %q: %v", got, tc.want, err)
			}
			says(t, err.Error(), tc.says...)
		})
	}
}

const unsupported traffic.Refusal = "Unsupported"

func reasonOf(err error) traffic.Refusal {
	if refused, ok := errors.AsType[*traffic.RefusedError](err); ok {
		return refused.Reason
	}
	if _, ok := errors.AsType[*traffic.UnsupportedError](err); ok {
		return unsupported
	}
	return ""
}

// TestRenderAccepts renders what looks like something that is refused.
func TestRenderAccepts(t *testing.T) {
	gatewayOnly := virtualServiceOf(`{hosts: [shop.example.com], gateways: [ingress], http: [{route: [{destination: {host: checkout}}]}]}`)
	for name, tc := range map[string]struct {
		target  string
		objects []string
		intent  traffic.Intent
	}{
		"a waypoint": {simple, []string{
			inAmbient,
			`{apiVersion: v1, kind: Service, metadata: {name: checkout, labels: {istio.io/use-waypoint: waypoint}}, spec: {clusterIP: 10.96.0.7}}`,
			`{apiVersion: gateway.networking.k8s.io/v1, kind: Gateway, metadata: {name: waypoint}, spec: {}, status: {conditions: [{type: Programmed, status: "True"}]}}`,
		}, split()},
		"a gateway sends to headless Services": {gatewayOnly, []string{`{apiVersion: v1, kind: Service, metadata: {name: checkout}, spec: {clusterIP: None}}`}, split()},
		"a gateway needs no waypoint":          {gatewayOnly, []string{inAmbient, serviceTarget}, split()},
		"somebody else's HTTPRoute for the host": {gatewayOnly, []string{
			`{apiVersion: gateway.networking.k8s.io/v1, kind: HTTPRoute, metadata: {name: web}, spec: {hostnames: [shop.example.com]}, status: {parents: [{controllerName: example.com/other}]}}`,
		}, split()},
		"an EnvoyFilter for another rule": {simple, []string{
			`{apiVersion: networking.istio.io/v1alpha3, kind: EnvoyFilter, metadata: {name: f}, spec: {configPatches: [{match: {routeConfiguration: {vhost: {route: {name: payroll}}}}}]}}`,
		}, split(matching)},
		"the header is what the rule wants already": {
			virtualServiceOf(`{hosts: [checkout], http: [{match: [{headers: {x-beta: {exact: "1"}}}], route: [{destination: {host: checkout}}]}]}`), nil, split(matching),
		},
		"a Sidecar that knows the namespace": {simple, []string{
			`{apiVersion: networking.istio.io/v1, kind: Sidecar, metadata: {name: default}, spec: {egress: [{hosts: ["istio-system/*", "./*"]}]}}`,
			`{apiVersion: networking.istio.io/v1, kind: Sidecar, metadata: {name: other}, spec: {egress: [{hosts: ["bank/*"]}]}}`,
		}, split()},
		"one port of several is HTTP": {simple, []string{
			`{apiVersion: v1, kind: Service, metadata: {name: checkout}, spec: {clusterIP: 10.96.0.7, ports: [{name: tcp-db, port: 5432}, {port: 80}]}}`,
		}, split()},
		"a DestinationRule for some callers alone": {simple, []string{destinationRuleOf("some", `{host: checkout, workloadSelector: {matchLabels: {a: b}}}`)}, retry(budgetOf20)},
	} {
		t.Run(name, func(t *testing.T) { mustRender(t, world(t, tc.target, tc.objects...), tc.intent) })
	}
}

// TestRegisteredCodes compares with Go's net/http, which is what Istio asks.
func TestRegisteredCodes(t *testing.T) {
	for code := int32(400); code < 600; code++ {
		if registered(code) != (http.StatusText(int(code)) != "") {
			t.Errorf("code %d: registered = %t", code, registered(code))
		}
	}
}

func TestOffers(t *testing.T) {
	seen := world(t, simple)
	seen.APIs = nil
	if _, err := (Router{}).Offers(seen); err == nil {
		t.Error("Istio is offered where it is not installed")
	}
	seen.APIs = map[string]traffic.API{traffic.APIName(virtualService.GroupKind()): {Versions: []string{"v1beta1"}}}
	if _, err := (Router{}).Offers(seen); err == nil {
		t.Error("an Istio without v1 is taken")
	}
	seen.APIs = map[string]traffic.API{traffic.APIName(virtualService.GroupKind()): {Versions: []string{"v1"}}}
	for _, intent := range []traffic.Intent{split(mirrored), retry(budgetOf20), retry(func(r *traffic.Retry) { r.BackoffBase = time.Second })} {
		_, err := Router{}.Render(seen, intent)
		if reasonOf(err) != unsupported {
			t.Errorf("a field that is not there is written: %v", err)
			continue
		}
		says(t, err.Error(), "newer Istio")
	}
	mustRender(t, seen, split())
}

func TestServes(t *testing.T) {
	for name, tc := range map[string]struct {
		target, namespace string
		want              bool
	}{
		"a VirtualService":              {simple, `{apiVersion: v1, kind: Namespace, metadata: {name: shop}}`, true},
		"a Service in the mesh":         {serviceTarget, withSidecars, true},
		"a Service in ambient":          {serviceTarget, inAmbient, true},
		"a Service of a revision":       {serviceTarget, `{apiVersion: v1, kind: Namespace, metadata: {name: shop, labels: {istio.io/rev: stable}}}`, true},
		"a Service outside":             {serviceTarget, `{apiVersion: v1, kind: Namespace, metadata: {name: shop}}`, false},
		"injection is off all the same": {serviceTarget, `{apiVersion: v1, kind: Namespace, metadata: {name: shop, labels: {istio.io/rev: stable, istio-injection: disabled}}}`, false},
		"another namespace is in":       {serviceTarget, `{apiVersion: v1, kind: Namespace, metadata: {name: bank, labels: {istio-injection: enabled}}}`, false},
	} {
		t.Run(name, func(t *testing.T) {
			why, got := Router{}.Serves(world(t, tc.target, tc.namespace))
			if got != tc.want || (got && why == "") {
				t.Errorf("serves = %t (%s)", got, why)
			}
		})
	}
}
