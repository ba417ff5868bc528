package application

import (
	"errors"
	"fmt"
	"regexp"
	"strings"

	"slipway.dev/slipway/internal/telemetry"
)

const (
	boundary     = "le"
	bucketSuffix = "_bucket"
	countSuffix  = "_count"
)

// Histogram is what a user gives: a histogram's selector, and how it is kept.
type Histogram struct {
	Selector string
	// Native says that the buckets are in one series; they are always fetched as a whole.
	Native bool
	// SlowerThan is the boundary from which on a request is slow. Where it is Whole, none is chosen.
	SlowerThan telemetry.Boundary
}

// HistogramQuery makes a query for a histogram of the application. Errors name the field of the histogram.
func HistogramQuery(h Histogram, a Arms) (telemetry.Query, error) {
	s, err := parsePlain(h.Selector)
	if err != nil {
		return nil, fmt.Errorf("selector: %w", err)
	}
	if s.matched(boundary) {
		return nil, errors.New("selector: label le must not be matched: it tells the buckets apart")
	}
	if !h.SlowerThan.Whole && h.SlowerThan.Value <= 0 {
		return nil, errors.New("slowerThan: must be more than 0")
	}
	p, err := newPods(a)
	if err != nil {
		return nil, err
	}
	bound := h.SlowerThan
	bound.Whole = bound.Whole || h.Native
	return histogramQuery{histogram: s, native: h.Native, bound: bound, pods: p}, nil
}

// parsePlain reads a selector by the histogram's own name.
func parsePlain(text string) (Selector, error) {
	s, err := ParseSelector(text)
	if err != nil {
		return s, err
	}
	for _, suffix := range []string{bucketSuffix, countSuffix, "_sum"} {
		if plain, cut := strings.CutSuffix(s.name, suffix); cut {
			return s, fmt.Errorf("read selector %q: give the histogram's name, %s, without %s", text, plain, suffix)
		}
	}
	return s, nil
}

// histogramQuery counts the requests of a histogram of an application's pods.
type histogramQuery struct {
	histogram Selector
	native    bool
	bound     telemetry.Boundary
	pods
}

// Key leaves the pods out, as that of counters does.
func (q histogramQuery) Key() string {
	return fmt.Sprintf("application histogram\n%s\n%s\nnative %t at %g whole %t", q.namespace, q.histogram, q.native, q.bound.Value, q.bound.Whole)
}

func (q histogramQuery) SlowerThan() telemetry.Boundary {
	if q.bound.Whole {
		return telemetry.Boundary{Unit: q.bound.Unit, Whole: true}
	}
	return q.bound
}

func (q histogramQuery) PodsUnknown() bool { return false }

// Selector fetches by name, and by the conditions of the form label="value"; Role applies the others.
func (q histogramQuery) Selector(boundaries []string) telemetry.Selector {
	if q.native {
		return q.narrowed(q.fetch(q.histogram.name))
	}
	s := q.narrowed(q.fetch(q.histogram.name+bucketSuffix, q.histogram.name+countSuffix))
	if boundaries == nil {
		return s
	}
	patterns := []string{""} // neither the count nor the presence has the label
	for _, b := range boundaries {
		patterns = append(patterns, regexp.QuoteMeta(b))
	}
	s.Match[boundary] = patterns
	return s
}

func (q histogramQuery) narrowed(s telemetry.Selector) telemetry.Selector {
	for _, m := range q.histogram.matchers {
		if v, ok := q.histogram.equal(m.label); ok {
			s.Match[m.label] = []string{"", regexp.QuoteMeta(v)}
		}
	}
	return s
}

// Role says what a series means. Series that differ in other labels are histograms of their own, and added up.
func (q histogramQuery) Role(l telemetry.Labels) (telemetry.Role, bool) {
	part, ok := q.part(l)
	role, ours := q.role(l, part, ok)
	if part == telemetry.HistogramBucket {
		role.LE = l[boundary]
	}
	if part != telemetry.Presence {
		role.Histogram = l.Without(telemetry.NameLabel, boundary)
	}
	return role, ours
}

func (q histogramQuery) part(l telemetry.Labels) (telemetry.Part, bool) {
	name := l[telemetry.NameLabel]
	if name == presence {
		return telemetry.Presence, true
	}
	if !q.histogram.fits(l) {
		return telemetry.Presence, false
	}
	switch {
	case q.native && name == q.histogram.name:
		return telemetry.NativeHistogram, true
	case !q.native && name == q.histogram.name+countSuffix:
		return telemetry.HistogramCount, true
	case !q.native && name == q.histogram.name+bucketSuffix:
		return telemetry.HistogramBucket, true
	}
	return telemetry.Presence, false
}

// GaugeQuery makes a query for a gauge of the application. Errors name the field of the gauge.
func GaugeQuery(selector string, a Arms) (telemetry.Query, error) {
	s, err := ParseSelector(selector)
	if err != nil {
		return nil, fmt.Errorf("selector: %w", err)
	}
	p, err := newPods(a)
	if err != nil {
		return nil, err
	}
	return gaugeQuery{gauge: s, pods: p}, nil
}

// gaugeQuery reads a gauge of an application's pods.
type gaugeQuery struct {
	gauge Selector
	pods
}

func (q gaugeQuery) Key() string {
	return "application gauge\n" + q.namespace + "\n" + q.gauge.String()
}

func (q gaugeQuery) SlowerThan() telemetry.Boundary { return telemetry.Boundary{} }
func (q gaugeQuery) PodsUnknown() bool              { return false }

func (q gaugeQuery) Selector([]string) telemetry.Selector {
	s := q.fetch(q.gauge.name)
	for _, m := range q.gauge.matchers {
		if v, ok := q.gauge.equal(m.label); ok {
			s.Match[m.label] = []string{"", regexp.QuoteMeta(v)}
		}
	}
	return s
}

func (q gaugeQuery) Role(l telemetry.Labels) (telemetry.Role, bool) {
	if l[telemetry.NameLabel] == presence {
		return q.role(l, telemetry.Presence, true)
	}
	return q.role(l, telemetry.GaugeValue, q.gauge.matches(l))
}
