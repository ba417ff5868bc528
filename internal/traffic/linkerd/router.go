// Package linkerd translates for Linkerd: shares and matches into routes of Gateway API whose parent is a Service, the
// user's own or one that is generated, and retries and timeouts into Linkerd's annotations. It is pure.
//
// What is known of Linkerd (edge-26.8, proxy 2.366) and matters here: a filter that it does not know drops the whole
// route; retry.linkerd.io/limit "0" means unset, and is 1 beside any other of its annotations; a retry may go to another
// backend of the rule; durations have one unit; a bad annotation is only logged; a ServiceProfile goes before all of it.
package linkerd

import (
	"slices"
	"strconv"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"slipway.dev/slipway/api/v1alpha1"
	"slipway.dev/slipway/internal/traffic"
	"slipway.dev/slipway/internal/traffic/gatewayapi"
	"slipway.dev/slipway/internal/traffic/kept"
)

const (
	gatewayGroup = "gateway.networking.k8s.io"
	routeGroup   = "policy.linkerd.io"
	httpRoute    = "HTTPRoute"
	grpcRoute    = "GRPCRoute"
	serviceKind  = "Service"
	routeVersion = "v1"
	parentsField = "parentRefs"
	profileGroup = "linkerd.io"
)

var (
	// RouteKind is the kind that is generated where a Service has no route.
	RouteKind = schema.GroupVersionKind{Group: gatewayGroup, Version: routeVersion, Kind: httpRoute}
	// GRPCKind is the other kind of route that is patched where a user has one.
	GRPCKind = schema.GroupVersionKind{Group: gatewayGroup, Version: routeVersion, Kind: grpcRoute}
	// OldRouteKind is Linkerd's own route, which stands in the way.
	OldRouteKind = schema.GroupVersionKind{Group: routeGroup, Version: "v1beta3", Kind: httpRoute}
	// ProfileKind goes before routes and annotations.
	ProfileKind = schema.GroupVersionKind{Group: profileGroup, Version: "v1alpha2", Kind: "ServiceProfile"}
	// ServerKind shows that Linkerd is installed.
	ServerKind = schema.GroupVersionKind{Group: routeGroup, Version: "v1beta3", Kind: "Server"}
	// ServiceKind is what annotations for all traffic of a Service are written on.
	ServiceKind = schema.GroupVersionKind{Version: "v1", Kind: serviceKind}
)

// Router is the router for Services of Linkerd's mesh, and for routes whose parent is one.
type Router struct{}

var _ traffic.Router = Router{}

// DataPlane is the name by which users choose it.
func (Router) DataPlane() v1alpha1.DataPlane { return v1alpha1.DataPlaneLinkerd }

// Takes says whether the kind is a Service or a route that may have one as its parent.
func (Router) Takes(target schema.GroupKind) bool {
	return target == ServiceKind.GroupKind() || target == RouteKind.GroupKind() || target == GRPCKind.GroupKind()
}

// Reads are the routes and profiles that may stand beside the target, and what may be attached to one rule.
func (Router) Reads(kind schema.GroupKind) []schema.GroupVersionKind {
	beside := []schema.GroupVersionKind{OldRouteKind, ProfileKind, ServerKind}
	if kind == ServiceKind.GroupKind() {
		beside = append(beside, RouteKind, GRPCKind)
	} else {
		beside = append(beside, ServiceKind)
	}
	return append(beside, gatewayapi.PolicyKinds...)
}

// Serves says whether Linkerd answers for the route, or is installed where a Service is.
func (Router) Serves(seen traffic.Seen) (string, bool) {
	if traffic.KindOf(seen.Target) == ServiceKind.GroupKind() {
		return "policy.linkerd.io is installed", seen.Installed(ServerKind.GroupKind())
	}
	return "controllerName " + gatewayapi.Linkerd, slices.Equal(seen.Controllers, []string{gatewayapi.Linkerd})
}

