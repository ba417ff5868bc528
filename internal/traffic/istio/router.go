package istio

import (
	"slices"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"slipway.dev/slipway/api/v1alpha1"
	"slipway.dev/slipway/internal/traffic"
	"slipway.dev/slipway/internal/traffic/kept"
)

const networking = "networking.istio.io"

// The kinds that it reads.
var (
	virtualService  = schema.GroupVersionKind{Group: networking, Version: "v1", Kind: "VirtualService"}
	destinationRule = schema.GroupVersionKind{Group: networking, Version: "v1", Kind: "DestinationRule"}
	envoyFilter     = schema.GroupVersionKind{Group: networking, Version: "v1alpha3", Kind: "EnvoyFilter"}
	sidecarKind     = schema.GroupVersionKind{Group: networking, Version: "v1", Kind: "Sidecar"}
	service         = schema.GroupVersionKind{Version: "v1", Kind: "Service"}
	namespaceKind   = schema.GroupVersionKind{Version: "v1", Kind: "Namespace"}
	gateway         = schema.GroupVersionKind{Group: gatewayAPI, Version: "v1", Kind: "Gateway"}
	httpRoute       = schema.GroupVersionKind{Group: gatewayAPI, Version: "v1", Kind: "HTTPRoute"}
	grpcRoute       = schema.GroupVersionKind{Group: gatewayAPI, Version: "v1", Kind: "GRPCRoute"}
)

const gatewayAPI = "gateway.networking.k8s.io"

// The fields that Observed.APIs is asked for: older Istios do not have them.
const (
	fieldMirrors     = "http.mirrors"
	fieldBackoff     = "http.retries.backoff"
	fieldRetryBudget = "trafficPolicy.retryBudget"
)

// OptionalFields are the fields that Observed.APIs is asked for.
var OptionalFields = []string{fieldMirrors, fieldBackoff, fieldRetryBudget}

// Router is the router for Istio's own API.
type Router struct{}

var _ traffic.Router = Router{}

// DataPlane is the name by which users choose it.
func (Router) DataPlane() v1alpha1.DataPlane { return v1alpha1.DataPlaneIstio }

// Takes says whether the kind is a VirtualService, or a Service, for which one is generated.
func (Router) Takes(target schema.GroupKind) bool {
	return target == virtualService.GroupKind() || target == service.GroupKind()
}

// Reads are the kinds that it wants to see. Of Namespaces, which are in none, it looks at the target's.
func (Router) Reads(schema.GroupKind) []schema.GroupVersionKind {
	return []schema.GroupVersionKind{virtualService, destinationRule, envoyFilter, sidecarKind, service, namespaceKind, gateway, httpRoute, grpcRoute}
}

// Serves says whether Istio serves the target: nobody else reads a VirtualService, and the namespace of a Service is in
// the mesh when its labels say so.
func (Router) Serves(seen traffic.Seen) (string, bool) {
	if traffic.KindOf(seen.Target) == virtualService.GroupKind() {
		return "kind VirtualService", true
	}
	if !seen.Installed(virtualService.GroupKind()) {
		return "", false
	}
	label, in := meshLabel(seen)
	return "label " + label + " of the namespace", in
}

var common = []traffic.Capability{
	traffic.WeightedBackends, traffic.HeaderMatch, traffic.CookieMatch, traffic.MirrorRequests, traffic.MirrorPercent, traffic.CookieAffinity,
	traffic.Retries, traffic.RetryOff, traffic.RetryConnectFailure, traffic.RetryRefusedStream, traffic.RetryGatewayError, traffic.RetryReset,
	traffic.RetryResetBeforeRequest, traffic.RetryServerError, traffic.RetryRetriable4xx, traffic.RetryStatusCodes, traffic.RetryGRPCStatuses,
	traffic.RetryAllMethods, traffic.RetryTimedOutTry, traffic.RequestTimeout, traffic.PerTryTimeout, traffic.BackoffBase,
	traffic.BudgetPercent, traffic.BudgetMinConcurrent,
}

// Capabilities are what Istio's API can say. A Service has no rules with names.
func (Router) Capabilities(target schema.GroupKind) []traffic.Capability {
	out := slices.Clone(common)
	if target == virtualService.GroupKind() {
		out = append(out, traffic.SplitOfRule, traffic.RetryOfRule)
	}
	slices.Sort(out)
	return out
}

