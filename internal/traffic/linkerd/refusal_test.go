package linkerd

import (
	"errors"
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"

	"slipway.dev/slipway/api/v1alpha1"
	"slipway.dev/slipway/internal/traffic"
	"slipway.dev/slipway/internal/traffic/gatewayapi"
)

func object(t *testing.T, text string) *unstructured.Unstructured {
	t.Helper()
	raw, err := yaml.YAMLToJSON([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	out := &unstructured.Unstructured{}
	if err := out.UnmarshalJSON(raw); err != nil {
		t.Fatal(err)
	}
	return out
}

const (
	service = `{apiVersion: v1, kind: Service, metadata: {name: checkout, namespace: shop}, spec: {ports: [{port: 80}]}}`
	noted   = `{apiVersion: v1, kind: Service, metadata: {name: checkout, namespace: shop, annotations: {KEY: "1"}}, spec: {ports: [{port: 80}]}}`
	ofShop  = `{apiVersion: gateway.networking.k8s.io/v1, kind: HTTPRoute, metadata: {name: shop, namespace: shop, annotations: {NOTE}},
  spec: {parentRefs: [PARENT], rules: [{RULE backendRefs: [{name: BACKEND, port: 80}]}]}}`
)

func route(changes ...string) string {
	defaults := []string{"NOTE", "", "PARENT", `{group: "", kind: Service, name: checkout}`, "RULE", "", "BACKEND", "checkout"}
	return strings.NewReplacer(append(changes, defaults...)...).Replace(ofShop)
}

// annotated is the route or Service with an annotation.
func annotated(key string) (asRoute, asService string) {
	return route("NOTE", key+`: "1"`), strings.ReplaceAll(noted, "KEY", key)
}

func seenOf(t *testing.T, target string, objects ...string) traffic.Seen {
	t.Helper()
	seen := traffic.Seen{Target: object(t, target)}
	for _, o := range objects {
		seen.Objects = append(seen.Objects, object(t, o))
	}
	seen.Controllers = []string{gatewayapi.Linkerd}
	seen.APIs = map[string]traffic.API{traffic.APIName(RouteKind.GroupKind()): {Fields: []string{fieldName}}}
	return seen
}

func oneSplit(change func(*traffic.Split)) traffic.Intent {
	s := traffic.Split{
		Name: "checkout", UID: "u", Sequence: 2, Service: "checkout",
		Backends: []traffic.Backend{{Name: "checkout", Weight: 90}, {Name: "checkout-canary", Weight: 10}},
	}
	if change != nil {
		change(&s)
	}
	return traffic.Intent{Splits: []traffic.Split{s}}
}

func oneRetry(change func(*traffic.Retry)) traffic.Intent {
	r := traffic.Retry{Name: "checkout", UID: "r", Retries: new(int32(2)), Codes: []int32{503}, AllMethods: true}
	if change != nil {
		change(&r)
	}
	return traffic.Intent{Retries: []traffic.Retry{r}}
}

// TestRenderRefuses has what Linkerd cannot do, and what of a user's own stands in the way.
func TestRenderRefuses(t *testing.T) {
	retriedRoute, retriedService := annotated("retry.linkerd.io/http")
	timedRoute, timedService := annotated("timeout.linkerd.io/request")
	off := oneRetry(func(r *traffic.Retry) { r.Retries, r.Codes, r.AllMethods = new(int32(0)), nil, false })
	timed := oneRetry(func(r *traffic.Retry) { r.Request = time.Second })
	filtered := func(kind string) string { return route("RULE", "filters: [{type: "+kind+"}],") }
	noAPI := seenOf(t, service)
	noAPI.APIs = nil
	oldAPI := seenOf(t, service)
	oldAPI.APIs = map[string]traffic.API{traffic.APIName(RouteKind.GroupKind()): {}}
	matched := oneSplit(func(s *traffic.Split) {
		s.Matches = []traffic.Match{{Backend: "checkout-canary", Headers: []traffic.Pair{{Name: "x-beta", Value: "yes"}}}}
	})
	for name, tc := range map[string]struct {
		seen   traffic.Seen
		intent traffic.Intent
		// wantReason is empty where the data plane lacks something.
		wantReason traffic.Refusal
		wantSays   []string
	}{
		"a mirror":              {seenOf(t, service), oneSplit(func(s *traffic.Split) { s.Mirror = &traffic.Mirror{Backend: "checkout-canary", Percent: 100} }), "", []string{"mirror", "RequestMirror", "use another data plane"}},
		"a budget":              {seenOf(t, service), oneRetry(func(r *traffic.Retry) { r.Budget = &traffic.Budget{Percent: 20} }), "", []string{"budget.percent", "ServiceProfiles", "take budget out"}},
		"a backoff":             {seenOf(t, service), oneRetry(func(r *traffic.Retry) { r.BackoffBase = time.Second }), "", []string{"backoff.base", "25ms to 250ms"}},
		"a failed connection":   {seenOf(t, service), oneRetry(func(r *traffic.Retry) { r.Triggers = []v1alpha1.RetryTrigger{v1alpha1.RetryConnectFailure} }), "", []string{"ConnectFailure", "use httpStatusCodes"}},
		"a policy for one rule": {seenOf(t, route()), oneRetry(func(r *traffic.Retry) { r.SectionName = "pay" }), "", []string{"targetRefs[].sectionName", "whole route"}},
		"gRPC on an HTTPRoute":  {seenOf(t, route()), oneRetry(func(r *traffic.Retry) { r.Statuses = []v1alpha1.GRPCStatus{v1alpha1.GRPCUnavailable} }), "", []string{"grpcStatuses", "GRPCRoute"}},
		"affinity": {seenOf(t, service), oneSplit(func(s *traffic.Split) {
			s.Affinity = traffic.Pinned(traffic.Cookie{Name: "c"}, []traffic.Draw{{Number: 1, Backends: s.Backends}})
		}), "", []string{"affinity"}},
		"no HTTPRoute installed":     {noAPI, oneSplit(nil), "", []string{"HTTPRoute is not installed"}},
		"an HTTPRoute without names": {oldAPI, matched, "", []string{"install 1.4"}},

		"nothing but refused streams": {seenOf(t, service), oneRetry(func(r *traffic.Retry) {
			r.Codes, r.Triggers = nil, []v1alpha1.RetryTrigger{v1alpha1.RetryRefusedStream}
		}), traffic.NotReady, []string{"RefusedStream", "httpStatusCodes"}},
		"four cookies together":             {seenOf(t, service), oneSplit(func(s *traffic.Split) { s.Matches = []traffic.Match{{Backend: "b", Cookies: make([]traffic.Pair, 4)}} }), traffic.TooManyCookies, []string{"cookies"}},
		"a route of a Gateway":              {seenOf(t, route("PARENT", "{name: gw}")), oneSplit(nil), traffic.NotReady, []string{"gw", "set dataPlane"}},
		"a route without parents":           {seenOf(t, route("PARENT", "")), oneSplit(nil), traffic.NotReady, []string{"parentRefs"}},
		"a ServiceProfile":                  {seenOf(t, service, `{apiVersion: linkerd.io/v1alpha2, kind: ServiceProfile, metadata: {name: checkout.shop.svc.cluster.local, namespace: shop}}`), oneRetry(nil), traffic.Conflicted, []string{"ServiceProfile checkout.shop.svc.cluster.local"}},
		"a route of Linkerd's own":          {seenOf(t, service, strings.Replace(route(), "gateway.networking.k8s.io/v1", "policy.linkerd.io/v1beta3", 1)), oneSplit(nil), traffic.Conflicted, []string{"policy.linkerd.io"}},
		"a route that it drops":             {seenOf(t, service, filtered("URLRewrite")), oneSplit(nil), traffic.NotReady, []string{"URLRewrite", "shop"}},
		"a policy for one that it drops":    {seenOf(t, filtered("RequestMirror")), oneRetry(nil), traffic.NotReady, []string{"RequestMirror"}},
		"a backend's filter":                {seenOf(t, service, strings.Replace(route(), "port: 80}", "port: 80, filters: [{type: ExtensionRef}]}", 1)), oneSplit(nil), traffic.NotReady, []string{"ExtensionRef"}},
		"retries of the user's":             {seenOf(t, retriedService), oneRetry(nil), traffic.Conflicted, []string{"retry.linkerd.io/http", "Service checkout"}},
		"retries on a route of it":          {seenOf(t, service, retriedRoute), oneRetry(nil), traffic.Conflicted, []string{"retry.linkerd.io/http", "HTTPRoute shop"}},
		"off, below a Service that retries": {seenOf(t, route(), retriedService), off, traffic.Conflicted, []string{"Service checkout", "name the Service"}},
		"a timeout of the user's":           {seenOf(t, timedService), timed, traffic.Conflicted, []string{"timeout.linkerd.io/request"}},
		"a timeout on a route of it":        {seenOf(t, service, timedRoute), timed, traffic.Conflicted, []string{"timeout.linkerd.io/request", "HTTPRoute shop"}},
		"a timeout in a rule":               {seenOf(t, service, route("RULE", "timeouts: {request: 3s},")), timed, traffic.Conflicted, []string{"rule 0", "timeouts.request"}},
		"routes that send elsewhere":        {seenOf(t, service, route("BACKEND", "pay")), oneSplit(nil), traffic.NotFound, []string{"serviceRef", "checkout"}},
		"another Service than the mesh":     {seenOf(t, service), oneSplit(func(s *traffic.Split) { s.Service = "pay" }), traffic.NotFound, []string{"serviceRef", "pay"}},
		"no port":                           {seenOf(t, `{apiVersion: v1, kind: Service, metadata: {name: checkout, namespace: shop}, spec: {ports: [{port: 53, protocol: UDP}]}}`), oneSplit(nil), traffic.NotReady, []string{"TCP port"}},
		"matches beside a GRPCRoute":        {seenOf(t, service, strings.Replace(route(), "HTTPRoute", "GRPCRoute", 1)), matched, traffic.Conflicted, []string{"GRPCRoute shop", "take matches out"}},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Router{}.Render(tc.seen, tc.intent)
			if err == nil {
				t.Fatal("is not refused")
			}
			refused, isRefused := errors.AsType[*traffic.RefusedError](err)
			if _, lacks := errors.AsType[*traffic.UnsupportedError](err); lacks != (tc.wantReason == "") || (isRefused && refused.Reason != tc.wantReason) {
				t.Errorf("err = %v, want reason %q", err, tc.wantReason)
			}
			for _, want := range tc.wantSays {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("message %q does not say %q", err, want)
				}
			}
		})
	}
}

