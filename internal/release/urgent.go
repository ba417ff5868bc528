package release

// leaveForDeletion gives the route back, then the pods, then the Deployment.
func leaveForDeletion(t *turn) bool {
	if !t.plan.Deleting || t.next.Stage == Deleting {
		return false
	}
	t.enter(Deleting)
	return t.say(BeingDeleted, "giving the route back to its owner")
}

// takeUsersOffHarm is asked before anything that waits: no readiness, capacity or other resource stands before it.
func takeUsersOffHarm(t *turn) bool {
	cause, detail := t.harm()
	if cause == "" {
		return false
	}
	t.next.Outcome, t.next.Cause, t.next.CauseDetail = Rejected, cause, detail
	t.next.Retried = ""
	t.leaveCanary()
	return t.say(cause, "%s", detail)
}

// leaveCanary takes users off the canary. Once the hold is lifted, new pods are behind the user's Service too: then
// everything goes to the old pods' Service, if enough of them are left.
func (t *turn) leaveCanary() {
	switch {
	case t.next.Stage == Checking:
		t.next.TwinGone = true
		t.settle()
		return
	case t.next.Stage != PromotionRolling:
		t.enter(RollingBack)
		return
	}
	t.next.Evacuated = t.seen.Hold.Enough
	if t.next.Evacuated {
		t.enter(Evacuating)
		return
	}
	t.enter(PuttingBack)
}

// harm is the proof or the fact that the canary must not have users; the empty reason: there is none.
func (t *turn) harm() (Reason, string) {
	if !t.canaryRuns() {
		return "", ""
	}
	twin, v := t.seen.Twin, t.seen.Verdict
	switch {
	case v.Kind == Rollback && t.hasUsers():
		return v.Reason, v.Detail
	case twin.CrashLooping:
		return CanaryCrashLooping, "the canary's containers start and exit again and again: " + twin.Trouble
	case t.hasUsers() && twin.Exists && twin.ReadyPods == 0:
		return NoReadyCanary, "no pod of the canary is ready to serve: " + orNothing(twin.Trouble)
	case twin.Failed && t.next.Stage == Preparing:
		return CanaryNotReady, "the canary did not become ready within its progress deadline: " + orNothing(twin.Trouble)
	case t.next.Stage == PromotionRolling && t.seen.Target.Failed:
		return CanaryNotReady, "the rollout of the promoted template exceeded its progress deadline"
	case v.NoData && t.plan.OnNoData == NoDataRollback && t.next.Stage == Judging:
		return NoData, v.Detail
	}
	return "", ""
}

func orNothing(trouble string) string {
	if trouble == "" {
		return "the pods give no reason"
	}
	return trouble
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

// hasUsers says that the canary has, or is being given, a share of the traffic.
func (t *turn) hasUsers() bool {
	return t.canaryRuns() && (t.next.Stage != Preparing || t.next.Step > 0)
}

// followTarget starts over, or stops, when what is in the Deployment is no longer what is being released.
func followTarget(t *turn) bool {
	if !t.canaryRuns() && t.next.Stage != Checking {
		return false
	}
	target := t.seen.Target
	switch {
	case !target.Found:
		return t.takeAway(Withdrawn, TargetNotFound, "the Deployment is gone")
	case t.next.Stage == PromotionRolling:
		return t.followRolling()
	case target.Held && target.SameAsStable:
		return t.takeAway(Withdrawn, ChangeWithdrawn, "stable's template is in the Deployment again")
	case !target.Held:
		return t.takeAway(Withdrawn, ChangeWithdrawn, "the hold was lifted by somebody else: the Deployment rolls out by itself")
	case target.Revision != t.next.Revision:
		return t.takeAway(Superseded, NewerChange, "revision "+target.Revision+" has come in the place of "+t.next.Revision)
	case t.hasUsers() && !t.seen.Twin.Exists:
		return t.takeAway(Superseded, CanaryNotReady, "the canary was deleted by somebody else: starting over")
	}
	return false
}

// followRolling: the hold is lifted, and a change that comes now is held over a half-rolled Deployment.
func (t *turn) followRolling() bool {
	target := t.seen.Target
	if !target.Held || target.Revision == t.next.Revision {
		return false
	}
	outcome, cause := Superseded, NewerChange
	if target.SameAsStable {
		outcome, cause = Withdrawn, ChangeWithdrawn
	}
	return t.takeAway(outcome, cause, "revision "+target.Revision+" has come while "+t.next.Revision+" was being promoted")
}

func (t *turn) takeAway(outcome Outcome, cause Reason, detail string) bool {
	t.next.Outcome, t.next.Cause, t.next.CauseDetail = outcome, cause, detail
	t.leaveCanary()
	return t.say(cause, "%s", detail)
}
