package judge

import (
	"time"
)

// State is everything that the judge remembers of one release. It is not safe for use by several goroutines at once.
type State struct {
	mem    memory
	canary podIndex
	stable podIndex
	work   workspace
}

// memory is what is written down.
type memory struct {
	Begun   bool           `json:"b,omitempty"` // a look that is not history was recorded
	Start   int64          `json:"s,omitempty"` // begin of the first such look, Unix nanoseconds
	Last    int64          `json:"l,omitempty"` // end of the last look, Unix nanoseconds
	Seen    bool           `json:"e,omitempty"` // any look was recorded
	Step    int            `json:"p,omitempty"`
	Share   float64        `json:"h,omitempty"` // the next share that the evidence of health is for
	Paid    int            `json:"r,omitempty"` // later steps whose restart mass was invested
	Idle    float64        `json:"i"`           // restart mass not invested yet
	Slot    int64          `json:"t,omitempty"` // time slot of the newest recent counts
	Canary  []string       `json:"c,omitempty"` // pods, in the order in which they came
	Stable  []string       `json:"d,omitempty"`
	Metrics []metricMemory `json:"m"`
	Split   split          `json:"w,omitzero"`
	Halves  halves         `json:"a,omitzero"` // mode AA only

	Promoting    bool   `json:"y,omitempty"`  // the last look was
	Crossed      bool   `json:"x,omitempty"`  // harm is proven: final
	CrossedAt    int64  `json:"xt,omitempty"` // end of the look in which it was, Unix nanoseconds
	CrossedBy    int    `json:"xm,omitempty"` // the metric that weighed most
	CrossedLimit bool   `json:"xl,omitempty"` // … by its limit
	Concentrated bool   `json:"k,omitempty"`  // at a crossing the bad requests were on one pod
	BadPod       string `json:"o,omitempty"`  // the pod without which harm is not proven
}

// metricMemory is what is remembered of one metric.
type metricMemory struct {
	Harm         wealth      `json:"h,omitempty"`
	Wide         wealth      `json:"g,omitempty"` // the part of harm that is bet on the wide margin
	Limit        wealth      `json:"l,omitempty"`
	Promote      wealth      `json:"p,omitempty"`
	LimitPromote wealth      `json:"q,omitempty"`
	Stable       tally       `json:"s,omitzero"` // with the time before the release
	Canary       tally       `json:"c,omitzero"` // over the run
	Ratio        armTally    `json:"r,omitzero"` // intervals that teach how the arms compare
	Step         armTally    `json:"a,omitzero"` // all intervals of this step
	StepWarm     armTally    `json:"w,omitzero"` // those that are evidence of health
	Noise        noise       `json:"n,omitzero"`
	Times        times       `json:"b,omitzero"`  // how stable moves by itself
	Phi          float64     `json:"f,omitempty"` // the last interval's φ
	NoCanary     int         `json:"u,omitempty"` // looks in a row without this arm
	NoStable     int         `json:"v,omitempty"`
	Waiting      waiting     `json:"o,omitzero"` // an arm's counts that wait for the other's
	CanaryPods   []podMemory `json:"cp,omitempty"`
	StablePods   []podMemory `json:"sp,omitempty"`
	Signs        signs       `json:"g2,omitzero"` // of a gauge
}

// armTally is both arms' counts.
type armTally struct {
	Canary tally `json:"c,omitzero"`
	Stable tally `json:"s,omitzero"`
}

// add sums two pairs.
func (a *armTally) add(canary, stable tally) {
	a.Canary.add(canary)
	a.Stable.add(stable)
}

// counts is the pair as the kernel takes it.
func (a armTally) counts() counts {
	return counts{nc: a.Canary.N, xc: a.Canary.X, ns: a.Stable.N, xs: a.Stable.X}
}

// NewState is the state of a release of which nothing was seen.
func NewState(p Policy) *State {
	return &State{mem: memory{Idle: 1, Metrics: make([]metricMemory, len(p.Metrics))}}
}

// restartMass is ν of an interval and takes it from the idle mass.
func (s *State) restartMass(p Policy, l Look, first, stepChanged bool) float64 {
	mass := 0.0
	if first {
		mass += startShare(p.Steps)
	}
	if stepChanged && s.mem.Paid < p.Steps-1 {
		mass += stepShare(p.Steps)
		s.mem.Paid++
	}
	start := time.Unix(0, s.mem.Start)
	prev := max(0, time.Unix(0, s.mem.Last).Sub(start))
	if first {
		prev = 0
	}
	mass += minuteShare(prev, l.To.Sub(start), p.MaxDuration)
	mass = min(mass, s.mem.Idle)
	s.mem.Idle -= mass
	return mass
}
