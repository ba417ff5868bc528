package judge

import "math"

const (
	wideBets = 4
	// wideStake is the part of the evidence of harm that is put on the wide margin when pods begin to warm up,
	// settlingStake when only a weight change lands: that is over with the next look, or the one after, and each change costs a
	// slow regression this part again. With the larger part a version that is broken is found at the third look; a healthy
	// warm-up costs at most log 1/(1 − wideStake), less than one such look.
	wideStake     = .7
	settlingStake = .02
)

// wideGrid is what is bet on there: a version that is broken, not one that is slightly worse.
var wideGrid = []float64{1.5, 2.5, 5, 10}

// lend opens and closes the bets against the wide margin (judging-method section 5.4). Betting all of the evidence there
// would lose what was gathered: a canary that is worse than tolerated and better than the wide margin speaks for that
// margin in every interval. So a part is put there while there is cold traffic, and what has become of it is put back
// with the rest when that ends. Both happen before the interval is seen, and no wealth is made: the mean over the bets of
// both together stays what it is.
func (w wealth) lend(wide wealth, a *arms) wealth {
	warm, cold := a.parts()
	isCold, part := cold.N > 0 || a.promoting, wideStake
	if a.cold.N <= 0 && !a.promoting {
		part = settlingStake
	}
	if a.begins && len(wide) > 0 {
		wide = w.takeBack(wide)
	}
	switch {
	case len(w) == 0 || isCold == (len(wide) > 0) || (!isCold && warm.N <= 0):
		return wide
	case isCold:
		stake := w.logValue(0) + math.Log(part)
		for j := range w {
			w[j] += math.Log1p(-part)
		}
		for range wideBets {
			wide = append(wide, stake)
		}
		return wide
	}
	return w.takeBack(wide)
}

// takeBack shares out what the bets against the wide margin have become.
func (w wealth) takeBack(wide wealth) wealth {
	back := wide.logValue(0)
	for j := range w {
		w[j] = logAdd(w[j], back)
	}
	return wide[:0]
}

// wide is the canary's traffic that is judged with the wide margin, less that of a pod that is left out: the cold part,
// and while the version is promoted all of it.
func (a *arms) wide(cold, left tally) tally {
	if a.promoting {
		return a.canary.less(left)
	}
	return cold
}

// wideIncrements is log e of the cold part of an interval for each bet on the wide margin. Where stable has no requests,
// the limit is widened instead, if there is one.
func (j *judgement) wideIncrements(dst []float64, cold, stable tally) []float64 {
	dst = dst[:wideBets]
	switch {
	case j.past > 0:
		t := j.limitTerms(cold, 0, logMostPerLook)
		t.margin = margin{delta: j.past}
		increments(dst, wideGrid, t)
	case j.compared && stable.N > 0:
		increments(dst, wideGrid, j.harmTerms(cold, stable, j.wide))
	case j.policy.Limit > 0 && !j.policy.LowerIsWorse:
		increments(dst, wideGrid, j.limitTerms(cold, j.wide, logMostPerLook))
	default:
		clear(dst)
	}
	return dst
}

// harmLog is log E of harm by comparison: what is bet on the tolerance, on the wide margin, and not yet.
func harmLog(harm, wide wealth, idle float64) float64 {
	if len(wide) == 0 {
		return harm.logValue(idle)
	}
	return logAdd(harm.logValue(idle), wide.logValue(0))
}
