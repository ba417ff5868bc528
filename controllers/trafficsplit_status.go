package controllers

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"slipway.dev/slipway/api/v1alpha1"
	"slipway.dev/slipway/internal/traffic"
	"slipway.dev/slipway/internal/traffic/gatewayapi"
)

// maxMessageLength is the API's limit for a message in status.routes.
const maxMessageLength = 1024

// splitProblem is why a spec cannot be followed.
type splitProblem struct{ reason, message string }

type statusInput struct {
	run      v1alpha1.SplitRun
	verdicts []traffic.Verdict
	refusal  *splitProblem
	done     bool
}

// splitRefusal is the first thing in the spec that cannot be followed, or nil.
func splitRefusal(f splitFacts) *splitProblem {
	if c := f.conflict; c != nil {
		return &splitProblem{reasonConflicted, fmt.Sprintf("spec.routeRefs: TrafficSplit %q is older and already splits the traffic to Service %q in %s; remove one of the two, or give them different rules by sectionName",
			c.Holder, c.Service, quotedTarget(c.Route))}
	}
	for i, r := range f.routes {
		if p := routeRefusal(f, r); p != nil {
			p.message = fmt.Sprintf("spec.routeRefs[%d]: %s", i, p.message)
			return p
		}
	}
	return nil
}

func routeRefusal(f splitFacts, r splitRoute) *splitProblem {
	if r.live == nil {
		return &splitProblem{v1alpha1.ReasonRouteNotFound, fmt.Sprintf("there is no %s in this namespace; correct the name or create it", r.key.quoted())}
	}
	split := routeSplit(f.split, r.ref, f.split.Status.Run)
	if gatewayapi.IsRoute(r.key.kind) && !gatewayapi.Sends(r.live, split) {
		where := "no rule"
		if r.ref.SectionName != "" {
			where = fmt.Sprintf("no rule with the name %q", r.ref.SectionName)
		}
		return &splitProblem{v1alpha1.ReasonRouteNotFound, fmt.Sprintf("%s of %s sends to Service %q; name it in backendRefs or correct spec.serviceRef", where, r.key.quoted(), split.Service)}
	}
	return problemOf(r.key, r.seen, r.refusal)
}

// problemOf is a refusal as a condition has it; nil when there is none.
func problemOf(key targetKey, seen traffic.Seen, err error) *splitProblem {
	if refused, ok := errors.AsType[*traffic.RefusedError](err); ok {
		return &splitProblem{string(refused.Reason), fmt.Sprintf("%s: %s", key.quoted(), refused)}
	}
	unsupported, ok := errors.AsType[*traffic.UnsupportedError](err)
	switch {
	case !ok:
		return nil
	case gatewayapi.IsRoute(key.kind) && len(seen.Controllers) == 0:
		return &splitProblem{v1alpha1.ReasonUnsupportedByDataPlane, fmt.Sprintf("no data plane serves %s: no Gateway of its parentRefs has a GatewayClass with a controller; correct parentRefs, or create the Gateway", key.quoted())}
	case gatewayapi.IsRoute(key.kind):
		return &splitProblem{v1alpha1.ReasonUnsupportedByDataPlane, fmt.Sprintf("%s: %s; give it a Gateway of a data plane that does", key.quoted(), unsupported)}
	}
	return &splitProblem{v1alpha1.ReasonUnsupportedByDataPlane, fmt.Sprintf("%s: %s", key.quoted(), unsupported)}
}

func splitStatus(f splitFacts, in statusInput) v1alpha1.TrafficSplitStatus {
	status := *f.split.Status.DeepCopy()
	status.ObservedGeneration = new(f.split.Generation)
	status.Run = in.run
	status.Routes = routeStatuses(f, in)
	accepted := acceptedCondition(in.refusal)
	applied := appliedCondition(f, in)
	set := func(c metav1.Condition) {
		c.ObservedGeneration = f.split.Generation
		c.LastTransitionTime = metav1.NewTime(f.now)
		meta.SetStatusCondition(&status.Conditions, c)
	}
	set(accepted)
	set(applied)
	set(readyCondition(f, in, applied))
	setWhile := func(kind string, on bool, c metav1.Condition) {
		if !on {
			meta.RemoveStatusCondition(&status.Conditions, kind)
			return
		}
		set(metav1.Condition{Type: kind, Status: metav1.ConditionTrue, Reason: c.Reason, Message: c.Message})
	}
	setWhile(v1alpha1.ConditionStalled, in.refusal != nil, accepted)
	setWhile(v1alpha1.ConditionReconciling, in.refusal == nil && applied.Status != metav1.ConditionTrue, applied)
	return status
}

