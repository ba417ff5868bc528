package release

// wantOf is the whole state of the world that belongs to a run. It depends on nothing that was seen, so that the same
// record always asks for the same world.
func wantOf(p Plan, r Run) Want {
	w := Want{Split: true, Shares: Shares{Stable: Million}}
	if r.Outcome == Rejected {
		w.Rejected = r.Canary
	}
	switch r.Stage {
	case Idle:
		return Want{}
	case LettingThrough:
		return Want{Target: LetGo}
	case Checking:
		if !r.Checked {
			return Want{}
		}
		return w
	case Preparing:
		w.Shares = canaryShare(shareBefore(p, r.Step))
	case Shifting, Judging, PromotionPreparing, PromotionEntering, PromotionRolling:
		w.Shares = canaryShare(percentOf(p, r.Step))
	case PromotionFinishing, RollingBack:
	case RolledBack:
		return rolledBackWant(r, w)
	case Evacuating, PuttingBack, Returning, Reholding:
		return putBackWant(p, r, w)
	case Deleting:
		return deletingWant(r)
	}
	w.Twin, w.TwinRevision, w.TwinPercent = true, r.Canary, percentOf(p, r.Step)
	return promotionWant(r, w)
}

// promotionWant adds the Service of the old pods: first there, then known to the data plane, then the hold is lifted.
func promotionWant(r Run, w Want) Want {
	switch r.Stage {
	case PromotionPreparing, PromotionFinishing:
		w.HoldService = true
	case PromotionEntering, PromotionRolling:
		w.HoldService = true
		w.Shares.Hold = Feather
		w.Shares.Stable -= Feather
	}
	if r.Stage == PromotionRolling || r.Stage == PromotionFinishing {
		w.Target = LetGo
	}
	return w
}

// rolledBackWant keeps the failed canary without pods: a bad version that went on consuming queues would do harm.
func rolledBackWant(r Run, w Want) Want {
	want := Want{Rejected: w.Rejected}
	if !r.TwinGone {
		want.Twin, want.TwinRevision = true, r.Canary
	}
	return want
}

// putBackWant is the way back from a half-rolled promotion. Users are on the old pods' Service, if there are enough of
// them, until only old pods are left.
func putBackWant(p Plan, r Run, w Want) Want {
	w.Twin, w.TwinRevision = true, r.Canary
	if r.Stage == Evacuating || r.Stage == PuttingBack {
		// Its pods finish their requests.
		w.TwinPercent = percentOf(p, r.Step)
	}
	w.HoldService = true
	w.Target = PutBack
	switch {
	case r.Stage == Evacuating:
		// The template is put back only when users are off: pods that go down must not take requests with them.
		w.Target = Keep
	case r.Stage == Reholding:
		w.HoldService = false
		w.Target = Rehold
		if r.Outcome == Withdrawn {
			w.Target = PutBack
		}
	}
	if r.Evacuated && (r.Stage == Evacuating || r.Stage == PuttingBack) {
		w.Shares = Shares{Stable: Feather, Hold: Million - Feather}
	}
	return w
}

// deletingWant leaves everything in place until the route is its owner's again.
func deletingWant(r Run) Want {
	if r.Cleared {
		return Want{Target: r.Final, Forget: r.TwinGone}
	}
	want := r.Want
	want.Split, want.Shares, want.Target = false, Shares{}, Keep
	return want
}

func canaryShare(percent int32) Shares {
	canary := percent * (Million / 100)
	return Shares{Stable: Million - canary, Canary: canary}
}

// shareBefore is the share that the canary keeps while pods for a step are made ready.
func shareBefore(p Plan, step int) int32 {
	if step == 0 {
		return 0
	}
	return percentOf(p, step-1)
}

func percentOf(p Plan, step int) int32 {
	if step < 0 || step >= len(p.Steps) {
		return 0
	}
	return p.Steps[step].WeightPercent
}
