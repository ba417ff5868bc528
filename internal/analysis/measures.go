package analysis

import (
	"time"

	"k8s.io/utils/ptr"

	"slipway.dev/slipway/api/v1alpha1"
	"slipway.dev/slipway/internal/hearing"
)

// Terms are what a release of so many steps is judged by.
func Terms(a v1alpha1.AnalysisSpec, steps int) (hearing.Terms, error) {
	policy, err := Policy(a, steps)
	if err != nil {
		return hearing.Terms{Policy: policy}, err
	}
	r := reader{}
	t := hearing.Terms{Policy: policy}
	for _, m := range Metrics(a) {
		t.Measures = append(t.Measures, r.measure(m))
	}
	return t, r.err
}

// measure says how a metric is measured.
func (r *reader) measure(m v1alpha1.Metric) hearing.Measure {
	field := "analysis.metrics[" + m.Name + "]."
	out := hearing.Measure{DataPlane: m.Signal != "", Unit: UnitOf(m)}
	switch {
	case m.Quantile != "":
		out.Kind = hearing.Quantile
		out.Quantile = r.share(field+"quantile", m.Quantile, 0)
		out.Slowdown = r.share(field+"slowdown", m.Slowdown, DefaultSlowdown)
	case ptr.Deref(m.Shape, false):
		out.Kind = hearing.Shape
	case m.Gauge.Selector != "":
		out.Kind = hearing.Gauge
		out.Tolerance = r.share(field+"tolerate.relative", m.Tolerate.Relative, DefaultRelative)
		out.LowerIsWorse = m.Gauge.WorseWhen == v1alpha1.WorseWhenLower
	case m.Histogram.Type == v1alpha1.HistogramNative:
		out.Kind = hearing.Slower
		out.Place = InUnit(r.duration(field+"slowerThan", m.SlowerThan, 0), out.Unit)
	}
	return out
}

// UnitOf is the unit of a metric's boundaries: what the data plane measures is in milliseconds as Envoy has it.
func UnitOf(m v1alpha1.Metric) string {
	if m.Histogram.Selector != "" && m.Histogram.Unit != v1alpha1.UnitMilliseconds {
		return "s"
	}
	return "ms"
}

// InUnit is a time as a histogram of that unit has it.
func InUnit(d time.Duration, unit string) float64 {
	if unit == "ms" {
		return float64(d) / float64(time.Millisecond)
	}
	return d.Seconds()
}

// Whole says that a metric comes with all boundaries of its histogram.
func Whole(m v1alpha1.Metric) bool {
	return m.Quantile != "" || ptr.Deref(m.Shape, false) || m.Histogram.Type == v1alpha1.HistogramNative && m.Histogram.Selector != ""
}
