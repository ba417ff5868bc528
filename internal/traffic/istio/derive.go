package istio

import (
	"fmt"
	"maps"
	"strings"

	"k8s.io/apimachinery/pkg/runtime"

	"slipway.dev/slipway/internal/traffic"
)

// condition is a header that a derived rule wants beside what its origin wants.
type condition struct {
	// name is in lower case, as Istio wants the keys of headers.
	name string
	// kind is exact or regex.
	kind, value string
}

// derive returns the rules that take requests out of this one: for the split's matches, in their order, and for users who
// are known by a cookie. Each is a copy of the rule as it is now, with whatever it has, and wants more.
func (e editor) derive(destination map[string]any, s traffic.Split) ([]any, error) {
	var out []any
	for n, m := range s.Matches {
		conditions, err := conditionsOf(m)
		if err != nil {
			return nil, err
		}
		rule, err := e.derived(s, fmt.Sprintf("match-%d", n), conditions)
		if err != nil {
			return nil, err
		}
		rule["route"] = []any{alone(destination, m.Backend)}
		out = append(out, rule)
	}
	if s.Affinity == nil {
		return out, nil
	}
	for n, k := range s.Affinity.Known {
		rule, err := e.derived(s, fmt.Sprintf("known-%d", n), []condition{{"cookie", "regex", traffic.AnyCookieExpression(s.Affinity.Cookie, k.Values)}})
		if err != nil {
			return nil, err
		}
		route, err := e.known(destination, *s.Affinity, k.Backends)
		if err != nil {
			return nil, err
		}
		rule["route"] = route
		out = append(out, rule)
	}
	return out, nil
}

// alone is a copy of a destination that gets everything, which in Istio has no weight.
func alone(destination map[string]any, service string) map[string]any {
	out := sentTo(destination, service, 0)
	delete(out, "weight")
	return out
}

// known are the destinations of users who are known. Those who are drawn anew get a new cookie.
func (e editor) known(destination map[string]any, a traffic.Affinity, backends []traffic.Backend) ([]any, error) {
	if len(backends) == 1 {
		return []any{alone(destination, backends[0].Name)}, nil
	}
	var out []any
	for _, b := range backends {
		to := sentTo(destination, b.Name, int64(b.Weight))
		if err := e.setCookie(to, b.Name, a); err != nil {
			return nil, err
		}
		out = append(out, to)
	}
	return out, nil
}

func conditionsOf(m traffic.Match) ([]condition, error) {
	var out []condition
	for _, h := range m.Headers {
		out = append(out, condition{strings.ToLower(h.Name), "exact", h.Value})
	}
	if len(m.Cookies) == 0 {
		return out, nil
	}
	expression, err := traffic.CookieExpression(m.Cookies)
	if err != nil {
		return nil, err
	}
	return append(out, condition{"cookie", "regex", expression}), nil
}

// derived is a copy of the rule with a name of its own and the conditions added to each of its matches, which are
// alternatives.
func (e editor) derived(s traffic.Split, what string, conditions []condition) (map[string]any, error) {
	origin := text(e.rule, "name")
	if err := e.filtered(origin); err != nil {
		return nil, err
	}
	if origin == "" {
		origin = fmt.Sprintf("%s-%d", e.protocol, e.index)
	}
	out := runtime.DeepCopyJSON(e.rule)
	out["name"] = "slipway-" + s.Name + "-" + origin + "-" + what
	matches := listOf(out, "match")
	if len(matches) == 0 {
		matches = []map[string]any{{}}
	}
	narrowed := make([]any, 0, len(matches))
	for _, match := range matches {
		headers := maps.Clone(mapOf(match, "headers"))
		if headers == nil {
			headers = map[string]any{}
		}
		for _, c := range conditions {
			if err := e.narrow(headers, c); err != nil {
				return nil, err
			}
		}
		match["headers"] = headers
		narrowed = append(narrowed, match)
	}
	out["match"] = narrowed
	return out, nil
}

// narrow adds a condition. Headers are a map: a rule that wants something of that header already can want nothing else.
func (e editor) narrow(headers map[string]any, c condition) error {
	key, has := keyFold(headers, c.name)
	if !has {
		headers[c.name] = map[string]any{c.kind: c.value}
		return nil
	}
	own := mapOf(headers, key)
	if len(own) == 1 && text(own, c.kind) == c.value {
		return nil
	}
	return traffic.Refused(traffic.Conflicted, "%s has a condition on header %s of its own, beside which Istio takes no other; use another header or cookie", e.where(), key)
}

// keyFold is the key of a map that is the name in any case.
func keyFold(m map[string]any, name string) (string, bool) {
	for key := range m {
		if strings.EqualFold(key, name) {
			return key, true
		}
	}
	return "", false
}

// where is how messages call the rule.
func (e editor) where() string {
	if name := text(e.rule, "name"); name != "" {
		return fmt.Sprintf("spec.%s[%d] (%s) of the VirtualService", e.protocol, e.index, name)
	}
	return fmt.Sprintf("spec.%s[%d] of the VirtualService", e.protocol, e.index)
}
