package appmesh

import (
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"slipway.dev/slipway/internal/traffic"
)

// Copies are the VirtualNode of the canary, from that of the Service. What the user says for the canary themselves is not
// among them. A node whose pods or address could not be told from the Service's is refused.
func Copies(seen traffic.Seen, twin traffic.Twin) ([]*unstructured.Unstructured, error) {
	own := nodeOf(seen, twin.Stable)
	if own == nil || own.GetName() == twin.Canary {
		return nil, nil
	}
	copied := twin.CopyFor(own, twin.Canary)
	if twin.Given(seen.Objects, copied) {
		return nil, nil
	}
	unstructured.RemoveNestedField(copied.Object, "spec", "awsName") // it would be the other node in AWS
	if err := reselect(copied, own, twin); err != nil {
		return nil, err
	}
	return []*unstructured.Unstructured{copied}, rediscover(copied, own, twin, seen.Target.GetNamespace())
}

// reselect has the node select the canary's pods.
func reselect(copied, own *unstructured.Unstructured, twin traffic.Twin) error {
	if _, selects, _ := unstructured.NestedFieldNoCopy(own.Object, "spec", "podSelector", "matchLabels", twin.Label); !selects {
		return traffic.Refused(traffic.NotReady, "canary.label: VirtualNode %s does not select by %s, so that it would have the canary's pods, too; add the label to its podSelector.matchLabels",
			own.GetName(), twin.Label)
	}
	return unstructured.SetNestedField(copied.Object, twin.CanaryLabels[twin.Label], "spec", "podSelector", "matchLabels", twin.Label)
}

// rediscover has the node found by the canary's host name.
func rediscover(copied, own *unstructured.Unstructured, twin traffic.Twin, namespace string) error {
	host, _, _ := unstructured.NestedString(own.Object, "spec", "serviceDiscovery", "dns", "hostname")
	if !slices.Contains(hostsOf(twin.Stable, namespace), host) {
		return traffic.Refused(traffic.NotReady, "VirtualNode %s is not discovered by the host name of Service %s, so that the canary's could not be derived; make a VirtualNode %s",
			own.GetName(), twin.Stable, twin.Canary)
	}
	return unstructured.SetNestedField(copied.Object, twin.Canary+strings.TrimPrefix(host, twin.Stable), "spec", "serviceDiscovery", "dns", "hostname")
}
