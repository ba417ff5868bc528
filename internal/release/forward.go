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
	default:
		t.heldChange()
	}
}

// heldChange is what becomes of a template that has to prove itself.
func (t *turn) heldChange() {
	target := t.seen.Target
	switch {
	case t.next.Stable.UID == "" && target.Mixed && !target.StableBroken:
		t.say(Adopting, "pods of several templates run and none is on record as stable: revision %s stays held "+
			"until pods of one are left", target.Revision)
	case t.halfRolled():
		t.putBackFirst()
	case target.Rejected && t.next.Retried != target.Revision:
		t.keepRejected()
	case target.StableBroken:
		t.letThrough(nothingToProtect)
	case t.next.Stable.UID == "":
		t.say(Adopting, "which pods are stable cannot be known yet; revision %s stays held until then", target.Revision)
	case t.plan.Mode == CompareStable:
		t.say(Suspended, "revision %s is held; "+comparesStable, target.Revision)
	case t.plan.Suspended:
		t.say(Suspended, "revision %s is held; set spec.suspend to false to release it", target.Revision)
	default:
		t.begin()
	}
}

// comparesStable says how to get on from a mode that releases nothing.
const comparesStable = "analysis.mode AA compares stable with itself and releases nothing: set it to Enforce or Observe"

const nothingToProtect = "stable has no available pod or never completed a rollout, so there is nothing to protect"

func (t *turn) begin() {
	t.leaveFor(Checking)
	t.next.Revision = t.seen.Target.Revision
	t.next.Canary = t.next.Revision
	t.next.Started = t.seen.Now
	if t.next.Retried != t.next.Revision {
		t.next.Retried = ""
	}
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
		// What was released before is neither in the Deployment nor stable any more.
		t.next.Stable, t.next.Revision = serving, serving.Revision
		t.next.Cause, t.next.CauseDetail = "", ""
	default:
		t.say(Adopting, "waiting until the Deployment has rolled out, to take it as stable")
		return
	}
	if t.next.Cause == Promoted && t.next.CauseDetail != "" {
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
	case target.PausedByUser:
		t.say(PausedByUser, "the Deployment is paused, and not by Slipway: resume it to have revision %s rolled out", t.next.Revision)
	case target.Held && target.Revision != t.next.Revision:
		t.heldWhileRolling()
	case !target.Held && target.RolledOut && target.Serving.UID != "":
		t.leaveFor(Idle)
		t.next.Stable = target.Serving
		t.say(StableServes, "revision %s serves", target.Serving.Revision)
	default:
		t.say(LetThrough, "revision %s is rolled out at once: %s", t.next.Revision, or(t.next.CauseDetail, "it need not be held"))
	}
}

// heldWhileRolling: another change came while one was let through.
func (t *turn) heldWhileRolling() {
	target := t.seen.Target
	if t.halfRolled() {
		t.putBackFirst()
		return
	}
	t.leaveFor(Idle)
	if !target.Mixed && target.Serving.UID != "" {
		// What was let through has replaced every pod, though it was not seen to finish.
		t.next.Stable = target.Serving
	}
	t.say(NewerChange, "revision %s has come meanwhile", target.Revision)
}

// halfRolled says that pods of another template serve beside stable's.
func (t *turn) halfRolled() bool {
	target := t.seen.Target
	return target.Mixed && !target.OnlyStablePods && !target.StableBroken && t.next.Stable.UID != ""
}

// putBackFirst: with pods of two templates nothing can be compared, so stable's come back before anything is released.
func (t *turn) putBackFirst() {
	t.leaveFor(PuttingBack)
	t.noteNewer()
	t.next.CauseDetail = "revision " + t.next.Revision + " was held over a half-rolled Deployment; stable's pods come back first"
	t.sayCause("")
}

// checking: nothing has been made yet. What cannot be done is refused here, by name.
func (t *turn) checking() {
	switch {
	case t.seen.Target.StableBroken:
		t.letThrough(nothingToProtect)
	case len(t.plan.Steps) == 0:
		t.say(Refused, "spec.steps is empty: name at least one weightPercent")
	case len(t.seen.Refusals) > 0:
		first := t.seen.Refusals[0]
		t.say(or(first.Reason, Refused), "%s", or(first.Message, "the release cannot run as things are"))
	case t.stopped():
	case t.seen.Twin.Exists || t.seen.Hold.Exists:
		// What is seen of them would be taken for facts about this release.
		t.say(PreparingCanary, "waiting until what the release before left is removed")
	case !t.next.Checked:
		t.next.Checked = true
		t.say(PreparingCanary, "revision %s can run beside stable; asking for the route", t.next.Revision)
	case t.seen.Traffic.Refused:
		t.sayRefused()
	case !t.seen.Traffic.Applied:
		t.say(PreparingCanary, "waiting for the route: %s", orWaiting(t.seen.Traffic.Message))
	default:
		t.enter(Preparing)
		t.say(PreparingCanary, "starting the canary of revision %s", t.next.Revision)
	}
}

func orWaiting(message string) string {
	return or(message, "the data plane has not said yet that it carries it")
}

func (t *turn) sayRefused() {
	t.say(or(t.seen.Traffic.RefusedReason, Refused), "%s", or(t.seen.Traffic.Message, "the route cannot be had"))
}

// stopped says so when the user or a person has stopped the release from going on.
func (t *turn) stopped() bool {
	compares := t.plan.Mode == CompareStable
	if !t.plan.Suspended && !t.next.Paused && !compares {
		return false
	}
	t.next.LookingSince = time.Time{}
	if compares {
		return t.say(Suspended, "stopped: "+comparesStable)
	}
	if t.plan.Suspended {
		return t.say(Suspended, "stopped by spec.suspend")
	}
	return t.say(PausedByPerson, "paused by a person; resume it to go on")
}

func (t *turn) preparing() {
	twin := t.seen.Twin
	switch {
	case twin.NotAdmitted:
		t.say(CanaryNotScheduled, "%s: the cluster does not take the canary's pods: %s", t.stepText(), orNothing(twin.Trouble))
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
		t.sayRefused()
	case traffic.Applied:
		// What was applied before the step asked for it is of the step before.
		t.next.AppliedAt = later(traffic.AppliedAt, t.next.Since)
		t.enter(Judging)
		t.say(JudgingStep, "%s: gathering evidence", t.stepText())
	default:
		t.say(ShiftingTraffic, "%s: %s", t.stepText(), orWaiting(traffic.Message))
	}
}
