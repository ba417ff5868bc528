package release

// rollingBack: the write that takes users off is out. What follows waits until it is applied and requests are done.
func (t *turn) rollingBack() {
	if !t.drained() {
		t.sayCause("; users are being taken off the canary")
		return
	}
	t.settle()
}

// sayCause says why the canary is being taken away, and what is being done.
func (t *turn) sayCause(doing string) {
	t.say(or(t.next.Cause, RollingBackCanary), "%s%s", or(t.next.CauseDetail, "the canary is taken away"), doing)
}

// settle goes where the outcome leads, once no user is on the canary.
func (t *turn) settle() {
	if t.next.Outcome != Rejected {
		t.sayCause("")
		t.leaveFor(Idle)
		return
	}
	t.enter(RolledBack)
	t.next.Revision = or(t.next.Canary, t.next.Revision)
	t.sayServesNobody()
	t.next.Evacuated, t.next.Reverted, t.next.Unprotected = false, false, false
	t.next.Paused, t.next.Resumed = false, false
}

// rolledBack: the Deployment stays held on the bad template and serves the old one, until something else is in it.
func (t *turn) rolledBack() {
	target := t.seen.Target
	switch {
	case !target.Found, !target.Held, target.SameAsStable, target.Revision != t.next.Revision:
		t.leaveFor(Idle)
		t.say(NewerChange, "what is in the Deployment is not what was rolled back any more")
		return
	case t.halfRolled():
		t.putBackFirst()
		return
	}
	if !t.next.TwinGone && t.after(t.next.Since, t.plan.KeepFailedFor) {
		t.next.TwinGone = true
	}
	t.sayServesNobody()
}

// sayServesNobody is where a rejected release ends: its cause, and that users are off.
func (t *turn) sayServesNobody() {
	t.say(or(t.next.Cause, RolledBackCanary), "revision %s is held and serves nobody: %s",
		t.next.Revision, or(t.next.CauseDetail, "it was rejected"))
}

// followPutBack: whatever somebody writes while stable's template is put back is what will be held afterwards.
func (t *turn) followPutBack() bool {
	target := t.seen.Target
	switch {
	case !target.Found:
		return t.giveUpPutBack("the Deployment is gone")
	case t.pastHold():
		return t.giveUpPutBack("revision " + target.Revision + " was put into the Deployment past the hold")
	case t.next.Unprotected && target.StableBroken && target.Held && !target.SameAsStable && target.Revision != t.next.Canary:
		return t.giveUpPutBack("stable has no available pod to come back to, and revision " + target.Revision + " has come")
	case target.Revision != t.next.Revision && (target.Held || (t.next.Stage == Evacuating && target.SameAsStable)):
		// Before anything was put back, stable's template is there because somebody wrote it.
		t.noteNewer()
	}
	return false
}

// giveUpPutBack leaves the Deployment alone; users are still taken off the canary in the ordinary way.
func (t *turn) giveUpPutBack(why string) bool {
	t.next.CauseDetail = or(t.next.CauseDetail, "the canary is taken away") + "; " + why
	if t.next.Canary == "" {
		t.settle()
		return true
	}
	t.enter(RollingBack)
	t.sayCause("")
	return true
}

// noteNewer has the newest template held at the end. What was proven bad stays rejected.
func (t *turn) noteNewer() {
	target := t.seen.Target
	t.next.Revision = target.Revision
	t.next.Reverted = target.SameAsStable
	if t.next.Outcome == Rejected {
		return
	}
	t.next.Outcome, t.next.Cause = Superseded, NewerChange
	if target.SameAsStable {
		t.next.Outcome, t.next.Cause = Withdrawn, ChangeWithdrawn
	}
	t.next.CauseDetail = "revision " + target.Revision + " came while stable's template was being put back"
}

// evacuating: everything goes to the old pods' Service. The template is put back when no request can be on a new pod.
func (t *turn) evacuating() {
	if t.leaveEmptyHold() {
		return
	}
	if !t.drained() {
		t.sayCause("; users are being taken to the old pods")
		return
	}
	t.enter(PuttingBack)
	t.sayCause("; stable's template is being put back")
}

// leaveEmptyHold: with no old pod left, the user's Service has at least some pods that answer.
func (t *turn) leaveEmptyHold() bool {
	if !t.next.Evacuated || !t.seen.Hold.Exists || t.seen.Hold.ReadyPods > 0 {
		return false
	}
	t.next.Evacuated = false
	t.enter(PuttingBack)
	t.sayCause("; no old pod is left to take users, stable's template is being put back")
	return true
}

// puttingBack lasts until only old pods are left.
func (t *turn) puttingBack() {
	if t.leaveEmptyHold() {
		return
	}
	if !t.putBackDone() {
		t.sayCause(t.putBackText())
		return
	}
	if t.next.Canary == "" {
		t.enter(Reholding)
	} else {
		t.enter(Returning)
	}
	t.sayCause("; only stable's pods are left")
}

func (t *turn) putBackText() string {
	if t.next.Evacuated || t.next.Canary == "" {
		return "; stable's pods are coming back"
	}
	return "; too few old pods were left to take everybody, stable's pods are coming back"
}

// putBackDone also takes a Deployment that was made anew with stable's template: its pods are as good as stable's.
func (t *turn) putBackDone() bool {
	target := t.seen.Target
	if target.Held || !target.SameAsStable || target.Ours {
		return false
	}
	if !target.OnlyStablePods && target.RolledOut && target.Serving.UID != "" {
		t.next.Stable = target.Serving
		return true
	}
	return target.OnlyStablePods
}

// returning: the route goes back to the user's Service, which selects only old pods again.
func (t *turn) returning() {
	if !t.drained() {
		t.sayCause("; the route returns to the user's Service")
		return
	}
	t.enter(Reholding)
	t.sayCause("; the change is being held again")
}

func (t *turn) reholding() {
	target := t.seen.Target
	again := target.Held && target.Revision == t.next.Revision
	nothing := (t.next.Outcome == Withdrawn || t.next.Reverted) && !target.Held && target.SameAsStable
	if (!again && !nothing) || target.Ours {
		t.sayCause("; the change is being held again")
		return
	}
	t.settle()
}
