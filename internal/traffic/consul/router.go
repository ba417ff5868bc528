// Package consul translates for Consul's service mesh on Kubernetes: shares into a ServiceSplitter, matches, retries and
// timeouts into a ServiceRouter, and where a match is to reach the Service past its splitter, a subset of everything into a
// ServiceResolver. All have the name of the Service: a user's own one is patched, one that is not there is generated. It is
// pure.
//
// What is known of Consul (consul-k8s 2.0, consul 1.22) and matters here: weights must be 100 in sum, as 32-bit floats;
// every service in the chain needs an HTTP protocol in its ServiceDefaults; numRetries alone retries nothing; of a
// router's routes the first that matches decides, and one to the Service itself passes its splitter again; the controller
// writes objects back typed, which drops zeros and writes durations as Go does; its status names no generation.
package consul

import (
	"slices"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"slipway.dev/slipway/api/v1alpha1"
	"slipway.dev/slipway/internal/traffic"
	"slipway.dev/slipway/internal/traffic/kept"
)

const (
	group   = "consul.hashicorp.com"
	version = "v1alpha1"
	// parts is into how many parts traffic is divided: weights are written as whole percent.
	parts = 100
)

func kindNamed(kind string) schema.GroupVersionKind {
	return schema.GroupVersionKind{Group: group, Version: version, Kind: kind}
}

// The kinds of Consul that are read and written.
var (
	SplitterKind      = kindNamed("ServiceSplitter")
	RouterKind        = kindNamed("ServiceRouter")
	ResolverKind      = kindNamed("ServiceResolver")
	DefaultsKind      = kindNamed("ServiceDefaults")
	IntentionsKind    = kindNamed("ServiceIntentions")
	ProxyDefaultsKind = kindNamed("ProxyDefaults")
	serviceKind       = schema.GroupKind{Kind: "Service"}
)

// Router is the router for Services of Consul's mesh.
type Router struct{}

var _ traffic.Router = Router{}

// DataPlane is the name by which users choose it.
func (Router) DataPlane() v1alpha1.DataPlane { return v1alpha1.DataPlaneConsul }

// Takes says whether the kind is a Service: Consul's objects have the names of services.
func (Router) Takes(target schema.GroupKind) bool { return target == serviceKind }

// Reads are all that Consul knows of a service.
func (Router) Reads(schema.GroupKind) []schema.GroupVersionKind {
	return []schema.GroupVersionKind{SplitterKind, RouterKind, ResolverKind, DefaultsKind, IntentionsKind, ProxyDefaultsKind}
}

// Serves says whether Consul has been told something of the Service.
func (Router) Serves(seen traffic.Seen) (string, bool) {
	for _, kind := range []schema.GroupVersionKind{DefaultsKind, SplitterKind, RouterKind, ResolverKind, IntentionsKind} {
		if obj := seen.Find(kind.GroupKind(), seen.Target.GetName()); obj != nil && !traffic.IsGenerated(obj) {
			return kind.Kind + " " + obj.GetName(), true
		}
	}
	return "", false
}

var capabilities = []traffic.Capability{
	traffic.WeightedBackends, traffic.HeaderMatch, traffic.CookieMatch, traffic.Retries, traffic.RetryOff, traffic.RetryConnectFailure,
	traffic.RetryRefusedStream, traffic.RetryGatewayError, traffic.RetryReset, traffic.RetryServerError, traffic.RetryRetriable4xx,
	traffic.RetryStatusCodes, traffic.RetryGRPCStatuses, traffic.RetryAllMethods, traffic.RequestTimeout,
}

// Capabilities are what splitter, router and resolver can say.
func (Router) Capabilities(schema.GroupKind) []traffic.Capability {
	return slices.Sorted(slices.Values(capabilities))
}

