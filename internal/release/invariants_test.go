package release

import (
	"fmt"
	"reflect"
	"slices"
)

// invariants are what holds of every decision, whatever was asked for, recorded and seen. The answer names what is broken.
func invariants(p Plan, before Run, o Observation, d Decision) []string {
	var broken []string
	must := func(ok bool, format string, args ...any) {
		if !ok {
			broken = append(broken, fmt.Sprintf("%s -> %s: ", before.Stage, d.Next.Stage)+fmt.Sprintf(format, args...))
		}
	}
	must(reflect.DeepEqual(d, Decide(p, before, o)), "the same facts gave two decisions")
	must(d.Want == d.Next.Want && d.Want == wantOf(p, d.Next), "Want does not follow from the record")
	must(d.Reason != "" && d.Detail != "", "no reason is given: %q %q", d.Reason, d.Detail)
	must(d.Wake >= 0, "Wake is %s", d.Wake)
	must(before.Sequence < o.Stamped || (d.Next.Sequence > before.Sequence) == (d.Want != before.Want),
		"sequence %d -> %d, Want changed: %t", before.Sequence, d.Next.Sequence, d.Want != before.Want)
	must(d.Next.Sequence >= before.Sequence && d.Next.Sequence >= o.Stamped, "the sequence falls")
	sharesHold(d.Want, must)
	edgesHold(p, before, o, d, must)
	modesHold(p, before, o, d, must)
	forwardHolds(p, before, o, d, must)
	if rising(p) && before.Want.Split && before.Want.Shares.Canary <= Million {
		canary := d.Want.Shares.Canary
		must(canary == 0 || canary+Feather >= before.Want.Shares.Canary, "the weight falls to %d, and not to 0", canary)
	}
	return broken
}

func rising(p Plan) bool {
	return slices.IsSortedFunc(p.Steps, func(a, b Step) int { return int(a.WeightPercent) - int(b.WeightPercent) })
}

type require func(ok bool, format string, args ...any)

func sharesHold(w Want, must require) {
	s := w.Shares
	must(s.Stable >= 0 && s.Canary >= 0 && s.Hold >= 0, "a share is negative: %+v", s)
	if w.Split {
		must(s.Stable+s.Canary+s.Hold == Million, "shares do not sum to the whole: %+v", s)
	} else {
		must(s == Shares{}, "shares without a split: %+v", s)
	}
	must(s.Canary == 0 || (w.Twin && w.TwinPercent > 0 && w.TwinPercent*(Million/100) >= s.Canary), "users without pods: %+v", w)
	must(s.Hold == 0 || w.HoldService, "the old pods' Service is in the route and not wanted: %+v", w)
	must(w.TwinPercent >= 0 && w.TwinPercent <= 100, "twin of %d%%", w.TwinPercent)
}

// edgesHold: users come off first, and the Deployment is written in no stage but those that are for it.
func edgesHold(p Plan, before Run, o Observation, d Decision, must require) {
	if o.Verdict.Kind == Rollback && p.Mode != Observe {
		must(d.Want.Shares.Canary == 0, "harm was proven and the canary keeps %d", d.Want.Shares.Canary)
	}
	left := o.Target.Held || o.Twin.Exists || o.Hold.Exists
	must(!d.Want.Forget || before.Stage == Deleting && !left, "forgotten with something left behind")
	switch d.Want.Target {
	case LetGo:
		must(d.Next.Stage == PromotionRolling || d.Next.Stage == LettingThrough || d.Next.Stage == Deleting, "the hold is lifted")
	case PutBack:
		must(d.Next.Stage == PuttingBack || d.Next.Stage == Reholding || d.Next.Stage == Deleting, "stable's template is written")
	case Rehold:
		must(d.Next.Stage == Reholding, "the change is written")
	case Freeze:
		must(d.Next.Stage == Evacuating, "a rollout is stopped")
	case Keep:
	}
	if d.Next.Stage != before.Stage && (d.Next.Stage == Evacuating || d.Next.Stage == PuttingBack) {
		mixed := o.Target.Mixed && o.Target.Held && (before.Stage == Idle || before.Stage == LettingThrough || before.Stage == RolledBack)
		rolled := before.Stage == PromotionRolling || before.Stage == PromotionFinishing
		must(rolled || before.Stage == Evacuating || mixed, "stable is put back though nothing was rolled out")
	}
}

// modesHold: what is observed has no part in what is done, and what is compared with itself releases nothing.
func modesHold(p Plan, before Run, o Observation, d Decision, must require) {
	switch p.Mode {
	case Observe:
		blind := o
		blind.Verdict = Verdict{}
		must(Decide(p, before, blind).Want == d.Want, "evidence that is observed changes what is wanted")
		must(d.ReplacePod == "", "a pod is replaced by evidence that is observed")
	case CompareStable:
		must(before.Stage == d.Next.Stage || d.Next.Stage != Checking && d.Next.Stage != Preparing && d.Next.Stage != PromotionPreparing ||
			o.Request.Verb == Promote, "a release goes on while stable is compared with itself")
	case Enforce:
	}
}

// observedLongEnough: the user's time is over, or a person said so.
func observedLongEnough(p Plan, before Run, o Observation) bool {
	if before.Step < 0 || before.Step >= len(p.Steps) {
		return false
	}
	after := p.Steps[before.Step].LeaveAfter
	if after <= 0 {
		return before.Resumed || o.Request.Verb == Resume
	}
	return !o.Now.Before(before.AppliedAt.Add(after))
}

// forwardHolds: nothing leads to the whole of the users but evidence of the last step, a person, or a broken stable.
func forwardHolds(p Plan, before Run, o Observation, d Decision, must require) {
	from, to := before.Stage, d.Next.Stage
	pass := o.Verdict.Kind == Advance && o.Verdict.Step == before.Step && !o.Verdict.NoData
	noHarm := p.OnInconclusive == InconclusivePromoteIfNoHarm && o.Verdict.NoHarm && !o.Verdict.NoData
	person := o.Request.Verb == Promote && o.Request.Revision == before.Revision
	if p.Mode == Observe {
		pass, noHarm = observedLongEnough(p, before, o), false
	}
	if from == to && from != Judging {
		return
	}
	switch to {
	case Checking:
		must(from == Idle, "a release does not begin from there")
		must(!o.Target.Rejected || before.Retried == o.Target.Revision, "a rejected template is tried again")
		must(!p.Suspended && o.Target.Held, "a release begins that must not")
	case Preparing:
		step := from == Judging && d.Next.Step == before.Step+1 && (pass || noHarm)
		must(step || from == Checking, "pods are made for a step without evidence")
	case PromotionPreparing:
		last := from == Judging && before.Step == len(p.Steps)-1 && (pass || noHarm)
		must(last || person, "promotion without evidence of the last step")
	case PromotionEntering:
		must(from == PromotionPreparing && !p.Suspended && o.Hold.Exists, "the way back enters the route without being there")
	case PromotionRolling:
		prepared := from == PromotionEntering && o.Traffic.Applied
		broken := (from == PromotionEntering || from == PromotionPreparing) && o.Target.StableBroken
		must((prepared || broken) && !p.Suspended, "the hold is lifted without a way back")
	case LettingThrough:
		t := o.Target
		must(t.Held && (t.SameAsStable || t.OnlyRestarted || t.PromotedBefore || t.StableBroken), "a change is let through")
	case Idle, Shifting, Judging, PromotionFinishing, RollingBack, RolledBack, Evacuating, PuttingBack, Returning, Reholding, Deleting:
	}
}
