package judge

import "math"

// Expectation is what a forecast assumes.
type Expectation struct {
	Relative, Absolute float64 // the tolerance
	CanaryBad          float64 // share of the canary's requests that are bad
	StableBad          float64 // share of stable's requests that are bad
	StablePerCanary    float64 // requests of stable for each of the canary
	BadPromotionRisk   float64
	Noise              float64 // φ; 0 means 1
	LogEvidence        float64 // log of the promote evidence so far
}

// Forecast is how many canary requests are still needed until the evidence of health suffices; +Inf where that cannot
// be expected: the canary is at the tolerance or over it, or there is nothing to prove with (judging-method section 8).
func Forecast(e Expectation) (canaryRequests float64) {
	_, growth := e.growth()
	if !(growth > 0) {
		return math.Inf(1)
	}
	missing := -math.Log(e.BadPromotionRisk) - e.LogEvidence
	return max(0, max(1, e.Noise)*missing/growth)
}

// growth is the best bet u against the tolerance and how much log evidence it gains for each canary request.
func (e Expectation) growth() (u, gain float64) {
	m := margin{rho: 1 + e.Relative, delta: e.Absolute}
	return m.growth(e.CanaryBad, e.StableBad, e.StablePerCanary)
}

// growth is g = p_c·log(1+u) + (n_s/n_c)·p_s·log(1−κu) − δu with u for k = p_c/(ρ·p_s + δ).
func (m margin) growth(pc, ps, stablePerCanary float64) (u, gain float64) {
	scale := m.rho*ps + m.delta
	if scale <= 0 || stablePerCanary <= 0 || pc >= scale {
		return 0, 0
	}
	kappa := m.rho / stablePerCanary
	u = bet(pc/scale, m, ps, kappa)
	return u, logEvidence(counts{nc: 1, ns: stablePerCanary, xc: pc, xs: stablePerCanary * ps}, m, kappa, u)
}
