package release

import "time"

// idle: stable serves. A change that is held begins a release, unless holding it would do harm or nothing.
func (t *turn) idle() {
	target := t.seen.Target
	switch {
	case !target.Found:
		t.say(TargetNotFound, "the Deployment does not exist")
	case target.PausedByUser:
		t.say(PausedByUser, "the Deployment is paused, and not by Slipway: resume it to have its changes released")
	case !target.Held:
		t.adopt()
	case target.SameAsStable:
		t.letThrough("it is stable's template")
	case target.OnlyRestarted:
		t.letThrough("only kubectl.kubernetes.io/restartedAt differs from stable's template")
	case target.PromotedBefore:
		t.letThrough("it was promoted before, within rollbackWindow")
	case target.StableBroken:
		t.letThrough("stable has no available pod or never completed a rollout, so there is nothing to protect")
	case target.Rejected && t.next.Retried != target.Revision:
		t.keepRejected()
	case t.plan.Suspended:
		t.say(Suspended, "revision %s is held; set spec.suspend to false to release it", target.Revision)
	default:
		t.begin()
	}
}

func (t *turn) begin() {
	t.leaveFor(Checking)
	t.next.Revision = t.seen.Target.Revision
	t.next.Canary = t.next.Revision
	t.next.Started = t.seen.Now
	t.say(PreparingCanary, "revision %s is held; checking whether it can run beside stable", t.next.Revision)
}

// leaveFor forgets what belonged to the release so far, all but the identities.
func (t *turn) leaveFor(s Stage) {
	t.next = Run{
		Sequence: t.next.Sequence, Stable: t.next.Stable, Revision: t.next.Revision, Handled: t.next.Handled,
		Retried: t.next.Retried, Want: t.next.Want,
	}
	t.enter(s)
}

func (t *turn) keepRejected() {
	t.leaveFor(RolledBack)
	t.next.Revision = t.seen.Target.Revision
	t.next.Canary = t.next.Revision
	t.next.TwinGone = true
	t.next.Outcome, t.next.Cause = Rejected, RolledBackCanary
	t.next.CauseDetail = "this template was rejected before; it is not tried on users again unless a person asks for it (retry)"
	t.say(RolledBackCanary, "%s", t.next.CauseDetail)
}

func (t *turn) letThrough(why string) {
	t.leaveFor(LettingThrough)
	t.next.Revision = t.seen.Target.Revision
	t.next.CauseDetail = why
	t.say(LetThrough, "revision %s is rolled out at once: %s", t.next.Revision, why)
}

// adopt takes what serves as stable, once it has rolled out. Its pods are not touched.
func (t *turn) adopt() {
	serving := t.seen.Target.Serving
	switch {
	case serving.UID != "" && serving.UID == t.next.Stable.UID:
		t.next.Stable = serving
	case t.seen.Target.RolledOut && serving.UID != "":
		t.next.Stable = serving
		t.next.Cause, t.next.CauseDetail = "", ""
	default:
		t.say(Adopting, "waiting until the Deployment has rolled out, to take it as stable")
		return
	}
	if t.next.Cause == Promoted {
		t.say(Promoted, "%s", t.next.CauseDetail)
		return
	}
	t.say(StableServes, "revision %s serves; a change will be held and released step by step", t.next.Stable.Revision)
}

func (t *turn) lettingThrough() {
	target := t.seen.Target
	switch {
	case !target.Found:
		t.leaveFor(Idle)
		t.say(TargetNotFound, "the Deployment does not exist")
	case target.Held && target.Revision != t.next.Revision:
		t.heldWhileRolling()
	case !target.Held && target.RolledOut && target.Serving.UID != "":
		t.leaveFor(Idle)
		t.next.Stable = target.Serving
		t.say(StableServes, "revision %s serves", target.Serving.Revision)
	default:
		t.say(LetThrough, "revision %s is rolled out at once: %s", t.next.Revision, t.next.CauseDetail)
	}
}

// heldWhileRolling: another change came while one was let through. With pods of two templates nothing can be compared:
// stable's pods come back first.
func (t *turn) heldWhileRolling() {
	if !t.seen.Target.Mixed || t.next.Stable.UID == "" || t.seen.Target.StableBroken {
		t.leaveFor(Idle)
		t.say(NewerChange, "revision %s has come meanwhile", t.seen.Target.Revision)
		return
	}
	t.leaveFor(PuttingBack)
	t.next.Outcome, t.next.Cause = Superseded, NewerChange
	t.next.Revision = t.seen.Target.Revision
	t.next.CauseDetail = "revision " + t.next.Revision + " was held over a half-rolled Deployment; stable's pods come back first"
	t.say(NewerChange, "%s", t.next.CauseDetail)
}

// checking: nothing has been made yet. What cannot be done is refused here, by name.
func (t *turn) checking() {
	switch {
	case len(t.seen.Refusals) > 0:
		t.say(t.seen.Refusals[0].Reason, "%s", t.seen.Refusals[0].Message)
	case !t.next.Checked:
		t.next.Checked = true
		t.say(PreparingCanary, "revision %s can run beside stable; asking for the route", t.next.Revision)
	case t.seen.Traffic.Refused:
		t.say(t.seen.Traffic.RefusedReason, "%s", t.seen.Traffic.Message)
	case t.stopped():
	case !t.seen.Traffic.Applied:
		t.say(PreparingCanary, "waiting for the route: %s", orWaiting(t.seen.Traffic.Message))
	default:
		t.enter(Preparing)
		t.say(PreparingCanary, "starting the canary of revision %s", t.next.Revision)
	}
}

func orWaiting(message string) string {
	if message == "" {
		return "the data plane has not said yet that it carries it"
	}
	return message
}

// stopped says so when the user or a person has stopped the release from going on.
func (t *turn) stopped() bool {
	switch {
	case t.plan.Suspended:
		return t.say(Suspended, "stopped by spec.suspend")
	case t.next.Paused:
		return t.say(PausedByPerson, "paused by a person; resume it to go on")
	}
	return false
}

func (t *turn) preparing() {
	twin := t.seen.Twin
	switch {
	case twin.NotAdmitted:
		t.say(CanaryNotScheduled, "%s: %s", t.stepText(), twin.Trouble)
	case !twin.Ready:
		t.say(PreparingCanary, "%s: %d of %d canary pods are ready%s",
			t.stepText(), min(twin.ReadyPods, twin.WantedPods), twin.WantedPods, because(twin.Trouble))
	case t.stopped():
	default:
		t.enter(Shifting)
		t.next.AppliedAt = time.Time{}
		t.say(ShiftingTraffic, "%s: waiting until the data plane has the new share", t.stepText())
	}
}

func because(trouble string) string {
	if trouble == "" {
		return ""
	}
	return "; " + trouble
}

func (t *turn) shifting() {
	traffic := t.seen.Traffic
	switch {
	case traffic.Refused:
		t.say(traffic.RefusedReason, "%s", traffic.Message)
	case traffic.Applied:
		t.enter(Judging)
		t.next.AppliedAt = traffic.AppliedAt
		t.say(JudgingStep, "%s: gathering evidence", t.stepText())
	default:
		t.say(ShiftingTraffic, "%s: %s", t.stepText(), orWaiting(traffic.Message))
	}
}
