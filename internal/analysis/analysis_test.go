package analysis

import (
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"slipway.dev/slipway/api/v1alpha1"
	"slipway.dev/slipway/internal/judge"
)

func TestPolicy(t *testing.T) {
	defaults := judge.Policy{
		FalseRollbackRisk: .05, BadPromotionRisk: .05, WarmupTolerance: .05,
		Warmup: time.Minute, MaxDuration: 2 * time.Hour, Steps: 4,
		Metrics: []judge.MetricPolicy{
			{Name: "errors", Relative: .1, Absolute: .001, Importance: 2},
			{Name: "latency", Relative: .1, Absolute: .005, Importance: 1},
		},
	}
	own := defaults
	own.FalseRollbackRisk, own.MaxDuration = .01, 90*time.Second
	own.Metrics = []judge.MetricPolicy{{Name: "checkouts", Relative: .2, Absolute: 0, Importance: 1, Limit: .05}}
	for name, c := range map[string]struct {
		block v1alpha1.AnalysisSpec
		want  judge.Policy
	}{
		"an empty block has every default": {want: defaults},
		"what is said counts": {
			block: v1alpha1.AnalysisSpec{
				FalseRollbackRisk: "1%", MaxDuration: "1m30s",
				Metrics: []v1alpha1.Metric{{Name: "checkouts", Limit: "5%", Tolerate: v1alpha1.Tolerance{Relative: "20%", Absolute: "0%"}}},
			},
			want: own,
		},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := Policy(c.block, 4)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestBlockThatCannotBeRead(t *testing.T) {
	for name, block := range map[string]v1alpha1.AnalysisSpec{
		"a percentage of words":   {BadPromotionRisk: "few"},
		"a duration of words":     {Warmup: "soon"},
		"a tolerance of words":    {Metrics: []v1alpha1.Metric{{Name: "a", Tolerate: v1alpha1.Tolerance{Absolute: "x%"}}}},
		"a limit of more than is": {Metrics: []v1alpha1.Metric{{Name: "a", Limit: "120%"}}},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := Policy(block, 1); err == nil {
				t.Error("it was read")
			}
		})
	}
	if _, err := Policy(v1alpha1.AnalysisSpec{FalseRollbackRisk: "0%"}, 1); !errors.Is(err, judge.ErrPolicy) {
		t.Errorf("a risk of nothing: %v", err)
	}
}
