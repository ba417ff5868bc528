package release

import (
	"fmt"
	"time"
)

// Decide says what follows from what the user asked for, what was recorded and what is seen. It is total and
// deterministic, makes at most one transition, and its Decision.Next is to be stored before Want is projected.
//
// The rules are asked in order of urgency: what takes users off a bad version comes before everything that waits.
func Decide(p Plan, r Run, o Observation) Decision {
	t := &turn{plan: p, seen: o, next: Repair(p, r, o)}
	for _, rule := range []func(*turn) bool{leaveForDeletion, takeUsersOffHarm, followTarget, answerPerson} {
		if rule(t) {
			return t.seal(r)
		}
	}
	t.advance()
	return t.seal(r)
}

// turn is one decision in the making.
type turn struct {
	plan   Plan
	seen   Observation
	next   Run
	wake   time.Duration
	reason Reason
	detail string
	answer string
	done   bool
	// replacePod is Decision.ReplacePod.
	replacePod string
	observed   string
}

func (t *turn) seal(before Run) Decision {
	t.next.Want = wantOf(t.plan, t.next)
	switch {
	case behind(before, t.seen):
		// Objects refuse what is older than what they carry: a record that was lost goes on behind them.
		t.next.Sequence = t.seen.Stamped + 1
	case t.next.Want != before.Want:
		t.next.Sequence = before.Sequence + 1
	}
	return Decision{
		Next: t.next, Want: t.next.Want, Wake: t.wake, Reason: t.reason, Detail: t.detail,
		Answer: t.answer, RequestDone: t.done, ReplacePod: t.replacePod, Observed: t.observed,
	}
}

// enter begins a stage.
func (t *turn) enter(s Stage) {
	t.next.Stage = s
	t.next.Since = t.seen.Now
}

// say sets why the release is where it is.
func (t *turn) say(reason Reason, format string, args ...any) bool {
	t.reason, t.detail = reason, fmt.Sprintf(format, args...)
	return true
}

// after reports whether d has passed since at, and otherwise asks to be woken when it has.
func (t *turn) after(at time.Time, d time.Duration) bool {
	left := d - t.seen.Now.Sub(at)
	if left <= 0 {
		return true
	}
	t.wakeIn(left)
	return false
}

func (t *turn) wakeIn(d time.Duration) {
	if t.wake == 0 || d < t.wake {
		t.wake = d
	}
}

func (t *turn) stepText() string {
	return fmt.Sprintf("step %d of %d at %d%%", t.next.Step+1, len(t.plan.Steps), percentOf(t.plan, t.next.Step))
}

// advance does what the present stage does when nothing urgent has happened.
func (t *turn) advance() {
	switch t.next.Stage {
	case Idle:
		t.idle()
	case LettingThrough:
		t.lettingThrough()
	case Checking:
		t.checking()
	case Preparing:
		t.preparing()
	case Shifting:
		t.shifting()
	case Judging:
		t.judging()
	case PromotionPreparing:
		t.promotionPreparing()
	case PromotionEntering:
		t.promotionEntering()
	case PromotionRolling:
		t.promotionRolling()
	case PromotionFinishing:
		t.promotionFinishing()
	case RollingBack:
		t.rollingBack()
	case RolledBack:
		t.rolledBack()
	case Evacuating:
		t.evacuating()
	case PuttingBack:
		t.puttingBack()
	case Returning:
		t.returning()
	case Reholding:
		t.reholding()
	case Deleting:
		t.deleting()
	}
}