var (
	splitting = []traffic.Capability{traffic.WeightedBackends}
	matching  = []traffic.Capability{traffic.HeaderMatch, traffic.CookieMatch}
	always    = []traffic.Capability{
		traffic.Retries, traffic.RetryOff, traffic.RetryAllMethods, traffic.RetryRefusedStream, traffic.RetryTimedOutTry,
		traffic.RequestTimeout, traffic.PerTryTimeout,
	}
	ofHTTP = []traffic.Capability{traffic.RetryGatewayError, traffic.RetryServerError, traffic.RetryRetriable4xx, traffic.RetryStatusCodes}
	ofGRPC = []traffic.Capability{traffic.RetryGRPCStatuses}
)

// Capabilities are what routes and annotations can say for the kind of target.
func (Router) Capabilities(kind schema.GroupKind) []traffic.Capability {
	out := slices.Concat(splitting, always)
	switch kind.Kind {
	case serviceKind:
		out = slices.Concat(out, matching, ofHTTP, ofGRPC)
	case httpRoute:
		out = slices.Concat(out, []traffic.Capability{traffic.SplitOfRule}, matching, ofHTTP)
	case grpcRoute:
		// A try of gRPC that timed out has no status that a trigger could name, so that none can ask for it.
		out = slices.Concat(out, []traffic.Capability{traffic.SplitOfRule}, ofGRPC)
		out = slices.DeleteFunc(out, func(c traffic.Capability) bool { return c == traffic.RetryTimedOutTry })
	}
	slices.Sort(out)
	return out
}

var lacks = map[traffic.Capability]string{
	traffic.SplitOfRule:             "a Service has no rules; name a route of it and its rule",
	traffic.MirrorRequests:          "it drops a route with a RequestMirror filter, and with it every share; use another data plane for shadow releases",
	traffic.MirrorPercent:           "it drops a route with a RequestMirror filter",
	traffic.CookieAffinity:          "it has no affinity; give a header or cookie of your own in matches",
	traffic.RetryOfRule:             "its annotations are for a whole route; make the rule a route of its own and name that",
	traffic.RetryConnectFailure:     "it waits for an endpoint that can be connected to, and retries no failed connection; use httpStatusCodes",
	traffic.RetryReset:              "it retries answers and tries that timed out, and no broken connection; use httpStatusCodes and timeouts.perTry",
	traffic.RetryResetBeforeRequest: "it retries no broken connection; use RefusedStream",
	traffic.BackoffBase:             "its pause is fixed at 25ms to 250ms; take backoff out",
	traffic.BackoffMax:              "its pause is fixed at 25ms to 250ms; take backoff out",
	traffic.BudgetPercent:           "only its ServiceProfiles have a budget, and they take routes and shares out of force; take budget out and keep retries low",
	traffic.BudgetMinConcurrent:     "it has no budget",
	traffic.BudgetMinPerSecond:      "only its ServiceProfiles have a budget",
	traffic.RetryGatewayError:       "a GRPCRoute is retried by grpcStatuses only",
	traffic.RetryServerError:        "a GRPCRoute is retried by grpcStatuses only",
	traffic.RetryRetriable4xx:       "a GRPCRoute is retried by grpcStatuses only",
	traffic.RetryStatusCodes:        "a GRPCRoute is retried by grpcStatuses only",
	traffic.RetryGRPCStatuses:       "an HTTPRoute is retried by HTTP's codes only; name a GRPCRoute or the Service",
	traffic.RetryTimedOutTry:        "a GRPCRoute is retried by grpcStatuses only; use DeadlineExceeded",
}

