package judge

import "math"

// Cut is one boundary of a whole distribution: how many requests of each arm are above it, and stable's share above it
// as known before.
type Cut struct {
	CanaryAbove, StableAbove, Baseline float64
}

// Shape is the two arms of a whole distribution.
type Shape struct {
	Relative, Absolute             float64
	CanaryRequests, StableRequests float64
	Cuts                           []Cut
}

// HarmEvidence is the average over the cuts of the harm evidence of one interval: an average of e-values is one,
// whatever the dependence between the cuts (judging-method section 7, after Vovk and Wang 2021).
func (s Shape) HarmEvidence() float64 {
	if len(s.Cuts) == 0 {
		return 1
	}
	sum := 0.0
	for i := range s.Cuts {
		sum += s.evidence(harmGrid, i)
	}
	return sum / float64(len(s.Cuts))
}

// PromoteEvidence is the least over the cuts: the whole distribution is within tolerance when each part is.
func (s Shape) PromoteEvidence() float64 {
	least := math.Inf(1)
	for i := range s.Cuts {
		least = min(least, s.evidence(promoteGrid, i))
	}
	if len(s.Cuts) == 0 {
		return 1
	}
	return least
}

// evidence is one cut's E of one interval.
func (s Shape) evidence(grid []float64, cut int) float64 {
	c := s.Cuts[cut]
	return math.Exp(logOnce(grid, terms{
		counts:   counts{nc: s.CanaryRequests, ns: s.StableRequests, xc: c.CanaryAbove, xs: c.StableAbove},
		margin:   margin{rho: 1 + s.Relative, delta: s.Absolute},
		baseline: c.Baseline,
		noise:    1,
		logCap:   uncapped,
	}))
}
