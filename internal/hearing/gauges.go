package hearing

import (
	"math"
	"slices"
	"time"

	"slipway.dev/slipway/internal/judge"
	"slipway.dev/slipway/internal/telemetry"
)

// gauge is a metric whose mean over blocks of time is compared.
type gauge struct {
	// Minutes are stable's means of the time before the release, from which the length of a block is chosen.
	Minutes []minute `json:"m,omitempty"`
	// Block is how long a block is; 0 before the first one begins. Begun is when the open one did, Step its step.
	Block time.Duration `json:"b,omitempty"`
	Begun time.Time     `json:"a,omitzero"`
	Step  int           `json:"p,omitempty"`
	// Canary and Stable are the open block's.
	Canary mean `json:"c,omitzero"`
	Stable mean `json:"s,omitzero"`
}

// minute is a mean of the past.
type minute struct {
	Unix int64 `json:"t"`
	mean
}

// mean is a sum of readings and how many there were.
type mean struct {
	Sum float64 `json:"s"`
	N   float64 `json:"n"`
}

func (m *mean) add(r telemetry.Reading) {
	m.Sum += r.Sum
	m.N += r.N
}

// value is NaN without readings.
func (m mean) value() float64 { return m.Sum / m.N }

// mostMinutes is the hour that the length of a block is chosen from.
const mostMinutes = 60

// blocks adds the interval to a gauge's open block, and is the sign of the block if it ended. Time in which a share
// changes or pods warm up belongs to no block.
func (h *Hearing) blocks(name string, m Measure, look telemetry.Look, c telemetry.Counts, at Circumstances) judge.Counts {
	g := h.record.Gauges[name]
	out := g.hear(m, look, c.Readings, at)
	h.record.Gauges = put(h.record.Gauges, name, g)
	return out
}

func (g *gauge) hear(m Measure, look telemetry.Look, readings []telemetry.Reading, at Circumstances) judge.Counts {
	if at.Step < 0 {
		g.recall(look, readings)
		return judge.Counts{}
	}
	if g.Block == 0 {
		g.Block, g.Minutes = judge.BlockLength(g.past()), nil
	}
	if at.Settling || at.Warming || at.Step != g.Step || g.Begun.IsZero() {
		g.open(look.To, at.Step)
		if at.Settling || at.Warming {
			return judge.Counts{}
		}
		g.Begun = look.From
	}
	for _, r := range readings {
		switch r.Arm {
		case telemetry.Canary:
			g.Canary.add(r)
		case telemetry.Stable:
			g.Stable.add(r)
		case telemetry.UnknownArm:
		}
	}
	if look.To.Before(g.Begun.Add(g.Block)) {
		return judge.Counts{}
	}
	sign := g.sign(m)
	g.open(look.To, at.Step)
	return sign
}

// open begins a block.
func (g *gauge) open(at time.Time, step int) {
	g.Begun, g.Step, g.Canary, g.Stable = at, step, mean{}, mean{}
}

// sign is the block's part of the evidence; none where a mean is missing or not positive.
func (g *gauge) sign(m Measure) judge.Counts {
	worse, better := g.Canary.value(), g.Stable.value()
	if m.LowerIsWorse {
		worse, better = better, worse
	}
	isWorse, counted := judge.BlockSign(worse, better, m.ratio())
	if !counted {
		return judge.Counts{}
	}
	p := judge.PodCount{Requests: 1}
	if isWorse {
		p.Bad = 1
	}
	return judge.Counts{Canary: []judge.PodCount{p}}
}

// ratio is by how much the worse mean may be over the other.
func (m Measure) ratio() float64 {
	if m.LowerIsWorse {
		return 1/(1-min(m.Tolerance, .99)) - 1
	}
	return m.Tolerance
}

// recall keeps stable's past by minutes.
func (g *gauge) recall(look telemetry.Look, readings []telemetry.Reading) {
	unix := look.To.Truncate(time.Minute).Unix()
	for _, r := range readings {
		if r.Arm != telemetry.Stable {
			continue
		}
		if n := len(g.Minutes); n == 0 || g.Minutes[n-1].Unix < unix {
			g.Minutes = append(slices.Clone(g.Minutes), minute{Unix: unix})
		}
		g.Minutes[len(g.Minutes)-1].add(r)
	}
	g.Minutes = g.Minutes[max(0, len(g.Minutes)-mostMinutes):]
}

func (g *gauge) past() []judge.Reading {
	var out []judge.Reading
	for _, m := range g.Minutes {
		if v := m.value(); !math.IsNaN(v) {
			out = append(out, judge.Reading{At: time.Unix(m.Unix, 0), Value: v})
		}
	}
	return out
}

// BlockLength is how long a gauge's blocks are; 0 while that is not chosen.
func (h *Hearing) BlockLength(name string) time.Duration { return h.record.Gauges[name].Block }
