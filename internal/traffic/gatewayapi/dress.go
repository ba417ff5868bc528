package gatewayapi

import (
	"maps"
	"slices"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"slipway.dev/slipway/internal/traffic"
)

// dress adds what an intent has beside shares to a route whose shares are divided. own has the user's own backendRefs of
// each rule. The route may be written to as far as editable copies it.
func dress(route *unstructured.Unstructured, own [][]backendRef, intent traffic.Intent) error {
	var derived []any
	for i, rule := range rulesOf(route) {
		d := dresser{rule: rule, at: ruleID{i, text(rule, "name")}, namespace: route.GetNamespace()}
		if retry, ok := traffic.RetryFor(intent.Retries, d.at.name); ok {
			if err := d.inline(retry); err != nil {
				return err
			}
		}
		for _, s := range intent.Splits {
			ref := d.serviceRef(own[i], s)
			if ref == nil || !hasBeside(s) {
				continue
			}
			rules, err := d.split(ref, own[i], s)
			if err != nil {
				return err
			}
			derived = append(derived, rules...)
		}
	}
	if len(derived) == 0 {
		return nil
	}
	spec, _ := route.Object["spec"].(map[string]any)
	rules, _ := spec["rules"].([]any)
	spec["rules"] = append(slices.Clone(rules), derived...)
	return checkLimits(spec["rules"].([]any), len(derived))
}

// dresser is at one rule of the user's.
type dresser struct {
	rule      map[string]any
	at        ruleID
	namespace string
}

// serviceRef is the user's backendRef to the split's Service, if the split is for this rule and it gets traffic.
func (d dresser) serviceRef(own []backendRef, s traffic.Split) backendRef {
	if s.SectionName != "" && s.SectionName != d.at.name {
		return nil
	}
	for _, ref := range own {
		if ref.isService(s.Service, d.namespace) && effective(ref.weight()) > 0 {
			return ref
		}
	}
	return nil
}

// split adds mirror and cookies to the rule and returns the rules derived from it.
func (d dresser) split(ref backendRef, own []backendRef, s traffic.Split) ([]any, error) {
	if s.Mirror != nil {
		d.rule["filters"] = append(slices.Clone(filtersOf(d.rule)), mirrorFilter(ref, *s.Mirror))
	}
	if s.Affinity != nil {
		if err := d.alone(own, s); err != nil {
			return nil, err
		}
		refs := refsOf(d.rule)
		for i, r := range refs {
			with, err := r.withCookie(*s.Affinity)
			if err != nil {
				return nil, err
			}
			refs[i] = with
		}
		d.rule["backendRefs"] = untyped(refs)
	}
	return d.derive(ref, s)
}

// alone refuses affinity where the rule sends to others, too: users who were once drawn to the Service would never again
// be drawn to those.
func (d dresser) alone(own []backendRef, s traffic.Split) error {
	for _, ref := range own {
		if !ref.isService(s.Service, d.namespace) && effective(ref.weight()) > 0 {
			return traffic.Refused(traffic.Conflicted, "affinity: rule %d also sends to %s, which would lose its users one by one; give Service %s a rule of its own, or take affinity out",
				d.at.index, ref.name(), s.Service)
		}
	}
	return nil
}

// mirrorFilter copies requests to a Service, as the user's backendRef would send them there.
func mirrorFilter(ref backendRef, m traffic.Mirror) map[string]any {
	mirror := map[string]any{"backendRef": map[string]any(ref.toward(m.Backend))}
	if m.Percent < 100 {
		mirror["percent"] = int64(m.Percent)
	}
	return map[string]any{"type": "RequestMirror", "requestMirror": mirror}
}

// toward is a reference to another Service without weight and filters.
func (b backendRef) toward(name string) backendRef {
	out := maps.Clone(b)
	delete(out, "weight")
	delete(out, "filters")
	out["name"] = name
	return out
}
