package istio

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"slipway.dev/slipway/internal/traffic"
	"slipway.dev/slipway/internal/traffic/kept"
)

// SettleTime is how long everything has to be in order before it counts as applied. Istio does not say when its proxies
// have a change; it waits for more changes for up to 10 s (PILOT_DEBOUNCE_MAX) before it sends any.
const SettleTime = 10 * time.Second

// Applied says whether the objects carry the intent and, as far as Istio says so, the data plane does it. Its status is
// looked at where there is one: without PILOT_ENABLE_STATUS or the analysis there is none, and that refuses nothing.
func (r Router) Applied(seen traffic.Seen, intent traffic.Intent) traffic.Verdict {
	if v := traffic.Written(r, seen, intent); v.State != traffic.True {
		return v
	}
	for _, obj := range written(seen, intent) {
		if v := statusVerdict(obj); v.State != traffic.True {
			return v
		}
	}
	if v := ready(seen, intent); v.State != traffic.True {
		return v
	}
	return settled(seen.Observed)
}

// written are the objects that carry something for the target.
func written(seen traffic.Seen, intent traffic.Intent) []*unstructured.Unstructured {
	var out []*unstructured.Unstructured
	for _, vs := range seen.Of(virtualService.GroupKind()) {
		if mine(seen, vs) || traffic.TargetName(vs) == traffic.TargetName(seen.Target) {
			out = append(out, vs)
		}
	}
	for _, rule := range seen.Of(destinationRule.GroupKind()) {
		if mine(seen, rule) || (!kept.Carried(rule).Empty() && !ofOthers(seen, intent, rule)) {
			out = append(out, rule)
		}
	}
	return out
}

var yes = traffic.Verdict{State: traffic.True, Good: true}

func no(state traffic.State, cause traffic.Cause, format string, args ...any) traffic.Verdict {
	return traffic.Verdict{State: state, Cause: cause, Message: fmt.Sprintf(format, args...)}
}

// statusVerdict is what Istio says of an object: messages of its analysis, and a condition Reconciled.
func statusVerdict(obj *unstructured.Unstructured) traffic.Verdict {
	status := mapOf(obj.Object, "status")
	if about(status["observedGeneration"]) < obj.GetGeneration() && status["observedGeneration"] != nil {
		return yes // It is about what was there before, and need not be written again.
	}
	for _, c := range listOf(status, "conditions") {
		if text(c, "type") != "Reconciled" || (c["observedGeneration"] != nil && about(c["observedGeneration"]) < obj.GetGeneration()) {
			continue
		}
		if text(c, "status") == "False" {
			return no(traffic.Unknown, traffic.DataPlanePending, "%s %s: Istio says Reconciled=False: %s", obj.GetKind(), obj.GetName(), text(c, "message"))
		}
	}
	var errors []string
	for _, m := range listOf(status, "validationMessages") {
		if level := text(m, "level"); level == "ERROR" {
			kind := mapOf(m, "type")
			errors = append(errors, strings.TrimSpace(text(kind, "code")+" "+text(kind, "name")))
		}
	}
	if len(errors) > 0 {
		slices.Sort(errors)
		return no(traffic.False, traffic.DataPlaneRefused, "%s %s: Istio's analysis finds %s", obj.GetKind(), obj.GetName(), strings.Join(slices.Compact(errors), ", "))
	}
	return yes
}

// about is a generation as Istio writes it, which is a number or a text.
func about(value any) int64 {
	if s, ok := value.(string); ok {
		n, _ := strconv.ParseInt(s, 10, 64)
		return n
	}
	return number(value)
}

// ready says whether something answers behind each Service that is to get requests. Not behind the split's own: its users
// have it without us, too.
func ready(seen traffic.Seen, intent traffic.Intent) traffic.Verdict {
	var empty []string
	for _, s := range intent.Splits {
		for _, name := range sentToBy(s) {
			if name != s.Service && seen.ReadyEndpoints[name] == 0 && !slices.Contains(seen.Leaving, name) {
				empty = append(empty, name)
			}
		}
	}
	if len(empty) == 0 {
		return yes
	}
	slices.Sort(empty)
	return no(traffic.False, traffic.NoReadyEndpoints, "no ready endpoints behind Service %s", strings.Join(slices.Compact(empty), ", "))
}

func sentToBy(s traffic.Split) []string {
	var out []string
	for _, b := range s.Backends {
		if b.Weight > 0 {
			out = append(out, b.Name)
		}
	}
	for _, m := range s.Matches {
		out = append(out, m.Backend)
	}
	if s.Mirror != nil {
		out = append(out, s.Mirror.Backend)
	}
	return out
}

func settled(observed traffic.Observed) traffic.Verdict {
	left := SettleTime
	if !observed.GoodSince.IsZero() {
		left = SettleTime - observed.Now.Sub(observed.GoodSince)
	}
	if left <= 0 {
		return yes
	}
	v := no(traffic.Unknown, traffic.Settling, "written; waiting %s for Istio's proxies, which say nothing", SettleTime)
	v.Good, v.Wake = true, left
	return v
}
