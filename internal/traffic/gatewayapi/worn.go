package gatewayapi

import (
	"encoding/json"
	"reflect"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"slipway.dev/slipway/api/v1alpha1"
	"slipway.dev/slipway/internal/traffic"
)

// What a route carries beside shares is written down whole, as an intent: everything that Slipway put into the route for
// it follows from that, and can be taken out again.

// note writes down what the route carries beside shares.
func note(route *unstructured.Unstructured, intent traffic.Intent) error {
	beside := traffic.Intent{Retries: intent.Retries}
	for _, s := range intent.Splits {
		if hasBeside(s) {
			beside.Splits = append(beside.Splits, s)
		}
	}
	annotations := route.GetAnnotations()
	_, noted := annotations[v1alpha1.RulesAnnotation]
	if beside.Empty() {
		if noted {
			delete(annotations, v1alpha1.RulesAnnotation)
			setAnnotations(route, annotations)
		}
		return nil
	}
	text, err := json.Marshal(beside)
	if err != nil {
		return err
	}
	if annotations == nil {
		annotations = map[string]string{}
	}
	annotations[v1alpha1.RulesAnnotation] = string(text)
	setAnnotations(route, annotations)
	return nil
}

func hasBeside(s traffic.Split) bool {
	return len(s.Matches) > 0 || s.Mirror != nil || s.Affinity != nil
}

// noted is what the route says that it carries beside shares.
func noted(route *unstructured.Unstructured) (traffic.Intent, bool) {
	var out traffic.Intent
	text, ok := route.GetAnnotations()[v1alpha1.RulesAnnotation]
	if !ok || json.Unmarshal([]byte(text), &out) != nil {
		return traffic.Intent{}, false
	}
	return out, true
}

// worn is what the route carries beside shares. When the note was taken away although splits of the intent have been on
// routes before, what they want now is what may be there.
func worn(route *unstructured.Unstructured, intent traffic.Intent) traffic.Intent {
	out, ok := noted(route)
	if ok {
		return out
	}
	for _, s := range intent.Splits {
		if s.Sequence > 1 && hasBeside(s) {
			out.Splits = append(out.Splits, s)
		}
	}
	return out
}

// CarriedIntent is everything that the route says that it carries.
func CarriedIntent(route *unstructured.Unstructured) traffic.Intent {
	beside, _ := noted(route)
	out := traffic.Intent{Splits: Carried(route), Retries: beside.Retries}
	for i, s := range out.Splits {
		for _, b := range beside.Splits {
			if b.UID == s.UID {
				out.Splits[i].Matches, out.Splits[i].Mirror, out.Splits[i].Affinity = b.Matches, b.Mirror, b.Affinity
			}
		}
	}
	return out
}

// undressed is the route without what it carries beside shares. What somebody else wrote in such a place stays: it is
// theirs.
func undressed(route *unstructured.Unstructured, worn traffic.Intent) *unstructured.Unstructured {
	out := editable(route)
	spec, ok := out.Object["spec"].(map[string]any)
	if !ok {
		return out
	}
	list, _ := spec["rules"].([]any)
	var rules []any
	for i, item := range list {
		rule, ok := item.(map[string]any)
		if ok && isDerived(rule) {
			continue
		}
		if ok {
			undressRule(rule, ruleID{i, text(rule, "name")}, worn)
		}
		rules = append(rules, item)
	}
	if len(rules) != len(list) {
		spec["rules"] = rules
	}
	return out
}

func undressRule(rule map[string]any, at ruleID, worn traffic.Intent) {
	for _, s := range worn.Splits {
		if s.SectionName != "" && s.SectionName != at.name {
			continue
		}
		if s.Mirror != nil {
			removeMirror(rule, s.Mirror.Backend)
		}
		if s.Affinity != nil {
			removeCookies(rule, *s.Affinity)
		}
	}
	if retry, ok := traffic.RetryFor(worn.Retries, at.name); ok {
		removeInline(rule, retry)
	}
}

// derivedPrefix begins the names of rules that are Slipway's. It is reserved.
const derivedPrefix = "slipway-"

func isDerived(rule map[string]any) bool { return strings.HasPrefix(text(rule, "name"), derivedPrefix) }

// filtersOf are the filters of a rule or backendRef.
func filtersOf(of map[string]any) []any {
	filters, _ := of["filters"].([]any)
	return filters
}

// withFilters sets the filters of a map that may be written to.
func withFilters(of map[string]any, filters []any) {
	if len(filters) == 0 {
		delete(of, "filters")
		return
	}
	of["filters"] = filters
}

// removeMirror takes the last filter out that mirrors to the backend.
func removeMirror(rule map[string]any, backend string) {
	filters := filtersOf(rule)
	for i, item := range slices.Backward(filters) {
		filter, _ := item.(map[string]any)
		mirror, _ := filter["requestMirror"].(map[string]any)
		to, _ := mirror["backendRef"].(map[string]any)
		if text(to, "name") == backend {
			withFilters(rule, slices.Delete(slices.Clone(filters), i, i+1))
			return
		}
	}
}

// removeInline takes the retry and timeouts out that were written for a policy, if they are as they were written.
func removeInline(rule map[string]any, retry traffic.Retry) {
	if written := inlineRetry(retry); written != nil && reflect.DeepEqual(rule["retry"], any(written)) {
		delete(rule, "retry")
	}
	timeouts, _ := rule["timeouts"].(map[string]any)
	if retry.Request == 0 || text(timeouts, "request") != traffic.FormatDuration(retry.Request) {
		return
	}
	left := map[string]any{}
	for key, value := range timeouts {
		if key != "request" {
			left[key] = value
		}
	}
	if len(left) == 0 {
		delete(rule, "timeouts")
		return
	}
	rule["timeouts"] = left
}

func setAnnotations(route *unstructured.Unstructured, annotations map[string]string) {
	if len(annotations) == 0 {
		annotations = nil
	}
	route.SetAnnotations(annotations)
}
