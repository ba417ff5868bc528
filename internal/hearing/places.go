package hearing

import (
	"fmt"
	"math"
	"slices"

	"slipway.dev/slipway/internal/judge"
	"slipway.dev/slipway/internal/telemetry"
)

// past is stable's histogram so far.
type past struct {
	Requests float64 `json:"n"`
	// Bounds and Counts are those of a classic histogram; Schema, Indices and Counts those of a native one.
	Bounds  []float64 `json:"b,omitempty"`
	Native  bool      `json:"v,omitempty"`
	Schema  int       `json:"s,omitempty"`
	Zero    float64   `json:"z,omitempty"`
	Indices []int     `json:"i,omitempty"`
	Counts  []float64 `json:"c,omitempty"`
	// Problem says why no place can be chosen. It is a sentence for the user.
	Problem string `json:"p,omitempty"`
}

func pastOf(d telemetry.Distribution) past {
	p := past{Requests: d.Requests}
	if d.Native.Buckets == nil {
		for bound := range d.AtMost {
			if !math.IsInf(bound, 0) {
				p.Bounds = append(p.Bounds, bound)
			}
		}
		slices.Sort(p.Bounds)
		for _, bound := range p.Bounds {
			p.Counts = append(p.Counts, d.AtMost[bound])
		}
		return p
	}
	p.Native, p.Schema, p.Zero = true, d.Native.Schema, d.Native.Zero
	for i := range d.Native.Buckets {
		p.Indices = append(p.Indices, i)
	}
	slices.Sort(p.Indices)
	for _, i := range p.Indices {
		p.Counts = append(p.Counts, d.Native.Buckets[i])
	}
	return p
}

// distribution is the past as telemetry has it.
func (p past) distribution() telemetry.Distribution {
	d := telemetry.Distribution{Arm: telemetry.Stable, Requests: p.Requests}
	if p.Native {
		d.Native = judge.NativeHistogram{Schema: p.Schema, Zero: p.Zero, Buckets: map[int]float64{}}
		for k, i := range p.Indices {
			d.Native.Buckets[i] = p.Counts[k]
		}
		return d
	}
	d.AtMost = map[float64]float64{}
	for k, bound := range p.Bounds {
		d.AtMost[bound] = p.Counts[k]
	}
	return d
}

// choose adds the interval to stable's past and chooses places where enough of it is known. What is chosen holds from the
// next interval on: it must be known before what it is used for.
func (h *Hearing) choose(t Terms, look telemetry.Look) {
	for i, measure := range t.Measures {
		name := t.Policy.Metrics[i].Name
		if !measure.whole() || len(h.record.Places[name]) > 0 {
			continue
		}
		p := h.record.Pasts[name].with(look.Metrics[i].Distributions)
		places := []float64(nil)
		if p.Requests >= measure.enough() {
			places, p.Problem = measure.places(p.distribution())
		}
		if len(places) == 0 {
			h.record.Pasts = put(h.record.Pasts, name, p)
			continue
		}
		delete(h.record.Pasts, name)
		h.record.Places = put(h.record.Places, name, places)
	}
}

func put[V any](m map[string]V, key string, v V) map[string]V {
	if m == nil {
		m = map[string]V{}
	}
	m[key] = v
	return m
}

// with adds what stable's pods have answered. Histograms that have no boundary in common cannot be added.
func (p past) with(all []telemetry.Distribution) past {
	sum, begun := p.distribution(), p.Requests > 0
	for _, d := range all {
		switch {
		case d.Arm != telemetry.Stable:
		case !begun:
			sum, begun = pastOf(d).distribution(), true
		default:
			sum.Add(d)
		}
	}
	if !begun {
		return p
	}
	return pastOf(sum)
}

// places chooses where the metric is compared, or says why it cannot be.
func (m Measure) places(d telemetry.Distribution) (places []float64, problem string) {
	b := d.Buckets()
	switch m.Kind {
	case Slower:
		return m.at(d, b, m.Place, fmt.Sprintf("slowerThan %s", inUnit(m.Place, m.Unit)))
	case Quantile:
		x := (1 + m.Slowdown) * b.Quantile(m.Quantile)
		return m.at(d, b, x, fmt.Sprintf("%s%% of stable's requests take up to %s; with the slowdown that", number(100*m.Quantile), inUnit(b.Quantile(m.Quantile), m.Unit)))
	case Shape:
		found := judge.ShapeBoundaries(b)
		if len(found) == 0 {
			// Nearly all of stable is between two boundaries: what becomes slower is seen at the upper one.
			return m.at(d, b, b.Quantile(.995), "where one in two hundred of stable's requests is slower")
		}
		for cut := range shapeCuts {
			places = append(places, found[cut*(len(found)-1)/(shapeCuts-1)])
		}
		return places, ""
	case Counts, Gauge:
	}
	return nil, ""
}

// at is the boundary at or above x. A native histogram has one everywhere.
func (m Measure) at(d telemetry.Distribution, b judge.Buckets, x float64, what string) ([]float64, string) {
	bound, err := b.AtOrAbove(x)
	if d.Native.Buckets != nil && !math.IsInf(x, 0) && x > 0 {
		bound, _, _ = d.Native.Above(x)
		err = nil
	}
	if err != nil {
		return nil, fmt.Sprintf("%s is above all boundaries of the histogram (%s): give it higher ones, or give slowerThan below them", what, m.list(b))
	}
	places := make([]float64, m.comparisons())
	for i := range places {
		places[i] = bound
	}
	return places, ""
}

// list names a histogram's boundaries.
func (m Measure) list(b judge.Buckets) string {
	text := ""
	for _, v := range b.Bounds {
		if math.IsInf(v, 0) {
			continue
		}
		if text != "" {
			text += ", "
		}
		text += inUnit(v, m.Unit)
	}
	return text
}

// Unplaced says which metrics give no evidence yet, and why; empty for none.
func (h *Hearing) Unplaced(t Terms) []string {
	var out []string
	for i, measure := range t.Measures {
		name := t.Policy.Metrics[i].Name
		if !measure.whole() || len(h.record.Places[name]) > 0 {
			continue
		}
		p := h.record.Pasts[name]
		why := p.Problem
		if why == "" {
			why = fmt.Sprintf("%s of %s requests of stable are seen that tell where to compare it", number(min(p.Requests, measure.enough())), number(measure.enough()))
		}
		out = append(out, fmt.Sprintf("metric %q: %s", name, why))
	}
	return out
}

// Impossible says which metrics can never be compared as they are, whatever is waited for; empty for none.
func (h *Hearing) Impossible(t Terms) []string {
	var out []string
	for i := range t.Measures {
		name := t.Policy.Metrics[i].Name
		if p := h.record.Pasts[name]; p.Problem != "" {
			out = append(out, fmt.Sprintf("metric %q: %s", name, p.Problem))
		}
	}
	return out
}

// Notes say where metrics are compared, for people.
func (h *Hearing) Notes(t Terms) []string {
	var out []string
	for i, measure := range t.Measures {
		name := t.Policy.Metrics[i].Name
		places := h.record.Places[name]
		if measure.Kind == Slower && len(places) > 0 && math.Abs(places[0]-measure.Place) > 1e-9*measure.Place {
			out = append(out, fmt.Sprintf("metric %q: requests slower than %s are counted: the histogram has no boundary at %s",
				name, inUnit(places[0], measure.Unit), inUnit(measure.Place, measure.Unit)))
		}
	}
	return out
}
