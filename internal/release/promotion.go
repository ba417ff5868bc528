package release

import (
	"fmt"
	"time"
)

// promotionPreparing: the Service of the old pods is being made, so that there is a way back to them.
func (t *turn) promotionPreparing() {
	switch {
	case t.stopped():
	case t.seen.Target.StableBroken:
		t.rollUnprotected()
	case t.seen.Hold.Exists && t.seen.Hold.ReadyPods > 0:
		t.enter(PromotionEntering)
		t.say(Promoting, "the way back to the old pods is entering the route")
	default:
		t.say(Promoting, "making a way back to the old pods%s", because(t.seen.Hold.Trouble))
	}
}

// promotionEntering: the data plane learns the way back before it may be needed. It is the last stage that can be paused.
func (t *turn) promotionEntering() {
	traffic := t.seen.Traffic
	switch {
	case t.stopped():
	case t.seen.Target.StableBroken:
		t.rollUnprotected()
	case traffic.Refused:
		t.sayRefused()
	case !traffic.Applied:
		t.say(Promoting, "the way back to the old pods is entering the route: %s", orWaiting(traffic.Message))
	default:
		t.enter(PromotionRolling)
		t.say(Promoting, "rolling out revision %s", t.next.Revision)
	}
}

// rollUnprotected: no old pod can take a request, so there is no way back to prepare, and nothing to protect.
func (t *turn) rollUnprotected() {
	t.next.Unprotected = true
	t.enter(PromotionRolling)
	t.say(Promoting, "stable has no available pod; rolling out revision %s", t.next.Revision)
}

// promotionRolling: the Deployment controller rolls the stable pods in its own way, the canary serves its share.
func (t *turn) promotionRolling() {
	target := t.seen.Target
	switch {
	case target.PausedByUser:
		t.say(PausedByUser, "the Deployment was paused, and not by Slipway, while revision %s rolls out: resume it", t.next.Revision)
	case target.Held || !target.RolledOut || target.Serving.UID == "" || target.Serving.UID == t.next.Stable.UID:
		t.say(Promoting, "rolling out revision %s; the canary serves %d%% meanwhile",
			t.next.Revision, percentFor(shareKept(t.plan, t.next)))
	default:
		t.next.Rolled = target.Serving
		t.enter(PromotionFinishing)
		t.say(Promoting, "every pod runs revision %s; the canary leaves the route", t.next.Revision)
	}
}

// promotionFinishing: the canary leaves. What is heard now is of the promotion's last seconds, so the way back is kept
// until it ends.
func (t *turn) promotionFinishing() {
	if !t.drained() {
		t.say(Promoting, "the canary leaves the route and finishes its requests")
		return
	}
	text := fmt.Sprintf("revision %s was promoted; the plan had %d steps", t.next.Revision, len(t.plan.Steps))
	t.next.Stable = promoted(t.next)
	t.leaveFor(Idle)
	t.next.Retried = ""
	t.next.Cause, t.next.CauseDetail = Promoted, text
	t.say(Promoted, "%s", text)
}

// promoted is what is stable when a release ends here: what was rolled out, if that was done.
func promoted(r Run) Stable {
	if r.Stage == PromotionFinishing && r.Rolled.UID != "" {
		return r.Rolled
	}
	return r.Stable
}

// drained says that the route has carried the wanted shares for as long as requests in flight may take. A route that
// cannot be had carries nothing of ours, if that is still seen so after a while. Nothing that was applied before the stage
// began counts.
func (t *turn) drained() bool {
	traffic := t.seen.Traffic
	if traffic.Refused && !traffic.CanaryShare {
		return t.after(t.next.Since, t.plan.Drain)
	}
	return traffic.Applied && t.after(later(traffic.AppliedAt, t.next.Since), t.plan.Drain)
}

func later(a, b time.Time) time.Time {
	if a.Before(b) {
		return b
	}
	return a
}
