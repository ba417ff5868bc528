package istio

import (
	"maps"
	"reflect"
	"slices"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"slipway.dev/slipway/internal/traffic"
	"slipway.dev/slipway/internal/traffic/kept"
)

// A budget is of a Service, in its DestinationRule: Envoy counts the retries to each cluster, whichever rule they are of.

// serviceBudget is the budget of one Service with the policy that it is of; nil: none.
type serviceBudget struct {
	budget *traffic.Budget
	retry  traffic.Retry
	where  string
}

// budgeted notes the budget of each Service that the rule, or one derived from it, sends to.
func (f *found) budgeted(e editor, derived []any, intent traffic.Intent) error {
	if e.protocol != "http" {
		return nil
	}
	retry, _ := traffic.RetryFor(intent.Retries, text(e.rule, "name"))
	is := serviceBudget{budget: retry.Budget, retry: retry, where: e.where()}
	for _, rule := range append([]any{e.rule}, derived...) {
		for _, destination := range listOf(rule.(map[string]any), "route") {
			host := text(mapOf(destination, "destination"), "host")
			name := serviceOf(host, e.namespace)
			if name == "" && is.budget != nil {
				return traffic.Refused(traffic.Conflicted, "budget: %s sends to %s, which is not known as a Service of this namespace, and Istio has budgets by Service; take the budget out, or write the Service by its name",
					is.where, host)
			}
			if err := f.note(name, is); err != nil {
				return err
			}
		}
	}
	return nil
}

func (f *found) note(name string, is serviceBudget) error {
	was, known := f.budgets[name]
	if known && !reflect.DeepEqual(was.budget, is.budget) {
		return traffic.Refused(traffic.Conflicted, "budget: Istio has one budget for all that is sent to Service %s, and %s and %s want different ones; give one policy to the whole VirtualService",
			name, was.where, is.where)
	}
	f.budgets[name] = is
	return nil
}

// budgetRules are the DestinationRules as they are to be: those that get a budget, and those that had one.
func budgetRules(seen traffic.Seen, intent traffic.Intent, budgets map[string]serviceBudget) (traffic.Rendering, error) {
	var out traffic.Rendering
	var wanted []string
	for _, name := range slices.Sorted(maps.Keys(budgets)) {
		b := budgets[name]
		if b.budget == nil {
			continue
		}
		if b.budget.MinConcurrent != nil && *b.budget.MinConcurrent == 0 {
			return out, traffic.Refused(traffic.Conflicted, "budget.minConcurrent: Istio takes 0 for its default of 3; use 1 or more")
		}
		for _, rule := range exactRules(seen, name) {
			wanted = append(wanted, rule.GetName())
		}
		if err := addBudget(seen, intent, name, b, &out); err != nil {
			return traffic.Rendering{}, err
		}
	}
	for _, rule := range seen.Of(destinationRule.GroupKind()) {
		if !slices.Contains(wanted, rule.GetName()) && !kept.Carried(rule).Empty() && !ofOthers(seen, intent, rule) {
			out.Patched = append(out.Patched, kept.Own(rule))
		}
	}
	return out, nil
}

// exactRules are the DestinationRules for the Service that were not generated for this target.
func exactRules(seen traffic.Seen, name string) []*unstructured.Unstructured {
	return slices.DeleteFunc(seen.Of(destinationRule.GroupKind()), func(rule *unstructured.Unstructured) bool {
		return serviceOf(text(specOf(rule), "host"), rule.GetNamespace()) != name || mine(seen, rule)
	})
}

func mine(seen traffic.Seen, obj *unstructured.Unstructured) bool {
	return traffic.IsGenerated(obj) && traffic.TargetOf(obj) == traffic.TargetName(seen.Target)
}

