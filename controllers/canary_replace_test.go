package controllers

import (
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"

	"slipway.dev/slipway/internal/release"
	"slipway.dev/slipway/internal/store"
)

func TestOnlyTheOneBadPodOfTheCanaryIsReplaced(t *testing.T) {
	pod := func(name string) *corev1.Pod {
		return &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: name}}
	}
	for name, c := range map[string]struct {
		replace string
		foreign bool
		want    int
	}{
		"the pod that harm is on":            {replace: "checkout-canary-1", want: 2},
		"nobody asked":                       {want: 3},
		"a pod of that name is not there":    {replace: "checkout-canary-9", want: 3},
		"a pod of stable is never taken off": {replace: "checkout-1", want: 3},
		"the Deployment is somebody else's":  {replace: "checkout-canary-1", foreign: true, want: 3},
	} {
		t.Run(name, func(t *testing.T) {
			cluster := fake.NewClientBuilder().WithObjects(pod("checkout-canary-1"), pod("checkout-canary-2"), pod("checkout-1")).Build()
			canary := &corev1.PodList{}
			if err := cluster.List(t.Context(), canary, client.InNamespace("shop")); err != nil {
				t.Fatal(err)
			}
			w := aWorld()
			w.twin, w.twinSays.Foreign = &appsv1.Deployment{}, c.foreign
			for _, p := range canary.Items {
				if p.Name != "checkout-1" {
					w.pods = append(w.pods, p)
				}
			}
			p := projection{r: &CanaryReconciler{Store: store.New(cluster)}, w: w, d: release.Decision{ReplacePod: c.replace}}
			if err := p.replacePod(t.Context()); err != nil {
				t.Fatal(err)
			}
			left := &corev1.PodList{}
			if err := cluster.List(t.Context(), left, client.InNamespace("shop")); err != nil {
				t.Fatal(err)
			}
			if len(left.Items) != c.want {
				t.Errorf("%d pods are left, want %d", len(left.Items), c.want)
			}
		})
	}
}
