package release

import "time"

// leaveForDeletion gives the route back, then the pods, then the Deployment.
func leaveForDeletion(t *turn) bool {
	if !t.plan.Deleting || t.next.Stage == Deleting {
		return false
	}
	if why, found := t.harm(); found {
		// A half-rolled bad template must not be what is left behind.
		t.takenAwayFor(why)
	} else {
		t.next.Stable = promoted(t.next)
	}
	t.enter(Deleting)
	t.next.AppliedAt = time.Time{}
	t.next.Cleared, t.next.Final = false, Keep
	return t.say(BeingDeleted, "giving the route back to its owner")
}

// ending is why the canary is taken away.
type ending struct {
	outcome Outcome
	cause   Reason
	detail  string
}

// takeUsersOffHarm is asked before anything that waits: no readiness, capacity or other resource stands before it.
func takeUsersOffHarm(t *turn) bool {
	why, found := t.harm()
	return found && t.takeAway(why)
}

// harm is the proof or the fact that the canary must not have users.
func (t *turn) harm() (ending, bool) {
	twin, v := t.seen.Twin, t.seen.Verdict
	late := t.wayBackAfterRollout() && v.Kind == Rollback
	if !t.canaryRuns() && !late {
		return ending{}, false
	}
	switch {
	case v.Kind == Rollback && t.plan.Mode != Observe:
		// Harm counts whatever step it was proven in, and also before users come (again).
		return ending{Rejected, or(v.Reason, HarmProven), or(v.Detail, "harm was proven")}, true
	case twin.CrashLooping:
		return ending{Rejected, CanaryCrashLooping, "the canary's containers start and exit again and again: " + orNothing(twin.Trouble)}, true
	case t.hasUsers() && twin.Exists && twin.ReadyPods == 0 && twin.NotAdmitted:
		// Users are taken off, but that the cluster has no room says nothing about the version.
		return ending{Superseded, CanaryNotScheduled, "no pod of the canary is left, and the cluster takes no new one: " + orNothing(twin.Trouble)}, true
	case t.hasUsers() && twin.Exists && twin.ReadyPods == 0:
		return ending{Rejected, NoReadyCanary, "no pod of the canary is ready to serve: " + orNothing(twin.Trouble)}, true
	case twin.Failed && !twin.NotAdmitted && t.next.Stage == Preparing:
		return ending{Rejected, CanaryNotReady, "the canary did not become ready within its progress deadline: " + orNothing(twin.Trouble)}, true
	case t.next.Stage == PromotionRolling && t.seen.Target.Failed && !t.seen.Target.Held:
		return ending{Rejected, CanaryNotReady, "the rollout of the promoted template exceeded its progress deadline"}, true
	case v.BadPod != "" && t.plan.OneBadPod == OneBadPodRollback && t.plan.Mode != Observe:
		return ending{Rejected, OneBadPod, or(v.Detail, "harm is on one canary pod")}, true
	case t.plan.Mode != Observe && t.evidence().NoData && t.plan.OnNoData == NoDataRollback && t.next.Stage == Judging:
		return ending{Rejected, NoData, or(v.Detail, "no data, and onNoData is Rollback")}, true
	}
	return ending{}, false
}

func orNothing(trouble string) string { return or(trouble, "the pods give no reason") }

func or[T ~string](text, otherwise T) T {
	if text == "" {
		return otherwise
	}
	return text
}

// canaryRuns says that pods of the canary are wanted.
func (t *turn) canaryRuns() bool {
	switch t.next.Stage {
	case Preparing, Shifting, Judging, PromotionPreparing, PromotionEntering, PromotionRolling:
		return true
	case Idle, LettingThrough, Checking, PromotionFinishing, RollingBack, RolledBack, Evacuating, PuttingBack, Returning,
		Reholding, Deleting:
	}
	return false
}

// wayBackAfterRollout says that every pod is new, and stable's template can be put back still.
func (t *turn) wayBackAfterRollout() bool {
	return t.next.Stage == PromotionFinishing && t.next.Rolled.UID != "" && !t.next.Unprotected
}

// hasUsers says that the canary has, or is being given, a share of the traffic.
func (t *turn) hasUsers() bool {
	return t.canaryRuns() && (t.next.Stage != Preparing || t.next.Step > 0)
}

