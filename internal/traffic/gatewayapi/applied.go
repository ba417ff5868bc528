package gatewayapi

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"slipway.dev/slipway/internal/traffic"
)

// SettleTime is how long everything has to be in order before a split counts as applied: data planes write the status of
// a route before their proxies have the change.
const SettleTime = 2 * time.Second

// Applied says whether the route carries the split and the data plane does it.
func (HTTPRoute) Applied(route *unstructured.Unstructured, split traffic.Split, observed traffic.Observed) traffic.Verdict {
	for _, check := range []func() traffic.Verdict{
		func() traffic.Verdict { return written(route, split) },
		func() traffic.Verdict { return takenUp(route) },
		func() traffic.Verdict { return ready(split, observed) },
	} {
		if v := check(); v.State != traffic.True {
			return v
		}
	}
	return settled(observed)
}

var yes = traffic.Verdict{State: traffic.True, Good: true}

func no(state traffic.State, cause traffic.Cause, format string, args ...any) traffic.Verdict {
	return traffic.Verdict{State: state, Cause: cause, Message: fmt.Sprintf(format, args...)}
}

// retriesWritten says whether the route carries the policies.
func retriesWritten(route *unstructured.Unstructured, retries []traffic.Retry) traffic.Verdict {
	carried := CarriedIntent(route).Retries
	for _, r := range retries {
		if !slices.ContainsFunc(carried, func(c traffic.Retry) bool {
			return c.UID == r.UID && c.Generation == r.Generation && c.SectionName == r.SectionName
		}) {
			return no(traffic.False, traffic.NotWritten, "the route does not carry the present policy yet")
		}
	}
	if len(retries) > 0 && WrittenOver(route) {
		return no(traffic.False, traffic.WrittenOver, "somebody else changed the rules of the route")
	}
	return yes
}

// written says whether the live backendRefs are those that were rendered from the split's present record.
func written(route *unstructured.Unstructured, split traffic.Split) traffic.Verdict {
	if split.UID == "" {
		return yes // nothing is asked but what the data plane says
	}
	carried := Carried(route)
	at := slices.IndexFunc(carried, func(s traffic.Split) bool { return s.UID == split.UID })
	if at < 0 || carried[at].Sequence != split.Sequence {
		return no(traffic.False, traffic.NotWritten, "the route does not carry the present backends yet")
	}
	if WrittenOver(route) {
		return no(traffic.False, traffic.WrittenOver, "somebody else changed the backends of the route")
	}
	return yes
}

// takenUp says whether every parent has accepted the newest generation of the route, whole.
func takenUp(route *unstructured.Unstructured) traffic.Verdict {
	parents, _, _ := unstructured.NestedSlice(route.Object, "spec", "parentRefs")
	statuses, _, _ := unstructured.NestedSlice(route.Object, "status", "parents")
	if len(parents) == 0 {
		return no(traffic.False, traffic.DataPlaneRefused, "the route has no parentRefs, so no data plane serves it")
	}
	for _, p := range parents {
		parent, _ := p.(map[string]any)
		if v := parentVerdict(parent, statuses, route); v.State != traffic.True {
			return v
		}
	}
	return yes
}

func parentVerdict(parent map[string]any, statuses []any, route *unstructured.Unstructured) traffic.Verdict {
	found := false
	for _, s := range statuses {
		status, _ := s.(map[string]any)
		ref, _ := status["parentRef"].(map[string]any)
		controller := text(status, "controllerName")
		if _, known := implementations[controller]; !known || !sameParent(parent, ref, route.GetNamespace()) {
			continue
		}
		found = true
		if v := conditionsVerdict(parent, status, route.GetGeneration()); v.State != traffic.True {
			return v
		}
	}
	if !found {
		return no(traffic.Unknown, traffic.DataPlanePending, "%s has not answered for the route", parentName(parent))
	}
	return yes
}

