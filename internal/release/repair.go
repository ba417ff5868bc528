package release

import "slices"

// Repair makes a record usable that was lost, or that does not fit the plan. It never promotes and never rejects: at
// worst the release starts over at its first step, with users off the canary first.
func Repair(p Plan, r Run, o Observation) Run {
	if why := misfit(p, r, o); why != "" {
		r = startOver(p, r, o, why)
	}
	if r.Stable.UID == "" && o.Target.Held {
		r.Stable = o.Target.Serving
	}
	return r
}

// misfit says why a record cannot be gone on with; empty: it can.
func misfit(p Plan, r Run, o Observation) string {
	switch {
	case !slices.Contains(Stages(), r.Stage) || r.Step < 0:
		return "the record of the release could not be read"
	case r.Stage == Deleting && !p.Deleting:
		return "the record is of a release that was being deleted"
	case r.Stage == Idle && (o.Traffic.CanaryShare || (o.Twin.Exists && (r.Sequence == 0 || behind(r, o)))):
		return "the record of the release was lost"
	case r.Stage != Idle && r.Stage != Deleting && behind(r, o):
		return "the record is older than what was made of it"
	case stepping(r.Stage) && r.Step >= len(p.Steps):
		return "the steps were changed so that the present one is no longer there"
	case stepping(r.Stage) && r.Want.Split && r.Want.Shares.Canary != plannedShare(p, r):
		// Evidence is of a step's share; that of one share must not lead to what lies behind another.
		return "the weight of the present step was changed"
	}
	return ""
}

// behind says that objects carry a later record than this one: it was lost, or brought back from a copy.
func behind(r Run, o Observation) bool { return r.Sequence < o.Stamped }

// stepping says that Run.Step names a step of the plan in this stage. Once a promotion has begun, the share stays.
func stepping(s Stage) bool { return s == Preparing || s == Shifting || s == Judging }

func plannedShare(p Plan, r Run) int32 {
	if r.Stage == Preparing {
		return shareBefore(p, r.Step)
	}
	return shareOf(p, r.Step)
}

func startOver(p Plan, r Run, o Observation, why string) Run {
	want := r.Want
	if !want.Twin {
		// How many pods the canary has is not on record: none is taken from it while it may have users.
		want.TwinPercent = largestPercent(p)
	}
	want.HoldService = want.HoldService || o.Hold.Exists
	return Run{
		Sequence: r.Sequence, Stable: promoted(r), Revision: r.Revision, Canary: r.Canary, Handled: r.Handled,
		Retried: r.Retried, Want: want, Stage: RollingBack, Since: o.Now,
		Outcome: Superseded, Cause: RecordLost, CauseDetail: why + "; starting over",
	}
}

func largestPercent(p Plan) int32 {
	var largest int32
	for step := range p.Steps {
		largest = max(largest, percentOf(p, step))
	}
	return largest
}