// Offers is all that can be said; what routes need of Gateway API must be installed.
func (r Router) Offers(seen traffic.Seen) (traffic.Offer, error) {
	kind := traffic.KindOf(seen.Target)
	offer := traffic.Offer{
		Plane: kind.Kind + " on Linkerd", Capabilities: r.Capabilities(kind), Lacks: map[traffic.Capability]string{},
		Adds: []traffic.Addition{{What: string(v1alpha1.RetryRefusedStream)}},
	}
	for c, why := range lacks {
		if !offer.Does(c) {
			offer.Lacks[c] = why
		}
	}
	if kind.Kind == grpcRoute {
		offer.Lacks[traffic.HeaderMatch] = "rules for matches are derived in HTTPRoutes only"
		offer.Lacks[traffic.CookieMatch] = offer.Lacks[traffic.HeaderMatch]
	}
	switch {
	case kind.Kind == serviceKind && !seen.Installed(RouteKind.GroupKind()):
		without(&offer, slices.Concat(splitting, matching), "HTTPRoute is not installed; apply Gateway API's CRDs")
	case kind.Kind != grpcRoute && !seen.Has(RouteKind.GroupKind(), fieldName):
		without(&offer, matching, "the installed Gateway API would drop a rule's name without a word; install 1.4 or later")
	}
	return offer, nil
}

// fieldName is the field of HTTPRoute's schema by which derived rules are known again.
const fieldName = "rules.name"

func without(offer *traffic.Offer, capabilities []traffic.Capability, why string) {
	offer.Capabilities = slices.DeleteFunc(offer.Capabilities, func(c traffic.Capability) bool { return slices.Contains(capabilities, c) })
	for _, c := range capabilities {
		offer.Lacks[c] = why
	}
}

// Carried is what the Service, its routes and what was generated say that they carry.
func (Router) Carried(seen traffic.Seen) traffic.Intent {
	out := traffic.Intent{Retries: kept.Carried(seen.Target).Retries}
	for _, route := range routesOf(seen) {
		splits := gatewayapi.CarriedIntent(route).Splits
		if traffic.IsGenerated(route) {
			splits = traffic.CarriedBy(route).Splits
		}
		for _, s := range splits {
			if !slices.ContainsFunc(out.Splits, func(has traffic.Split) bool { return has.UID == s.UID && has.SectionName == s.SectionName }) {
				out.Splits = append(out.Splits, s)
			}
		}
	}
	return out
}

// routesOf are the routes that shares of the target are in: itself, or those of the Service.
func routesOf(seen traffic.Seen) []*unstructured.Unstructured {
	if traffic.KindOf(seen.Target) != ServiceKind.GroupKind() {
		return []*unstructured.Unstructured{seen.Target}
	}
	var out []*unstructured.Unstructured
	for _, kind := range []schema.GroupKind{RouteKind.GroupKind(), GRPCKind.GroupKind()} {
		for _, route := range seen.Of(kind) {
			mine := traffic.IsGenerated(route) && traffic.TargetOf(route) == traffic.TargetName(seen.Target)
			if mine || (!traffic.IsGenerated(route) && isParent(route, seen.Target.GetName())) {
				out = append(out, route)
			}
		}
	}
	return out
}

// isParent says whether the Service is a parent of the route. A parent without a group is one of Gateway API.
func isParent(route *unstructured.Unstructured, service string) bool {
	return slices.ContainsFunc(parentsOf(route), func(p map[string]any) bool {
		in, _ := p["namespace"].(string)
		return isService(p) && p["name"] == service && (in == "" || in == route.GetNamespace())
	})
}

func isService(parent map[string]any) bool {
	group, named := parent["group"].(string)
	return parent["kind"] == serviceKind && named && (group == "" || group == "core")
}

func parentsOf(route *unstructured.Unstructured) []map[string]any {
	spec, _ := route.Object["spec"].(map[string]any)
	list, _ := spec[parentsField].([]any)
	out := make([]map[string]any, 0, len(list))
	for _, item := range list {
		parent, _ := item.(map[string]any)
		out = append(out, parent)
	}
	return out
}

// ports are the ports of a Service that requests can come to, with their numbers as text.
func ports(service *unstructured.Unstructured) []int64 {
	spec, _ := service.Object["spec"].(map[string]any)
	list, _ := spec["ports"].([]any)
	var out []int64
	for _, item := range list {
		port, _ := item.(map[string]any)
		number, ok := port["port"].(int64)
		if protocol, _ := port["protocol"].(string); ok && (protocol == "" || protocol == "TCP") {
			out = append(out, number)
		}
	}
	return out
}

func sectionOf(port int64) string { return strconv.FormatInt(port, 10) }
