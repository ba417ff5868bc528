package release

import "fmt"

// answerPerson hears a request once. It is refused, and said, when it is meant for another revision or for a stage that
// is over. It never stands before what takes users off harm.
func answerPerson(t *turn) bool {
	id := t.seen.Request.ID()
	if id == "" {
		t.next.Handled = ""
		return false
	}
	t.done = true
	if id == t.next.Handled {
		return false
	}
	t.next.Handled = id
	if t.seen.Request.Revision != t.next.Revision {
		t.answer = fmt.Sprintf("%s of revision %s refused: the release is of revision %s",
			t.seen.Request.Verb, t.seen.Request.Revision, t.next.Revision)
		return false
	}
	return t.obey(t.seen.Request.Verb)
}

func (t *turn) obey(verb Verb) bool {
	running := t.canaryRuns() || t.next.Stage == Checking
	switch {
	case verb == Abort && running:
		t.answer = "aborted"
		t.next.Retried = ""
		return t.takeAway(ending{Rejected, AbortedByPerson, "a person aborted the release of revision " + t.next.Revision})
	case verb == Pause && running && t.next.Stage != PromotionRolling:
		t.answer, t.next.Paused = "paused", true
	case verb == Resume && t.next.Paused:
		// It takes back the pause alone: what the step holds for is asked for on its own.
		t.answer, t.next.Paused = "resumed", false
	case verb == Resume && t.holds():
		t.answer, t.next.Resumed = t.resumed(), true
	case verb == Promote && t.canPromote():
		t.answer, t.next.Paused = "promoted by a person, without waiting for evidence", false
		t.enter(PromotionPreparing)
		return t.say(Promoting, "a person promoted revision %s", t.next.Revision)
	case verb == Retry && t.next.Stage == RolledBack:
		t.answer, t.next.Retried = "tried again", t.next.Revision
		t.leaveFor(Idle)
		return t.say(PreparingCanary, "a person wants revision %s to be tried again", t.next.Revision)
	default:
		t.answer = fmt.Sprintf("%s refused: it means nothing while the release is %s", verb, or(t.next.Stage, "Idle"))
	}
	return false
}

// resumed says when a step is left that a person let the release past.
func (t *turn) resumed() string {
	if t.plan.Mode == Observe {
		return "resumed: the step is left when its time is over"
	}
	return "resumed: the step is left when there is enough evidence"
}

// holds says that the present step waits for a person before it is left.
func (t *turn) holds() bool {
	step := t.plan.Steps[t.next.Step]
	return t.next.Stage == Judging && (step.Hold || t.plan.Mode == Observe && step.LeaveAfter == 0)
}

// canPromote: pods of the canary are ready, and stable is still held.
func (t *turn) canPromote() bool {
	switch t.next.Stage {
	case Shifting, Judging:
		return t.seen.Twin.ReadyPods > 0
	case Preparing:
		return t.next.Step > 0 && t.seen.Twin.ReadyPods > 0
	case Idle, LettingThrough, Checking, PromotionPreparing, PromotionEntering, PromotionRolling, PromotionFinishing,
		RollingBack, RolledBack, Evacuating, PuttingBack, Returning, Reholding, Deleting:
	}
	return false
}