func conditionsVerdict(parent, status map[string]any, generation int64) traffic.Verdict {
	conditions, _ := status["conditions"].([]any)
	for _, kind := range []string{"Accepted", "ResolvedRefs"} {
		c := conditionOf(conditions, kind)
		switch {
		case c == nil || observedGeneration(c) < generation:
			return no(traffic.Unknown, traffic.DataPlanePending, "%s has not answered for the newest change of the route", parentName(parent))
		case text(c, "status") == "False":
			return no(traffic.False, traffic.DataPlaneRefused, "%s says %s=False, %s: %s", parentName(parent), kind, text(c, "reason"), text(c, "message"))
		case text(c, "status") != "True":
			return no(traffic.Unknown, traffic.DataPlanePending, "%s says %s=%s, %s", parentName(parent), kind, text(c, "status"), text(c, "reason"))
		}
	}
	if c := conditionOf(conditions, "PartiallyInvalid"); c != nil && text(c, "status") == "True" {
		return no(traffic.False, traffic.DataPlaneRefused, "%s took only a part of the route: %s", parentName(parent), text(c, "message"))
	}
	return yes
}

func conditionOf(conditions []any, kind string) map[string]any {
	for _, item := range conditions {
		if c, ok := item.(map[string]any); ok && text(c, "type") == kind {
			return c
		}
	}
	return nil
}

func observedGeneration(condition map[string]any) int64 {
	switch g := condition["observedGeneration"].(type) {
	case int64:
		return g
	case float64:
		return int64(g)
	}
	return 0
}

// sameParent compares references by what they mean: absent fields have Gateway API's defaults.
func sameParent(a, b map[string]any, namespace string) bool {
	same := func(field, absent string) bool {
		return orDefault(text(a, field), absent) == orDefault(text(b, field), absent)
	}
	return same("name", "") && same("namespace", namespace) && same("kind", "Gateway") && same("sectionName", "") &&
		groupOf(a) == groupOf(b) && fmt.Sprint(a["port"]) == fmt.Sprint(b["port"])
}

// groupOf tells an empty group, which means core, from an absent one, which means Gateway API.
func groupOf(ref map[string]any) string {
	if group, ok := ref["group"].(string); ok {
		return group
	}
	return "gateway.networking.k8s.io"
}

func orDefault(value, absent string) string {
	if value == "" {
		return absent
	}
	return value
}

func parentName(parent map[string]any) string {
	name := orDefault(text(parent, "kind"), "Gateway") + " " + text(parent, "name")
	if section := text(parent, "sectionName"); section != "" {
		name += " (" + section + ")"
	}
	return name
}

// ready says whether something answers behind each backend that has weight and is to keep it. Not behind the split's
// own Service: its users have it without us too, and what is on its way back to it must not wait for them to repair it.
func ready(split traffic.Split, observed traffic.Observed) traffic.Verdict {
	var empty []string
	for _, b := range split.Backends {
		if b.Name != split.Service && b.Weight > 0 && observed.ReadyEndpoints[b.Name] == 0 && !slices.Contains(observed.Leaving, b.Name) {
			empty = append(empty, b.Name)
		}
	}
	if len(empty) == 0 {
		return yes
	}
	slices.Sort(empty)
	return no(traffic.False, traffic.NoReadyEndpoints, "no ready endpoints behind Service %s", strings.Join(empty, ", "))
}

func settled(observed traffic.Observed) traffic.Verdict {
	left := SettleTime
	if !observed.GoodSince.IsZero() {
		left = SettleTime - observed.Now.Sub(observed.GoodSince)
	}
	if left <= 0 {
		return yes
	}
	v := no(traffic.Unknown, traffic.Settling, "accepted by the data plane; waiting %s for its proxies", SettleTime)
	v.Good, v.Wake = true, left
	return v
}

// AnsweredBy is the controllerName that has answered for a parent in the route's status, or empty.
func AnsweredBy(route *unstructured.Unstructured, parent map[string]any) string {
	statuses, _, _ := unstructured.NestedSlice(route.Object, "status", "parents")
	for _, s := range statuses {
		status, _ := s.(map[string]any)
		ref, _ := status["parentRef"].(map[string]any)
		if sameParent(parent, ref, route.GetNamespace()) {
			return text(status, "controllerName")
		}
	}
	return ""
}
