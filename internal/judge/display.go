package judge

import "math"

// The bounds of judging-method section 8 invert the evidence: a margin that the data speak against is outside. They are
// for display; decisions never read them.

const (
	displayDeltas   = 48
	smallestDelta   = 1e-6
	bisectionRounds = 48
)

// snapshot is what the bounds are drawn from: the counts as one interval, with noise and baseline as they stand.
type snapshot struct {
	counts
	baseline, noise float64
}

// swapped exchanges the arms; the baseline is then the canary's rate.
func (s snapshot) swapped() snapshot {
	return snapshot{counts: s.counts.swapped(), baseline: tally{N: s.nc, X: s.xc}.rate(), noise: s.noise}
}

// log is log E of the snapshot against a margin, uncapped and with the whole mass at the start.
func (s snapshot) log(grid []float64, m margin) float64 {
	return logOnce(grid, terms{counts: s.counts, margin: m, baseline: s.baseline, noise: s.noise, logCap: uncapped})
}

// ratio is the interval for p_c/p_s: what the canary is shown to exceed, and to stay below.
func (s snapshot) ratio(riskLow, riskHigh float64) (low, high float64) {
	if s.nc <= 0 || s.ns <= 0 {
		return 0, math.Inf(1)
	}
	return s.ratioLower(riskLow), s.ratioUpper(riskHigh)
}

// ratioLower is the greatest ratio of the rates that the data show to be exceeded; 0 for none.
func (s snapshot) ratioLower(risk float64) float64 {
	return lastTrue(1e-4, 1e4, 0, func(rho float64) bool {
		return s.log(harmGrid, margin{rho: rho}) >= -math.Log(risk)
	})
}

// ratioUpper is the least ratio of the rates that the data show not to be reached; +Inf for none.
func (s snapshot) ratioUpper(risk float64) float64 {
	below := lastTrue(1e-4, 1e4, 0, func(rho float64) bool {
		return s.log(promoteGrid, margin{rho: rho}) < -math.Log(risk)
	})
	if below >= 1e4 {
		return math.Inf(1)
	}
	return below
}

// differenceExceeded is the greatest difference p_c − p_s ≥ 0 that the data show to be exceeded; false for none.
func (s snapshot) differenceExceeded(risk float64) (float64, bool) {
	d := outermost(func(delta float64) bool {
		return s.log(harmGrid, margin{rho: 1, delta: delta}) >= -math.Log(risk)
	})
	return d, d > 0
}

// differenceUpper is the least difference p_c − p_s ≥ 0 that the data show not to be reached; 1 for none.
func (s snapshot) differenceUpper(risk float64) float64 {
	return min(1, outermost(func(delta float64) bool {
		return s.log(promoteGrid, margin{rho: 1, delta: delta}) < -math.Log(risk)
	}))
}

// difference is the interval for p_c − p_s: what the canary is shown to exceed, and to stay below. Where nothing is
// shown it is ±1.
func (s snapshot) difference(riskLow, riskHigh float64) (low, high float64) {
	if s.nc <= 0 || s.ns <= 0 {
		return -1, 1
	}
	low, shown := s.differenceExceeded(riskLow)
	if !shown {
		low = -s.swapped().differenceUpper(riskLow)
	}
	high = s.differenceUpper(riskHigh)
	if high <= 0 {
		less, _ := s.swapped().differenceExceeded(riskHigh)
		high = -less
	}
	return min(low, high), high
}

// outermost is the greatest δ at which holds turns false, on a grid and then by bisection; 0 where it never holds.
func outermost(holds func(delta float64) bool) float64 {
	above := 1.0
	for i := displayDeltas - 1; i >= 0; i-- {
		delta := smallestDelta * math.Pow(1/smallestDelta, float64(i)/(displayDeltas-1))
		if holds(delta) {
			return bisect(delta, above, holds)
		}
		above = delta
	}
	return 0
}

// lastTrue is where a predicate that holds at first stops to hold, or none where it does not hold at lo.
func lastTrue(lo, hi, none float64, holds func(float64) bool) float64 {
	if !holds(lo) {
		return none
	}
	if holds(hi) {
		return hi
	}
	return bisect(lo, hi, holds)
}

// bisect narrows lo (holds) and hi (does not) on a log scale.
func bisect(lo, hi float64, holds func(float64) bool) float64 {
	for range bisectionRounds {
		mid := math.Sqrt(lo) * math.Sqrt(hi)
		if holds(mid) {
			lo = mid
		} else {
			hi = mid
		}
	}
	return math.Sqrt(lo) * math.Sqrt(hi)
}