// TestOff has what switches retries off: an annotation that is nothing alone, and nothing beside it.
func TestOff(t *testing.T) {
	off := oneRetry(func(r *traffic.Retry) {
		r.Retries, r.Codes, r.AllMethods, r.Request = new(int32(0)), nil, false, time.Second
	})
	r, err := Router{}.Render(seenOf(t, service), off)
	if err != nil {
		t.Fatal(err)
	}
	for key := range r.Patched[0].GetAnnotations() {
		if strings.HasPrefix(key, retryPrefix) && key != retryLimit {
			t.Errorf("%s is written beside limit 0, which Linkerd then reads as 1", key)
		}
	}
}

// TestApplied follows what Linkerd says of the routes of a Service.
func TestApplied(t *testing.T) {
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	said := func(accepted string) any {
		condition := func(kind string) any {
			return map[string]any{"type": kind, "status": accepted, "reason": "Why", "message": "because", "observedGeneration": int64(2)}
		}
		return map[string]any{"parents": []any{map[string]any{
			"parentRef":      map[string]any{"group": "", "kind": "Service", "name": "checkout"},
			"controllerName": gatewayapi.Linkerd, "conditions": []any{condition("Accepted"), condition("ResolvedRefs")},
		}}}
	}
	for name, tc := range map[string]struct {
		status any
		ready  int
		good   time.Time
		want   traffic.State
		cause  traffic.Cause
	}{
		"no answer":             {nil, 1, now.Add(-time.Hour), traffic.Unknown, traffic.DataPlanePending},
		"refused":               {said("False"), 1, now.Add(-time.Hour), traffic.False, traffic.DataPlaneRefused},
		"nothing behind it":     {said("True"), 0, now.Add(-time.Hour), traffic.False, traffic.NoReadyEndpoints},
		"accepted just now":     {said("True"), 1, now, traffic.Unknown, traffic.Settling},
		"accepted, and settled": {said("True"), 1, now.Add(-time.Hour), traffic.True, ""},
	} {
		t.Run(name, func(t *testing.T) {
			seen := seenOf(t, service, route())
			r, err := Router{}.Render(seen, oneSplit(nil))
			if err != nil {
				t.Fatal(err)
			}
			seen = seen.With(r)
			seen.Objects[0].SetGeneration(2)
			seen.Objects[0].Object["status"] = tc.status
			seen.ReadyEndpoints, seen.Now, seen.GoodSince = map[string]int{"checkout-canary": tc.ready}, now, tc.good
			if v := (Router{}).Applied(seen, oneSplit(nil)); v.State != tc.want || v.Cause != tc.cause {
				t.Errorf("verdict is %s %s: %s", v.State, v.Cause, v.Message)
			}
		})
	}
}

func TestServes(t *testing.T) {
	installed := seenOf(t, service)
	installed.APIs[traffic.APIName(ServerKind.GroupKind())] = traffic.API{}
	other := seenOf(t, route())
	other.Controllers = []string{gatewayapi.EnvoyGateway}
	for name, tc := range map[string]struct {
		seen traffic.Seen
		want bool
	}{
		"a Service where Linkerd is installed": {installed, true},
		"a Service where it is not":            {seenOf(t, service), false},
		"a route that Linkerd answers for":     {seenOf(t, route()), true},
		"a route that something else serves":   {other, false},
	} {
		t.Run(name, func(t *testing.T) {
			if _, serves := (Router{}).Serves(tc.seen); serves != tc.want {
				t.Errorf("serves = %v", serves)
			}
		})
	}
}
