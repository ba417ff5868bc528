package controllers

import (
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"slipway.dev/slipway/api/v1alpha1"
)

func TestOldestOf(t *testing.T) {
	noon := time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC)
	release := func(name, deployment string, minute int) v1alpha1.CanaryRelease {
		return v1alpha1.CanaryRelease{
			ObjectMeta: metav1.ObjectMeta{Name: name, CreationTimestamp: metav1.NewTime(noon.Add(time.Duration(minute) * time.Minute))},
			Spec:       v1alpha1.CanaryReleaseSpec{TargetRef: v1alpha1.TargetReference{Name: deployment}},
		}
	}
	tests := map[string]struct {
		all  []v1alpha1.CanaryRelease
		want string
	}{
		"none":                                 {},
		"of another Deployment":                {all: []v1alpha1.CanaryRelease{release("a", "cart", 0)}},
		"the older one holds it":               {all: []v1alpha1.CanaryRelease{release("a", "shop", 1), release("b", "shop", 0)}, want: "b"},
		"of the same age the first by name":    {all: []v1alpha1.CanaryRelease{release("b", "shop", 0), release("a", "shop", 0)}, want: "a"},
		"another Deployment's is not compared": {all: []v1alpha1.CanaryRelease{release("a", "shop", 1), release("b", "cart", 0)}, want: "a"},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			if got := oldestOf("shop", tc.all); got != tc.want {
				t.Errorf("oldest is %q, want %q", got, tc.want)
			}
		})
	}
}
