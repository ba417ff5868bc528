package controllers

import (
	"context"
	"encoding/json"
	"fmt"
	"reflect"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"slipway.dev/slipway/api/v1alpha1"
	"slipway.dev/slipway/internal/release"
	"slipway.dev/slipway/internal/workload"
)

const (
	// conditionNotCovered is true while objects cover stable's pods and not the canary's, such as a NetworkPolicy that
	// selects by the changed label. Nothing is refused for it; look at what the message names.
	conditionNotCovered = "NotCovered"
	// conditionScalingLimited is true while a Deployment may not shrink as far as people or autoscalers may ask for. Its
	// reason is reasonChangePending.
	conditionScalingLimited = "ScalingLimited"
	// reasonChangePending says that the limit ends with the hold, or with the release.
	reasonChangePending = "ChangePending"
	// reasonAsWritten says that no release has anything in the route.
	reasonAsWritten = "AsWritten"
	// reasonPending says that the route does not carry the wanted share yet.
	reasonPending = "Pending"
)

// progressEvery is how often status is written when nothing but the progress of the evidence has changed.
const progressEvery = 30 * time.Second

// record stores the decision before anything follows from it. It returns when to come back for progress that was not
// worth a write yet. After it, w.cr is what the API server has.
func (r *CanaryReconciler) record(ctx context.Context, w *world, d release.Decision) (later time.Duration, err error) {
	before := w.cr
	after := before.DeepCopy()
	if err := r.writeStatus(&after.Status, w, d); err != nil {
		return 0, err
	}
	if reflect.DeepEqual(before.Status, after.Status) {
		return 0, nil
	}
	if !decisive(before.Status, after.Status) {
		if wait := r.Judge.progressDue(w, r.Now()); wait > 0 {
			return wait, nil
		}
	}
	if _, err := r.Store.Record(ctx, before, after); err != nil {
		return 0, err
	}
	r.Judge.progressWritten(w, r.Now())
	w.cr = after
	return 0, nil
}

// decisive says that more than the progress of the evidence differs.
func decisive(before, after v1alpha1.CanaryReleaseStatus) bool {
	return !reflect.DeepEqual(withoutProgress(before), withoutProgress(after))
}

func withoutProgress(s v1alpha1.CanaryReleaseStatus) v1alpha1.CanaryReleaseStatus {
	s = *s.DeepCopy()
	s.Evidence, s.Metrics, s.Calibration = "", nil, nil
	s.Run.Evidence = ""
	for i := range s.Conditions {
		s.Conditions[i].Message = ""
	}
	return s
}

func (r *CanaryReconciler) writeStatus(s *v1alpha1.CanaryReleaseStatus, w *world, d release.Decision) error {
	text, err := json.Marshal(d.Next)
	if err != nil {
		return wrap("write record", err)
	}
	evidence, err := r.Judge.written(w, d.Next)
	if err != nil {
		return err
	}
	s.ObservedGeneration = new(w.cr.Generation)
	s.Run = v1alpha1.RunRecord{Sequence: new(d.Next.Sequence), Record: string(text), Evidence: evidence}
	s.Stage = stageName(d.Next.Stage)
	s.Revision, s.StableRevision = d.Next.Revision, d.Next.Stable.Revision
	if s.Revision == "" {
		s.Revision = d.Next.Stable.Revision
	}
	s.Step, s.Weight = stepOf(w.plan, d.Next), weightOf(d.Want)
	s.Evidence, s.Metrics = r.Judge.shown(w, d.Next)
	s.Calibration = r.Judge.calibration(w)
	s.Decisions = decisionsWith(s.Decisions, w, d, r.Now())
	s.FloorReplicas = floorOf(s.FloorReplicas, w, d)
	r.setConditions(s, w, d)
	return nil
}

func stepOf(p release.Plan, run release.Run) string {
	switch run.Stage {
	case release.Preparing, release.Shifting, release.Judging, release.PromotionPreparing, release.PromotionEntering,
		release.PromotionRolling:
		return fmt.Sprintf("%d/%d", run.Step+1, len(p.Steps))
	case release.Idle, release.LettingThrough, release.Checking, release.PromotionFinishing, release.RollingBack,
		release.RolledBack, release.Evacuating, release.PuttingBack, release.Returning, release.Reholding, release.Deleting:
	}
	return ""
}

func weightOf(want release.Want) string {
	return fmt.Sprintf("%d%%", want.Shares.Canary/(release.Million/100))
}

// floorOf is what an autoscaler may not go below: what stable had when the release began. While anything is held it is at
// least 1, because a Deployment that comes back from zero may serve the held template.
func floorOf(present *int32, w *world, d release.Decision) *int32 {
	held := w.target != nil && workload.Held(w.target)
	if !held && (d.Next.Stage == release.Idle || d.Next.Stage == release.LettingThrough) {
		return nil
	}
	if w.target == nil {
		return present
	}
	if present != nil && d.Next.Stage != release.RolledBack {
		return present
	}
	if d.Next.Stage == release.RolledBack || d.Next.Stage == release.Idle {
		return ptr.To[int32](1)
	}
	return new(max(1, ptr.Deref(w.target.Spec.Replicas, 1)))
}

