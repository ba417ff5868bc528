package judge

import "math"

// uncapped is the cap of evidence that has none.
const uncapped = math.MaxFloat64

// wealth is log W_{t,j} for each bet j of a grid; empty before anything was invested (judging-method section 3).
type wealth []float64

// terms is all that one interval's evidence depends on.
type terms struct {
	counts
	margin
	baseline float64 // stable's rate as known before the interval
	noise    float64 // φ ≥ 1, the tempering
	logCap   float64 // the most that one interval adds to log W; uncapped for none
}

// increments writes log e_{t,j} of one interval, tempered and capped, for each bet of the grid.
func increments(dst, grid []float64, t terms) {
	if t.silent(t.counts) {
		clear(dst[:len(grid)])
		return
	}
	kappa := t.kappa(t.counts)
	for j, k := range grid {
		log := logEvidence(t.counts, t.margin, kappa, bet(k, t.margin, t.baseline, kappa)) / t.noise
		dst[j] = min(log, t.logCap)
	}
}

// invest adds the restart mass to each bet: W + ν.
func (w wealth) invest(bets int, mass float64) wealth {
	if mass <= 0 {
		return w
	}
	log := math.Log(mass)
	if len(w) == 0 {
		for range bets {
			w = append(w, log)
		}
		return w
	}
	for j := range w {
		w[j] = logAdd(w[j], log)
	}
	return w
}

// grow multiplies each bet's wealth by its evidence.
func (w wealth) grow(increments []float64) {
	for j := range w {
		w[j] += increments[j]
	}
}

// growCoarsely is grow, rounded down to a millionth: evidence that is kept for each pod has few digits to write, and is
// never more than it would be.
func (w wealth) growCoarsely(increments []float64) {
	const grain = 1e6
	for j := range w {
		w[j] = math.Floor((w[j]+increments[j])*grain) / grain
	}
}

// logValue is log E = log(mean W + idle), idle being the restart mass that is not invested yet.
func (w wealth) logValue(idle float64) float64 {
	if len(w) == 0 {
		return math.Log(idle)
	}
	top := w[0]
	for _, v := range w[1:] {
		top = max(top, v)
	}
	sum := 0.0
	for _, v := range w {
		sum += math.Exp(v - top)
	}
	log := top + math.Log(sum/float64(len(w)))
	if idle <= 0 {
		return log
	}
	return logAdd(log, math.Log(idle))
}

// logOnce is log E of one single interval with the whole mass invested at its start.
func logOnce(grid []float64, t terms) float64 {
	var buffer [harmBets]float64
	increments(buffer[:], grid, t)
	return wealth(buffer[:len(grid)]).logValue(0)
}

// logAdd is log(e^a + e^b).
func logAdd(a, b float64) float64 {
	if a < b {
		a, b = b, a
	}
	if math.IsInf(a, -1) {
		return a
	}
	return a + math.Log1p(math.Exp(b-a))
}
