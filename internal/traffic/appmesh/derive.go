package appmesh

import (
	"cmp"
	"fmt"
	"slices"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"slipway.dev/slipway/internal/traffic"
)

// Limits of App Mesh for a route.
const (
	maxPriority = 1000
	maxHeaders  = 10
	maxName     = 50
	maxValue    = 255
)

// derive returns, for each route to the split's Service, a copy for each match that wants its headers, too, and comes
// before it.
func derive(seen traffic.Seen, routes []any, s traffic.Split) ([]any, error) {
	own := nodeOf(seen, s.Service)
	matches := traffic.Taking(s)
	if len(matches) == 0 || own == nil {
		return nil, nil
	}
	var out []any
	used := prioritiesOf(routes)
	for _, route := range byPrefix(routes) {
		field, how := howOf(route)
		targets, _, _ := unstructured.NestedSlice(how, "action", "weightedTargets")
		at := slices.IndexFunc(targets, func(t any) bool { return sendsTo(t, own.GetName()) })
		if at < 0 {
			continue
		}
		if field == tcpRoute {
			return nil, traffic.Refused(traffic.NotReady, "matches: route %s is a tcpRoute, which has no requests to match; take matches out", text(route, "name"))
		}
		first, err := slots(route, len(matches), used)
		if err != nil {
			return nil, err
		}
		for n, m := range matches {
			target, err := targetFor(seen, targets[at].(map[string]any), m.Backend)
			if err != nil {
				return nil, err
			}
			target["weight"] = int64(1)
			copied := (&unstructured.Unstructured{Object: route}).DeepCopy().Object
			copied["name"] = fmt.Sprintf("slipway-%s-%s-match-%d", s.Name, text(route, "name"), n)
			copied["priority"] = first + int64(n)
			used = append(used, first+int64(n))
			_, narrowed := howOf(copied)
			if err := unstructured.SetNestedSlice(narrowed, []any{target}, "action", "weightedTargets"); err != nil {
				return nil, err
			}
			if err := narrow(narrowed, field, m); err != nil {
				return nil, err
			}
			out = append(out, copied)
		}
	}
	return out, nil
}

// narrow adds the headers of a match to a route. In a grpcRoute they are metadata.
func narrow(how map[string]any, field string, m traffic.Match) error {
	where := "headers"
	if field == grpcRoute {
		where = "metadata"
	}
	list, _, _ := unstructured.NestedSlice(how, "match", where)
	for _, h := range m.Headers {
		list = append(list, map[string]any{"name": h.Name, "match": map[string]any{"exact": h.Value}})
	}
	if len(m.Cookies) > 0 {
		expression, err := traffic.CookieExpression(m.Cookies)
		if err != nil {
			return err
		}
		list = append(list, map[string]any{"name": "cookie", "match": map[string]any{"regex": expression}})
	}
	if len(list) > maxHeaders {
		return traffic.Refused(traffic.TooManyRules, "matches[].headers: a route would have %d header conditions, of which App Mesh allows %d; use fewer", len(list), maxHeaders)
	}
	for _, item := range list {
		header, _ := item.(map[string]any)
		match, _ := header["match"].(map[string]any)
		if len(text(header, "name")) > maxName || len(text(match, "exact")) > maxValue || len(text(match, "regex")) > maxValue {
			return traffic.Refused(traffic.TooManyRules, "matches[]: App Mesh allows header names of %d characters, and values and expressions of %d; use shorter ones than those of %s",
				maxName, maxValue, text(header, "name"))
		}
	}
	return unstructured.SetNestedSlice(how, list, "match", where)
}

// byPrefix are the routes, those with longer prefixes first: that is the order in which those without a priority count.
func byPrefix(routes []any) []map[string]any {
	out := make([]map[string]any, 0, len(routes))
	for _, item := range routes {
		route, _ := item.(map[string]any)
		out = append(out, route)
	}
	prefix := func(route map[string]any) int {
		_, how := howOf(route)
		match, _ := how["match"].(map[string]any)
		return len(text(match, "prefix"))
	}
	slices.SortStableFunc(out, func(a, b map[string]any) int { return cmp.Compare(prefix(b), prefix(a)) })
	return out
}

func prioritiesOf(routes []any) []int64 {
	var out []int64
	for _, item := range routes {
		route, _ := item.(map[string]any)
		if p, ok := route["priority"].(int64); ok {
			out = append(out, p)
		}
	}
	return out
}

// slots is the first of n priorities in a row that come right before a route's own, and behind all others that come before
// it.
func slots(route map[string]any, n int, used []int64) (int64, error) {
	own, has := route["priority"].(int64)
	before := int64(-1)
	for _, p := range used {
		if !has || p < own {
			before = max(before, p)
		}
	}
	first := before + 1
	if has {
		first = own - int64(n)
	}
	if first <= before || first+int64(n)-1 > maxPriority {
		return 0, traffic.Refused(traffic.Conflicted, "matches: route %s has no %d free priorities before it, where the routes of matches have to be; give it a larger priority",
			text(route, "name"), n)
	}
	return first, nil
}