// Offers is what the installed version of Istio's API has of that.
func (r Router) Offers(seen traffic.Seen) (traffic.Offer, error) {
	api, ok := seen.APIs[traffic.APIName(virtualService.GroupKind())]
	switch {
	case !ok:
		return traffic.Offer{}, traffic.Unsupported("this cluster", "VirtualServices, because Istio's CRDs are not installed")
	case !slices.Contains(api.Versions, virtualService.Version):
		return traffic.Offer{}, traffic.Unsupported("this cluster's Istio", networking+"/v1, which Istio has from 1.22 on")
	}
	out := traffic.Offer{Plane: "Istio", Capabilities: r.Capabilities(traffic.KindOf(seen.Target)), Lacks: map[traffic.Capability]string{
		traffic.BackoffMax:         "its longest pause is always ten times the base; take backoff.max out",
		traffic.BudgetMinPerSecond: "it counts the retries that are in flight; use budget.minConcurrent",
		traffic.SplitOfRule:        "a Service has no rules; name a VirtualService",
		traffic.RetryOfRule:        "a Service has no rules; name a VirtualService",
	}}
	for _, o := range optional {
		if seen.Has(o.kind.GroupKind(), o.field) {
			continue
		}
		out.Capabilities = slices.DeleteFunc(out.Capabilities, func(c traffic.Capability) bool { return slices.Contains(o.needed, c) })
		for _, c := range o.needed {
			out.Lacks[c] = "the installed " + o.kind.Kind + " has no " + o.field + "; use a newer Istio"
		}
	}
	return out, nil
}

// optional is what needs a field that older Istios do not have.
var optional = []struct {
	kind   schema.GroupVersionKind
	field  string
	needed []traffic.Capability
}{
	{virtualService, fieldMirrors, []traffic.Capability{traffic.MirrorRequests, traffic.MirrorPercent}},
	{virtualService, fieldBackoff, []traffic.Capability{traffic.BackoffBase}},
	{destinationRule, fieldRetryBudget, []traffic.Capability{traffic.BudgetPercent, traffic.BudgetMinConcurrent}},
}

// Carried is what the VirtualService says that it carries. A DestinationRule carries only what that one does, too.
func (Router) Carried(seen traffic.Seen) traffic.Intent {
	if traffic.KindOf(seen.Target) == virtualService.GroupKind() {
		return kept.Carried(seen.Target)
	}
	for _, vs := range seen.Of(virtualService.GroupKind()) {
		if traffic.IsGenerated(vs) && traffic.TargetOf(vs) == traffic.TargetName(seen.Target) {
			return traffic.CarriedBy(vs)
		}
	}
	return traffic.Intent{}
}

// Restore returns the objects as their users wrote them.
func (r Router) Restore(seen traffic.Seen) (traffic.Rendering, error) {
	return r.Render(seen, traffic.Intent{})
}

// text is a string field of a map, or empty.
func text(m map[string]any, field string) string {
	s, _ := m[field].(string)
	return s
}

// mapOf is a field of a map that is a map, or nil.
func mapOf(m map[string]any, field string) map[string]any {
	out, _ := m[field].(map[string]any)
	return out
}

// listOf is a field of a map that is a list of maps; what is not a map in it is left out.
func listOf(m map[string]any, field string) []map[string]any {
	list, _ := m[field].([]any)
	out := make([]map[string]any, 0, len(list))
	for _, item := range list {
		if entry, ok := item.(map[string]any); ok {
			out = append(out, entry)
		}
	}
	return out
}

// stringsOf is a field of a map that is a list of strings.
func stringsOf(m map[string]any, field string) []string {
	list, _ := m[field].([]any)
	out := make([]string, 0, len(list))
	for _, item := range list {
		if s, ok := item.(string); ok {
			out = append(out, s)
		}
	}
	return out
}

func specOf(obj *unstructured.Unstructured) map[string]any { return mapOf(obj.Object, "spec") }

// number is a whole number of a decoded object.
func number(value any) int64 {
	switch n := value.(type) {
	case int64:
		return n
	case float64:
		return int64(n)
	}
	return 0
}
