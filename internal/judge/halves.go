package judge

import (
	"fmt"
	"math"
	"slices"
)

// halves is what is remembered of a comparison of stable with itself beyond what a release remembers.
type halves struct {
	Looks   int     `json:"l,omitempty"` // looks that were compared
	Peak    float64 `json:"p,omitempty"` // the greatest log evidence of harm so far
	Crossed []int   `json:"x,omitempty"` // the metrics that proved harm, where there is none
}

// ObserveHalves records one interval of a service in which no release runs: Look.Canary and Look.Stable are two halves of
// what stable served (mode AA). Whatever is found is not the version's doing, so it shows how noisy the service is and
// whether the policy could live with that. Calibrate reads the result. A state that was begun with ObserveHalves must not
// be used for a release, nor the other way round. Errors are those of Observe.
func (s *State) ObserveHalves(p Policy, l Look) error {
	if l.History {
		return fmt.Errorf("%w: where halves are compared nothing is before a release", ErrNonsense)
	}
	crossed := s.mem.Crossed
	s.mem.Crossed = false // in a release the evidence would stand still; here it goes on
	if err := s.Observe(p, l); err != nil {
		s.mem.Crossed = crossed
		return err
	}
	h := &s.mem.Halves
	h.Looks++
	h.Peak = max(h.Peak, s.harm(p, -1).log)
	if s.mem.Crossed && !slices.Contains(h.Crossed, s.mem.CrossedBy) {
		h.Crossed = append(h.Crossed, s.mem.CrossedBy)
		slices.Sort(h.Crossed)
	}
	return nil
}

// possible reports whether the memory of a comparison of halves can be.
func (h halves) possible(metrics int) bool {
	for i, m := range h.Crossed {
		if m < 0 || m >= metrics || i > 0 && m <= h.Crossed[i-1] {
			return false
		}
	}
	return h.Looks >= 0 && h.Peak >= 0 && !math.IsInf(h.Peak, 0)
}
