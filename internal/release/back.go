package release

// rollingBack: the write that takes users off is out. What follows waits until it is applied and requests are done.
func (t *turn) rollingBack() {
	if !t.drained() {
		t.say(t.cause(), "%s; users are being taken off the canary", t.next.CauseDetail)
		return
	}
	t.settle()
}

func (t *turn) cause() Reason {
	if t.next.Cause == "" {
		return RollingBackCanary
	}
	return t.next.Cause
}

// settle goes where the outcome leads, once no user is on the canary.
func (t *turn) settle() {
	if t.next.Outcome == Rejected {
		t.enter(RolledBack)
		t.say(t.cause(), "%s", t.next.CauseDetail)
		return
	}
	cause, detail := t.cause(), t.next.CauseDetail
	t.leaveFor(Idle)
	t.say(cause, "%s", detail)
}

// rolledBack: the Deployment stays held on the bad template and serves the old one, until something else is in it.
func (t *turn) rolledBack() {
	target := t.seen.Target
	switch {
	case !target.Found, !target.Held, target.SameAsStable, target.Revision != t.next.Revision:
		t.leaveFor(Idle)
		t.say(NewerChange, "what is in the Deployment is not what was rolled back any more")
		return
	case !t.next.TwinGone && t.after(t.next.Since, t.plan.KeepFailedFor):
		t.next.TwinGone = true
	}
	t.say(t.cause(), "revision %s is held and serves nobody: %s", t.next.Revision, t.next.CauseDetail)
}

// evacuating: everything goes to the old pods' Service. The template is put back when no request can be on a new pod.
func (t *turn) evacuating() {
	if !t.drained() {
		t.say(t.cause(), "%s; users are being taken to the old pods", t.next.CauseDetail)
		return
	}
	t.enter(PuttingBack)
	t.say(t.cause(), "%s; stable's template is being put back", t.next.CauseDetail)
}

// puttingBack lasts until only old pods are left. A write of somebody else in between is taken over by the next look:
// the old template is written again, and the newest one is held afterwards.
func (t *turn) puttingBack() {
	target := t.seen.Target
	if target.Held && !target.SameAsStable && target.Revision != t.next.Revision {
		t.next.Revision = target.Revision
		t.next.Outcome, t.next.Cause = Superseded, NewerChange
		t.next.CauseDetail = "revision " + target.Revision + " came while stable's template was being put back"
	}
	if target.Held || !target.SameAsStable || !target.OnlyStablePods {
		t.say(t.cause(), "%s; stable's pods are coming back", t.next.CauseDetail)
		return
	}
	t.enter(Returning)
	t.say(t.cause(), "%s; only stable's pods are left", t.next.CauseDetail)
}

// returning: the route goes back to the user's Service, which selects only old pods again.
func (t *turn) returning() {
	if !t.drained() {
		t.say(t.cause(), "%s; the route returns to the user's Service", t.next.CauseDetail)
		return
	}
	t.enter(Reholding)
	t.say(t.cause(), "%s; the change is being held again", t.next.CauseDetail)
}

func (t *turn) reholding() {
	target := t.seen.Target
	back := target.Held && target.Revision == t.next.Revision
	withdrawn := t.next.Outcome == Withdrawn && !target.Held && target.SameAsStable
	if !back && !withdrawn && !(target.Held && target.Revision != t.next.Revision) {
		t.say(t.cause(), "%s; the change is being held again", t.next.CauseDetail)
		return
	}
	t.settle()
}

// deleting: the route first, then the canary, then the Deployment as spec.onDelete says, then nothing is left of us.
func (t *turn) deleting() {
	target := t.seen.Target
	switch {
	case !t.next.Cleared && t.seen.Traffic.Exists:
		t.say(BeingDeleted, "giving the route back to its owner: %s", orWaiting(t.seen.Traffic.Message))
	case !t.next.Cleared:
		t.next.Cleared = true
		t.next.Final = t.finalTarget()
		t.say(BeingDeleted, "the route is its owner's again; removing the canary")
	case t.seen.Twin.Exists || t.seen.Hold.Exists || !t.finalReached(target):
		t.say(BeingDeleted, "removing the canary and lifting the hold")
	default:
		t.next.TwinGone = true
		t.say(BeingDeleted, "nothing is left")
	}
}

// finalTarget: only what we held, or what was proven bad and is half rolled out, is written.
func (t *turn) finalTarget() Target {
	target := t.seen.Target
	if !target.Found || (!target.Held && !(t.next.Outcome == Rejected && target.Mixed)) {
		return Keep
	}
	return t.plan.OnDelete
}

func (t *turn) finalReached(target TargetFacts) bool {
	switch t.next.Final {
	case Keep:
		return true
	case PutBack:
		return !target.Found || (!target.Held && target.SameAsStable)
	case LetGo, Rehold:
	}
	return !target.Found || !target.Held
}
