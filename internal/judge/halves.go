package judge

import (
	"fmt"
	"hash/fnv"
	"math"
)

// halves is what is remembered of a comparison of stable with itself beyond what a release remembers.
type halves struct {
	Looks   int     `json:"l,omitempty"` // looks that were compared
	Peak    float64 `json:"p,omitempty"` // the greatest log evidence of harm so far
	Crossed bool    `json:"x,omitempty"` // it proved harm, where there is none
	Unsplit bool    `json:"u,omitempty"` // the last look had nothing to divide
}

// ObserveHalves records one interval of a service in which no release runs: stable's pods are divided into two halves,
// and one is judged as if it were a canary (mode AA). Whatever is found is not the version's doing, so it shows how
// noisy the service is and whether the policy could live with that. Look.Metrics[i].Canary must be empty, Step 0 and
// Settling false; new pods warm up as always. A pod stays in its half as long as it is known. AssessHalves reads the
// result. A state that was begun with ObserveHalves must not be used for a release, nor the other way round.
//
// Errors are those of Observe. A look whose pods are not told apart, or that has fewer than two pods, is no error and
// teaches nothing.
func (s *State) ObserveHalves(p Policy, l Look) error {
	if l.History {
		return fmt.Errorf("%w: where halves are compared nothing is before a release", ErrNonsense)
	}
	split := l
	split.Metrics = make([]Counts, len(l.Metrics))
	sides, unsplit := halfSides{state: s}, false
	s.canary.open(s.mem.Canary, 0)
	s.stable.open(s.mem.Stable, 0)
	for i := range l.Metrics {
		split.Metrics[i] = sides.divide(&l.Metrics[i])
		unsplit = unsplit || len(split.Metrics[i].Canary) == 0 || len(split.Metrics[i].Stable) == 0
	}
	if err := s.check(p, split); err != nil {
		return err
	}
	s.mem.Halves.Unsplit = unsplit
	if unsplit {
		return nil
	}
	s.mem.Crossed = false // in a release the evidence would stand still; here it goes on
	if err := s.Observe(p, split); err != nil {
		return err
	}
	h := &s.mem.Halves
	h.Looks++
	h.Peak = max(h.Peak, s.harm(p, -1).log)
	h.Crossed = h.Crossed || s.mem.Crossed
	return nil
}

// halfSides gives pods their half: where they were before, else where fewer are.
type halfSides struct {
	state         *State
	sides         map[string]bool // pod: is in the first half; those that were not known before this look
	first, second int
}

// divide puts each stable pod into its half. Pods that are not told apart cannot be divided.
func (h *halfSides) divide(c *Counts) Counts {
	var out Counts
	if c.PodsUnknown {
		return out
	}
	h.first, h.second = 0, 0
	for i := range c.Stable {
		if first, known := h.known(c.Stable[i].Pod); known {
			h.count(first)
		}
	}
	for i := range c.Stable {
		pod := c.Stable[i]
		first, known := h.known(pod.Pod)
		if !known {
			first = h.newcomer(pod.Pod)
		}
		if first {
			out.Canary = append(out.Canary, pod)
		} else {
			out.Stable = append(out.Stable, pod)
		}
	}
	return out
}

// known is the half that a pod has.
func (h *halfSides) known(pod string) (first, known bool) {
	if _, first = h.state.canary[pod]; first {
		return true, true
	}
	if _, known = h.state.stable[pod]; known {
		return false, true
	}
	first, known = h.sides[pod]
	return first, known
}

// newcomer gives a pod the half that has fewer. When all places are taken a pod will not be known again, so that its
// name decides.
func (h *halfSides) newcomer(pod string) bool {
	first := h.first < h.second
	if len(h.state.mem.Canary) >= mostCanaryPods || len(h.state.mem.Stable) >= mostStablePods {
		sum := fnv.New32a()
		_, _ = sum.Write([]byte(pod))
		first = sum.Sum32()%2 == 0
	}
	if h.sides == nil {
		h.sides = map[string]bool{}
	}
	h.sides[pod] = first
	h.count(first)
	return first
}

// count counts a pod of a half.
func (h *halfSides) count(first bool) {
	if first {
		h.first++
	} else {
		h.second++
	}
}

// possible reports whether the memory of a comparison of halves can be.
func (h halves) possible() bool {
	return h.Looks >= 0 && h.Peak >= 0 && !math.IsInf(h.Peak, 0)
}
