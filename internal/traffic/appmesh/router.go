// Package appmesh translates for AWS App Mesh: everything into the routes of a VirtualRouter, the user's own, or one that
// is generated and that the user's VirtualService is pointed to. It is pure.
//
// AWS ended App Mesh on 30 September 2026. The objects are still rendered, for clusters that have them and for those who
// move on, and status says that nothing is known to follow them.
//
// What is known of its controller (1.13.3) and matters here: weights are whole numbers up to 100, targets are VirtualNodes
// and at most ten; a route with a lower priority number comes first, and those without one come last; a retryPolicy has to
// have perRetryTimeout; without one the service retried about twice, and a request took 15 s at most; server-error and
// gateway-error also mean a connection that broke.
package appmesh

import (
	"slices"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"slipway.dev/slipway/api/v1alpha1"
	"slipway.dev/slipway/internal/traffic"
	"slipway.dev/slipway/internal/traffic/kept"
)

// parts is into how many parts traffic is divided.
const parts = 100

// Ended is what everybody is told who still has App Mesh.
const Ended = "AWS ended App Mesh on 30 September 2026: its objects are written, and nothing is known to follow them; " +
	"move to VPC Lattice through Gateway API (dataPlane: GatewayAPI), which has shares and up to 5 header matches and one method in a rule, " +
	"paths without regard to case, and no filters, retries, timeouts, mirrors or affinity"

func kindNamed(kind string) schema.GroupVersionKind {
	return schema.GroupVersionKind{Group: "appmesh.k8s.aws", Version: "v1beta2", Kind: kind}
}

// The kinds of App Mesh that are read and written.
var (
	RouterKind  = kindNamed("VirtualRouter")
	NodeKind    = kindNamed("VirtualNode")
	ServiceKind = kindNamed("VirtualService")
	serviceKind = schema.GroupKind{Kind: "Service"}
)

// Router is the router for Services of App Mesh.
type Router struct{}

var _ traffic.Router = Router{}

// DataPlane is the name by which users choose it.
func (Router) DataPlane() v1alpha1.DataPlane { return v1alpha1.DataPlaneAppMesh }

// Takes says whether the kind is a Service, for which a VirtualService is looked up.
func (Router) Takes(target schema.GroupKind) bool { return target == serviceKind }

// Reads are all that App Mesh knows of a service.
func (Router) Reads(schema.GroupKind) []schema.GroupVersionKind {
	return []schema.GroupVersionKind{RouterKind, NodeKind, ServiceKind}
}

// Serves says whether there is a VirtualService for the Service.
func (Router) Serves(seen traffic.Seen) (string, bool) {
	if found := virtualService(seen); found != nil {
		return "VirtualService " + found.GetName() + " of App Mesh, which AWS ended in September 2026", true
	}
	return "", false
}

var capabilities = []traffic.Capability{
	traffic.WeightedBackends, traffic.HeaderMatch, traffic.CookieMatch, traffic.Retries, traffic.RetryOff, traffic.RetryConnectFailure,
	traffic.RetryRefusedStream, traffic.RetryGatewayError, traffic.RetryServerError, traffic.RetryRetriable4xx, traffic.RetryGRPCStatuses,
	traffic.RetryAllMethods, traffic.RetryTimedOutTry, traffic.RequestTimeout, traffic.PerTryTimeout,
}

// Capabilities are what the routes of a VirtualRouter can say.
func (Router) Capabilities(schema.GroupKind) []traffic.Capability {
	return slices.Sorted(slices.Values(capabilities))
}

// Offers is all of that, where the kinds are installed, and says that the service has ended.
func (r Router) Offers(seen traffic.Seen) (traffic.Offer, error) {
	const neither = ", and neither has VPC Lattice"
	offer := traffic.Offer{
		Plane: "App Mesh, which AWS ended in September 2026,", Capabilities: r.Capabilities(serviceKind), Parts: parts,
		Lacks: map[traffic.Capability]string{
			traffic.SplitOfRule:             "a Service has no rules; leave sectionName out",
			traffic.RetryOfRule:             "a Service has no rules; leave sectionName out",
			traffic.MirrorRequests:          "it mirrors no requests" + neither + "; use another data plane for shadow releases",
			traffic.MirrorPercent:           "it mirrors no requests",
			traffic.CookieAffinity:          "it sets no cookies" + neither + "; give a cookie of your own in matches",
			traffic.RetryStatusCodes:        "it retries classes of answers, and no single codes; use GatewayError (502 to 504) or ServerError",
			traffic.RetryReset:              "it retries a broken connection with GatewayError or ServerError only; use one of these",
			traffic.RetryResetBeforeRequest: "it does not tell it from any broken connection; use RefusedStream",
			traffic.BackoffBase:             "its pause cannot be set; take backoff out",
			traffic.BackoffMax:              "its pause cannot be set; take backoff out",
			traffic.BudgetPercent:           "it has no budget for retries" + neither + "; take budget out",
			traffic.BudgetMinConcurrent:     "it has no budget for retries",
			traffic.BudgetMinPerSecond:      "it has no budget for retries",
		},
	}
	if !seen.Installed(RouterKind.GroupKind()) || !seen.Installed(ServiceKind.GroupKind()) {
		offer.Capabilities = nil
		for _, c := range capabilities {
			offer.Lacks[c] = "its CRDs are not installed; " + Ended
		}
	}
	return offer, nil
}

