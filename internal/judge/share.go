package judge

import "math"

const (
	// shareSlack is how far the share may be from the wanted one, as a part of it.
	shareSlack = .1
	// shareGate is the evidence at which the split is held not to be what was asked for.
	shareGate = 1000
	// restoredGate is the evidence at which a split that was wrong is taken to be right again.
	restoredGate = 20
)

// split is the evidence that the canary's share of the requests is not the wanted one, gathered anew for each weight:
// a uniform mixture against the nearer edge of wanted ± 10 % (judging-method section 7).
//
//	gathering --log() ≥ log shareGate--> Wrong --Restored.log() ≥ log restoredGate--> gathering, from nothing
type split struct {
	Wanted  float64 `json:"w,omitempty"`
	Canary  float64 `json:"c,omitempty"` // requests so far
	Stable  float64 `json:"s,omitempty"`
	Mixture float64 `json:"m,omitempty"` // Σ log predictive / φ
	In      float64 `json:"a,omitempty"` // Σ canary requests / φ
	Out     float64 `json:"b,omitempty"` // Σ stable requests / φ
	Noise   noise   `json:"n,omitzero"`
	// Wrong says that the share was found not to be the wanted one, and was not shown to be right since.
	Wrong    bool     `json:"x,omitempty"`
	Restored restored `json:"r,omitzero"`
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
	if s.Wrong {
		s.restore(canary, stable)
		return
	}
	phi := s.Noise.temperShare(n, wanted)
	predictive := logBeta(1+s.Canary+canary, 1+s.Stable+stable) - logBeta(1+s.Canary, 1+s.Stable)
	s.Mixture += predictive / phi
	s.In += canary / phi
	s.Out += stable / phi
	s.Canary += canary
	s.Stable += stable
	s.Noise.addShare(canary, n, (s.Canary+.5)/(s.Canary+s.Stable+1))
	s.Wrong = s.log() >= math.Log(shareGate)
}

// log is the log evidence against every share in wanted ± 10 %: the least over that band.
func (s *split) log() float64 {
	if s.In+s.Out <= 0 {
		return 0
	}
	low, high := s.band()
	edge := min(max(s.In/(s.In+s.Out), low), high)
	return logMixtureAgainst(s.Mixture, s.In, s.Out, edge)
}

// band is wanted ± 10 %.
func (s *split) band() (low, high float64) {
	return s.Wanted * (1 - shareSlack), min(s.Wanted*(1+shareSlack), 1-1e-9)
}

// logMixtureAgainst is the log likelihood ratio of a mixture over all shares against one share.
func logMixtureAgainst(mixture, in, out, share float64) float64 {
	return mixture - in*math.Log(share) - out*math.Log1p(-share)
}

// temperShare is φ of an interval of n requests.
func (n *noise) temperShare(requests, wanted float64) float64 {
	v := requests * wanted * (1 - wanted)
	return max(1, n.dispersion(v), 1+n.spread(v)*v)
}

// addShare remembers how far an interval was from the share so far.
func (n *noise) addShare(canary, requests, share float64) {
	diff := canary - requests*share
	n.add(residual{variance: requests * share * (1 - share), square: diff * diff})
}

// restored is the evidence that a share that was wrong is within wanted ± 10 % again, since it last began to look so.
// What was gathered while it was wrong would outweigh the right share for hours, and so would the noise that was learned
// from it: neither is in it.
type restored struct {
	Canary float64 `json:"c,omitempty"`
	Stable float64 `json:"s,omitempty"`
	Low    float64 `json:"l,omitempty"` // log evidence that the share is over the lower edge
	High   float64 `json:"h,omitempty"` // … under the upper one
	Noise  noise   `json:"n,omitzero"`
}

const (
	// guessRequests is how many requests the wanted share counts as in the guess of what the share is now.
	guessRequests = 100
	// logBeginAgain is the log evidence under which the share is taken to look wrong: it begins again with the next interval.
	logBeginAgain = -1
)

// restore takes in an interval of a split that was found wrong. The bet is that the share is what it was since it began to
// look right, known before the interval and within the band, so that the evidence holds against all shares beyond an edge.
func (s *split) restore(canary, stable float64) {
	r := &s.Restored
	low, high := s.band()
	n := canary + stable
	guess := (r.Canary + s.Wanted*guessRequests) / (r.Canary + r.Stable + guessRequests)
	guess = min(max(guess, low), high)
	phi := r.Noise.temperShare(n, s.Wanted)
	against := func(edge float64) float64 {
		return (canary*math.Log(guess/edge) + stable*(math.Log1p(-guess)-math.Log1p(-edge))) / phi
	}
	r.Low += against(low)
	r.High += against(high)
	first := r.Canary+r.Stable <= 0 // which teaches no noise: it would be measured against itself
	r.Canary += canary
	r.Stable += stable
	if !first {
		r.Noise.addShare(canary, n, (r.Canary+.5)/(r.Canary+r.Stable+1))
	}
	switch log := min(r.Low, r.High); {
	case math.IsNaN(log) || math.IsInf(r.Low+r.High, 0): // a share at the end of what numbers are
		*r = restored{}
	case log < logBeginAgain:
		*r = restored{Noise: r.Noise}
	case log >= math.Log(restoredGate):
		*s = split{Wanted: s.Wanted, Noise: r.Noise}
	}
}

// now is the canary's share since it last began to look right, else over all that was seen at this weight.
func (s *split) now() (share float64, looksRight bool) {
	if r := &s.Restored; r.Canary+r.Stable > 0 {
		return r.Canary / (r.Canary + r.Stable), true
	}
	return s.Canary / (s.Canary + s.Stable), false
}

// possible reports whether the split's counts can be.
func (s *split) possible() bool {
	return s.Wanted >= 0 && s.Wanted <= 1 && s.Canary >= 0 && s.Stable >= 0 && s.In >= 0 && s.Out >= 0 && s.Noise.possible() && s.Restored.possible()
}

// possible reports whether the evidence can be.
func (r *restored) possible() bool {
	return r.Canary >= 0 && r.Stable >= 0 && r.Low >= logBeginAgain && r.High >= logBeginAgain && r.Noise.possible()
}
