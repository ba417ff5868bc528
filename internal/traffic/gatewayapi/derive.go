package gatewayapi

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"slipway.dev/slipway/internal/traffic"
)

// Limits of Gateway API for an HTTPRoute.
const (
	maxRules       = 16
	maxRuleMatches = 64
	maxMatches     = 127
	maxName        = 253
)

// What a derived rule is for, in its name.
const (
	whatMatch = "match-"
	whatKnown = "known-"
)

// condition is a header that a derived rule wants beside what its origin wants.
type condition struct {
	name, value string
	expression  bool
}

// derive returns the rules that take requests out of this one: for the split's matches, in their order, and for users who
// are known by a cookie. Each is a copy of the rule as it is now, with its filters, timeouts, retries and whatever else it
// has, and with conditions added to each of its matches, so that Gateway API prefers it to the rule itself.
func (d dresser) derive(ref backendRef, s traffic.Split) ([]any, error) {
	if err := d.inOrder(s.Matches); err != nil {
		return nil, err
	}
	var out []any
	for n, m := range s.Matches {
		conditions, err := conditionsOf(m)
		if err != nil {
			return nil, err
		}
		rule, err := d.derived(s, fmt.Sprintf("%s%d", whatMatch, n), conditions)
		if err != nil {
			return nil, err
		}
		rule["backendRefs"] = untyped([]backendRef{ref.with(m.Backend, 1)})
		out = append(out, rule)
	}
	if s.Affinity == nil {
		return out, nil
	}
	for n, k := range s.Affinity.Known {
		rule, err := d.derived(s, fmt.Sprintf("%s%d", whatKnown, n), []condition{{"Cookie", traffic.AnyCookieExpression(s.Affinity.Cookie, k.Values), true}})
		if err != nil {
			return nil, err
		}
		refs, err := knownRefs(ref, *s.Affinity, k.Backends)
		if err != nil {
			return nil, err
		}
		rule["backendRefs"] = untyped(refs)
		out = append(out, rule)
	}
	return out, nil
}

// knownRefs are where known users go. Those who are drawn anew get a new cookie.
func knownRefs(ref backendRef, a traffic.Affinity, backends []traffic.Backend) ([]backendRef, error) {
	var out []backendRef
	for _, b := range backends {
		to := ref.with(b.Name, int64(b.Weight))
		if len(backends) > 1 {
			var err error
			if to, err = to.withCookie(a); err != nil {
				return nil, err
			}
		}
		out = append(out, to)
	}
	return out, nil
}

// inOrder refuses matches whose order Gateway API would not keep: of two rules that match, it takes the one with more
// header conditions, and only among equals the first.
func (d dresser) inOrder(matches []traffic.Match) error {
	for n := 1; n < len(matches); n++ {
		before, after := conditionCount(matches[n-1]), conditionCount(matches[n])
		if after > before && matches[n].Backend != matches[n-1].Backend {
			return traffic.Refused(traffic.Conflicted, "matches[%d]: Gateway API prefers it to matches[%d], because it has more conditions (%d to %d; all cookies are one); put it first",
				n, n-1, after, before)
		}
	}
	return nil
}

// conditionCount is how many header matches a match becomes.
func conditionCount(m traffic.Match) int {
	n := len(m.Headers)
	if len(m.Cookies) > 0 {
		n++
	}
	return n
}

func conditionsOf(m traffic.Match) ([]condition, error) {
	var out []condition
	for _, h := range m.Headers {
		out = append(out, condition{name: h.Name, value: h.Value})
	}
	if len(m.Cookies) == 0 {
		return out, nil
	}
	expression, err := traffic.CookieExpression(m.Cookies)
	if err != nil {
		return nil, err
	}
	return append(out, condition{"Cookie", expression, true}), nil
}

