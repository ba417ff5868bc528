package linkerd

import (
	"fmt"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"slipway.dev/slipway/internal/traffic"
	"slipway.dev/slipway/internal/traffic/gatewayapi"
	"slipway.dev/slipway/internal/traffic/kept"
)

// inTheWay is what of a user's own would win over an intent, or be lost by it.
func inTheWay(seen traffic.Seen, intent traffic.Intent) error {
	checks := []func(traffic.Seen, traffic.Intent) error{parents, profiles, oldRoutes, filters, ownRetries, ownTimeouts}
	for _, check := range checks {
		if err := check(seen, intent); err != nil {
			return err
		}
	}
	return nil
}

// parents refuses a route that is not one of a Service: Linkerd does not serve it.
func parents(seen traffic.Seen, _ traffic.Intent) error {
	if traffic.KindOf(seen.Target) == ServiceKind.GroupKind() {
		return nil
	}
	all := parentsOf(seen.Target)
	for _, parent := range all {
		if !isService(parent) {
			return traffic.Refused(traffic.NotReady, "%s %s has parent %v, which Linkerd does not serve; set dataPlane to what serves it, or give Linkerd a route of its own",
				seen.Target.GetKind(), seen.Target.GetName(), parent["name"])
		}
	}
	if len(all) == 0 {
		return traffic.Refused(traffic.NotReady, "%s %s has no parentRefs, so that Linkerd does not serve it; add a Service", seen.Target.GetKind(), seen.Target.GetName())
	}
	return nil
}

// servicesOf are the Services whose traffic the target is about.
func servicesOf(seen traffic.Seen) []string {
	if traffic.KindOf(seen.Target) == ServiceKind.GroupKind() {
		return []string{seen.Target.GetName()}
	}
	var out []string
	for _, parent := range parentsOf(seen.Target) {
		name, _ := parent["name"].(string)
		out = append(out, name)
	}
	return out
}

// profiles refuses where a ServiceProfile is: the proxies follow it, and neither routes nor annotations.
func profiles(seen traffic.Seen, _ traffic.Intent) error {
	for _, profile := range seen.Of(ProfileKind.GroupKind()) {
		for _, service := range servicesOf(seen) {
			if strings.HasPrefix(profile.GetName(), fmt.Sprintf("%s.%s.svc.", service, seen.Target.GetNamespace())) {
				return traffic.Refused(traffic.Conflicted, "ServiceProfile %s goes before routes and annotations of Service %s in Linkerd; move what it says to a route, and remove it",
					profile.GetName(), service)
			}
		}
	}
	return nil
}

// oldRoutes refuses splits where a Service has a route of Linkerd's own group: beside it, a generated one would decide only
// about what that one does not match.
func oldRoutes(seen traffic.Seen, intent traffic.Intent) error {
	if len(intent.Splits) == 0 {
		return nil
	}
	for _, route := range seen.Of(OldRouteKind.GroupKind()) {
		for _, service := range servicesOf(seen) {
			if isParent(route, service) {
				return traffic.Refused(traffic.Conflicted, "HTTPRoute %s of group policy.linkerd.io is a route of Service %s; write it as one of group gateway.networking.k8s.io, which takes shares",
					route.GetName(), service)
			}
		}
	}
	return nil
}

// unknownFilters are those with which Linkerd drops the whole route.
var unknownFilters = []string{"RequestMirror", "URLRewrite", "ExtensionRef", "CORS", "ExternalAuth"}

// filters refuses a route that Linkerd drops because of a filter: it would have no shares, and nobody would say so.
func filters(seen traffic.Seen, intent traffic.Intent) error {
	if len(intent.Splits) == 0 && traffic.KindOf(seen.Target) == ServiceKind.GroupKind() {
		return nil
	}
	for _, route := range routesOf(seen) {
		for i, rule := range gatewayapi.OwnRules(route) {
			if name := unknownFilter(rule); name != "" {
				return traffic.Refused(traffic.NotReady, "rule %d of %s %s has a %s filter, with which Linkerd drops the whole route; take it out",
					i, route.GetKind(), route.GetName(), name)
			}
		}
	}
	return nil
}

func unknownFilter(rule map[string]any) string {
	lists := []any{rule["filters"]}
	refs, _ := rule["backendRefs"].([]any)
	for _, item := range refs {
		ref, _ := item.(map[string]any)
		lists = append(lists, ref["filters"])
	}
	for _, l := range lists {
		list, _ := l.([]any)
		for _, item := range list {
			filter, _ := item.(map[string]any)
			if kind, _ := filter["type"].(string); slices.Contains(unknownFilters, kind) {
				return kind
			}
		}
	}
	return ""
}

// ownRetries refuses a policy beside a user's own annotations for retries: on the target they would be written over, and
// those of a route go before those of its Service, all of them together.
func ownRetries(seen traffic.Seen, intent traffic.Intent) error {
	wanted := slices.ContainsFunc(intent.Retries, func(r traffic.Retry) bool { return r.Retries != nil })
	if !wanted {
		return nil
	}
	if err := ownAnnotation(seen, retryPrefix, "retries"); err != nil {
		return err
	}
	if !slices.ContainsFunc(intent.Retries, traffic.Retry.Off) {
		return nil
	}
	for _, service := range servicesOf(seen) {
		// A route without retries takes those of its Service.
		obj := seen.Find(ServiceKind.GroupKind(), service)
		if obj == nil || obj.GetName() == seen.Target.GetName() && obj.GetKind() == seen.Target.GetKind() {
			continue
		}
		if key := annotationWith(obj, retryPrefix); key != "" {
			return traffic.Refused(traffic.Conflicted, "retries: Service %s has the annotation %s, which Linkerd follows for a route without retries; name the Service in targetRefs, or take the annotation out",
				service, key)
		}
	}
	return nil
}

func ownAnnotation(seen traffic.Seen, prefix, field string) error {
	objects := []*unstructured.Unstructured{kept.Own(seen.Target)}
	if traffic.KindOf(seen.Target) == ServiceKind.GroupKind() {
		objects = append(objects, routesOf(seen)...) // also one that a policy of its own was written on: it goes before the Service
	}
	for _, obj := range objects {
		if key := annotationWith(obj, prefix); key != "" {
			return traffic.Refused(traffic.Conflicted, "%s: %s %s has the annotation %s, beside which Linkerd would not follow the policy; take it out, or %s out of the policy",
				field, obj.GetKind(), obj.GetName(), key, field)
		}
	}
	return nil
}

// ownTimeouts refuses a timeout beside a user's own, in annotations or in a rule.
func ownTimeouts(seen traffic.Seen, intent traffic.Intent) error {
	if !slices.ContainsFunc(intent.Retries, func(r traffic.Retry) bool { return r.Request > 0 }) {
		return nil
	}
	if err := ownAnnotation(seen, timeoutPrefix, "timeouts.request"); err != nil {
		return err
	}
	for _, route := range routesOf(seen) {
		for i, rule := range gatewayapi.OwnRules(route) {
			timeouts, _ := rule["timeouts"].(map[string]any)
			if _, own := timeouts["request"]; own {
				return traffic.Refused(traffic.Conflicted, "timeouts.request: rule %d of %s %s has timeouts.request of its own; take it out of the route, or out of the policy",
					i, route.GetKind(), route.GetName())
			}
		}
	}
	return nil
}