// Carried is what the router of the Service says that it carries.
func (Router) Carried(seen traffic.Seen) traffic.Intent {
	if generated := generatedRouter(seen); generated != nil {
		return traffic.CarriedBy(generated)
	}
	if own := ownRouter(seen); own != nil {
		return kept.Carried(own)
	}
	return traffic.Intent{}
}

// virtualService is the VirtualService by which clients reach the Service, or nil.
func virtualService(seen traffic.Seen) *unstructured.Unstructured {
	name, namespace := seen.Target.GetName(), seen.Target.GetNamespace()
	for _, obj := range seen.Of(ServiceKind.GroupKind()) {
		awsName, _, _ := unstructured.NestedString(obj.Object, "spec", "awsName")
		if obj.GetName() == name || slices.Contains(hostsOf(name, namespace), awsName) {
			return obj
		}
	}
	return nil
}

// hostsOf are the names by which a Service is known in the network.
func hostsOf(service, namespace string) []string {
	short := service + "." + namespace
	return []string{short, short + ".svc", short + ".svc.cluster.local", short + ".svc.cluster.local."}
}

// ownRouter is the user's VirtualRouter that the VirtualService is provided by, or nil.
func ownRouter(seen traffic.Seen) *unstructured.Unstructured {
	service := virtualService(seen)
	if service == nil {
		return nil
	}
	name := providerOf(kept.Own(service), "virtualRouter")
	if obj := seen.Find(RouterKind.GroupKind(), name); obj != nil && !traffic.IsGenerated(obj) {
		return obj
	}
	return nil
}

// providerOf is the name of a VirtualService's router or node in its own namespace.
func providerOf(service *unstructured.Unstructured, kind string) string {
	ref, _, _ := unstructured.NestedMap(service.Object, "spec", "provider", kind, kind+"Ref")
	if in := text(ref, "namespace"); in != "" && in != service.GetNamespace() {
		return ""
	}
	return text(ref, "name")
}

func generatedRouter(seen traffic.Seen) *unstructured.Unstructured {
	for _, obj := range seen.Of(RouterKind.GroupKind()) {
		if traffic.IsGenerated(obj) && traffic.TargetOf(obj) == traffic.TargetName(seen.Target) {
			return obj
		}
	}
	return nil
}

// nodeOf is the VirtualNode of a Service: the one of its name, or the one that is discovered by its host name.
func nodeOf(seen traffic.Seen, service string) *unstructured.Unstructured {
	if obj := seen.Find(NodeKind.GroupKind(), service); obj != nil {
		return obj
	}
	for _, obj := range seen.Of(NodeKind.GroupKind()) {
		host, _, _ := unstructured.NestedString(obj.Object, "spec", "serviceDiscovery", "dns", "hostname")
		if slices.Contains(hostsOf(service, seen.Target.GetNamespace()), host) {
			return obj
		}
	}
	return nil
}

// Applied says whether everything of the intent is written, and whether the controller still says that it is active, which
// it can only where the service still answers it.
func (r Router) Applied(seen traffic.Seen, intent traffic.Intent) traffic.Verdict {
	if v := traffic.Written(r, seen, intent); v.State != traffic.True {
		return v
	}
	router := generatedRouter(seen)
	if router == nil {
		router = ownRouter(seen)
	}
	if router == nil || !active(router) {
		return traffic.Verdict{State: traffic.Unknown, Cause: traffic.DataPlanePending, Message: Ended}
	}
	if v := traffic.Behind(intent.Splits, seen.Observed); v.State != traffic.True {
		return v
	}
	return traffic.Settled(seen.Observed)
}

// active says whether the controller has taken the newest generation of a router up.
func active(router *unstructured.Unstructured) bool {
	conditions, _, _ := unstructured.NestedSlice(router.Object, "status", "conditions")
	generation, _, _ := unstructured.NestedInt64(router.Object, "status", "observedGeneration")
	return generation >= router.GetGeneration() && slices.ContainsFunc(conditions, func(item any) bool {
		condition, _ := item.(map[string]any)
		return condition["type"] == "VirtualRouterActive" && condition["status"] == "True"
	})
}

func text(m map[string]any, field string) string {
	s, _ := m[field].(string)
	return s
}
