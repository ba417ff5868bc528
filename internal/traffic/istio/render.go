package istio

import (
	"slices"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"slipway.dev/slipway/internal/traffic"
	"slipway.dev/slipway/internal/traffic/kept"
)

// Render returns the VirtualService and DestinationRules as they are to be.
func (r Router) Render(seen traffic.Seen, intent traffic.Intent) (traffic.Rendering, error) {
	if err := traffic.Require(r, seen, intent); err != nil {
		return traffic.Rendering{}, err
	}
	f := newFound(intent)
	out, err := r.routes(seen, intent, f)
	if err != nil {
		return traffic.Rendering{}, err
	}
	rules, err := budgetRules(seen, intent, f.budgets)
	if err != nil {
		return traffic.Rendering{}, err
	}
	out.Patched, out.Generated = append(out.Patched, rules.Patched...), append(out.Generated, rules.Generated...)
	return out, traffic.Free(seen, out.Generated)
}

// routes renders the VirtualService: the user's own, or one for the Service.
func (r Router) routes(seen traffic.Seen, intent traffic.Intent, f *found) (traffic.Rendering, error) {
	if traffic.KindOf(seen.Target) == service.GroupKind() {
		return r.generated(seen, intent, f)
	}
	own := kept.Own(seen.Target)
	if !intent.Empty() {
		if err := inTheWay(seen, own, intent); err != nil {
			return traffic.Rendering{}, err
		}
	}
	vs, err := kept.Patch(seen.Target, intent, func(own *unstructured.Unstructured) error {
		return change(own, seen.Of(envoyFilter.GroupKind()), intent, f)
	})
	if err != nil {
		return traffic.Rendering{}, err
	}
	return traffic.Rendering{Patched: []*unstructured.Unstructured{vs}}, nil
}

// generated renders a VirtualService for a Service that has none. It begins with what Istio does without one: send
// everything to the Service, on the port that was called.
func (r Router) generated(seen traffic.Seen, intent traffic.Intent, f *found) (traffic.Rendering, error) {
	if intent.Empty() {
		return traffic.Rendering{}, nil
	}
	if err := traffic.Overtaken(r.Carried(seen), intent); err != nil {
		return traffic.Rendering{}, err
	}
	name := seen.Target.GetName()
	vs := traffic.Generate(seen, intent, virtualService, traffic.GeneratedName(seen.Target, ""), map[string]any{
		"hosts": []any{name},
		"http":  []any{map[string]any{"route": []any{map[string]any{"destination": map[string]any{"host": name}}}}},
	})
	if err := inTheWay(seen, vs, intent); err != nil {
		return traffic.Rendering{}, err
	}
	if err := change(vs, seen.Of(envoyFilter.GroupKind()), intent, f); err != nil {
		return traffic.Rendering{}, err
	}
	return traffic.Rendering{Generated: []*unstructured.Unstructured{vs}}, nil
}

// change makes a user's VirtualService carry the intent.
func change(vs *unstructured.Unstructured, filters []*unstructured.Unstructured, intent traffic.Intent, f *found) error {
	spec := specOf(vs)
	for _, protocol := range []string{"http", "tls", "tcp"} {
		list, _ := spec[protocol].([]any)
		var out []any
		for i, item := range list {
			if rule, ok := item.(map[string]any); ok {
				e := editor{rule: rule, index: i, protocol: protocol, namespace: vs.GetNamespace(), filters: filters}
				derived, err := e.edit(intent, f)
				if err != nil {
					return err
				}
				out = append(out, derived...)
			}
			out = append(out, item)
		}
		if len(list) > 0 {
			spec[protocol] = out
		}
	}
	return f.missing(vs, intent)
}

// found is what was found of the parts of an intent while its rules were changed.
type found struct {
	// splits and retries say which of them are for a rule at all.
	splits, retries []bool
	// budgets are those of the Services that rules send to.
	budgets map[string]serviceBudget
}

func newFound(intent traffic.Intent) *found {
	return &found{splits: make([]bool, len(intent.Splits)), retries: make([]bool, len(intent.Retries)), budgets: map[string]serviceBudget{}}
}

// missing refuses an intent of which a part is for no rule.
func (f *found) missing(vs *unstructured.Unstructured, intent traffic.Intent) error {
	for i, s := range intent.Splits {
		if !f.splits[i] {
			return traffic.Refused(traffic.NotFound, "routeRefs: %s %s has no rule%s that sends to Service %s of its namespace; name another route, or write the Service as %q or with its whole name",
				vs.GetKind(), vs.GetName(), named(s.SectionName), s.Service, s.Service)
		}
	}
	for i, r := range intent.Retries {
		if !f.retries[i] && r.SectionName != "" {
			return traffic.Refused(traffic.NotFound, "targetRefs[].sectionName: %s %s has no HTTP rule of the name %q that sends to a Service; correct the name, or leave it out for all rules",
				vs.GetKind(), vs.GetName(), r.SectionName)
		}
		if !f.retries[i] && !slices.ContainsFunc(intent.Retries, func(o traffic.Retry) bool { return o.SectionName != "" }) {
			return traffic.Refused(traffic.NotFound, "targetRefs: %s %s has no HTTP rule that sends to a Service, and Istio retries nothing else; name another route",
				vs.GetKind(), vs.GetName())
		}
	}
	return nil
}

func named(section string) string {
	if section == "" {
		return ""
	}
	return " of the name " + section
}
