// Package gatewayapi translates splits and retry policies into Gateway API's routes. It is pure: routes in, routes out. It
// works on untyped objects, so that fields which it does not know come back as they were. Translators for data planes that
// are configured through such routes build on it.
package gatewayapi

import (
	"fmt"
	"maps"
	"reflect"
	"slices"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"slipway.dev/slipway/api/v1alpha1"
	"slipway.dev/slipway/internal/traffic"
)

// maxRefs is Gateway API's limit for the backendRefs of a rule.
const maxRefs = 16

// Render returns the route as it is to be in order to carry exactly the intent. It begins with the route as it would be
// without everything that it carries beside shares, divides the shares there, and then adds what the intent has beside
// shares: in the user's own rules what belongs there, and rules of its own behind them.
func (HTTPRoute) Render(route *unstructured.Unstructured, intent traffic.Intent) (*unstructured.Unstructured, error) {
	out, own, err := renderShares(undressed(route, worn(route, intent)), intent)
	if err != nil {
		return nil, err
	}
	if err := dress(out, own, intent); err != nil {
		return nil, err
	}
	return out, note(out, intent)
}

// renderShares changes the backendRefs of the user's own rules, and the annotation that says so. It also returns the
// user's own backendRefs of each rule.
func renderShares(route *unstructured.Unstructured, intent traffic.Intent) (*unstructured.Unstructured, [][]backendRef, error) {
	was := recordOf(route, intent)
	if err := overtaken(was, intent); err != nil {
		return nil, nil, err
	}
	out := editable(route)
	now := record{splits: slices.Clone(intent.Splits), divided: divide(intent.Splits)}
	var lists [][]backendRef
	for i, rule := range rulesOf(out) {
		at := ruleID{i, text(rule, "name")}
		live := refsOf(rule)
		refs := ownRefs(live, at, was, out.GetNamespace())
		own, divided, err := renderRule(rule, refs, at, now, out.GetNamespace())
		if err != nil {
			return nil, nil, err
		}
		if divided {
			now.rules = append(now.rules, own)
		}
		lists = append(lists, refs)
	}
	annotate(out, now)
	return out, lists, nil
}

// editable copies a route as far as rendering changes it: its metadata, the list of rules and each rule. What is below is
// shared with the argument, and never written to.
func editable(route *unstructured.Unstructured) *unstructured.Unstructured {
	out := &unstructured.Unstructured{Object: maps.Clone(route.Object)}
	if metadata, ok := out.Object["metadata"].(map[string]any); ok {
		out.Object["metadata"] = maps.Clone(metadata)
	}
	spec, ok := out.Object["spec"].(map[string]any)
	if !ok {
		return out
	}
	spec = maps.Clone(spec)
	out.Object["spec"] = spec
	if rules, ok := spec["rules"].([]any); ok {
		rules = slices.Clone(rules)
		for i, item := range rules {
			if rule, ok := item.(map[string]any); ok {
				rules[i] = maps.Clone(rule)
			}
		}
		spec["rules"] = rules
	}
	return out
}

// Restore returns the route as its user wrote it.
func (r HTTPRoute) Restore(route *unstructured.Unstructured) (*unstructured.Unstructured, error) {
	return r.Render(route, traffic.Intent{})
}

// renderRule changes the backendRefs of one rule, of which own are the user's, to carry the intent, and returns what is
// to be remembered of the user's own ones if any is divided.
func renderRule(rule map[string]any, own []backendRef, at ruleID, now record, namespace string) (ownRule, bool, error) {
	portions := portionsFor(own, forRule(now.divided, at), namespace)
	next := compose(own, portions)
	if len(next) > maxRefs {
		return ownRule{}, false, traffic.Refused(traffic.TooManyRules, "backends: rule %d would have %d backendRefs, of which Gateway API allows %d; take backends out",
			at.index, len(next), maxRefs)
	}
	if !slices.EqualFunc(refsOf(rule), next, func(a, b backendRef) bool { return reflect.DeepEqual(a, b) }) {
		rule["backendRefs"] = untyped(next)
	}
	kept := ownRule{index: at.index, name: at.name}
	for _, ref := range own {
		kept.refs = append(kept.refs, ownRef{ref.key(namespace), ref.weight()})
	}
	divided := slices.ContainsFunc(portions, func(p *portion) bool { return p != nil })
	return kept, divided, nil
}

// portionsFor has, for each of the user's own backendRefs, what a split makes of it. One without weight has nothing to
// divide.
func portionsFor(own []backendRef, splits []divided, namespace string) []*portion {
	out := make([]*portion, len(own))
	for i, ref := range own {
		for _, s := range splits {
			if ref.isService(s.Service, namespace) && effective(ref.weight()) > 0 {
				out[i] = s.portion
			}
		}
	}
	return out
}

// compose is the list of backendRefs of a rule: the user's own ones in their order and then the added ones, because data
// planes name what they make for a backend by its position.
func compose(own []backendRef, portions []*portion) []backendRef {
	if !slices.ContainsFunc(portions, func(p *portion) bool { return p != nil }) {
		return own
	}
	lone := make([]int64, len(own))
	for i, ref := range own {
		lone[i] = ref.weight()
	}
	w := apportion(lone, portions)
	var out, added []backendRef
	for i, ref := range own {
		if int64(w.own[i]) == effective(ref.weight()) {
			out = append(out, ref)
		} else {
			out = append(out, ref.weighing(int64(w.own[i])))
		}
		for j, weight := range w.added[i] {
			added = append(added, ref.with(portions[i].added[j].Name, int64(weight)))
		}
	}
	return append(out, added...)
}

// overtaken fails when the route follows a later record of one of the intent's splits.
func overtaken(was record, intent traffic.Intent) error {
	for _, on := range was.splits {
		for _, s := range intent.Splits {
			if s.UID == on.UID && s.Sequence < on.Sequence {
				return fmt.Errorf("render split %q at sequence %d, route is at %d: %w", s.Name, s.Sequence, on.Sequence, traffic.ErrOvertaken)
			}
		}
	}
	return nil
}

func annotate(route *unstructured.Unstructured, now record) {
	annotations := route.GetAnnotations()
	if len(now.splits) > 0 {
		if annotations == nil {
			annotations = map[string]string{}
		}
		annotations[v1alpha1.SplitAnnotation] = now.String()
		route.SetAnnotations(annotations)
		return
	}
	if _, on := annotations[v1alpha1.SplitAnnotation]; !on {
		return
	}
	delete(annotations, v1alpha1.SplitAnnotation)
	if len(annotations) == 0 {
		annotations = nil
	}
	route.SetAnnotations(annotations)
}
