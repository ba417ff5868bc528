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

// leftRoute is the route old, which carries the split's record and is not named by its spec.
func leftRoute(t *testing.T, scene splitScene, split *v1alpha1.TrafficSplit) splitRoute {
	t.Helper()
	ref := formerRef("HTTPRoute", "old", "", v1alpha1.DataPlaneGatewayAPI)
	live := scene.route(t, split, ref)
	live.SetName("old")
	seen := traffic.Seen{Target: live}
	out := splitRoute{ref: ref, key: splitTarget(split, ref), router: gatewayapi.Router{}, live: live, seen: seen}
	for _, on := range out.router.Carried(seen).Splits {
		out.carried = &on
	}
	return out
}

// A split of 50/50 on the routes shop and old, whose spec names shop alone since generation 2.
func TestSplitLeavesARoute(t *testing.T) {
	half := []traffic.Backend{{Name: "checkout", Weight: 50}, {Name: "checkout-canary", Weight: 50}}
	since := metav1.MicroTime{Time: splitNow.Add(-10 * time.Second)}
	at := func(since metav1.MicroTime) []v1alpha1.LeavingRoute {
		return []v1alpha1.LeavingRoute{{Kind: "HTTPRoute", Name: "old", DataPlane: v1alpha1.DataPlaneGatewayAPI, Since: &since}}
	}
	leaving := at(since)
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
			want: at(metav1.MicroTime{Time: splitNow}), wantNext: true,
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
			onOld := f.split.DeepCopy()
			if len(tc.leaving) > 0 {
				onOld.Status.Run = leavingRun(onOld, onOld.Status.Run)
			}
			f.left = []splitRoute{leftRoute(t, scene, onOld)}
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

// What a route carries of a split that leaves it sends nobody anywhere but to the Service, and takes nothing away from the
// data plane yet.
func TestLeavingTakesEverythingWithTheWeight(t *testing.T) {
	match := []v1alpha1.TrafficMatch{{Backend: "checkout-canary", Headers: []v1alpha1.HeaderCondition{{Name: "x-beta", Value: "yes"}}}}
	cookie := v1alpha1.SplitAffinity{Cookie: v1alpha1.AffinityCookie{Name: "arm"}, Round: "r"}
	for name, tc := range map[string]struct{ run, want v1alpha1.SplitRun }{
		"the weights go to a feather": {
			run:  v1alpha1.SplitRun{Backends: shares(50, 50)},
			want: v1alpha1.SplitRun{Backends: shares(999_999, 1)},
		},
		"rules take no requests any more": {
			run:  v1alpha1.SplitRun{Backends: shares(50, 50), Rules: v1alpha1.SplitRulesActive, Matches: match, Affinity: cookie},
			want: v1alpha1.SplitRun{Backends: shares(999_999, 1), Rules: v1alpha1.SplitRulesDormant, Matches: match, Affinity: cookie},
		},
		"nothing is copied any more": {
			run:  v1alpha1.SplitRun{Backends: shares(999_999, 1), Mirror: v1alpha1.TrafficMirror{Backend: "checkout-canary", Percent: 10}},
			want: v1alpha1.SplitRun{Backends: shares(999_999, 1)},
		},
	} {
		t.Run(name, func(t *testing.T) {
			split := &v1alpha1.TrafficSplit{}
			split.Spec.ServiceRef.Name = "checkout"
			if diff := cmp.Diff(tc.want, leavingRun(split, tc.run)); diff != "" {
				t.Errorf("carried (-want +got):\n%s", diff)
			}
		})
	}
}

func shares(stable, canary int32) []v1alpha1.WeightedBackend {
	return []v1alpha1.WeightedBackend{{Name: "checkout", Weight: &stable}, {Name: "checkout-canary", Weight: &canary}}
}

// A route is left although the spec that names it no longer cannot be followed: it takes users off.
func TestARouteIsLeftAlthoughTheSpecIsRefused(t *testing.T) {
	half := []traffic.Backend{{Name: "checkout", Weight: 50}, {Name: "checkout-canary", Weight: 50}}
	scene := splitScene{recorded: half, wanted: half, onRoute: true, answered: true, refusal: traffic.Refused(traffic.NotReady, "no")}
	f := scene.facts(t)
	f.split.Status.Run.Generation = new(int64(1))
	f.left = []splitRoute{leftRoute(t, scene, f.split)}
	d := decideSplit(f)
	if len(d.status.Run.Leaving) != 1 || *d.status.Run.Sequence != 5 {
		t.Errorf("run = %+v, want a new record that leaves the route", d.status.Run)
	}
	if diff := cmp.Diff(half, trafficBackends(d.status.Run.Backends)); diff != "" {
		t.Errorf("backends (-want +got):\n%s", diff)
	}
}

// What a route of another kind was called in a status is what the spec called it.
func TestFormerRefFindsTheTarget(t *testing.T) {
	split := &v1alpha1.TrafficSplit{ObjectMeta: metav1.ObjectMeta{Namespace: "shop"}}
	for _, kind := range targetKinds {
		ref := formerRef(kind.Kind, "old", "", "")
		if got := splitTarget(split, ref); got.kind != kind.GroupKind() || got.Name != "old" {
			t.Errorf("%s became %s", kind.GroupKind(), got.kind)
		}
	}
}

// A route that has only to settle is not what the others wait for.
func TestTheRouteThatIsWaitedForIsNamed(t *testing.T) {
	yes := traffic.Verdict{State: traffic.True, Good: true}
	settling := traffic.Verdict{State: traffic.Unknown, Cause: traffic.Settling, Good: true}
	pending := traffic.Verdict{State: traffic.Unknown, Cause: traffic.DataPlanePending}
	for name, tc := range map[string]struct {
		verdicts []traffic.Verdict
		want     int
	}{
		"nothing is waited for":             {verdicts: []traffic.Verdict{yes, yes}, want: -1},
		"all settle: the first of them":     {verdicts: []traffic.Verdict{yes, settling, settling}, want: 1},
		"one has not answered, one settles": {verdicts: []traffic.Verdict{settling, pending}, want: 1},
	} {
		t.Run(name, func(t *testing.T) {
			if got := waitedFor(tc.verdicts); got != tc.want {
				t.Errorf("waited for %d, want %d", got, tc.want)
			}
		})
	}
}
