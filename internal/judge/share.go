package judge

import "math"

const (
	// shareSlack is how far the share may be from the wanted one, as a part of it.
	shareSlack = .1
	// shareGate is the evidence at which the split is held not to be what was asked for.
	shareGate = 1000
)

// split is the evidence that the canary's share of the requests is not the wanted one, gathered anew for each weight:
// a uniform mixture against the nearer edge of wanted ± 10 % (judging-method section 7).
type split struct {
	Wanted  float64 `json:"w,omitempty"`
	Canary  float64 `json:"c,omitempty"` // requests so far
	Stable  float64 `json:"s,omitempty"`
	Mixture float64 `json:"m,omitempty"` // Σ log predictive / φ
	In      float64 `json:"a,omitempty"` // Σ canary requests / φ
	Out     float64 `json:"b,omitempty"` // Σ stable requests / φ
	Noise   noise   `json:"n,omitzero"`
}

// observe takes in one interval. Connections carry many requests, so it is tempered by its own residuals.
func (s *split) observe(wanted, canary, stable float64) {
	if wanted != s.Wanted {
		*s = split{Wanted: wanted}
	}
	n := canary + stable
	if wanted <= 0 || wanted >= 1 || n <= 0 {
		return
	}
	v := n * wanted * (1 - wanted)
	phi := max(1, s.Noise.dispersion(v), 1+s.Noise.spread(v)*v)
	predictive := logBeta(1+s.Canary+canary, 1+s.Stable+stable) - logBeta(1+s.Canary, 1+s.Stable)
	s.Mixture += predictive / phi
	s.In += canary / phi
	s.Out += stable / phi
	s.Canary += canary
	s.Stable += stable
	share := (s.Canary + .5) / (s.Canary + s.Stable + 1)
	diff := canary - n*share
	s.Noise.add(residual{variance: n * share * (1 - share), square: diff * diff})
}

// log is the log evidence against every share in wanted ± 10 %: the least over that band.
func (s *split) log() float64 {
	if s.In+s.Out <= 0 {
		return 0
	}
	edge := min(max(s.In/(s.In+s.Out), s.Wanted*(1-shareSlack)), min(s.Wanted*(1+shareSlack), 1-1e-9))
	return logMixtureAgainst(s.Mixture, s.In, s.Out, edge)
}

// logMixtureAgainst is the log likelihood ratio of a mixture over all shares against one share.
func logMixtureAgainst(mixture, in, out, share float64) float64 {
	return mixture - in*math.Log(share) - out*math.Log1p(-share)
}
