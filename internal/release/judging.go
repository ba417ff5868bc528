package release

import (
	"fmt"
	"time"
)

// judging: the share is applied. A step is left by evidence of this step, never by time alone unless the user says so.
func (t *turn) judging() {
	v := t.evidence()
	switch {
	case t.seen.Traffic.Refused:
		t.sayRefused()
	case t.stopped():
	case !t.seen.Traffic.Applied:
		t.say(ShiftingTraffic, "%s: the route does not carry the share now: %s", t.stepText(), orWaiting(t.seen.Traffic.Message))
	case !t.settled():
		t.say(or(v.Reason, JudgingStep), "%s: %s; the step lasts at least minStepDuration", t.stepText(), orNoVerdict(v.Detail))
	case t.plan.Mode == Observe:
		t.observing(v)
	case v.Kind == Advance && !v.NoData:
		t.leaveStep(or(v.Detail, "enough evidence"))
	default:
		t.replaceBadPod(v)
		t.withoutEvidence(v)
	}
}

// observing: the evidence is shown and nothing follows from it. The step is left after the time that the user gave it, or
// by a person.
func (t *turn) observing(v Verdict) {
	step := t.plan.Steps[t.next.Step]
	if v.Kind != NoVerdict {
		t.observed = string(or(v.Reason, JudgingStep))
	}
	switch {
	case step.LeaveAfter > 0 && t.after(t.next.AppliedAt, step.LeaveAfter):
		t.leaveStep(fmt.Sprintf("the step has lasted its %s (evidence is only observed: %s)", step.LeaveAfter, orNoVerdict(v.Detail)))
	case step.LeaveAfter > 0:
		t.say(JudgingStep, "%s: observed for %s: %s%s", t.stepText(), step.LeaveAfter, wouldDo(v), orNoVerdict(v.Detail))
	case t.next.Resumed:
		t.leaveStep("a person said so (evidence is only observed: " + orNoVerdict(v.Detail) + ")")
	default:
		t.say(WaitingForPerson, "%s: observed until a person says when to go on (resume): %s%s", t.stepText(), wouldDo(v), orNoVerdict(v.Detail))
	}
}

// wouldDo is what would follow from the evidence if it were enforced.
func wouldDo(v Verdict) string {
	switch v.Kind {
	case Rollback:
		return "this would be rolled back: "
	case Advance:
		return "this would go on: "
	case NoVerdict:
	}
	return ""
}

// replaceBadPod asks for another pod in the place of one that harm is on alone.
func (t *turn) replaceBadPod(v Verdict) {
	if v.BadPod != "" && t.plan.OneBadPod == OneBadPodReplace {
		t.replacePod = v.BadPod
	}
}

// evidence is the judge's word on the present step. That on another step is no verdict.
func (t *turn) evidence() Verdict {
	if t.seen.Verdict.Step != t.next.Step {
		return Verdict{}
	}
	return t.seen.Verdict
}

// settled says that the step has lasted as long as the user wants each to.
func (t *turn) settled() bool {
	if t.next.LookingSince.IsZero() {
		t.next.LookingSince = t.seen.Now
	}
	return t.after(t.next.AppliedAt, t.plan.MinStepDuration)
}

// withoutEvidence holds, and says what is missing; after maxDuration it does what the user chose.
func (t *turn) withoutEvidence(v Verdict) {
	if !t.timeIsUp() {
		t.say(or(v.Reason, JudgingStep), "%s: %s", t.stepText(), orNoVerdict(v.Detail))
		return
	}
	switch {
	case t.plan.OnInconclusive == InconclusiveRollback:
		t.takeAway(ending{Rejected, InconclusiveEvidence, "no verdict within maxDuration: " + orNoVerdict(v.Detail)})
	case t.plan.OnInconclusive == InconclusivePromoteIfNoHarm && v.NoHarm && !v.NoData:
		t.leaveStep("no verdict within maxDuration, and no evidence of harm")
	default:
		t.say(InconclusiveEvidence, "%s: no verdict within maxDuration: %s; promote or abort it, or raise maxDuration",
			t.stepText(), orNoVerdict(v.Detail))
	}
}

// timeIsUp: time that a person or the user had the release stand still does not count.
func (t *turn) timeIsUp() bool {
	if t.plan.MaxDuration == 0 || t.plan.OnInconclusive == InconclusiveExtend {
		return false
	}
	return t.after(t.next.LookingSince, t.plan.MaxDuration)
}

func orNoVerdict(detail string) string { return or(detail, "nothing has been measured yet") }

// leaveStep goes on to the next step or to promotion, unless a person is to say so.
func (t *turn) leaveStep(why string) {
	if t.plan.Steps[t.next.Step].Hold && !t.next.Resumed {
		t.next.LookingSince = time.Time{}
		t.say(WaitingForPerson, "%s: %s; a person says when to go on (resume)", t.stepText(), why)
		return
	}
	t.next.Resumed = false
	if t.next.Step == len(t.plan.Steps)-1 {
		t.enter(PromotionPreparing)
		t.say(Promoting, "revision %s: %s", t.next.Revision, why)
		return
	}
	t.next.Step++
	t.enter(Preparing)
	t.say(PreparingCanary, "%s: making pods ready for it", t.stepText())
}
