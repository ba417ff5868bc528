// Package envoygateway translates for Envoy Gateway: shares, matches, mirrors and affinity into the route itself, as
// gatewayapi does, and retries, timeouts and budgets into BackendTrafficPolicies. An HTTPRoute's own retry would retry more
// than it is asked to (refused streams, and 503 where it lists no codes), and never a try that timed out; a
// BackendTrafficPolicy says exactly what is wanted, on every version and channel of Gateway API. It is pure.
package envoygateway

import (
	"slices"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"slipway.dev/slipway/api/v1alpha1"
	"slipway.dev/slipway/internal/traffic"
	"slipway.dev/slipway/internal/traffic/gatewayapi"
)

// PolicyKind is the kind that retries are written into.
var PolicyKind = schema.GroupVersionKind{Group: "gateway.envoyproxy.io", Version: "v1alpha1", Kind: "BackendTrafficPolicy"}

// Router is the router for routes that Envoy Gateway serves.
type Router struct{}

var _ traffic.Router = Router{}

// DataPlane is the name by which users choose it.
func (Router) DataPlane() v1alpha1.DataPlane { return v1alpha1.DataPlaneEnvoyGateway }

// Takes says whether the kind is one of Gateway API's routes.
func (Router) Takes(target schema.GroupKind) bool { return gatewayapi.IsRoute(target) }

// Reads are the kinds that it wants to see beside a route: BackendTrafficPolicies, and what may be attached to a rule.
func (Router) Reads(kind schema.GroupKind) []schema.GroupVersionKind {
	return gatewayapi.Router{}.Reads(kind)
}

// Serves says whether Envoy Gateway, and nothing else, serves the route.
func (Router) Serves(seen traffic.Seen) (string, bool) {
	return "controllerName " + gatewayapi.EnvoyGateway, slices.Equal(seen.Controllers, []string{gatewayapi.EnvoyGateway})
}

// policyCapabilities is what a BackendTrafficPolicy says for requests of HTTP and gRPC.
var policyCapabilities = []traffic.Capability{
	traffic.Retries, traffic.RetryOff, traffic.RetryOfRule, traffic.RetryConnectFailure, traffic.RetryRefusedStream, traffic.RetryGatewayError,
	traffic.RetryReset, traffic.RetryResetBeforeRequest, traffic.RetryServerError, traffic.RetryRetriable4xx, traffic.RetryStatusCodes,
	traffic.RetryGRPCStatuses, traffic.RetryAllMethods, traffic.RetryTimedOutTry, traffic.RequestTimeout, traffic.PerTryTimeout,
	traffic.BackoffBase, traffic.BackoffMax, traffic.BudgetPercent, traffic.BudgetMinConcurrent,
}

// Capabilities are what a route and a BackendTrafficPolicy can say together.
func (Router) Capabilities(kind schema.GroupKind) []traffic.Capability {
	out := slices.Clone(gatewayapi.Router{}.Capabilities(kind))
	if carriesRequests(kind) {
		out = append(out, policyCapabilities...)
	}
	slices.Sort(out)
	return slices.Compact(out)
}

func carriesRequests(kind schema.GroupKind) bool {
	return kind.Kind == "HTTPRoute" || kind.Kind == "GRPCRoute"
}

// Offers is what gatewayapi knows of Envoy Gateway, with all that a BackendTrafficPolicy says where that is installed.
func (Router) Offers(seen traffic.Seen) (traffic.Offer, error) {
	offer, err := gatewayapi.Router{}.Offers(seen)
	if err != nil {
		return offer, err
	}
	offer.Adds = nil
	offer.Capabilities = slices.DeleteFunc(slices.Clone(offer.Capabilities), func(c traffic.Capability) bool { return slices.Contains(policyCapabilities, c) })
	offer.Lacks[traffic.BudgetMinPerSecond] = "Envoy counts retries in flight; use budget.minConcurrent"
	switch {
	case !carriesRequests(traffic.KindOf(seen.Target)):
	case seen.Installed(PolicyKind.GroupKind()):
		offer.Capabilities = append(offer.Capabilities, policyCapabilities...)
	default:
		for _, c := range policyCapabilities {
			offer.Lacks[c] = "BackendTrafficPolicy is not installed; apply Envoy Gateway's CRDs"
		}
	}
	slices.Sort(offer.Capabilities)
	return offer, nil
}

// Carried is what the route and the policies that were generated for it say that they carry.
func (Router) Carried(seen traffic.Seen) traffic.Intent {
	out := gatewayapi.CarriedIntent(seen.Target)
	for _, obj := range ours(seen) {
		out.Retries = append(out.Retries, traffic.CarriedBy(obj).Retries...)
	}
	return out
}

// ours are the policies that were generated for the target.
func ours(seen traffic.Seen) []*unstructured.Unstructured {
	return slices.DeleteFunc(seen.Of(PolicyKind.GroupKind()), func(obj *unstructured.Unstructured) bool {
		return !traffic.IsGenerated(obj) || traffic.TargetOf(obj) != traffic.TargetName(seen.Target)
	})
}

// Render returns the route as it is to be, and a BackendTrafficPolicy for each retry policy.
func (r Router) Render(seen traffic.Seen, intent traffic.Intent) (traffic.Rendering, error) {
	if err := traffic.Require(r, seen, intent); err != nil {
		return traffic.Rendering{}, err
	}
	if err := gatewayapi.Refusal(seen, intent); err != nil {
		return traffic.Rendering{}, err
	}
	if len(intent.Retries) > 0 {
		if err := inTheWay(seen, intent.Retries); err != nil {
			return traffic.Rendering{}, err
		}
	}
	route, err := gatewayapi.HTTPRoute{}.Render(seen.Target, traffic.Intent{Splits: intent.Splits})
	if err != nil {
		return traffic.Rendering{}, err
	}
	out := traffic.Rendering{Patched: []*unstructured.Unstructured{route}}
	for _, retry := range intent.Retries {
		policy, err := policyFor(seen, route, retry)
		if err != nil {
			return traffic.Rendering{}, err
		}
		out.Generated = append(out.Generated, policy)
	}
	return out, traffic.Free(seen, out.Generated)
}

// Restore returns the route as its user wrote it, and generates nothing.
func (r Router) Restore(seen traffic.Seen) (traffic.Rendering, error) {
	return r.Render(seen, traffic.Intent{})
}

// Applied says whether the route and the policies carry everything of the intent and Envoy Gateway has taken them up.
func (r Router) Applied(seen traffic.Seen, intent traffic.Intent) traffic.Verdict {
	if v := traffic.Written(r, seen, intent); v.State != traffic.True {
		return v
	}
	for _, obj := range ours(seen) {
		if v := takenUp(obj); v.State != traffic.True && isFor(obj, intent) {
			return v
		}
	}
	return gatewayapi.Router{}.Applied(seen, traffic.Intent{Splits: intent.Splits})
}

// isFor says whether a generated policy carries something of the intent.
func isFor(obj *unstructured.Unstructured, intent traffic.Intent) bool {
	carried := traffic.CarriedBy(obj)
	return slices.ContainsFunc(intent.Retries, func(r traffic.Retry) bool {
		return slices.ContainsFunc(carried.Retries, func(c traffic.Retry) bool { return c.UID == r.UID })
	})
}
