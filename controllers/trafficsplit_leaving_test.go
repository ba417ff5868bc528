package controllers

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"slipway.dev/slipway/api/v1alpha1"
	"slipway.dev/slipway/internal/traffic"
	"slipway.dev/slipway/internal/traffic/gatewayapi"
)

// A split of 50/50 on the routes shop and old, whose spec names shop alone since generation 2.
func TestSplitLeavesARoute(t *testing.T) {
	half := []traffic.Backend{{Name: "checkout", Weight: 50}, {Name: "checkout-canary", Weight: 50}}
	since := metav1.MicroTime{Time: splitNow.Add(-10 * time.Second)}
	leaving := []v1alpha1.LeavingRoute{{Name: "old", Since: &since}}
	tests := map[string]struct {
		recorded   []traffic.Backend
		generation int64
		leaving    []v1alpha1.LeavingRoute
		settled    bool
		change     func(*splitFacts)
		want       []v1alpha1.LeavingRoute
		wantNext   bool // a new record
	}{
		"the spec has changed: the route is left by a feather": {
			recorded: half, generation: 1,
			want: []v1alpha1.LeavingRoute{{Name: "old", Since: &metav1.MicroTime{Time: splitNow}}}, wantNext: true,
		},
		"it is waited until the data plane has the feather": {recorded: half, generation: 2, leaving: leaving, want: leaving},
		"the feather is applied: the route is forgotten":    {recorded: half, generation: 2, leaving: leaving, settled: true, wantNext: true},
		"a route that was forgotten is not left again":      {recorded: half, generation: 2},
		"a data plane that never answers is not waited for longer than for a deleted split": {
			recorded: half, generation: 2, leaving: leaving, wantNext: true,
			change: func(f *splitFacts) { f.now = since.Add(splitReleaseLimit) },
		},
		"a route that somebody has cleaned is forgotten": {
			recorded: half, generation: 2, leaving: leaving, wantNext: true, change: func(f *splitFacts) { f.left = nil },
		},
		"with nobody but the Service there is nothing to leave slowly": {
			recorded: []traffic.Backend{{Name: "checkout", Weight: 1}}, generation: 1,
		},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			scene := splitScene{recorded: tc.recorded, wanted: tc.recorded, onRoute: true, answered: true, settled: tc.settled}
			f := scene.facts(t)
			f.split.Status.Run.Generation, f.split.Status.Run.Leaving = new(tc.generation), tc.leaving
			carried := scene
			if len(tc.leaving) > 0 {
				carried.recorded = leavingBackends(f.split, tc.recorded)
			}
			scened := f.split.DeepCopy()
			scened.Status.Run.Backends = apiBackends(carried.recorded)
			ref := v1alpha1.RouteReference{Name: "old"}
			live := carried.route(t, scened, ref)
			live.SetName("old")
			f.left = []splitRoute{{
				ref: ref, key: splitTarget(f.split, ref), live: live, router: gatewayapi.Router{}, seen: traffic.Seen{Target: live},
				carried: &gatewayapi.Carried(live)[0],
			}}
			if tc.change != nil {
				tc.change(&f)
			}
			d := decideSplit(f)
			if diff := cmp.Diff(tc.want, d.status.Run.Leaving); diff != "" {
				t.Errorf("leaving (-want +got):\n%s", diff)
			}
			if next := ptr.Deref(d.status.Run.Sequence, 0) > 4; next != tc.wantNext {
				t.Errorf("sequence = %d, want a new record: %v", *d.status.Run.Sequence, tc.wantNext)
			}
			checkSplitConditions(t, d.status.Conditions)
		})
	}
}
