package controllers

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"slipway.dev/slipway/api/v1alpha1"
	"slipway.dev/slipway/internal/traffic"
)

// conditionProgrammed is GEP-713's condition of a policy that is in force on one target.
const conditionProgrammed = "Programmed"

// policyFacts is everything that the status of a policy depends on.
type policyFacts struct {
	policy    *v1alpha1.RetryPolicy
	targets   []policyOnTarget
	now       time.Time
	goodSince time.Time
}

// policyOnTarget is a policy on one of its targets as it is now.
type policyOnTarget struct {
	ref    v1alpha1.PolicyTargetReference
	key    targetKey
	retry  traffic.Retry
	router traffic.Router // nil: none was found
	seen   traffic.Seen
	// holder is the policy that holds the target, if this one lost to it.
	holder string
	// refusal is why the policy cannot be followed there.
	refusal error
	// carried says that the target carries something of the policy, however old.
	carried bool
	// plane is the data plane as messages call it, adds what it retries beside what it is asked to.
	plane string
	adds  []traffic.Addition
}

// policyDecision is what follows.
type policyDecision struct {
	status    v1alpha1.RetryPolicyStatus
	goodSince time.Time
	wake      time.Duration
	// restored means that a deleted policy is on no target any more: it may go.
	restored bool
}

// decidePolicy says how things stand with a policy. It is a function of the facts alone.
func decidePolicy(f policyFacts) policyDecision {
	d := policyDecision{status: *f.policy.Status.DeepCopy()}
	var accepted, applied []metav1.Condition
	var verdicts []traffic.Verdict
	ancestors := make([]v1alpha1.PolicyAncestorStatus, 0, len(f.targets))
	for i, t := range f.targets {
		a, p, v := conditionsOn(f, t)
		if a.Status != metav1.ConditionTrue {
			a.Message = fmt.Sprintf("spec.targetRefs[%d]: %s", i, a.Message)
		}
		accepted, applied = append(accepted, a), append(applied, p)
		if a.Status == metav1.ConditionTrue {
			verdicts = append(verdicts, v)
		}
		ancestors = append(ancestors, ancestorStatus(f, t, a, p))
	}
	d.status.Ancestors = ancestors
	d.status.ObservedGeneration = new(f.policy.Generation)
	setPolicyConditions(&d.status, f, accepted, applied)
	d.goodSince, d.wake = settledSince(f, verdicts)
	d.restored = !f.policy.DeletionTimestamp.IsZero() && !slices.ContainsFunc(f.targets, func(t policyOnTarget) bool { return t.carried })
	return d
}

// conditionsOn are Accepted and Programmed of one target.
func conditionsOn(f policyFacts, t policyOnTarget) (accepted, programmed metav1.Condition, verdict traffic.Verdict) {
	accepted = metav1.Condition{Type: v1alpha1.ConditionAccepted, Status: metav1.ConditionFalse}
	programmed = metav1.Condition{Type: conditionProgrammed, Status: metav1.ConditionFalse, Reason: reasonNotStarted, Message: fmt.Sprintf("%s: see Accepted", t.key)}
	switch problem := problemOf(t.key, t.seen, t.refusal); {
	case t.holder != "":
		accepted.Reason = reasonConflicted
		accepted.Message = fmt.Sprintf("RetryPolicy %s is older and is already for %s; remove one of the two, or give them different rules by sectionName", t.holder, where(t))
		return accepted, programmed, verdict
	case problem != nil:
		accepted.Reason, accepted.Message = problem.reason, problem.message
		return accepted, programmed, verdict
	}
	accepted.Status, accepted.Reason, accepted.Message = metav1.ConditionTrue, v1alpha1.ReasonAccepted, acceptedText(t)
	if !f.policy.DeletionTimestamp.IsZero() {
		programmed.Reason, programmed.Message = v1alpha1.ReasonDeleting, fmt.Sprintf("%s is being made what its user wrote", t.key)
		return accepted, programmed, verdict
	}
	seen := t.seen
	seen.Now, seen.GoodSince = f.now, f.goodSince
	verdict = t.router.Applied(seen, traffic.Intent{Retries: []traffic.Retry{t.retry}})
	switch verdict.State {
	case traffic.True:
		programmed.Status, programmed.Reason, programmed.Message = metav1.ConditionTrue, reasonApplied, fmt.Sprintf("in force on %s", where(t))
	case traffic.Unknown:
		programmed.Status = metav1.ConditionUnknown
		fallthrough
	case traffic.False:
		programmed.Reason, programmed.Message = string(verdict.Cause), fmt.Sprintf("%s: %s", where(t), verdict.Message)
	}
	return accepted, programmed, verdict
}

