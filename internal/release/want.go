package release

// wantOf is the whole state of the world that belongs to a run. It depends on nothing that was seen, so that the same
// record always asks for the same world; what it takes over from the last want is a fixed point.
func wantOf(p Plan, r Run) Want {
	switch r.Stage {
	case Idle:
	case LettingThrough:
		return Want{Target: LetGo}
	case Checking:
		if r.Checked {
			return Want{Split: true, Shares: Shares{Stable: Million}}
		}
	case Preparing:
		return canaryWant(p, r, shareBefore(p, r.Step))
	case Shifting, Judging:
		return canaryWant(p, r, shareOf(p, r.Step))
	case PromotionPreparing, PromotionEntering, PromotionRolling:
		return promotionWant(r, canaryWant(p, r, shareKept(p, r)))
	case PromotionFinishing, RollingBack:
		return leavingWant(p, r)
	case RolledBack:
		return rolledBackWant(r)
	case Evacuating, PuttingBack, Returning, Reholding:
		return putBackWant(p, r)
	case Deleting:
		return deletingWant(r)
	}
	return Want{}
}

// canaryWant is the canary with a share of the traffic and the pods for it.
func canaryWant(p Plan, r Run, canary int32) Want {
	return Want{
		Split:  true,
		Shares: Shares{Stable: Million - canary, Canary: canary},
		Twin:   true, TwinRevision: r.Canary, TwinPercent: max(twinPercent(p, r), percentFor(canary)),
	}
}

// twinPercent never falls while the canary may have users: pods are not taken from it before the route has let go.
func twinPercent(p Plan, r Run) int32 {
	return max(percentOf(p, r.Step), bounded(r.Want.TwinPercent, 100))
}

// promotionWant adds the Service of the old pods: first there, then known to the data plane, then the hold is lifted.
func promotionWant(r Run, w Want) Want {
	w.HoldService = !r.Unprotected || r.Want.HoldService
	if r.Stage != PromotionPreparing && !r.Unprotected {
		w.Shares = withFeather(w.Shares)
	}
	if r.Stage == PromotionRolling {
		w.Target = LetGo
	}
	return w
}

// withFeather has the old pods' Service in the route by as little as can be.
func withFeather(s Shares) Shares {
	s.Hold = Feather
	if s.Stable >= Feather {
		s.Stable -= Feather
	} else {
		s.Canary -= Feather
	}
	return s
}

// leavingWant takes the canary out of the route and keeps its pods, and the old pods' Service, until the route has let
// go of them. The hold is not lifted here: what is held now may be a newer change.
func leavingWant(p Plan, r Run) Want {
	w := canaryWant(p, r, 0)
	w.HoldService = r.Want.HoldService
	w.Rejected = rejected(r)
	return w
}

// rolledBackWant keeps the failed canary without pods: a bad version that went on consuming queues would do harm.
func rolledBackWant(r Run) Want {
	w := Want{Rejected: rejected(r)}
	if !r.TwinGone {
		w.Twin, w.TwinRevision = true, r.Canary
	}
	return w
}

// rejected is the template that must be on record as rejected.
func rejected(r Run) string {
	if r.Outcome != Rejected {
		return ""
	}
	return r.Canary
}

// putBackWant is the way back to stable's template. Users are on the old pods' Service, if there are enough of them,
// until only old pods are left.
func putBackWant(p Plan, r Run) Want {
	if r.Canary == "" {
		// No canary ran, so the route is the user's own.
		return Want{Target: putBackTarget(r)}
	}
	w := canaryWant(p, r, 0)
	w.HoldService = r.Stage != Reholding
	w.Rejected = rejected(r)
	w.Target = putBackTarget(r)
	if r.Stage == Reholding {
		w.TwinPercent = 0
	}
	if r.Evacuated && (r.Stage == Evacuating || r.Stage == PuttingBack) {
		w.Shares = Shares{Stable: Feather, Hold: Million - Feather}
	}
	return w
}

func putBackTarget(r Run) Target {
	switch {
	case r.Stage == Evacuating:
		// Pods that go down must not take requests with them, so nothing is put back yet; and old pods must not go.
		return Freeze
	case r.Stage == PuttingBack:
		return PutBack
	case r.Stage == Reholding && (r.Reverted || r.Outcome == Withdrawn):
		return PutBack
	case r.Stage == Reholding:
		return Rehold
	}
	// Returning: only stable's pods are left, and what somebody writes now is held by itself.
	return Keep
}

// deletingWant leaves everything in place until the route is its owner's again.
func deletingWant(r Run) Want {
	if r.Cleared {
		return Want{Target: r.Final, Forget: r.TwinGone}
	}
	want := r.Want
	want.Split, want.Shares, want.Target, want.Forget = false, Shares{}, Keep, false
	return want
}

// shareOf is a step's share in millionths.
func shareOf(p Plan, step int) int32 { return percentOf(p, step) * (Million / 100) }

// shareBefore is the share that the canary keeps while pods for a step are made ready.
func shareBefore(p Plan, step int) int32 { return shareOf(p, step-1) }

// shareKept is the share that the canary had when its promotion began. The steps no longer matter then: a person may have
// promoted it before the step's pods were ready, or changed the steps since.
func shareKept(p Plan, r Run) int32 {
	if !r.Want.Split {
		return shareOf(p, r.Step)
	}
	return bounded(r.Want.Shares.Canary, Million)
}

func percentOf(p Plan, step int) int32 {
	if step < 0 || step >= len(p.Steps) {
		return 0
	}
	return bounded(p.Steps[step].WeightPercent, 100)
}

// percentFor is the least percentage that covers a share.
func percentFor(share int32) int32 { return (share + Million/100 - 1) / (Million / 100) }

// bounded keeps a number that was read back, or written past the schema, between 0 and most.
func bounded(n, most int32) int32 { return min(max(n, 0), most) }