func acceptedCondition(refusal *splitProblem) metav1.Condition {
	if refusal != nil {
		return metav1.Condition{Type: v1alpha1.ConditionAccepted, Status: metav1.ConditionFalse, Reason: refusal.reason, Message: refusal.message}
	}
	return metav1.Condition{
		Type: v1alpha1.ConditionAccepted, Status: metav1.ConditionTrue, Reason: v1alpha1.ReasonAccepted,
		Message: "every route sends to the Service and is served by a data plane that divides traffic by weight",
	}
}

// appliedCondition is about what the spec asks for: a record on the way there does not make it True.
func appliedCondition(f splitFacts, in statusInput) metav1.Condition {
	c := metav1.Condition{Type: v1alpha1.ConditionTrafficApplied, Status: metav1.ConditionFalse}
	if in.run.Sequence == nil {
		c.Reason, c.Message = reasonNotStarted, "nothing was written: see Accepted"
		return c
	}
	if i := waitedFor(in.verdicts); i >= 0 {
		route, v := f.all()[i], in.verdicts[i]
		c.Reason, c.Message = string(v.Cause), fmt.Sprintf("%s: %s", route.key, v.Message)
		if v.State == traffic.Unknown {
			c.Status = metav1.ConditionUnknown
		}
		if by := route.contestedBy; by != "" && v.Cause == traffic.WrittenOver {
			c.Reason, c.Message = reasonContested, contestedMessage(route.key, by)
		}
		return c
	}
	if !in.done || len(in.run.Leaving) > 0 {
		c.Reason, c.Message = reasonFeathering, "backends or rules are entering or leaving: "+sharesText(in.run.Backends)
		return c
	}
	c.Status, c.Reason, c.Message = metav1.ConditionTrue, reasonApplied, "every route carries "+sharesText(in.run.Backends)
	return c
}

// waitedFor is the route that is said to be waited for, or -1: one that only settles does so until all the others are good,
// and is not what keeps them.
func waitedFor(verdicts []traffic.Verdict) int {
	if at := slices.IndexFunc(verdicts, func(v traffic.Verdict) bool { return v.State != traffic.True && !v.Good }); at >= 0 {
		return at
	}
	return slices.IndexFunc(verdicts, func(v traffic.Verdict) bool { return v.State != traffic.True })
}

func contestedMessage(key targetKey, by string) string {
	return fmt.Sprintf("%s: field manager %q writes over the split again and again, so it is put back more and more rarely", key, by)
}

func readyCondition(f splitFacts, in statusInput, applied metav1.Condition) metav1.Condition {
	c := metav1.Condition{Type: v1alpha1.ConditionReady, Status: metav1.ConditionFalse, Reason: applied.Reason, Message: applied.Message}
	switch {
	case in.refusal != nil:
		c.Reason, c.Message = in.refusal.reason, in.refusal.message
	case !f.split.DeletionTimestamp.IsZero():
		c.Reason, c.Message = v1alpha1.ReasonDeleting, "the routes are being made what their users wrote"
	default:
		c.Status = applied.Status
	}
	return c
}

func routeStatuses(f splitFacts, in statusInput) []v1alpha1.RouteStatus {
	out := make([]v1alpha1.RouteStatus, 0, len(f.routes))
	for i, r := range f.routes {
		s := v1alpha1.RouteStatus{Kind: r.key.kind.Kind, Name: r.key.Name}
		if r.router != nil {
			s.DataPlane = r.router.DataPlane()
		}
		for _, old := range f.split.Status.Routes {
			if old.Name == s.Name && old.Kind == s.Kind {
				s.Repairs, s.RepairedFrom = old.Repairs, old.RepairedFrom
			}
		}
		if len(r.seen.Controllers) > 0 {
			s.ControllerName = r.seen.Controllers[0]
		}
		v := in.verdicts[i]
		s.Applied = metav1.ConditionStatus(v.State.String())
		s.Message = truncated(v.Message)
		if in.run.Sequence == nil {
			s.Applied, s.Message = metav1.ConditionFalse, "nothing was written: see the condition Accepted"
		}
		out = append(out, s)
	}
	return out
}

func truncated(message string) string {
	if len(message) <= maxMessageLength {
		return message
	}
	return strings.ToValidUTF8(message[:maxMessageLength-3], "") + "..."
}

func sharesText(backends []v1alpha1.WeightedBackend) string {
	parts := make([]string, 0, len(backends))
	for _, b := range backends {
		parts = append(parts, fmt.Sprintf("%s %d", b.Name, ptr.Deref(b.Weight, 0)))
	}
	return strings.Join(parts, ", ")
}
