package gatewayapi

import (
	"maps"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"slipway.dev/slipway/internal/traffic"
)

// backendRef is a backendRef as the API server returned it, with the fields that Slipway does not know.
type backendRef map[string]any

func (b backendRef) name() string { return text(b, "name") }

// key tells backendRefs apart in records: the name of a Service in the route's own namespace, or the name of anything
// else with a slash before it, which no split divides.
func (b backendRef) key(namespace string) string {
	if b.isService(b.name(), namespace) {
		return b.name()
	}
	return "/" + b.name()
}

// weight is the weight as written, or noWeight.
func (b backendRef) weight() int64 {
	switch w := b["weight"].(type) {
	case int64:
		return w
	case float64:
		return int64(w)
	}
	return noWeight
}

// isService says whether the backendRef is to the Service of that name in the route's own namespace.
func (b backendRef) isService(name, namespace string) bool {
	kind, in := text(b, "kind"), text(b, "namespace")
	return b.name() == name && text(b, "group") == "" && (kind == "" || kind == "Service") && (in == "" || in == namespace)
}

// with returns the backendRef with another name and weight; the rest is shared.
func (b backendRef) with(name string, weight int64) backendRef {
	out := maps.Clone(b)
	out["name"], out["weight"] = name, weight
	return out
}

// weighing returns the backendRef with another weight; the rest is shared.
func (b backendRef) weighing(weight int64) backendRef {
	if b.weight() == weight {
		return b
	}
	out := maps.Clone(b)
	if weight == noWeight {
		delete(out, "weight")
		return out
	}
	out["weight"] = weight
	return out
}

func text(m map[string]any, field string) string {
	s, _ := m[field].(string)
	return s
}

// rulesOf are the rules of a route, shared with it. What is not a rule is an empty one, which nothing matches.
func rulesOf(route *unstructured.Unstructured) []map[string]any {
	spec, _ := route.Object["spec"].(map[string]any)
	list, _ := spec["rules"].([]any)
	out := make([]map[string]any, len(list))
	for i, item := range list {
		out[i], _ = item.(map[string]any)
	}
	return out
}

func refsOf(rule map[string]any) []backendRef {
	list, _ := rule["backendRefs"].([]any)
	out := make([]backendRef, len(list))
	for i, item := range list {
		m, _ := item.(map[string]any)
		out[i] = m
	}
	return out
}

func untyped(refs []backendRef) []any {
	out := make([]any, len(refs))
	for i, r := range refs {
		out[i] = map[string]any(r)
	}
	return out
}

// Divisions are, for each of the user's own rules that sends to the Service, the weights of the rule's backendRefs.
func Divisions(route *unstructured.Unstructured, service string) [][]traffic.Backend {
	var out [][]traffic.Backend
	for _, rule := range rulesOf(route) {
		var list []traffic.Backend
		found := false
		for _, ref := range refsOf(rule) {
			found = found || ref.isService(service, route.GetNamespace())
			list = append(list, traffic.Backend{Name: ref.name(), Weight: int32(effective(ref.weight()))}) //nolint:gosec // at most a million
		}
		if found && !isDerived(rule) {
			out = append(out, list)
		}
	}
	return out
}
