package envoygateway

import (
	"reflect"
	"slices"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"slipway.dev/slipway/api/v1alpha1"
	"slipway.dev/slipway/internal/traffic"
	"slipway.dev/slipway/internal/traffic/gatewayapi"
)

// triggers are the retry conditions of Envoy.
var triggers = map[v1alpha1.RetryTrigger]string{
	v1alpha1.RetryConnectFailure:     "connect-failure",
	v1alpha1.RetryRefusedStream:      "refused-stream",
	v1alpha1.RetryGatewayError:       "gateway-error",
	v1alpha1.RetryReset:              "reset",
	v1alpha1.RetryResetBeforeRequest: "reset-before-request",
	v1alpha1.RetryServerError:        "5xx",
	v1alpha1.RetryRetriable4xx:       "retriable-4xx",
}

var statuses = map[v1alpha1.GRPCStatus]string{
	v1alpha1.GRPCCancelled:         "cancelled",
	v1alpha1.GRPCDeadlineExceeded:  "deadline-exceeded",
	v1alpha1.GRPCInternal:          "internal",
	v1alpha1.GRPCResourceExhausted: "resource-exhausted",
	v1alpha1.GRPCUnavailable:       "unavailable",
}

// policyFor is the BackendTrafficPolicy for one retry policy. It is merged into that of the Gateway, if there is one:
// without mergeType it would stand in its place, and take away what it says of rate limits, balancing and so on.
func policyFor(seen traffic.Seen, route *unstructured.Unstructured, retry traffic.Retry) (*unstructured.Unstructured, error) {
	spec := map[string]any{"targetRefs": targets(route, retry.SectionName), "mergeType": "StrategicMerge"}
	if written := retrySpec(retry); written != nil {
		spec["retry"] = written
	}
	if retry.Request > 0 {
		spec["timeout"] = map[string]any{"http": map[string]any{"requestTimeout": traffic.FormatDuration(retry.Request)}}
	}
	if retry.Budget != nil {
		breaker, err := breakerSpec(seen, *retry.Budget)
		if err != nil {
			return nil, err
		}
		spec["circuitBreaker"] = breaker
	}
	return traffic.Generate(seen, traffic.Intent{Retries: []traffic.Retry{retry}}, PolicyKind, traffic.GeneratedName(route, retry.SectionName), spec), nil
}

// targets are the route, or the rule and those that are derived from it.
func targets(route *unstructured.Unstructured, section string) []any {
	to := func(section string) any {
		ref := map[string]any{"group": "gateway.networking.k8s.io", "kind": route.GetKind(), "name": route.GetName()}
		if section != "" {
			ref["sectionName"] = section
		}
		return ref
	}
	out := []any{to(section)}
	if section == "" {
		return out
	}
	for _, name := range gatewayapi.DerivedFrom(route, section) {
		out = append(out, to(name))
	}
	return out
}

// retrySpec is the retry of a BackendTrafficPolicy, or nil if the policy says nothing about retries.
func retrySpec(retry traffic.Retry) map[string]any {
	if retry.Retries == nil {
		return nil
	}
	out := map[string]any{"numRetries": int64(*retry.Retries)}
	if !retry.On() {
		return out
	}
	var on []any
	for _, t := range retry.Triggers {
		on = append(on, triggers[t])
	}
	for _, s := range retry.Statuses {
		on = append(on, statuses[s])
	}
	conditions := map[string]any{}
	if len(retry.Codes) > 0 {
		var codes []any
		for _, c := range retry.Codes {
			codes = append(codes, int64(c))
		}
		conditions["httpStatusCodes"] = codes
		on = append(on, "retriable-status-codes") // without it the codes mean nothing
	}
	conditions["triggers"] = on
	out["retryOn"] = conditions
	if each := perRetry(retry); each != nil {
		out["perRetry"] = each
	}
	return out
}

func perRetry(retry traffic.Retry) map[string]any {
	out := map[string]any{}
	if retry.PerTry > 0 {
		out["timeout"] = traffic.FormatDuration(retry.PerTry)
	}
	backoff := map[string]any{}
	if retry.BackoffBase > 0 {
		backoff["baseInterval"] = traffic.FormatDuration(retry.BackoffBase)
	}
	if retry.BackoffMax > 0 {
		backoff["maxInterval"] = traffic.FormatDuration(retry.BackoffMax)
	}
	if len(backoff) > 0 {
		out["backOff"] = backoff
	}
	if len(out) == 0 {
		return nil
	}
	return out
}

// limits are the fields of a circuit breaker that the API server fills in with 1024 where they are absent.
var limits = []string{"maxConnections", "maxPendingRequests", "maxParallelRequests", "maxParallelRetries"}

// breakerSpec is a circuit breaker with a budget. The limits beside it are those of the Gateway's own policy: the API
// server would fill others in, and these would win when both are merged.
func breakerSpec(seen traffic.Seen, budget traffic.Budget) (map[string]any, error) {
	own := map[string]any{"percent": map[string]any{"numerator": int64(budget.Percent), "denominator": int64(100)}}
	if budget.MinConcurrent != nil {
		own["minRetryConcurrency"] = int64(*budget.MinConcurrent)
	}
	out := map[string]any{}
	for n, policy := range ofParents(seen) {
		spec, _ := policy.Object["spec"].(map[string]any)
		breaker, _ := spec["circuitBreaker"].(map[string]any)
		inherited := map[string]any{}
		for _, limit := range limits {
			if value, ok := breaker[limit]; ok {
				inherited[limit] = value
			}
		}
		if n > 0 && !reflect.DeepEqual(out, inherited) {
			return nil, traffic.Refused(traffic.Conflicted, "budget: the BackendTrafficPolicies of the route's Gateways have different circuit breakers, beside which one budget for the route cannot be written; "+
				"make them the same, or take budget out")
		}
		out = inherited
	}
	out["retryBudget"] = own
	return out, nil
}

// ofParents are the BackendTrafficPolicies of others that are attached to a parent of the route.
func ofParents(seen traffic.Seen) []*unstructured.Unstructured {
	parents, _, _ := unstructured.NestedSlice(seen.Target.Object, "spec", "parentRefs")
	var out []*unstructured.Unstructured
	for _, obj := range slices.Concat(seen.Of(PolicyKind.GroupKind()), seen.Elsewhere) {
		if traffic.KindOf(obj) != PolicyKind.GroupKind() || traffic.IsGenerated(obj) {
			continue
		}
		if slices.ContainsFunc(parents, func(p any) bool {
			parent, _ := p.(map[string]any)
			return gatewayapi.IsAttachedToParent(obj, parent, seen.Target.GetNamespace())
		}) {
			out = append(out, obj)
		}
	}
	return out
}
