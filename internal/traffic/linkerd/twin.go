package linkerd

import (
	"fmt"
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"slipway.dev/slipway/internal/traffic"
)

// balancing begin the annotations of a Service that say how its own endpoints are treated.
var balancing = []string{"balancer.linkerd.io/", "balancer.alpha.linkerd.io/", "config.linkerd.io/opaque-ports"}

// Annotations are those of the user's Service that the canary's has to have before it gets a share: of balancing and of
// ports that are not looked into. Retries and timeouts are those of the Service that requests are addressed to.
func Annotations(service *unstructured.Unstructured) map[string]string {
	out := map[string]string{}
	for key, value := range service.GetAnnotations() {
		if slices.ContainsFunc(balancing, func(prefix string) bool { return strings.HasPrefix(key, prefix) }) {
			out[key] = value
		}
	}
	return out
}

// ofServer are the kinds that are attached to a Server.
var ofServer = []string{"AuthorizationPolicy", "HTTPLocalRateLimitPolicy", "ServerAuthorization"}

// PolicyKinds are the kinds that Uncovered looks at.
var PolicyKinds = []schema.GroupVersionKind{
	ServerKind,
	{Group: routeGroup, Version: "v1alpha1", Kind: "AuthorizationPolicy"},
	{Group: routeGroup, Version: "v1alpha1", Kind: "HTTPLocalRateLimitPolicy"},
	{Group: routeGroup, Version: "v1beta1", Kind: "ServerAuthorization"},
}

// Uncovered are the user's Servers that select stable's pods and not the canary's, each with what is attached to it: for
// the canary, what holds is the cluster's default, which may let everybody in, or nobody.
func Uncovered(objects []*unstructured.Unstructured, twin traffic.Twin) []string {
	var out []string
	for _, server := range objects {
		if traffic.KindOf(server) != ServerKind.GroupKind() || !selects(server, twin.StableLabels) || selects(server, twin.CanaryLabels) {
			continue
		}
		said := "Server " + server.GetName()
		if attached := attachedTo(objects, server.GetName()); len(attached) > 0 {
			said += fmt.Sprintf(" (%s)", strings.Join(attached, ", "))
		}
		out = append(out, said)
	}
	slices.Sort(out)
	return out
}

func selects(server *unstructured.Unstructured, pod map[string]string) bool {
	raw, found, _ := unstructured.NestedMap(server.Object, "spec", "podSelector")
	if !found {
		return false // a Server for what is outside of the cluster
	}
	var selector metav1.LabelSelector
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(raw, &selector); err != nil {
		return false
	}
	matches, err := metav1.LabelSelectorAsSelector(&selector)
	return err == nil && matches.Matches(labels.Set(pod))
}

func attachedTo(objects []*unstructured.Unstructured, server string) []string {
	var out []string
	for _, obj := range objects {
		if !slices.Contains(ofServer, obj.GetKind()) || obj.GroupVersionKind().Group != routeGroup {
			continue
		}
		kind, _, _ := unstructured.NestedString(obj.Object, "spec", "targetRef", "kind")
		name, _, _ := unstructured.NestedString(obj.Object, "spec", "targetRef", "name")
		old, _, _ := unstructured.NestedString(obj.Object, "spec", "server", "name")
		if (kind == ServerKind.Kind && name == server) || old == server {
			out = append(out, obj.GetKind()+" "+obj.GetName())
		}
	}
	slices.Sort(out)
	return out
}