// derived is a copy of the rule with a name of its own and the conditions added.
func (d dresser) derived(s traffic.Split, what string, conditions []condition) (map[string]any, error) {
	out := maps.Clone(d.rule)
	origin := d.at.name
	if origin == "" {
		origin = fmt.Sprintf("rule-%d", d.at.index)
	}
	out["name"] = derivedName(s.Name, origin, what)
	matches, _ := d.rule["matches"].([]any)
	if len(matches) == 0 {
		matches = []any{map[string]any{"path": map[string]any{"type": "PathPrefix", "value": "/"}}}
	}
	narrowed := make([]any, 0, len(matches))
	for _, item := range matches {
		match, _ := item.(map[string]any)
		with, err := d.narrow(match, conditions)
		if err != nil {
			return nil, err
		}
		narrowed = append(narrowed, with)
	}
	out["matches"] = narrowed
	return out, nil
}

// derivedName is a rule's name, which has a limit.
func derivedName(split, origin, what string) string {
	name := derivedPrefix + split + "-" + origin
	return strings.TrimRight(name[:min(len(name), maxName-len(what)-1)], "-.") + "-" + what
}

// narrow adds conditions to one match of the rule.
func (d dresser) narrow(match map[string]any, conditions []condition) (map[string]any, error) {
	out := maps.Clone(match)
	if out == nil {
		out = map[string]any{}
	}
	headers, _ := match["headers"].([]any)
	headers = slices.Clone(headers)
	for _, c := range conditions {
		kind := "Exact"
		if c.expression {
			kind = "RegularExpression"
		}
		wanted := map[string]any{"type": kind, "name": c.name, "value": c.value}
		at := slices.IndexFunc(headers, func(h any) bool {
			header, _ := h.(map[string]any)
			return strings.EqualFold(text(header, "name"), c.name)
		})
		if at < 0 {
			headers = append(headers, wanted)
			continue
		}
		if has, _ := headers[at].(map[string]any); text(has, "value") != c.value || !reflect.DeepEqual(orDefault(text(has, "type"), "Exact"), kind) {
			return nil, traffic.Refused(traffic.Conflicted, "rule %d of the route has a condition on header %s of its own, beside which Gateway API allows no other; use another header",
				d.at.index, c.name)
		}
	}
	out["headers"] = headers
	return out, nil
}

// checkLimits refuses what the API server would refuse, with numbers.
func checkLimits(rules []any, derived int) error {
	if len(rules) > maxRules {
		return traffic.Refused(traffic.TooManyRules, "matches and affinity need %d rules beside the %d of the route, and Gateway API allows %d; use fewer matches, or name one rule by sectionName",
			derived, len(rules)-derived, maxRules)
	}
	total := 0
	for i, item := range rules {
		rule, _ := item.(map[string]any)
		matches, _ := rule["matches"].([]any)
		total += len(matches)
		if len(matches) > maxRuleMatches {
			return traffic.Refused(traffic.TooManyRules, "rule %d has %d matches, and Gateway API allows %d", i, len(matches), maxRuleMatches)
		}
	}
	if total > maxMatches {
		return traffic.Refused(traffic.TooManyRules, "matches and affinity would give the route %d matches in all rules, and Gateway API allows %d; use fewer, or name one rule by sectionName",
			total, maxMatches)
	}
	return nil
}

// DerivedFrom are the names of the rules of a route that were derived from the rule of that name.
func DerivedFrom(route *unstructured.Unstructured, section string) []string {
	var out []string
	for _, s := range CarriedIntent(route).Splits {
		prefix := strings.TrimSuffix(derivedName(s.Name, section, ""), "-")
		for _, rule := range rulesOf(route) {
			rest, ok := strings.CutPrefix(text(rule, "name"), prefix+"-")
			if ok && isDerived(rule) && (strings.HasPrefix(rest, whatMatch) || strings.HasPrefix(rest, whatKnown)) {
				out = append(out, text(rule, "name"))
			}
		}
	}
	return out
}

// OwnRules are the rules of a route that are its user's, in their places.
func OwnRules(route *unstructured.Unstructured) []map[string]any {
	return slices.DeleteFunc(rulesOf(undressed(route, worn(route, traffic.Intent{}))), isDerived)
}
