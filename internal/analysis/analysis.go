// Package analysis turns the analysis block of a CanaryRelease into the policy that the judge judges by, so that the
// operator and the command line take the same words for the same thing. It must not read a cluster, a file or a clock.
package analysis

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"slipway.dev/slipway/api/v1alpha1"
	"slipway.dev/slipway/internal/judge"
)

// Defaults of fields that a block may lack when the API server's defaulting has not seen it.
const (
	DefaultRisk            = 0.05
	DefaultWarmupTolerance = 0.05
	DefaultRelative        = 0.1
	DefaultAbsolute        = 0.001
	DefaultSlowdown        = 0.1
	DefaultEvery           = 10 * time.Second
	DefaultWarmup          = time.Minute
	DefaultMaxDuration     = 2 * time.Hour
)

// DefaultMetrics are judged where the user names none: what the data plane sees by itself. Errors are worth more than
// latency, so that a version that answers with errors is found out in the fewest scrapes.
func DefaultMetrics() []v1alpha1.Metric {
	return []v1alpha1.Metric{
		{Name: "errors", Signal: v1alpha1.SignalErrors, Importance: 2, Tolerate: v1alpha1.Tolerance{Relative: "10%", Absolute: "0.1%"}},
		{Name: "latency", Signal: v1alpha1.SignalLatency, SlowerThan: "500ms", Importance: 1, Tolerate: v1alpha1.Tolerance{Relative: "10%", Absolute: "0.5%"}},
	}
}

// Metrics are the metrics of a block, or those that are judged where it names none.
func Metrics(a v1alpha1.AnalysisSpec) []v1alpha1.Metric {
	if len(a.Metrics) > 0 {
		return a.Metrics
	}
	return DefaultMetrics()
}

// Policy is what the judge is to tolerate in a release of so many steps.
func Policy(a v1alpha1.AnalysisSpec, steps int) (judge.Policy, error) {
	r := reader{}
	p := judge.Policy{
		FalseRollbackRisk: r.share("analysis.falseRollbackRisk", a.FalseRollbackRisk, DefaultRisk),
		BadPromotionRisk:  r.share("analysis.badPromotionRisk", a.BadPromotionRisk, DefaultRisk),
		WarmupTolerance:   r.share("analysis.warmupTolerance", a.WarmupTolerance, DefaultWarmupTolerance),
		Warmup:            r.duration("analysis.warmup", a.Warmup, DefaultWarmup),
		MaxDuration:       r.duration("analysis.maxDuration", a.MaxDuration, DefaultMaxDuration),
		Steps:             steps,
	}
	for _, m := range Metrics(a) {
		p.Metrics = append(p.Metrics, r.metric(m))
	}
	if r.err != nil {
		return p, r.err
	}
	return p, p.Validate()
}

// reader keeps the first error, so that a block can be read in one go.
type reader struct {
	err error
}

func (r *reader) metric(m v1alpha1.Metric) judge.MetricPolicy {
	field := "analysis.metrics[" + m.Name + "]."
	p := judge.MetricPolicy{
		Name:         m.Name,
		Relative:     r.share(field+"tolerate.relative", m.Tolerate.Relative, DefaultRelative),
		Absolute:     r.share(field+"tolerate.absolute", m.Tolerate.Absolute, DefaultAbsolute),
		Importance:   float64(max(m.Importance, 1)),
		Limit:        r.share(field+"limit", m.Limit, 0),
		LowerIsWorse: m.Counts.Good != "",
	}
	switch {
	case m.Quantile != "":
		// What may be slower than stable's quantile, slowed down, is the part that is above it anyway.
		p.Relative, p.Absolute = 0, 1-r.share(field+"quantile", m.Quantile, 0)
	case m.Gauge.Selector != "":
		p.Relative, p.Absolute, p.Signs = 0, 0, true
	}
	return p
}

func (r *reader) share(field string, text v1alpha1.Percent, absent float64) float64 {
	v, err := Share(field, text, absent)
	r.keep(err)
	return v
}

func (r *reader) duration(field string, text v1alpha1.Duration, absent time.Duration) time.Duration {
	d, err := Duration(field, text, absent)
	r.keep(err)
	return d
}

func (r *reader) keep(err error) {
	if r.err == nil {
		r.err = err
	}
}

// Duration reads a GEP-2257 duration, which is a subset of what Go reads. The field is named in the error.
func Duration(field string, text v1alpha1.Duration, absent time.Duration) (time.Duration, error) {
	if text == "" {
		return absent, nil
	}
	d, err := time.ParseDuration(string(text))
	if err != nil {
		return 0, fmt.Errorf("%s: %q is not a duration such as 90s or 1m30s", field, text)
	}
	return d, nil
}

// Share reads a percentage as a share: 0.1% is 0.001. The field is named in the error.
func Share(field string, text v1alpha1.Percent, absent float64) (float64, error) {
	if text == "" {
		return absent, nil
	}
	v, err := strconv.ParseFloat(strings.TrimSuffix(string(text), "%"), 64)
	if err != nil {
		return 0, fmt.Errorf("%s: %q is not a percentage such as 0.1%%", field, text)
	}
	return v / 100, nil
}
