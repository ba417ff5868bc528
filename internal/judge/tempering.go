package judge

import "math"

// The priors of the tempering: how many intervals of ordinary noise are taken as seen before the first one, and how
// much of the variance grows with the square of the count (judging-method section 5.1).
const (
	priorIntervals = 6
	priorSpread    = 0.12
	priorPods      = 10
)

// noise is what is remembered of how much rougher the traffic is than independent requests. Only past intervals are in
// it: the tempering of an interval is known before the interval is seen.
type noise struct {
	SumD      float64 `json:"d,omitempty"` // Σ R²/V, standardised squared residuals between the arms
	Intervals float64 `json:"i,omitempty"` // how many residuals are in SumD
	SumExcess float64 `json:"e,omitempty"` // Σ (R² − V)
	SumSquare float64 `json:"v,omitempty"` // Σ V²
	Chi       float64 `json:"x,omitempty"` // Σ χ² between stable pods
	Freedom   float64 `json:"f,omitempty"` // its degrees of freedom
}

// residual is one interval's difference between the arms beyond what their ratio so far explains.
type residual struct {
	ratio, variance, square float64
}

// newResidual measures an interval against the ratio of the arms over the run, the interval included
// (judging-method section 5.1). The interval must have bad requests and requests in both arms.
func newResidual(interval, run counts) residual {
	ratio := ((run.xc + .5) / (run.nc + 1)) / ((run.xs + .5) / (run.ns + 1))
	share := ratio * interval.nc / (ratio*interval.nc + interval.ns)
	bad := interval.xc + interval.xs
	diff := interval.xc - bad*share
	return residual{ratio: ratio, variance: bad * share * (1 - share), square: diff * diff}
}

// add remembers a residual; one without variance says nothing.
func (n *noise) add(r residual) {
	if !(r.variance > 0) {
		return
	}
	n.SumD += r.square / r.variance
	n.Intervals++
	n.SumExcess += r.square - r.variance
	n.SumSquare += r.variance * r.variance
}

// addPods remembers how far apart stable pods were in one interval.
func (n *noise) addPods(chi, freedom float64) {
	n.Chi += chi
	n.Freedom += freedom
}

// pods is φ_pod: the pods' χ² for each degree of freedom, drawn towards 1.
func (n *noise) pods() float64 {
	return (priorPods + n.Chi) / (priorPods + n.Freedom)
}

// dispersion is P, the mean standardised residual, for an interval of expected variance v.
func (n *noise) dispersion(v float64) float64 {
	return (priorIntervals*(1+priorSpread*v) + n.SumD) / (priorIntervals + n.Intervals)
}

// spread is ω, the part of the variance that grows with the square of the count. Nothing expected, nothing seen: 0.
func (n *noise) spread(v float64) float64 {
	weight := priorIntervals*v*v + n.SumSquare
	if weight <= 0 {
		return 0
	}
	return (priorIntervals*v*v*priorSpread + n.SumExcess) / weight
}

// temper is φ, by which the log evidence of an interval is divided. load is L, the requests of a canary pod for each
// request of a stable pod.
func (n *noise) temper(v, load float64) float64 {
	pods := n.pods()
	phi := max(1, pods, 1+(pods-1)*load, n.dispersion(v), 1+n.spread(v)*v)
	if math.IsNaN(phi) || math.IsInf(phi, 0) {
		return math.MaxFloat64
	}
	return phi
}

// expectedVariance is V = p·n_c·n_s/(n_c + n_s).
func expectedVariance(p, nc, ns float64) float64 {
	if nc <= 0 || ns <= 0 {
		return 0
	}
	return p * nc * (ns / (nc + ns))
}