// where is the target, or the rule of it.
func where(t policyOnTarget) string {
	if t.retry.SectionName == "" {
		return t.key.String()
	}
	return fmt.Sprintf("rule %s of %s", t.retry.SectionName, t.key)
}

// acceptedText says by what the policy is followed, and what that retries beside what it is asked to.
func acceptedText(t policyOnTarget) string {
	text := fmt.Sprintf("%s: followed by %s", where(t), t.plane)
	if len(t.adds) == 0 {
		return text
	}
	adds := make([]string, 0, len(t.adds))
	for _, a := range t.adds {
		adds = append(adds, a.What)
	}
	slices.Sort(adds)
	return text + ", which by itself also retries " + strings.Join(adds, ", ")
}

func ancestorStatus(f policyFacts, t policyOnTarget, accepted, programmed metav1.Condition) v1alpha1.PolicyAncestorStatus {
	out := v1alpha1.PolicyAncestorStatus{AncestorRef: t.ref, ControllerName: v1alpha1.ControllerName}
	for _, old := range f.policy.Status.Ancestors {
		if sameTarget(old.AncestorRef, t.ref) {
			out.Conditions = slices.Clone(old.Conditions)
		}
	}
	if t.router != nil {
		out.DataPlane = t.router.DataPlane()
	}
	for _, c := range []metav1.Condition{accepted, programmed} {
		c.ObservedGeneration, c.LastTransitionTime = f.policy.Generation, metav1.NewTime(f.now)
		meta.SetStatusCondition(&out.Conditions, c)
	}
	return out
}

func sameTarget(a, b v1alpha1.PolicyTargetReference) bool {
	group := func(r v1alpha1.PolicyTargetReference) string {
		if r.Group == nil {
			return ""
		}
		return *r.Group
	}
	return group(a) == group(b) && a.Kind == b.Kind && a.Name == b.Name && a.SectionName == b.SectionName
}

// setPolicyConditions are the conditions of the policy as a whole: the first target that is not in order decides.
func setPolicyConditions(status *v1alpha1.RetryPolicyStatus, f policyFacts, accepted, applied []metav1.Condition) {
	notTrue := func(list []metav1.Condition) (metav1.Condition, bool) {
		at := slices.IndexFunc(list, func(c metav1.Condition) bool { return c.Status != metav1.ConditionTrue })
		if at < 0 {
			return metav1.Condition{}, false
		}
		return list[at], true
	}
	set := func(kind string, c metav1.Condition) {
		c.Type, c.ObservedGeneration, c.LastTransitionTime = kind, f.policy.Generation, metav1.NewTime(f.now)
		meta.SetStatusCondition(&status.Conditions, c)
	}
	yes := metav1.Condition{Status: metav1.ConditionTrue, Reason: v1alpha1.ReasonAccepted, Message: messagesOf(accepted)}
	refused, isRefused := notTrue(accepted)
	if isRefused {
		yes = refused
	}
	set(v1alpha1.ConditionAccepted, yes)
	inForce := metav1.Condition{Status: metav1.ConditionTrue, Reason: reasonApplied, Message: messagesOf(applied)}
	waits, isWaiting := notTrue(applied)
	if isWaiting {
		inForce = waits
	}
	set(v1alpha1.ConditionTrafficApplied, inForce)
	ready := inForce
	if isRefused {
		ready = refused
	}
	set(v1alpha1.ConditionReady, ready)
	only := func(kind string, on bool, c metav1.Condition) {
		if !on {
			meta.RemoveStatusCondition(&status.Conditions, kind)
			return
		}
		set(kind, metav1.Condition{Status: metav1.ConditionTrue, Reason: c.Reason, Message: c.Message})
	}
	only(v1alpha1.ConditionStalled, isRefused, refused)
	only(v1alpha1.ConditionReconciling, !isRefused && isWaiting, waits)
}

// messagesOf are the messages of conditions, one after the other, within the API's limit.
func messagesOf(conditions []metav1.Condition) string {
	texts := make([]string, 0, len(conditions))
	for _, c := range conditions {
		texts = append(texts, c.Message)
	}
	return truncated(strings.Join(texts, "; "))
}

// settledSince is since when only the settle time has been left to wait for on all targets, and how long it still lasts.
func settledSince(f policyFacts, verdicts []traffic.Verdict) (since time.Time, wake time.Duration) {
	if len(verdicts) == 0 || slices.ContainsFunc(verdicts, func(v traffic.Verdict) bool { return !v.Good }) {
		return time.Time{}, 0
	}
	since = f.goodSince
	if since.IsZero() {
		since = f.now
	}
	for _, v := range verdicts {
		wake = max(wake, v.Wake)
	}
	return since, wake
}
