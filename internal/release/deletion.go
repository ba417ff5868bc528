package release

import "time"

// deleting: the route first, then the canary, then the Deployment as spec.onDelete says, then nothing is left of us.
func (t *turn) deleting() {
	// A failed canary that was gone before is not yet all that has to go.
	t.next.TwinGone = false
	if t.next.Final == Keep && t.next.Cleared {
		// A change may have been held since; an owner that goes leaves nothing held.
		t.next.Final = t.finalTarget()
	}
	switch {
	case !t.next.Cleared:
		t.giveBackRoute()
	case t.seen.Twin.Exists || t.seen.Hold.Exists:
		t.say(BeingDeleted, "removing the canary")
	case !t.finalReached():
		t.say(BeingDeleted, "%s", finalText(t.next.Final))
	default:
		t.next.TwinGone = true
		t.say(BeingDeleted, "nothing is left")
	}
}

// giveBackRoute waits until the split is gone and requests in flight to the canary are done. AppliedAt is when the split
// was first seen gone.
func (t *turn) giveBackRoute() {
	switch {
	case t.seen.Traffic.Exists:
		t.next.AppliedAt = time.Time{}
		t.say(BeingDeleted, "giving the route back to its owner: %s", orWaiting(t.seen.Traffic.Message))
		return
	case t.next.AppliedAt.IsZero():
		t.next.AppliedAt = t.seen.Now
	}
	if t.seen.Twin.Exists && !t.after(t.next.AppliedAt, t.plan.Drain) {
		t.say(BeingDeleted, "the route is its owner's again; the canary finishes its requests")
		return
	}
	t.next.Cleared = true
	t.next.Final = t.finalTarget()
	t.say(BeingDeleted, "the route is its owner's again; removing the canary")
}

// finalTarget: only what we held, or what was proven bad and is half rolled out, is written.
func (t *turn) finalTarget() Target {
	target := t.seen.Target
	badRolledOut := t.next.Outcome == Rejected && t.next.Want.HoldService && !target.SameAsStable
	switch {
	case !target.Found || (!target.Held && !badRolledOut):
		return Keep
	case t.plan.OnDelete == LetGo || t.next.Stable.UID == "":
		// Where nobody knows what stable is, lifting the hold is all that can be done.
		return LetGo
	}
	return PutBack
}

func (t *turn) finalReached() bool {
	target := t.seen.Target
	if !target.Found {
		return true
	}
	return !target.Held && (t.next.Final != PutBack || (target.SameAsStable && !target.Ours))
}

func finalText(final Target) string {
	if final == PutBack {
		return "writing stable's template back and lifting the hold"
	}
	return "lifting the hold"
}
