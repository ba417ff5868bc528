package controllers

import (
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"slipway.dev/slipway/api/v1alpha1"
)

func TestOfTwoReleasesOfADeploymentTheOlderHoldsIt(t *testing.T) {
	born := func(name string, minute int64) *v1alpha1.CanaryRelease {
		return &v1alpha1.CanaryRelease{ObjectMeta: metav1.ObjectMeta{Name: name, CreationTimestamp: metav1.NewTime(time.Unix(60*minute, 0))}}
	}
	tests := map[string]struct {
		a, b *v1alpha1.CanaryRelease
		want bool
	}{
		"the older one":                         {born("b", 0), born("a", 1), true},
		"the younger one":                       {born("a", 1), born("b", 0), false},
		"of the same age, the first by name":    {born("a", 0), born("b", 0), true},
		"of the same age, not the last by name": {born("b", 0), born("a", 0), false},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			if got := olderRelease(tc.a, tc.b); got != tc.want {
				t.Errorf("%s before %s: %v, want %v", tc.a.Name, tc.b.Name, got, tc.want)
			}
		})
	}
}
