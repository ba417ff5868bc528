// Package hearing keeps the evidence of one release: it makes what the judge takes of what telemetry has seen. Where a
// histogram is compared, how long a gauge's blocks are, what stable's past was: all that is chosen once, from looks alone,
// and is on record with the evidence. It must not use a clock, the network, a client or a log: looks in, evidence out. A
// hearing that is read back and given the looks after its last one has the evidence of one that never stopped.
package hearing

import (
	"math"
	"slices"
	"strconv"
	"time"

	"slipway.dev/slipway/internal/judge"
)

// Kind is how a metric is measured. The zero value is the plainest.
type Kind int

// The kinds.
const (
	// Counts are requests and bad requests.
	Counts Kind = iota
	// Slower is the share of requests above a place that the user named, of a histogram that comes as a whole.
	Slower
	// Quantile is the share above a place that is chosen from stable's past.
	Quantile
	// Shape is the shares above several such places.
	Shape
	// Gauge is a value over blocks of time.
	Gauge
)

// shapeCuts is at how many places a whole distribution is compared. It is fixed before anything is seen: the number of
// comparisons must not depend on it.
const shapeCuts = 5

// Measure says how a metric's looks become what the judge takes.
type Measure struct {
	Kind Kind
	// Place is where requests become slow, for Slower; in the histogram's unit.
	Place float64
	// Quantile and Slowdown are shares, for Quantile.
	Quantile, Slowdown float64
	// Tolerance is by how much a gauge's mean may be over stable's, as a share.
	Tolerance float64
	// LowerIsWorse says so of a gauge.
	LowerIsWorse bool
	// Unit is that of a histogram's boundaries, for people.
	Unit string
	// DataPlane says that the metric counts the requests that the route sends, so that the split can be seen in it.
	DataPlane bool
}

// whole says that the metric comes as distributions.
func (m Measure) whole() bool { return m.Kind == Slower || m.Kind == Quantile || m.Kind == Shape }

// comparisons is how many of the judge's metrics one of the user's is.
func (m Measure) comparisons() int {
	if m.Kind == Shape {
		return shapeCuts
	}
	return 1
}

// enough is how many requests of stable must have been seen before a place is chosen: twenty above a quantile, five above
// the last cut of a shape.
func (m Measure) enough() float64 {
	switch m.Kind {
	case Slower:
		return 1
	case Quantile:
		return max(200, 20/(1-m.Quantile))
	case Shape:
		return 1000
	case Counts, Gauge:
	}
	return 0
}

// Terms are what a hearing is by: one measure for each metric of the policy.
type Terms struct {
	Policy   judge.Policy
	Measures []Measure
}

// comparison is one of the judge's metrics: which metric of the user's it is of, and which of its places.
type comparison struct {
	metric, cut int
}

// comparisons are the judge's metrics in its order: first those that show how the traffic is split, for the judge looks
// at the first one for that.
func (t Terms) comparisons() []comparison {
	var out []comparison
	for i, m := range t.Measures {
		for cut := range m.comparisons() {
			out = append(out, comparison{metric: i, cut: cut})
		}
	}
	slices.SortStableFunc(out, func(a, b comparison) int { return t.rank(a) - t.rank(b) })
	return out
}

func (t Terms) rank(c comparison) int {
	m := t.Measures[c.metric]
	switch {
	case m.DataPlane && m.Kind == Counts:
		return 0
	case m.DataPlane:
		return 1
	case m.Kind != Gauge:
		return 2
	}
	return 3
}

// policy is that of the comparisons. The parts of a shape share its importance, so that their evidence of harm is
// averaged; the gate is passed when the least of them is (judging-method section 7).
func (t Terms) policy(places map[string][]float64) judge.Policy {
	p := t.Policy
	p.Metrics = nil
	for _, c := range t.comparisons() {
		metric, measure := t.Policy.Metrics[c.metric], t.Measures[c.metric]
		if metric.Importance == 0 {
			metric.Importance = 1
		}
		metric.Importance /= float64(measure.comparisons())
		metric.Signs = measure.Kind == Gauge
		if at := places[metric.Name]; measure.whole() && c.cut < len(at) {
			metric.Name += " above " + inUnit(at[c.cut], measure.Unit)
		}
		p.Metrics = append(p.Metrics, metric)
	}
	return p
}

// splitSeen says that the first comparison counts what the route sends.
func (t Terms) splitSeen() bool {
	c := t.comparisons()
	return len(c) > 0 && t.rank(c[0]) < 3
}

// inUnit is a place for people.
func inUnit(v float64, unit string) string {
	factor := time.Second
	if unit == "ms" {
		factor = time.Millisecond
	}
	d := v * float64(factor)
	if d < 1 || d > float64(100*time.Hour) || math.IsNaN(d) {
		return strconv.FormatFloat(v, 'g', 4, 64) + unit
	}
	round := time.Microsecond
	if d > float64(10*time.Millisecond) {
		round = 100 * time.Microsecond
	}
	return time.Duration(d).Round(round).String()
}
