package controllers

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"slipway.dev/slipway/api/v1alpha1"
	"slipway.dev/slipway/internal/analysis"
	"slipway.dev/slipway/internal/release"
)

func aRelease(change ...func(*v1alpha1.CanaryRelease)) *v1alpha1.CanaryRelease {
	cr := &v1alpha1.CanaryRelease{
		ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "checkout", UID: "r1", Generation: 3},
		Spec: v1alpha1.CanaryReleaseSpec{
			TargetRef:  v1alpha1.TargetReference{Kind: v1alpha1.TargetDeployment, Name: "checkout"},
			ServiceRef: v1alpha1.ServiceReference{Name: "checkout"},
			RouteRefs:  []v1alpha1.RouteReference{{Group: new("gateway.networking.k8s.io"), Kind: "HTTPRoute", Name: "checkout"}},
			Steps:      []v1alpha1.Step{{WeightPercent: 5}, {WeightPercent: 50, Hold: new(true)}},
		},
	}
	for _, c := range change {
		c(cr)
	}
	return cr
}

func TestPlanOfAnEmptySpecIsTheCarefulOne(t *testing.T) {
	got, err := planOf(aRelease())
	if err != nil {
		t.Fatal(err)
	}
	want := release.Plan{
		Steps:         []release.Step{{WeightPercent: 5}, {WeightPercent: 50, Hold: true}},
		KeepFailedFor: time.Hour, MinStepDuration: time.Minute, MaxDuration: 2 * time.Hour, Drain: drainTime,
		OnDelete: release.PutBack,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("plan (-want +got):\n%s", diff)
	}
}

func TestWhatCannotBeReadNamesTheField(t *testing.T) {
	cases := map[string]struct {
		change func(*v1alpha1.CanaryRelease)
		want   string
	}{
		"a duration with a fraction unit": {func(c *v1alpha1.CanaryRelease) { c.Spec.Analysis.MaxDuration = "two hours" }, "analysis.maxDuration"},
		"a keepFailedFor without a unit":  {func(c *v1alpha1.CanaryRelease) { c.Spec.Canary.KeepFailedFor = "60" }, "canary.keepFailedFor"},
		"a tolerance that is no number": {func(c *v1alpha1.CanaryRelease) {
			c.Spec.Analysis.Metrics = []v1alpha1.Metric{{Name: "e", Tolerate: v1alpha1.Tolerance{Absolute: "little"}}}
		}, "analysis.metrics[e].tolerate.absolute"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			cr := aRelease(tc.change)
			_, planErr := planOf(cr)
			_, policyErr := analysis.Terms(cr.Spec.Analysis, len(cr.Spec.Steps))
			text := ""
			for _, err := range []error{planErr, policyErr} {
				if err != nil {
					text += err.Error()
				}
			}
			if !strings.Contains(text, tc.want) {
				t.Errorf("errors %q, want them to name %s", text, tc.want)
			}
		})
	}
}

func TestNextShareIsThatOfTheNextStepOrAll(t *testing.T) {
	plan, _ := planOf(aRelease())
	if got := [...]float64{nextShareOf(plan, 0), nextShareOf(plan, 1)}; got != [...]float64{0.5, 1} {
		t.Errorf("next shares %v, want 0.5 and 1", got)
	}
}
