package analysis

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"slipway.dev/slipway/api/v1alpha1"
	"slipway.dev/slipway/internal/hearing"
	"slipway.dev/slipway/internal/judge"
)

func TestEachKindOfMetricHasItsTerms(t *testing.T) {
	whole := true
	tolerance := v1alpha1.Tolerance{Relative: "20%", Absolute: "1%"}
	for name, c := range map[string]struct {
		metric  v1alpha1.Metric
		policy  judge.MetricPolicy
		measure hearing.Measure
		whole   bool
	}{
		"errors as the data plane sees them": {
			metric:  v1alpha1.Metric{Signal: v1alpha1.SignalErrors, Tolerate: tolerance, Limit: "5%"},
			policy:  judge.MetricPolicy{Relative: .2, Absolute: .01, Limit: .05},
			measure: hearing.Measure{DataPlane: true, Unit: "ms"},
		},
		"a tolerance that is not given": {
			metric:  v1alpha1.Metric{Signal: v1alpha1.SignalErrors},
			policy:  judge.MetricPolicy{Relative: .1, Absolute: .001},
			measure: hearing.Measure{DataPlane: true, Unit: "ms"},
		},
		"slower than": {
			metric:  v1alpha1.Metric{Signal: v1alpha1.SignalLatency, SlowerThan: "1s", Tolerate: tolerance},
			policy:  judge.MetricPolicy{Relative: .2, Absolute: .01},
			measure: hearing.Measure{DataPlane: true, Unit: "ms"},
		},
		"a quantile tolerates what is above it": {
			metric:  v1alpha1.Metric{Signal: v1alpha1.SignalLatency, Quantile: "75%", Slowdown: "50%"},
			policy:  judge.MetricPolicy{Absolute: .25},
			measure: hearing.Measure{Kind: hearing.Quantile, Quantile: .75, Slowdown: .5, DataPlane: true, Unit: "ms"},
			whole:   true,
		},
		"a whole distribution of the application": {
			metric:  v1alpha1.Metric{Histogram: v1alpha1.Histogram{Selector: "s"}, Shape: &whole, Tolerate: tolerance},
			policy:  judge.MetricPolicy{Relative: .2, Absolute: .01},
			measure: hearing.Measure{Kind: hearing.Shape, Unit: "s"},
			whole:   true,
		},
		"a native histogram in milliseconds": {
			metric:  v1alpha1.Metric{Histogram: v1alpha1.Histogram{Selector: "s", Type: v1alpha1.HistogramNative, Unit: v1alpha1.UnitMilliseconds}, SlowerThan: "1s"},
			policy:  judge.MetricPolicy{Relative: .1, Absolute: .001},
			measure: hearing.Measure{Kind: hearing.Slower, Place: 1000, Unit: "ms"},
			whole:   true,
		},
		"a gauge of which less is worse": {
			metric:  v1alpha1.Metric{Gauge: v1alpha1.Gauge{Selector: "s", WorseWhen: v1alpha1.WorseWhenLower}, Tolerate: v1alpha1.Tolerance{Relative: "30%"}},
			policy:  judge.MetricPolicy{Signs: true},
			measure: hearing.Measure{Kind: hearing.Gauge, Tolerance: .3, LowerIsWorse: true, Unit: "ms"},
		},
		"counts of what is good": {
			metric:  v1alpha1.Metric{Counts: v1alpha1.CounterPair{Good: "orders", Total: "visits"}, Tolerate: tolerance},
			policy:  judge.MetricPolicy{Relative: .2, Absolute: .01, LowerIsWorse: true},
			measure: hearing.Measure{Unit: "ms"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			c.metric.Name, c.policy.Name, c.policy.Importance = "m", "m", 1
			got, err := Terms(v1alpha1.AnalysisSpec{Metrics: []v1alpha1.Metric{c.metric}}, 2)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.policy, got.Policy.Metrics[0]); diff != "" {
				t.Errorf("policy (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(c.measure, got.Measures[0]); diff != "" {
				t.Errorf("measure (-want +got):\n%s", diff)
			}
			if Whole(c.metric) != c.whole {
				t.Errorf("fetched as a whole: %t, want %t", !c.whole, c.whole)
			}
		})
	}
}
