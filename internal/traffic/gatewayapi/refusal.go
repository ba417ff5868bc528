package gatewayapi

import (
	"slices"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"slipway.dev/slipway/internal/traffic"
)

// PolicyKinds are the kinds of others that can be attached to one rule of a route by its name. A rule that is derived from
// it would have another name, and slip past them.
var PolicyKinds = []schema.GroupVersionKind{
	{Group: "gateway.envoyproxy.io", Version: "v1alpha1", Kind: "SecurityPolicy"},
	{Group: "gateway.envoyproxy.io", Version: "v1alpha1", Kind: "BackendTrafficPolicy"},
	{Group: "gateway.envoyproxy.io", Version: "v1alpha1", Kind: "EnvoyExtensionPolicy"},
	{Group: "gateway.kgateway.dev", Version: "v1alpha1", Kind: "TrafficPolicy"},
	{Group: "kuadrant.io", Version: "v1", Kind: "AuthPolicy"},
	{Group: "kuadrant.io", Version: "v1", Kind: "RateLimitPolicy"},
	{Group: "gateway.nginx.org", Version: "v1alpha1", Kind: "RateLimitPolicy"},
}

// Refusal is what stands in the way of an intent on a route, or nil: a policy of others that is attached to a rule from
// which rules would be derived, or a rule that does not exist.
func Refusal(seen traffic.Seen, intent traffic.Intent) error {
	var names []string
	for _, rule := range rulesOf(seen.Target) {
		if !isDerived(rule) {
			names = append(names, text(rule, "name"))
		}
	}
	for _, r := range intent.Retries {
		if r.SectionName != "" && !slices.Contains(names, r.SectionName) {
			return traffic.Refused(traffic.NotFound, "targetRefs: %s %s has no rule with the name %s", seen.Target.GetKind(), seen.Target.GetName(), r.SectionName)
		}
	}
	for _, s := range intent.Splits {
		if len(s.Matches) == 0 && s.Affinity == nil {
			continue
		}
		for _, name := range names {
			if name == "" || (s.SectionName != "" && s.SectionName != name) {
				continue
			}
			if policy := attachedTo(seen, name); policy != nil {
				return traffic.Refused(traffic.PolicyTargetsRule, "matches and affinity would make rules beside rule %s, which %s %s would not cover; "+
					"attach it to the whole route, or take matches and affinity out", name, policy.GetKind(), policy.GetName())
			}
		}
	}
	return nil
}

// attachedTo is somebody's policy that is attached to the rule of that name, or nil.
func attachedTo(seen traffic.Seen, rule string) *unstructured.Unstructured {
	for _, kind := range PolicyKinds {
		for _, obj := range seen.Of(kind.GroupKind()) {
			if !traffic.IsGenerated(obj) && slices.ContainsFunc(targetsOf(obj), func(t map[string]any) bool {
				return text(t, "sectionName") == rule && IsTarget(t, seen.Target)
			}) {
				return obj
			}
		}
	}
	return nil
}

// AttachedTo are the objects of that kind which are attached to the route, whole or by a rule, and are not Slipway's.
func AttachedTo(seen traffic.Seen, kind schema.GroupKind) []*unstructured.Unstructured {
	var out []*unstructured.Unstructured
	for _, obj := range seen.Of(kind) {
		if traffic.IsGenerated(obj) {
			continue
		}
		if slices.ContainsFunc(targetsOf(obj), func(t map[string]any) bool { return IsTarget(t, seen.Target) }) || selects(obj, seen.Target) {
			out = append(out, obj)
		}
	}
	return out
}

// IsTarget says whether a targetRef of a policy means the route.
func IsTarget(ref map[string]any, route *unstructured.Unstructured) bool {
	return text(ref, "kind") == route.GetKind() && text(ref, "group") == group && text(ref, "name") == route.GetName()
}

// targetsOf are the targetRefs of a policy, also of one that has a single targetRef.
func targetsOf(policy *unstructured.Unstructured) []map[string]any {
	spec, _ := policy.Object["spec"].(map[string]any)
	list, _ := spec["targetRefs"].([]any)
	if one, ok := spec["targetRef"]; ok {
		list = append(slices.Clone(list), one)
	}
	out := make([]map[string]any, 0, len(list))
	for _, item := range list {
		ref, _ := item.(map[string]any)
		out = append(out, ref)
	}
	return out
}

// selects says whether a policy's targetSelectors choose the route by its labels.
func selects(policy, route *unstructured.Unstructured) bool {
	spec, _ := policy.Object["spec"].(map[string]any)
	selectors, _ := spec["targetSelectors"].([]any)
	for _, item := range selectors {
		selector, _ := item.(map[string]any)
		if text(selector, "kind") != route.GetKind() {
			continue
		}
		labels, _ := selector["matchLabels"].(map[string]any)
		all := true
		for key, value := range labels {
			all = all && route.GetLabels()[key] == value
		}
		expressions, _ := selector["matchExpressions"].([]any)
		// An expression may or may not choose it: who reads this asks what could stand in the way.
		if all && (len(labels) > 0 || len(expressions) > 0) {
			return true
		}
	}
	return false
}

// IsAttachedToParent says whether a policy is attached to the parent of a route in that namespace.
func IsAttachedToParent(policy *unstructured.Unstructured, parent map[string]any, routeNamespace string) bool {
	in := orDefault(text(parent, "namespace"), routeNamespace)
	kind := orDefault(text(parent, "kind"), "Gateway")
	return policy.GetNamespace() == in && slices.ContainsFunc(targetsOf(policy), func(t map[string]any) bool {
		return text(t, "kind") == kind && text(t, "name") == text(parent, "name") &&
			(text(t, "sectionName") == "" || text(parent, "sectionName") == "" || text(t, "sectionName") == text(parent, "sectionName"))
	})
}
