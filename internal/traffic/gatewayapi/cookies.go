package gatewayapi

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"slipway.dev/slipway/internal/traffic"
)

// Set-Cookie is added by a ResponseHeaderModifier of the backendRef. An API server takes only one of these for each
// backendRef, so that the user's own one, if there is one, gets it.

const setCookie = "Set-Cookie"

// cookieText is the header's value.
func cookieText(a traffic.Affinity, value string) string {
	out := fmt.Sprintf("%s=%s; Path=/", a.Cookie, value)
	if a.MaxAge > 0 {
		out += fmt.Sprintf("; Max-Age=%d", int64(a.MaxAge.Seconds()))
	}
	return out + "; HttpOnly; SameSite=Lax"
}

// withCookie returns the backendRef with the header that says which backend answered.
func (b backendRef) withCookie(a traffic.Affinity) (backendRef, error) {
	at := slices.IndexFunc(a.Set, func(p traffic.Pin) bool { return p.Backend == b.name() })
	if at < 0 {
		return b, nil
	}
	header := map[string]any{"name": setCookie, "value": cookieText(a, a.Set[at].Value)}
	out := maps.Clone(b)
	filters := slices.Clone(filtersOf(b))
	for i, item := range filters {
		filter, _ := item.(map[string]any)
		if text(filter, "type") != "ResponseHeaderModifier" {
			continue
		}
		modifier, _ := filter["responseHeaderModifier"].(map[string]any)
		add, _ := modifier["add"].([]any)
		if slices.ContainsFunc(add, isSetCookie) {
			return nil, traffic.Refused(traffic.Conflicted, "affinity: the backendRef of Service %s adds a Set-Cookie header itself, and Gateway API allows one; "+
				"have the application set that cookie, or take affinity out", b.name())
		}
		filter, modifier = maps.Clone(filter), maps.Clone(modifier)
		modifier["add"] = append(slices.Clone(add), header)
		filter["responseHeaderModifier"] = modifier
		filters[i] = filter
		out["filters"] = filters
		return out, nil
	}
	out["filters"] = append(filters, map[string]any{
		"type": "ResponseHeaderModifier", "responseHeaderModifier": map[string]any{"add": []any{header}},
	})
	return out, nil
}

func isSetCookie(header any) bool {
	h, _ := header.(map[string]any)
	return strings.EqualFold(text(h, "name"), setCookie)
}

// removeCookies takes the Set-Cookie headers out that were written for the affinity.
func removeCookies(rule map[string]any, a traffic.Affinity) {
	refs := refsOf(rule)
	changed := false
	for i, ref := range refs {
		if without, ok := ref.withoutCookie(a); ok {
			refs[i], changed = without, true
		}
	}
	if changed {
		rule["backendRefs"] = untyped(refs)
	}
}

func (b backendRef) withoutCookie(a traffic.Affinity) (backendRef, bool) {
	ours := func(header any) bool {
		h, _ := header.(map[string]any)
		return isSetCookie(header) && strings.HasPrefix(text(h, "value"), a.Cookie+"=")
	}
	for i, item := range filtersOf(b) {
		filter, _ := item.(map[string]any)
		modifier, _ := filter["responseHeaderModifier"].(map[string]any)
		add, _ := modifier["add"].([]any)
		if !slices.ContainsFunc(add, ours) {
			continue
		}
		out, filters := maps.Clone(b), slices.Clone(filtersOf(b))
		filter, modifier = maps.Clone(filter), maps.Clone(modifier)
		modifier["add"] = slices.DeleteFunc(slices.Clone(add), ours)
		if len(modifier["add"].([]any)) == 0 {
			delete(modifier, "add")
		}
		filter["responseHeaderModifier"] = modifier
		filters[i] = filter
		if len(modifier) == 0 && len(filter) == 2 {
			filters = slices.Delete(filters, i, i+1)
		}
		withFilters(out, filters)
		return out, true
	}
	return b, false
}
