package release

import "fmt"

// promotionPreparing: the Service of the old pods is being made, so that there is a way back to them.
func (t *turn) promotionPreparing() {
	switch {
	case t.stopped():
	case t.seen.Target.StableBroken:
		// No old pod can take a request: there is no way back to prepare, and nothing to protect.
		t.enter(PromotionRolling)
		t.say(Promoting, "stable has no available pod; rolling out revision %s", t.next.Revision)
	case t.seen.Hold.Exists && t.seen.Hold.ReadyPods > 0:
		t.enter(PromotionEntering)
		t.say(Promoting, "the way back to the old pods is entering the route")
	default:
		t.say(Promoting, "making a way back to the old pods")
	}
}

func (t *turn) promotionEntering() {
	if !t.seen.Traffic.Applied {
		t.say(Promoting, "the way back to the old pods is entering the route: %s", orWaiting(t.seen.Traffic.Message))
		return
	}
	t.enter(PromotionRolling)
	t.say(Promoting, "rolling out revision %s", t.next.Revision)
}

// promotionRolling: the Deployment controller rolls the stable pods in its own way, the canary serves its share.
func (t *turn) promotionRolling() {
	target := t.seen.Target
	if target.Held || !target.RolledOut || target.Serving.UID == "" || target.Serving.UID == t.next.Stable.UID {
		t.say(Promoting, "rolling out revision %s; the canary serves %d%% meanwhile", t.next.Revision, percentOf(t.plan, t.next.Step))
		return
	}
	t.next.Stable = target.Serving
	t.enter(PromotionFinishing)
	t.say(Promoting, "every pod runs revision %s; the canary leaves the route", t.next.Revision)
}

func (t *turn) promotionFinishing() {
	if !t.drained() {
		t.say(Promoting, "the canary leaves the route and finishes its requests")
		return
	}
	text := fmt.Sprintf("revision %s was promoted after %d steps", t.next.Revision, len(t.plan.Steps))
	t.leaveFor(Idle)
	t.next.Retried = ""
	t.next.Cause, t.next.CauseDetail = Promoted, text
	t.say(Promoted, "%s", text)
}

// drained says that the route has carried the wanted shares for as long as requests in flight may take. A route that
// cannot be had carries nothing of ours.
func (t *turn) drained() bool {
	traffic := t.seen.Traffic
	if traffic.Refused && !traffic.CanaryShare {
		return true
	}
	return traffic.Applied && t.after(traffic.AppliedAt, t.plan.Drain)
}
