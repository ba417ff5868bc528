package istio

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"slipway.dev/slipway/api/v1alpha1"
	"slipway.dev/slipway/internal/traffic"
	"slipway.dev/slipway/internal/traffic/kept"
)

// Twin is a Service that takes a part of another one's traffic, and needs what that one has.
type Twin struct {
	// Service is the user's, Name that of the twin: the canary's, or the one that holds the old pods.
	Service, Name string
	// Release is the CanaryRelease that the copies are for, and Owner the reference to it.
	Release string
	Owner   metav1.OwnerReference
}

// Copies are the DestinationRules of a Service as its twin needs them: all of them, one that is there and not among them is
// to be removed. rules are those of the namespace. Without a copy connections to the twin would be made without the user's
// TLS settings, limits and outlier detection.
//
// A rule with a wildcard holds for the twin as it is. A rule for the twin that a user wrote goes before copies. Subsets are
// left out: they are of labels that the twin's pods need not have, and nothing is sent to a subset of the twin. What a
// policy has put into a rule is not copied: its router writes it into the copies, too.
func Copies(rules []*unstructured.Unstructured, twin Twin) ([]*unstructured.Unstructured, error) {
	ours := func(rule *unstructured.Unstructured) bool {
		return rule.GetLabels()[v1alpha1.ReleaseLabel] == twin.Release
	}
	var out []*unstructured.Unstructured
	for _, rule := range rules {
		host := text(specOf(rule), "host")
		switch serviceOf(host, rule.GetNamespace()) {
		case twin.Name:
			if !ours(rule) && !traffic.IsGenerated(rule) {
				return nil, nil
			}
		case twin.Service:
			if !traffic.IsGenerated(rule) {
				out = append(out, copyOf(rule, hostFor(host, twin.Name), twin))
			}
		}
	}
	for _, rule := range rules {
		if !ours(rule) && slices.ContainsFunc(out, func(c *unstructured.Unstructured) bool { return c.GetName() == rule.GetName() }) {
			return nil, traffic.Refused(traffic.Conflicted, "DestinationRule %s is not Slipway's, and its name is that of the copy which Service %s needs; rename or remove it", rule.GetName(), twin.Name)
		}
	}
	slices.SortFunc(out, func(a, b *unstructured.Unstructured) int { return cmp.Compare(a.GetName(), b.GetName()) })
	return out, nil
}

func copyOf(rule *unstructured.Unstructured, host string, twin Twin) *unstructured.Unstructured {
	spec := runtime.DeepCopyJSON(specOf(kept.Own(rule)))
	spec["host"] = host
	delete(spec, "subsets")
	out := &unstructured.Unstructured{Object: map[string]any{"spec": spec}}
	out.SetGroupVersionKind(destinationRule)
	out.SetNamespace(rule.GetNamespace())
	out.SetName(rule.GetName() + nameSuffix(twin))
	out.SetLabels(map[string]string{v1alpha1.ReleaseLabel: twin.Release, v1alpha1.ManagedByLabel: v1alpha1.ManagedBy})
	out.SetOwnerReferences([]metav1.OwnerReference{twin.Owner})
	return out
}

// nameSuffix is what the twin's name has behind the Service's, or all of it.
func nameSuffix(twin Twin) string {
	for _, suffix := range []string{v1alpha1.CanarySuffix, v1alpha1.StableHoldSuffix} {
		if strings.HasSuffix(twin.Name, suffix) {
			return suffix
		}
	}
	return "-" + twin.Name
}

const security = "security.istio.io"

// Policies are the kinds that say who may call pods, and how. Uncovered looks at them.
var Policies = []schema.GroupVersionKind{
	{Group: security, Version: "v1", Kind: "AuthorizationPolicy"},
	{Group: security, Version: "v1", Kind: "PeerAuthentication"},
	{Group: security, Version: "v1", Kind: "RequestAuthentication"},
}

// Arms are the pods of a release and their Services.
type Arms struct {
	Service, Canary string
	// Labels are those of the stable pods, CanaryLabels those of the canary's.
	Labels, CanaryLabels map[string]string
}

// Uncovered names the policies of the namespace that hold for the stable pods and not for the canary's, sorted: a
// selector by the label that is changed, or a target that is the user's Service alone. The canary would be open where
// stable is not, or closed.
func Uncovered(policies []*unstructured.Unstructured, arms Arms) []string {
	var out []string
	for _, p := range policies {
		known := slices.ContainsFunc(Policies, func(k schema.GroupVersionKind) bool { return k.GroupKind() == traffic.KindOf(p) })
		if known && covers(p, arms.Service, arms.Labels) && !covers(p, arms.Canary, arms.CanaryLabels) {
			out = append(out, fmt.Sprintf("%s %s", p.GetKind(), p.GetName()))
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// covers says whether a policy holds for pods with the labels, or what is sent to the Service. One with neither selector
// nor targets holds for the whole namespace.
func covers(policy *unstructured.Unstructured, service string, labels map[string]string) bool {
	spec := specOf(policy)
	targets := listOf(spec, "targetRefs")
	if one := mapOf(spec, "targetRef"); one != nil {
		targets = append(targets, one)
	}
	if len(targets) > 0 {
		return slices.ContainsFunc(targets, func(t map[string]any) bool {
			return text(t, "group") == "" && text(t, "kind") == "Service" && text(t, "name") == service && inNamespace(t, policy.GetNamespace())
		})
	}
	selector := mapOf(mapOf(spec, "selector"), "matchLabels")
	return !slices.ContainsFunc(slices.Collect(maps.Keys(selector)), func(key string) bool { return labels[key] != text(selector, key) })
}
