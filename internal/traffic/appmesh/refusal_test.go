package appmesh

import (
	"errors"
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"

	"slipway.dev/slipway/api/v1alpha1"
	"slipway.dev/slipway/internal/traffic"
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

func meshed(kind, name, spec string) string {
	return "{apiVersion: appmesh.k8s.aws/v1beta2, kind: " + kind + ", metadata: {name: " + name + ", namespace: shop}, spec: " + spec + "}"
}

func node(name, protocol string) string {
	return meshed("VirtualNode", name, "{listeners: [{portMapping: {port: 80, protocol: "+protocol+"}}]}")
}

// routed is a VirtualService with a router that has these routes.
func routed(routes string) []string {
	return []string{
		meshed("VirtualService", "checkout", "{provider: {virtualRouter: {virtualRouterRef: {name: r}}}}"),
		meshed("VirtualRouter", "r", "{routes: ["+routes+"]}"), node("checkout", "http"), node("checkout-canary", "http"),
	}
}

const (
	byNode = "{provider: {virtualNode: {virtualNodeRef: {name: checkout}}}}"
	action = "action: {weightedTargets: [{virtualNodeRef: {name: checkout}, weight: 1}]}"
)

func seenOf(t *testing.T, objects ...string) traffic.Seen {
	t.Helper()
	seen := traffic.Seen{Target: object(t, "{apiVersion: v1, kind: Service, metadata: {name: checkout, namespace: shop}, spec: {}}")}
	for _, o := range objects {
		seen.Objects = append(seen.Objects, object(t, o))
	}
	seen.APIs = map[string]traffic.API{traffic.APIName(RouterKind.GroupKind()): {}, traffic.APIName(ServiceKind.GroupKind()): {}}
	return seen
}

func ready(t *testing.T) traffic.Seen {
	t.Helper()
	return seenOf(t, meshed("VirtualService", "checkout", byNode), node("checkout", "http"), node("checkout-canary", "http"))
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
	r := traffic.Retry{Name: "checkout", UID: "r", Retries: new(int32(2)), Triggers: []v1alpha1.RetryTrigger{v1alpha1.RetryGatewayError}, AllMethods: true}
	if change != nil {
		change(&r)
	}
	return traffic.Intent{Retries: []traffic.Retry{r}}
}

func matched(matches ...traffic.Match) traffic.Intent {
	return oneSplit(func(s *traffic.Split) { s.Matches = matches })
}

func wanting(headers int) traffic.Match {
	m := traffic.Match{Backend: "checkout-canary"}
	for range headers {
		m.Headers = append(m.Headers, traffic.Pair{Name: "x", Value: "1"})
	}
	return m
}

// TestRenderRefuses has what App Mesh cannot do, and what of a user's own stands in the way.
func TestRenderRefuses(t *testing.T) {
	gone := ready(t)
	gone.APIs = nil
	calls := oneRetry(func(r *traffic.Retry) { r.Statuses = []v1alpha1.GRPCStatus{v1alpha1.GRPCUnavailable} })
	timed := oneRetry(func(r *traffic.Retry) { r.Request = time.Second })
	for name, tc := range map[string]struct {
		seen   traffic.Seen
		intent traffic.Intent
		// wantReason is empty where the data plane lacks something.
		wantReason traffic.Refusal
		wantSays   []string
	}{
		"a mirror":                {ready(t), oneSplit(func(s *traffic.Split) { s.Mirror = &traffic.Mirror{Backend: "b", Percent: 100} }), "", []string{"mirror", "VPC Lattice", "ended in September 2026"}},
		"codes":                   {ready(t), oneRetry(func(r *traffic.Retry) { r.Codes = []int32{503} }), "", []string{"httpStatusCodes", "use GatewayError"}},
		"a budget":                {ready(t), oneRetry(func(r *traffic.Retry) { r.Budget = &traffic.Budget{Percent: 20} }), "", []string{"budget.percent", "take budget out"}},
		"a backoff":               {ready(t), oneRetry(func(r *traffic.Retry) { r.BackoffBase = time.Second }), "", []string{"backoff.base"}},
		"a reset":                 {ready(t), oneRetry(func(r *traffic.Retry) { r.Triggers = []v1alpha1.RetryTrigger{v1alpha1.RetryReset} }), "", []string{"triggers: Reset", "GatewayError"}},
		"no CRDs":                 {gone, oneSplit(nil), "", []string{"not installed", "dataPlane: GatewayAPI", "5 header matches"}},
		"half a percent":          {ready(t), oneSplit(func(s *traffic.Split) { s.Backends[0].Weight, s.Backends[1].Weight = 995, 5 }), traffic.WeightResolution, []string{"backends", "0.5%", "1%"}},
		"a part of a small part":  {seenOf(t, routed(`{name: a, httpRoute: {match: {prefix: /}, action: {weightedTargets: [{virtualNodeRef: {name: checkout}, weight: 5}, {virtualNodeRef: {name: legacy}, weight: 95}]}}}`)...), oneSplit(nil), traffic.WeightResolution, []string{"4.5%"}},
		"no VirtualService":       {seenOf(t), oneSplit(nil), traffic.NotReady, []string{"VirtualService", "set dataPlane"}},
		"no provider":             {seenOf(t, meshed("VirtualService", "checkout", "{provider: {}}")), oneSplit(nil), traffic.NotReady, []string{"neither a VirtualRouter nor a VirtualNode"}},
		"two listeners":           {seenOf(t, meshed("VirtualService", "checkout", byNode), meshed("VirtualNode", "checkout", "{listeners: [{}, {}]}")), oneSplit(nil), traffic.NotReady, []string{"2 listeners"}},
		"no node of the canary":   {seenOf(t, meshed("VirtualService", "checkout", byNode), node("checkout", "http")), oneSplit(nil), traffic.NotReady, []string{"Service checkout-canary", "VirtualNode"}},
		"no node of the Service":  {seenOf(t, routed("")[:2]...), oneSplit(nil), traffic.NotReady, []string{"Service checkout", "VirtualNode"}},
		"a router to others":      {seenOf(t, routed(`{name: a, httpRoute: {match: {prefix: /}, action: {weightedTargets: [{virtualNodeRef: {name: legacy}, weight: 1}]}}}`)...), oneSplit(nil), traffic.Conflicted, []string{"no route", "VirtualNode checkout"}},
		"retries of tcp":          {seenOf(t, routed("{name: a, tcpRoute: {"+action+"}}")...), oneRetry(nil), traffic.NotReady, []string{"tcpRoute"}},
		"matches of tcp":          {seenOf(t, routed("{name: a, tcpRoute: {"+action+"}}")...), matched(wanting(1)), traffic.NotReady, []string{"tcpRoute", "take matches out"}},
		"gRPC on an httpRoute":    {ready(t), calls, traffic.NotReady, []string{"grpcStatuses", "no grpcRoute"}},
		"retries of the user's":   {seenOf(t, routed("{name: a, httpRoute: {match: {prefix: /}, retryPolicy: {}, "+action+"}}")...), oneRetry(nil), traffic.Conflicted, []string{"retryPolicy of its own"}},
		"a timeout of the user's": {seenOf(t, routed("{name: a, httpRoute: {match: {prefix: /}, timeout: {perRequest: {unit: s, value: 1}}, "+action+"}}")...), timed, traffic.Conflicted, []string{"timeout.perRequest of its own"}},
		"no room before a route":  {seenOf(t, routed("{name: a, priority: 0, httpRoute: {match: {prefix: /}, "+action+"}}")...), matched(wanting(1)), traffic.Conflicted, []string{"priorities", "give it a larger priority"}},
		"no room behind the last": {seenOf(t, routed("{name: z, priority: 1000, httpRoute: {match: {prefix: /z}}}, {name: a, httpRoute: {match: {prefix: /}, "+action+"}}")...), matched(wanting(1)), traffic.Conflicted, []string{"priorities"}},
		"eleven headers":          {ready(t), matched(wanting(11)), traffic.TooManyRules, []string{"11 header conditions", "10"}},
		"a long header":           {ready(t), matched(traffic.Match{Backend: "checkout-canary", Headers: []traffic.Pair{{Name: strings.Repeat("x", 51), Value: "1"}}}), traffic.TooManyRules, []string{"50 characters"}},
		"a long expression":       {ready(t), matched(traffic.Match{Backend: "checkout-canary", Cookies: []traffic.Pair{{Name: "a", Value: strings.Repeat("x", 250)}}}), traffic.TooManyRules, []string{"expressions of 255"}},
		"four cookies together":   {ready(t), matched(traffic.Match{Backend: "checkout-canary", Cookies: make([]traffic.Pair, 4)}), traffic.TooManyCookies, []string{"cookies"}},
		"eleven targets": {seenOf(t, append(routed("{name: a, httpRoute: {match: {prefix: /}, "+action+"}}"), node("b", "http"))...), oneSplit(func(s *traffic.Split) {
			s.Backends = nil
			for range 11 {
				s.Backends = append(s.Backends, traffic.Backend{Name: "b", Weight: 1})
			}
		}), traffic.TooManyRules, []string{"11 targets", "10"}},
		"many targets of the user's": {seenOf(t, routed("{name: a, httpRoute: {match: {prefix: /}, action: {weightedTargets: ["+
			strings.Repeat("{virtualNodeRef: {name: legacy}, weight: 0}, ", 9)+"{virtualNodeRef: {name: checkout}, weight: 1}]}}}")...), oneSplit(nil), traffic.TooManyRules, []string{"11 targets", "10"}},
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

// TestApplied says that App Mesh has ended, unless the controller still says otherwise.
func TestApplied(t *testing.T) {
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	said := func(status string, generation int64) any {
		return map[string]any{"observedGeneration": generation, "conditions": []any{map[string]any{"type": "VirtualRouterActive", "status": status}}}
	}
	for name, tc := range map[string]struct {
		status   any
		ready    int
		want     traffic.State
		cause    traffic.Cause
		wantSays string
	}{
		"no answer":              {nil, 1, traffic.Unknown, traffic.DataPlanePending, "VPC Lattice"},
		"an answer to an older":  {said("True", 1), 1, traffic.Unknown, traffic.DataPlanePending, "AWS ended App Mesh"},
		"not active":             {said("False", 2), 1, traffic.Unknown, traffic.DataPlanePending, "AWS ended App Mesh"},
		"active, nothing behind": {said("True", 2), 0, traffic.False, traffic.NoReadyEndpoints, ""},
		"active":                 {said("True", 2), 1, traffic.True, "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			seen := ready(t)
			r, err := Router{}.Render(seen, oneSplit(nil))
			if err != nil {
				t.Fatal(err)
			}
			r.Generated[0].SetGeneration(2)
			r.Generated[0].Object["status"] = tc.status
			seen = seen.With(r)
			seen.ReadyEndpoints, seen.Now, seen.GoodSince = map[string]int{"checkout-canary": tc.ready}, now, now.Add(-time.Hour)
			v := (Router{}).Applied(seen, oneSplit(nil))
			if v.State != tc.want || v.Cause != tc.cause || !strings.Contains(v.Message, tc.wantSays) {
				t.Errorf("verdict is %s %s: %s", v.State, v.Cause, v.Message)
			}
		})
	}
}

// TestServes finds the VirtualService by its name and by its name in AWS, and says that the service has ended.
func TestServes(t *testing.T) {
	for name, tc := range map[string]struct {
		seen traffic.Seen
		want bool
	}{
		"nothing":        {seenOf(t), false},
		"by name":        {ready(t), true},
		"by name in AWS": {seenOf(t, meshed("VirtualService", "other", "{awsName: checkout.shop.svc.cluster.local}")), true},
	} {
		t.Run(name, func(t *testing.T) {
			why, serves := (Router{}).Serves(tc.seen)
			if serves != tc.want || (serves && !strings.Contains(why, "ended in September 2026")) {
				t.Errorf("serves = %v, %q", serves, why)
			}
		})
	}
}