// Offers is all of that, where the kinds are installed.
func (r Router) Offers(seen traffic.Seen) (traffic.Offer, error) {
	offer := traffic.Offer{Plane: "Consul", Capabilities: r.Capabilities(serviceKind), Parts: parts, Lacks: map[traffic.Capability]string{
		traffic.SplitOfRule:             "the routes of a ServiceRouter have no names; leave sectionName out",
		traffic.RetryOfRule:             "the routes of a ServiceRouter have no names; leave sectionName out",
		traffic.MirrorRequests:          "it mirrors no requests; use another data plane for shadow releases",
		traffic.MirrorPercent:           "it mirrors no requests",
		traffic.CookieAffinity:          "a route to the Service passes its splitter again, so that users of stable would not stay; give a cookie of your own in matches",
		traffic.RetryResetBeforeRequest: "its retryOn does not have reset-before-request; use RefusedStream, or Reset with methods: All",
		traffic.RetryTimedOutTry:        "it has no timeout for a try; take timeouts.perTry out",
		traffic.PerTryTimeout:           "it has no timeout for a try; take timeouts.perTry out and set timeouts.request",
		traffic.BackoffBase:             "its pause cannot be set (Envoy's 25ms to 250ms); take backoff out",
		traffic.BackoffMax:              "its pause cannot be set (Envoy's 25ms to 250ms); take backoff out",
		traffic.BudgetPercent:           "it has no budget for retries; take budget out and keep retries low",
		traffic.BudgetMinConcurrent:     "it has no budget for retries",
		traffic.BudgetMinPerSecond:      "it has no budget for retries",
	}}
	for _, kind := range []schema.GroupVersionKind{SplitterKind, RouterKind, ResolverKind} {
		if seen.Installed(kind.GroupKind()) {
			continue
		}
		offer.Capabilities = nil
		for _, c := range capabilities {
			offer.Lacks[c] = kind.Kind + " is not installed; apply Consul's CRDs"
		}
	}
	return offer, nil
}

// Carried is what the objects of the Service say that they carry.
func (Router) Carried(seen traffic.Seen) traffic.Intent {
	var out traffic.Intent
	for _, obj := range named(seen) {
		carried := kept.Carried(obj)
		if traffic.IsGenerated(obj) {
			carried = traffic.CarriedBy(obj)
		}
		for _, s := range carried.Splits {
			if !slices.ContainsFunc(out.Splits, func(has traffic.Split) bool { return has.UID == s.UID }) {
				out.Splits = append(out.Splits, s)
			}
		}
		out.Retries = append(out.Retries, carried.Retries...)
	}
	return out
}

// named are the splitter, router and resolver of the Service that are there.
func named(seen traffic.Seen) []*unstructured.Unstructured {
	var out []*unstructured.Unstructured
	for _, kind := range []schema.GroupVersionKind{SplitterKind, RouterKind, ResolverKind} {
		if obj := seen.Find(kind.GroupKind(), seen.Target.GetName()); obj != nil {
			out = append(out, obj)
		}
	}
	return out
}

// ownOf is the user's object of the kind for the Service, or nil.
func ownOf(seen traffic.Seen, kind schema.GroupVersionKind) *unstructured.Unstructured {
	obj := seen.Find(kind.GroupKind(), seen.Target.GetName())
	if obj == nil || traffic.IsGenerated(obj) {
		return nil
	}
	return obj
}

// Applied says whether everything of the intent is written and synced to Consul. Its status names no generation, so that
// the settle time has to cover the time until a change is looked at.
func (r Router) Applied(seen traffic.Seen, intent traffic.Intent) traffic.Verdict {
	if v := traffic.Written(r, seen, intent); v.State != traffic.True {
		return v
	}
	for _, obj := range named(seen) {
		carries := !kept.Carried(obj).Empty() || traffic.IsGenerated(obj)
		if v := synced(obj); carries && v.State != traffic.True {
			return v
		}
	}
	if v := traffic.Behind(intent.Splits, seen.Observed); v.State != traffic.True {
		return v
	}
	return traffic.Settled(seen.Observed)
}

// synced is what Consul's controller says of an object.
func synced(obj *unstructured.Unstructured) traffic.Verdict {
	what := obj.GetKind() + " " + obj.GetName()
	conditions, _, _ := unstructured.NestedSlice(obj.Object, "status", "conditions")
	for _, item := range conditions {
		condition, _ := item.(map[string]any)
		if condition["type"] != "Synced" {
			continue
		}
		reason, _ := condition["reason"].(string)
		message, _ := condition["message"].(string)
		switch condition["status"] {
		case "True":
			return traffic.Verdict{State: traffic.True, Good: true}
		case "False":
			return traffic.Verdict{State: traffic.False, Cause: traffic.DataPlaneRefused, Message: "Consul does not take " + what + ": " + reason + ": " + message}
		}
	}
	return traffic.Verdict{State: traffic.Unknown, Cause: traffic.DataPlanePending, Message: "Consul has not synced " + what}
}
