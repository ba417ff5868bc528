package envoygateway

import (
	"fmt"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"slipway.dev/slipway/internal/traffic"
	"slipway.dev/slipway/internal/traffic/gatewayapi"
)

// inTheWay is what of a user's own would win over a policy, or be lost by it: a BackendTrafficPolicy on the same route, of
// which only the oldest counts, and a rule's own retry or timeouts, which count before any BackendTrafficPolicy.
func inTheWay(seen traffic.Seen, retries []traffic.Retry) error {
	for _, policy := range gatewayapi.AttachedTo(seen, PolicyKind.GroupKind()) {
		return traffic.Refused(traffic.Conflicted, "BackendTrafficPolicy %s is attached to %s %s, and Envoy Gateway follows one for each route; "+
			"move what it says to the Gateway's policy, or its retries and timeouts into the RetryPolicy, and remove it", policy.GetName(), seen.Target.GetKind(), seen.Target.GetName())
	}
	for i, rule := range gatewayapi.OwnRules(seen.Target) {
		name, _ := rule["name"].(string)
		retry, ok := traffic.RetryFor(retries, name)
		if !ok {
			continue
		}
		if field := inlineField(rule, retry); field != "" {
			return traffic.Refused(traffic.Conflicted, "rule %d of %s %s has %s of its own, which Envoy Gateway follows before any policy; take it out of the route",
				i, seen.Target.GetKind(), seen.Target.GetName(), field)
		}
	}
	return nil
}

// inlineField is the field of a rule that would win over what the policy says, or empty.
func inlineField(rule map[string]any, retry traffic.Retry) string {
	if _, own := rule["retry"]; own && (retry.Retries != nil) {
		return "retry"
	}
	timeouts, _ := rule["timeouts"].(map[string]any)
	for _, field := range []string{"request", "backendRequest"} {
		if _, own := timeouts[field]; own && retry.Request > 0 {
			return "timeouts." + field
		}
	}
	return ""
}

// takenUp says whether Envoy Gateway has accepted the newest generation of a policy, for every Gateway that it is for.
func takenUp(policy *unstructured.Unstructured) traffic.Verdict {
	ancestors, _, _ := unstructured.NestedSlice(policy.Object, "status", "ancestors")
	if len(ancestors) == 0 {
		return pending(policy)
	}
	for _, item := range ancestors {
		ancestor, _ := item.(map[string]any)
		conditions, _ := ancestor["conditions"].([]any)
		accepted := false
		for _, c := range conditions {
			condition, _ := c.(map[string]any)
			if condition["type"] != "Accepted" || observed(condition) < policy.GetGeneration() {
				continue
			}
			if condition["status"] != "True" {
				return traffic.Verdict{
					State: traffic.False, Cause: traffic.DataPlaneRefused,
					Message: fmt.Sprintf("Envoy Gateway says of BackendTrafficPolicy %s: %v: %v", policy.GetName(), condition["reason"], condition["message"]),
				}
			}
			accepted = true
		}
		if !accepted {
			return pending(policy)
		}
	}
	return traffic.Verdict{State: traffic.True, Good: true}
}

func pending(policy *unstructured.Unstructured) traffic.Verdict {
	return traffic.Verdict{
		State: traffic.Unknown, Cause: traffic.DataPlanePending,
		Message: "Envoy Gateway has not answered for the newest change of BackendTrafficPolicy " + policy.GetName(),
	}
}

func observed(condition map[string]any) int64 {
	switch g := condition["observedGeneration"].(type) {
	case int64:
		return g
	case float64:
		return int64(g)
	}
	return 0
}
