package consul

import (
	"slices"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"slipway.dev/slipway/internal/traffic"
	"slipway.dev/slipway/internal/traffic/kept"
)

// inTheWay is what Consul would refuse, and what of a user's own would be written over.
func inTheWay(seen traffic.Seen, intent traffic.Intent) error {
	if intent.Empty() {
		return nil
	}
	for _, check := range []func(traffic.Seen, traffic.Intent) error{protocols, redirects, fractions, ownRetries} {
		if err := check(seen, intent); err != nil {
			return err
		}
	}
	return nil
}

// httpProtocols are those that Consul divides and routes by request.
var httpProtocols = []string{"http", "http2", "grpc"}

// protocols wants a protocol of HTTP for every service of the chain: Consul refuses the splitter or router otherwise.
func protocols(seen traffic.Seen, intent traffic.Intent) error {
	names := []string{seen.Target.GetName()}
	for _, s := range intent.Splits {
		for _, b := range s.Backends {
			names = append(names, b.Name)
		}
		for _, m := range s.Matches {
			names = append(names, m.Backend)
		}
	}
	slices.Sort(names)
	for _, name := range slices.Compact(names) {
		if protocol := protocolOf(seen, name); !slices.Contains(httpProtocols, protocol) {
			return traffic.Refused(traffic.NotReady, "Service %s has protocol %s in Consul, which divides and routes requests of http, http2 and grpc only; set spec.protocol in ServiceDefaults %s",
				name, protocol, name)
		}
	}
	return nil
}

// protocolOf is the protocol of a service as its ServiceDefaults say it, or else the ProxyDefaults.
func protocolOf(seen traffic.Seen, service string) string {
	if defaults := seen.Find(DefaultsKind.GroupKind(), service); defaults != nil {
		if protocol, _, _ := unstructured.NestedString(defaults.Object, "spec", "protocol"); protocol != "" {
			return protocol
		}
	}
	for _, global := range slices.Concat(seen.Of(ProxyDefaultsKind.GroupKind()), seen.Elsewhere) {
		if traffic.KindOf(global) != ProxyDefaultsKind.GroupKind() || global.GetName() != "global" {
			continue
		}
		if protocol, _, _ := unstructured.NestedString(global.Object, "spec", "config", "protocol"); protocol != "" {
			return protocol
		}
	}
	return "tcp"
}

// redirects refuses a Service that is only another name for something else: it has no traffic to divide.
func redirects(seen traffic.Seen, _ traffic.Intent) error {
	own := ownOf(seen, ResolverKind)
	if own == nil {
		return nil
	}
	if redirect, _, _ := unstructured.NestedMap(own.Object, "spec", "redirect"); len(redirect) > 0 {
		return traffic.Refused(traffic.Conflicted, "ServiceResolver %s redirects the Service to %v; name that Service, or take spec.redirect out", own.GetName(), redirect["service"])
	}
	return nil
}

// fractions refuses a user's own splitter with weights that are not whole: the sum of what is written would not be 100.
func fractions(seen traffic.Seen, intent traffic.Intent) error {
	splitter := ownOf(seen, SplitterKind)
	if splitter == nil || len(intent.Splits) == 0 {
		return nil
	}
	for i, item := range listOf(kept.Own(splitter), "splits") {
		entry, _ := item.(map[string]any)
		if w, ok := entry["weight"].(float64); ok && w != float64(int32(w)) {
			return traffic.Refused(traffic.WeightResolution, "splits[%d].weight: ServiceSplitter %s has %v, which cannot be divided further in whole percent; use whole weights",
				i, splitter.GetName(), w)
		}
	}
	for _, s := range intent.Splits {
		if total(s.Backends)*parts > maxProduct {
			return traffic.Refused(traffic.WeightResolution, "backends: the weights are %d in sum, which is more than can be multiplied with those of ServiceSplitter %s; use weights of at most 100",
				total(s.Backends), splitter.GetName())
		}
	}
	return nil
}

// maxProduct is the largest weight of an entry before it is reduced to percent.
const maxProduct = 1<<31 - 1

// retryFields are those of a destination that a policy would write over.
var retryFields = []string{"numRetries", "retryOn", "retryOnStatusCodes", "retryOnConnectFailure"}

// ownRetries refuses a policy where the user's router has retries or timeouts of its own.
func ownRetries(seen traffic.Seen, intent traffic.Intent) error {
	router := ownOf(seen, RouterKind)
	if router == nil {
		return nil
	}
	for i, item := range listOf(kept.Own(router), "routes") {
		route, _ := item.(map[string]any)
		to, _ := route["destination"].(map[string]any)
		for _, r := range intent.Retries {
			field, ours := "", ""
			if at := slices.IndexFunc(retryFields, func(f string) bool { _, own := to[f]; return own }); at >= 0 && r.Retries != nil {
				field, ours = retryFields[at], "retries"
			}
			if _, own := to["requestTimeout"]; own && r.Request > 0 {
				field, ours = "requestTimeout", "timeouts.request"
			}
			if field != "" {
				return traffic.Refused(traffic.Conflicted, "%s: routes[%d] of ServiceRouter %s has destination.%s of its own; take it out of the router, or %s out of the policy",
					ours, i, router.GetName(), field, ours)
			}
		}
	}
	return nil
}
