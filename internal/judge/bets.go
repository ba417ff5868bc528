package judge

import "math"

const (
	harmBets    = 16
	promoteBets = 8

	// edge keeps a bet off the ends of its range, where one request of the other kind would make all evidence zero
	// for ever (harm: stable's, promote: the canary's).
	edge = 1e-9
)

// harmGrid and promoteGrid are the alternatives that are bet on: the canary's rate as a multiple of the margin
// (judging-method section 3).
var (
	harmGrid    = logSpaced(1.1, 50, harmBets)
	promoteGrid = []float64{.05, .1, .2, .35, .5, .65, .8, .9}
)

// logSpaced returns n values from lo to hi with equal ratios.
func logSpaced(lo, hi float64, n int) []float64 {
	out := make([]float64, n)
	for i := range out {
		out[i] = lo * math.Pow(hi/lo, float64(i)/float64(n-1))
	}
	return out
}

// bet is the growth-optimal u against the alternative p_c = k·(rho·p + delta), where p is stable's rate as known
// before the interval: judging-method section 2, after Waudby-Smith and Ramdas (2024).
//
// With d = (k−1)·delta·κ, g = k·rho·p·κ and m = rho·p + delta it is B = d + g + m and Q = B² − 4dm; in this form
// nothing cancels.
func bet(k float64, m margin, p, kappa float64) float64 {
	scale := m.rho*p + m.delta
	d := (k - 1) * m.delta * kappa
	g := k * m.rho * p * kappa
	b := d + g + scale
	root := math.Sqrt(max(0, discriminant(d, g, scale)))
	if b < 0 {
		return boundBet((b-root)/(2*m.delta*kappa), kappa)
	}
	return boundBet(2*(k-1)*scale/(b+root), kappa)
}

// discriminant is B² − 4dm without cancellation.
func discriminant(d, g, scale float64) float64 {
	if d <= 0 {
		b := d + g + scale
		return b*b - 4*d*scale
	}
	diff := d - scale
	return diff*diff + (2*(d+scale)+g)*g
}

// boundBet keeps u inside (−1, 1/κ). A margin of nothing at all has no bet: 0.
func boundBet(u, kappa float64) float64 {
	if math.IsNaN(u) {
		return 0
	}
	u = max(u, edge-1)
	if u*kappa > 1-edge {
		return (1 - edge) / kappa
	}
	return u
}
