package envoygateway

import (
	"encoding/json"
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

const plainRoute = `{apiVersion: gateway.networking.k8s.io/v1, kind: HTTPRoute, metadata: {name: shop, namespace: shop, labels: {app: shop}},
  spec: {parentRefs: [{kind: Gateway, name: a}, {kind: Gateway, name: b}], rules: [{name: pay, RULE backendRefs: [{name: checkout, port: 80}]}]}}`

func policyText(name, target, spec string) string {
	return `{apiVersion: gateway.envoyproxy.io/v1alpha1, kind: BackendTrafficPolicy, metadata: {name: ` + name + `, namespace: shop}, spec: {` + target + spec + `}}`
}

// TestRenderRefuses has something of a user's own in the way of a policy.
func TestRenderRefuses(t *testing.T) {
	onRoute := "targetRefs: [{group: gateway.networking.k8s.io, kind: HTTPRoute, name: shop}]"
	onGateway := func(name string) string {
		return "targetRefs: [{group: gateway.networking.k8s.io, kind: Gateway, name: " + name + "}]"
	}
	full := traffic.Retry{
		Name: "r", UID: "r1", Retries: new(int32(2)), Triggers: []v1alpha1.RetryTrigger{v1alpha1.RetryConnectFailure}, Request: time.Second,
		Budget: &traffic.Budget{Percent: 20},
	}
	perSecond := full
	perSecond.Budget = &traffic.Budget{Percent: 20, MinPerSecond: new(int32(3))}
	tests := map[string]struct {
		rule          string
		objects       []string
		retry         traffic.Retry
		notInstalled  bool
		wantReason    traffic.Refusal
		wantSays      string
		wantSupported bool
	}{
		"nothing in the way": {retry: full, wantSupported: true},
		"a user's own policy on the route": {
			retry: full, objects: []string{policyText("mine", onRoute, ", retry: {numRetries: 5}")}, wantReason: traffic.Conflicted, wantSays: "BackendTrafficPolicy mine",
		},
		"a user's own policy that selects the route": {
			retry: full, objects: []string{policyText("mine", "targetSelectors: [{kind: HTTPRoute, matchLabels: {app: shop}}]", "")},
			wantReason: traffic.Conflicted, wantSays: "BackendTrafficPolicy mine",
		},
		"a rule's own retry":         {retry: full, rule: "retry: {attempts: 1},", wantReason: traffic.Conflicted, wantSays: "has retry of its own"},
		"a rule's own timeout":       {retry: full, rule: "timeouts: {request: 1s},", wantReason: traffic.Conflicted, wantSays: "timeouts.request"},
		"a timeout for each try":     {retry: full, rule: "timeouts: {backendRequest: 1s},", wantReason: traffic.Conflicted, wantSays: "timeouts.backendRequest"},
		"a budget that counts rates": {retry: perSecond, wantSays: "use budget.minConcurrent"},
		"CRDs that are not there":    {retry: full, notInstalled: true, wantSays: "apply Envoy Gateway's CRDs"},
		"Gateways with different limits": {
			retry: full, wantReason: traffic.Conflicted, wantSays: "different circuit breakers",
			objects: []string{policyText("a", onGateway("a"), ", circuitBreaker: {maxConnections: 5}"), policyText("b", onGateway("b"), ", circuitBreaker: {maxConnections: 6}")},
		},
		"Gateways with the same limits": {
			retry: full, wantSupported: true,
			objects: []string{policyText("a", onGateway("a"), ", circuitBreaker: {maxConnections: 5}"), policyText("b", onGateway("b"), ", circuitBreaker: {maxConnections: 5}")},
		},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			seen := traffic.Seen{Target: object(t, strings.Replace(plainRoute, "RULE", tc.rule, 1))}
			seen.Controllers = []string{gatewayapi.EnvoyGateway}
			if !tc.notInstalled {
				seen.APIs = map[string]traffic.API{traffic.APIName(PolicyKind.GroupKind()): {}}
			}
			for _, text := range tc.objects {
				seen.Objects = append(seen.Objects, object(t, text))
			}
			_, err := Router{}.Render(seen, traffic.Intent{Retries: []traffic.Retry{tc.retry}})
			if (err == nil) != tc.wantSupported {
				t.Fatalf("err = %v", err)
			}
			if refused, ok := errors.AsType[*traffic.RefusedError](err); tc.wantReason != "" && (!ok || refused.Reason != tc.wantReason) {
				t.Errorf("err = %v, want %s", err, tc.wantReason)
			}
			if err != nil && !strings.Contains(err.Error(), tc.wantSays) {
				t.Errorf("message %q does not say %q", err, tc.wantSays)
			}
		})
	}
}

// TestAppliedWaitsForEnvoyGateway follows what Envoy Gateway says of a policy.
func TestAppliedWaitsForEnvoyGateway(t *testing.T) {
	accepted := func(status string, generation int) string {
		return `{ancestors: [{conditions: [{type: Accepted, status: "` + status + `", reason: Why, message: because, observedGeneration: ` + string(rune('0'+generation)) + `}]}]}`
	}
	tests := map[string]struct {
		status string
		want   traffic.State
		cause  traffic.Cause
	}{
		"no answer":                   {`{}`, traffic.Unknown, traffic.DataPlanePending},
		"an answer for an older one":  {accepted("True", 1), traffic.Unknown, traffic.DataPlanePending},
		"a refusal":                   {accepted("False", 2), traffic.False, traffic.DataPlaneRefused},
		"taken up, and still settles": {accepted("True", 2), traffic.Unknown, traffic.Settling},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			intent := traffic.Intent{Retries: []traffic.Retry{{Name: "r", UID: "r1", Retries: new(int32(0))}}}
			seen := traffic.Seen{Target: object(t, strings.Replace(plainRoute, "RULE", "", 1))}
			seen.Target.Object["status"] = accepts("a", "b")
			seen.Controllers = []string{gatewayapi.EnvoyGateway}
			seen.APIs = map[string]traffic.API{traffic.APIName(PolicyKind.GroupKind()): {}}
			r, err := Router{}.Render(seen, intent)
			if err != nil {
				t.Fatal(err)
			}
			seen = seen.With(r)
			seen.Objects[0].SetGeneration(2)
			seen.Objects[0].Object["status"] = decoded(t, tc.status)
			if v := (Router{}).Applied(seen, intent); v.State != tc.want || v.Cause != tc.cause {
				t.Errorf("verdict is %s %s: %s", v.State, v.Cause, v.Message)
			}
			seen.Objects[0].Object["spec"].(map[string]any)["retry"] = map[string]any{"numRetries": int64(7)}
			if v := (Router{}).Applied(seen, intent); v.Cause != traffic.WrittenOver {
				t.Errorf("written over, the verdict is %s %s", v.State, v.Cause)
			}
		})
	}
}

func accepts(parents ...string) any {
	var out []any
	for _, name := range parents {
		yes := func(kind string) any { return map[string]any{"type": kind, "status": "True"} }
		out = append(out, map[string]any{
			"parentRef": map[string]any{"kind": "Gateway", "name": name}, "controllerName": gatewayapi.EnvoyGateway,
			"conditions": []any{yes("Accepted"), yes("ResolvedRefs")},
		})
	}
	return map[string]any{"parents": out}
}

func decoded(t *testing.T, text string) any {
	t.Helper()
	raw, err := yaml.YAMLToJSON([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	var out any
	if err := json.Unmarshal(raw, &out); err != nil {
		t.Fatal(err)
	}
	return out
}