// followTarget starts over, or stops, when what is in the Deployment is no longer what is being released.
func followTarget(t *turn) bool {
	switch t.next.Stage {
	case Checking, Preparing, Shifting, Judging, PromotionPreparing, PromotionEntering:
		return t.followHeld()
	case PromotionRolling:
		return t.followRolling()
	case Evacuating, PuttingBack, Returning, Reholding:
		return t.followPutBack()
	case Idle, LettingThrough, PromotionFinishing, RollingBack, RolledBack, Deleting:
	}
	return false
}

// followHeld: the change is held, and nothing but its own rollout may take it from there.
func (t *turn) followHeld() bool {
	target := t.seen.Target
	switch {
	case !target.Found:
		return t.takeAway(ending{Withdrawn, TargetNotFound, "the Deployment is gone"})
	case target.Held && target.SameAsStable:
		return t.takeAway(ending{Withdrawn, ChangeWithdrawn, "stable's template is in the Deployment again"})
	case !target.Held:
		return t.takeAway(ending{Withdrawn, ChangeWithdrawn, "the hold was lifted by somebody else: the Deployment rolls out by itself"})
	case target.Revision != t.next.Revision:
		return t.takeAway(ending{Superseded, NewerChange, "revision " + target.Revision + " has come in the place of " + t.next.Revision})
	}
	return t.missTwin()
}

// followRolling: the hold is lifted, and a change that comes now is held over a half-rolled Deployment.
func (t *turn) followRolling() bool {
	target := t.seen.Target
	came := "revision " + target.Revision + " has come while " + t.next.Revision + " was being promoted"
	switch {
	case !target.Found:
		return t.takeAway(ending{Withdrawn, TargetNotFound, "the Deployment is gone"})
	case target.Revision == t.next.Revision:
		return t.missTwin()
	case !target.Held:
		return t.takeAway(ending{Withdrawn, ChangeWithdrawn, came + ", past the hold: the Deployment rolls out by itself"})
	case target.SameAsStable:
		return t.takeAway(ending{Withdrawn, ChangeWithdrawn, came})
	}
	return t.takeAway(ending{Superseded, NewerChange, came})
}

// missTwin: users must not be sent to a canary that somebody has deleted.
func (t *turn) missTwin() bool {
	if !t.hasUsers() || t.seen.Twin.Exists {
		return false
	}
	return t.takeAway(ending{Superseded, CanaryNotReady, "the canary was deleted by somebody else: starting over"})
}

func (t *turn) takeAway(why ending) bool {
	t.takenAwayFor(why)
	t.leaveCanary()
	return t.say(why.cause, "%s", why.detail)
}

func (t *turn) takenAwayFor(why ending) {
	t.next.Outcome, t.next.Cause, t.next.CauseDetail = why.outcome, why.cause, why.detail
	if why.outcome == Rejected {
		// What a person wanted to be tried again has been.
		t.next.Retried = ""
	}
}

// leaveCanary takes users off the canary. Once the hold is lifted, new pods are behind the user's Service too: then
// everything goes to the old pods' Service, if enough of them are left.
func (t *turn) leaveCanary() {
	switch {
	case t.next.Stage == Checking:
		t.next.TwinGone = true
		t.settle()
	case !t.holdLifted() || !t.seen.Target.Found || t.pastHold():
		t.next.Stable = promoted(t.next)
		t.enter(RollingBack)
	case t.seen.Hold.Enough && t.next.Stage == PromotionRolling:
		t.next.Evacuated = true
		t.enter(Evacuating)
	default:
		t.enter(PuttingBack)
	}
}

// holdLifted says that pods of the change are, or come, behind the user's Service.
func (t *turn) holdLifted() bool {
	return t.next.Stage == PromotionRolling || t.next.Stage == PromotionFinishing
}

// pastHold says that the Deployment rolls out, without a hold, something that this release knows nothing of: whoever did
// that wanted it so.
func (t *turn) pastHold() bool {
	target := t.seen.Target
	return target.Found && !target.Held && !target.SameAsStable &&
		target.Revision != t.next.Revision && target.Revision != t.next.Canary
}