// addBudget writes a budget into the DestinationRules of a Service, or into one that is generated where there is none.
func addBudget(seen traffic.Seen, intent traffic.Intent, name string, b serviceBudget, out *traffic.Rendering) error {
	carried := traffic.Intent{Retries: []traffic.Retry{b.retry}}
	whole := 0
	for _, rule := range exactRules(seen, name) {
		if mapOf(specOf(rule), "workloadSelector") == nil {
			whole++
		}
		if traffic.IsGenerated(rule) {
			if !reflect.DeepEqual(mapOf(mapOf(specOf(rule), "trafficPolicy"), "retryBudget"), budgetOf(*b.budget)) {
				return taken(rule, name)
			}
			continue // The same policy is for another target, too.
		}
		if err := checkRule(seen, intent, rule, name); err != nil {
			return err
		}
		patched, err := kept.Patch(rule, carried, func(own *unstructured.Unstructured) error {
			return unstructured.SetNestedMap(own.Object, budgetOf(*b.budget), "spec", "trafficPolicy", "retryBudget")
		})
		if err != nil {
			return err
		}
		out.Patched = append(out.Patched, patched)
	}
	if whole > 1 {
		return traffic.Refused(traffic.Conflicted, "budget: there are %d DestinationRules for Service %s, of which Istio follows the policy of the oldest alone; make one of them", whole, name)
	}
	if whole == 1 {
		return nil
	}
	if err := noWildcard(seen, name); err != nil {
		return err
	}
	out.Generated = append(out.Generated, traffic.Generate(seen, carried, destinationRule, traffic.GeneratedName(seen.Target, name), map[string]any{
		"host": name, "trafficPolicy": map[string]any{"retryBudget": budgetOf(*b.budget)},
	}))
	return nil
}

// budgetOf is a budget as a DestinationRule has it. Without a minimum Istio allows three retries at a time.
func budgetOf(b traffic.Budget) map[string]any {
	out := map[string]any{"percent": int64(b.Percent)}
	if b.MinConcurrent != nil {
		out["minRetryConcurrency"] = int64(*b.MinConcurrent)
	}
	return out
}

// checkRule refuses a user's DestinationRule in which a budget would not hold, or that has one.
func checkRule(seen traffic.Seen, intent traffic.Intent, rule *unstructured.Unstructured, name string) error {
	if ofOthers(seen, intent, rule) {
		return taken(rule, name)
	}
	policy := mapOf(specOf(kept.Own(rule)), "trafficPolicy")
	if policy["retryBudget"] != nil {
		return traffic.Refused(traffic.Conflicted, "budget: DestinationRule %s has a trafficPolicy.retryBudget of its own for Service %s; take it out there, or the budget out of the policy", rule.GetName(), name)
	}
	if len(listOf(policy, "portLevelSettings")) > 0 {
		return traffic.Refused(traffic.Conflicted, "budget: DestinationRule %s has trafficPolicy.portLevelSettings, which replace a budget for their ports, and Istio has none for a port; take the budget out, or the settings of ports",
			rule.GetName())
	}
	for _, subset := range listOf(specOf(rule), "subsets") {
		of := mapOf(subset, "trafficPolicy")
		if of["retryBudget"] != nil || len(listOf(of, "portLevelSettings")) > 0 {
			return traffic.Refused(traffic.Conflicted, "budget: subset %q of DestinationRule %s has a trafficPolicy that replaces it; take the budget out, or that", text(subset, "name"), rule.GetName())
		}
	}
	return nil
}

func taken(rule *unstructured.Unstructured, name string) error {
	return traffic.Refused(traffic.Conflicted, "budget: another policy has written a budget into DestinationRule %s, and Istio has one for all that is sent to Service %s; give both targets the same policy", rule.GetName(), name)
}

// noWildcard refuses to generate a DestinationRule that would replace one with a wildcard.
func noWildcard(seen traffic.Seen, name string) error {
	for _, rule := range seen.Of(destinationRule.GroupKind()) {
		if host := text(specOf(rule), "host"); coversByWildcard(host, name, rule.GetNamespace()) {
			return traffic.Refused(traffic.Conflicted, "budget: DestinationRule %s for %s also holds for Service %s, and one for the budget would replace it there; write a DestinationRule for the Service with what it is to have",
				rule.GetName(), host, name)
		}
	}
	return nil
}

// ofOthers says whether what a DestinationRule carries was written for another target: another VirtualService carries the
// policy, and this target does not and is not to.
func ofOthers(seen traffic.Seen, intent traffic.Intent, rule *unstructured.Unstructured) bool {
	own := traffic.Intent{Retries: slices.Concat(intent.Retries, Router{}.Carried(seen).Retries)}
	for _, r := range kept.Carried(rule).Retries {
		if carries(own, r.UID) {
			continue
		}
		for _, vs := range seen.Of(virtualService.GroupKind()) {
			if carries(kept.Carried(vs), r.UID) || carries(traffic.CarriedBy(vs), r.UID) {
				return true
			}
		}
	}
	return false
}

func carries(intent traffic.Intent, uid string) bool {
	return slices.ContainsFunc(intent.Retries, func(r traffic.Retry) bool { return r.UID == uid })
}
