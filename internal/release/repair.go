package release

// Repair makes a record usable that was lost, or that does not fit the plan. It never promotes and never rejects: at
// worst the release starts over at its first step, with users off the canary first.
func Repair(p Plan, r Run, o Observation) Run {
	switch {
	case !known(r.Stage) || r.Step < 0:
		r = Run{Sequence: r.Sequence, Stable: r.Stable, Want: r.Want}
		return startOver(r, o, "the record of the release could not be read")
	case r.Step > len(p.Steps)-1 && inSteps(r.Stage):
		return startOver(r, o, "the steps were changed so that the present one is no longer there")
	case r.Stage == Idle && (o.Traffic.CanaryShare || (o.Twin.Exists && r.Sequence == 0)):
		return startOver(r, o, "the record of the release was lost")
	}
	if r.Stable.UID == "" && o.Target.Held && o.Target.Serving.UID != "" {
		r.Stable = o.Target.Serving
	}
	return r
}

func startOver(r Run, o Observation, why string) Run {
	if r.Stable.UID == "" {
		r.Stable = o.Target.Serving
	}
	return Run{
		Sequence: r.Sequence, Stable: r.Stable, Revision: r.Revision, Canary: r.Canary, Handled: r.Handled, Retried: r.Retried, Want: r.Want,
		Stage: RollingBack, Outcome: Superseded, Cause: RecordLost, CauseDetail: why + "; starting over", Since: o.Now,
	}
}

func known(s Stage) bool {
	for _, stage := range Stages() {
		if s == stage {
			return true
		}
	}
	return false
}

// inSteps says that Run.Step means something in this stage.
func inSteps(s Stage) bool {
	switch s {
	case Preparing, Shifting, Judging, PromotionPreparing, PromotionEntering, PromotionRolling:
		return true
	case Idle, LettingThrough, Checking, PromotionFinishing, RollingBack, RolledBack, Evacuating, PuttingBack, Returning,
		Reholding, Deleting:
	}
	return false
}
