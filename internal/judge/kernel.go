package judge

import "math"

// counts is one interval of both arms: requests (n) and bad requests (x) of the canary (c) and of stable (s).
// Where lower is worse the arms are swapped before they get here.
type counts struct {
	nc, ns, xc, xs float64
}

// swapped returns the counts with the arms exchanged.
func (c counts) swapped() counts {
	return counts{nc: c.ns, ns: c.nc, xc: c.xs, xs: c.xc}
}

// margin is the tolerated relation p_c ≤ rho·p_s + delta. rho = 0 is a fixed limit, which needs no stable arm.
type margin struct {
	rho, delta float64
}

// silent reports whether an interval says nothing about the margin: an arm that is needed has no requests.
func (m margin) silent(c counts) bool {
	return c.nc <= 0 || (m.rho > 0 && c.ns <= 0)
}

// kappa is the stable arm's exchange rate, rho·n_c/n_s.
func (m margin) kappa(c counts) float64 {
	if m.rho == 0 {
		return 0
	}
	return m.rho * c.nc / c.ns
}

// logEvidence is the kernel, log e(u), of judging-method section 1: for u > 0 against p_c ≤ rho·p_s + delta, for
// u < 0 against p_c ≥ rho·p_s + delta. Its mean under that null is at most 1 for binomial and Poisson counts at any
// stable rate. After Lindon, Sanden and Shirikian (KDD 2022) and Turner, Ly and Grünwald (2021).
func logEvidence(c counts, m margin, kappa, u float64) float64 {
	log := -c.nc * m.delta * u
	if c.xc > 0 {
		log += c.xc * math.Log1p(u)
	}
	if c.xs > 0 && kappa > 0 {
		log += c.xs * math.Log1p(-kappa*u)
	}
	return log
}