// floorText says what becomes of a scale that asks for less.
func floorText(w *world, floor int32) string {
	text := fmt.Sprintf("Deployment %q keeps at least 1 pod while a change of it is held or released, also when it is scaled to zero: coming back from zero it might serve the change",
		w.cr.Spec.TargetRef.Name)
	if floor > 1 {
		text += fmt.Sprintf("; an autoscaler does not take it below %d", floor)
	}
	return text
}

// verdictOnReady is what the stage means for Ready, Reconciling and Stalled, as kstatus reads them.
type verdictOnReady int

const (
	inProgress verdictOnReady = iota
	ready
	stalled
)

func readiness(w *world, d release.Decision) verdictOnReady {
	switch d.Next.Stage {
	case release.Idle:
		if d.Reason == release.StableServes || d.Reason == release.Promoted {
			return ready
		}
		if d.Reason == release.Adopting {
			return inProgress
		}
		return stalled
	case release.RolledBack:
		return stalled
	case release.Checking:
		if len(w.refusals) > 0 || w.trafficFacts().Refused {
			return stalled
		}
	case release.LettingThrough, release.Preparing, release.Shifting, release.Judging, release.PromotionPreparing,
		release.PromotionEntering, release.PromotionRolling, release.PromotionFinishing, release.RollingBack,
		release.Evacuating, release.PuttingBack, release.Returning, release.Reholding, release.Deleting:
	}
	return inProgress
}

func (r *CanaryReconciler) setConditions(s *v1alpha1.CanaryReleaseStatus, w *world, d release.Decision) {
	c := conditionWriter{conditions: &s.Conditions, generation: w.cr.Generation, now: metav1.NewTime(r.Now())}
	reason, message := string(d.Reason), d.Detail
	is := readiness(w, d)
	if refusal, refused := w.firstRefusal(); refused {
		c.set(v1alpha1.ConditionAccepted, metav1.ConditionFalse, string(refusal.Reason), refusal.Message)
		if d.Next.Stage == release.Idle && is == ready {
			is, reason, message = stalled, string(refusal.Reason), refusal.Message
		}
	} else {
		c.set(v1alpha1.ConditionAccepted, metav1.ConditionTrue, v1alpha1.ReasonAccepted, "the release can be run as it is written")
	}
	c.set(v1alpha1.ConditionReady, boolStatus(is == ready), reason, message)
	c.when(v1alpha1.ConditionReconciling, is == inProgress, reason, message)
	c.when(v1alpha1.ConditionStalled, is == stalled, reason, message)
	c.traffic(w, d)
	c.when(conditionScalingLimited, s.FloorReplicas != nil, reasonChangePending, floorText(w, ptr.Deref(s.FloorReplicas, 1)))
	if hearsEvidence(w.run.Stage) {
		all := r.Judge.advice(w)
		c.when(v1alpha1.ConditionAdvice, len(all) > 0, adviceReason(all), adviceText(all))
	} else if d.Next.Stage == release.Checking {
		c.when(v1alpha1.ConditionAdvice, false, "", "")
	}
	if w.knowsUncovered || d.Next.Stage == release.Idle {
		c.when(conditionNotCovered, len(w.uncovered) > 0, conditionNotCovered, "these cover stable's pods and not the canary's: "+joined(w.uncovered))
	}
}

// firstRefusal is why the spec cannot be followed, by what the release looked at itself, then by its split.
func (w *world) firstRefusal() (release.Refusal, bool) {
	if len(w.refusals) > 0 {
		return w.refusals[0], true
	}
	t := w.trafficFacts()
	return release.Refusal{Reason: t.RefusedReason, Message: t.Message}, t.Refused
}

func boolStatus(b bool) metav1.ConditionStatus {
	if b {
		return metav1.ConditionTrue
	}
	return metav1.ConditionFalse
}

// conditionWriter sets conditions whose text is a function of the state.
type conditionWriter struct {
	conditions *[]metav1.Condition
	generation int64
	now        metav1.Time
}

func (c conditionWriter) set(kind string, status metav1.ConditionStatus, reason, message string) {
	const longest = 1024
	message = cut(message, longest)
	meta.SetStatusCondition(c.conditions, metav1.Condition{
		Type: kind, Status: status, Reason: reason, Message: message, ObservedGeneration: c.generation, LastTransitionTime: c.now,
	})
}

// when keeps a condition that exists only while it is true.
func (c conditionWriter) when(kind string, is bool, reason, message string) {
	if !is {
		meta.RemoveStatusCondition(c.conditions, kind)
		return
	}
	c.set(kind, metav1.ConditionTrue, reason, message)
}

func (c conditionWriter) traffic(w *world, d release.Decision) {
	t := w.trafficFacts()
	switch {
	case !d.Want.Split && !t.Exists:
		c.set(v1alpha1.ConditionTrafficApplied, metav1.ConditionTrue, reasonAsWritten, "the route is as its owner wrote it")
	case t.Applied && d.Want == w.run.Want:
		c.set(v1alpha1.ConditionTrafficApplied, metav1.ConditionTrue, reasonApplied, fmt.Sprintf("the route gives the canary %s", weightOf(d.Want)))
	default:
		message := t.Message
		if message == "" {
			message = "the route has been asked for the new share"
		}
		c.set(v1alpha1.ConditionTrafficApplied, metav1.ConditionFalse, reasonPending, message)
	}
}
