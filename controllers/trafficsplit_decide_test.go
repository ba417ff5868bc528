package controllers

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/utils/ptr"

	"slipway.dev/slipway/api/v1alpha1"
	"slipway.dev/slipway/internal/traffic"
	"slipway.dev/slipway/internal/traffic/gatewayapi"
)

var splitNow = time.Unix(10_000, 0).UTC()

// splitScene is a split of checkout 95/5 in the middle of its life.
type splitScene struct {
	recorded  []traffic.Backend // nil: nothing recorded yet
	wanted    []traffic.Backend
	onRoute   bool // the route carries the record
	answered  bool // the data plane has accepted it
	settled   bool
	deleting  time.Duration // how long ago the split was deleted; zero: it was not
	noRoute   bool
	ready     map[string]int
	conflict  *traffic.Conflict
	refusal   error
	contested string
}

func (s splitScene) facts(t *testing.T) splitFacts {
	t.Helper()
	split := &v1alpha1.TrafficSplit{ObjectMeta: metav1.ObjectMeta{Name: "checkout", Namespace: "shop", UID: "u1", Generation: 2}}
	split.Spec.ServiceRef.Name = "checkout"
	split.Spec.Backends = apiBackends(s.wanted)
	ref := v1alpha1.RouteReference{Name: "shop"}
	split.Spec.RouteRefs = []v1alpha1.RouteReference{ref}
	if s.deleting > 0 {
		split.DeletionTimestamp = &metav1.Time{Time: splitNow.Add(-s.deleting)}
	}
	if s.recorded != nil {
		split.Status.Run = v1alpha1.SplitRun{Sequence: new(int64(4)), Backends: apiBackends(s.recorded)}
	}
	f := splitFacts{split: split, conflict: s.conflict, ready: s.ready, now: splitNow}
	if f.ready == nil {
		f.ready = map[string]int{"checkout": 1, "checkout-canary": 1}
	}
	if s.settled {
		f.goodSince = splitNow.Add(-gatewayapi.SettleTime)
	}
	route := splitRoute{ref: ref, key: splitTarget(split, ref), router: gatewayapi.Router{}, refusal: s.refusal, contestedBy: s.contested}
	if !s.noRoute {
		route.live = s.route(t, split, ref)
		route.seen = traffic.Seen{Target: route.live}
		for _, on := range gatewayapi.Carried(route.live) {
			route.carried = &on
		}
	}
	f.routes = []splitRoute{route}
	return f
}

func (s splitScene) route(t *testing.T, split *v1alpha1.TrafficSplit, ref v1alpha1.RouteReference) *unstructured.Unstructured {
	t.Helper()
	route := newHTTPRoute()
	route.SetName("shop")
	route.SetNamespace("shop")
	route.Object["spec"] = map[string]any{
		"parentRefs": []any{map[string]any{"name": "eg"}},
		"rules":      []any{map[string]any{"backendRefs": []any{map[string]any{"name": "checkout", "port": int64(80)}}}},
	}
	if s.onRoute {
		rendered, err := gatewayapi.HTTPRoute{}.Render(route, traffic.Intent{Splits: []traffic.Split{routeSplit(split, ref, split.Status.Run)}})
		if err != nil {
			t.Fatal(err)
		}
		route = rendered
	}
	if s.answered {
		yes := func(kind string) any { return map[string]any{"type": kind, "status": "True"} }
		route.Object["status"] = map[string]any{"parents": []any{map[string]any{
			"parentRef": map[string]any{"name": "eg"}, "controllerName": gatewayapi.EnvoyGateway, "conditions": []any{yes("Accepted"), yes("ResolvedRefs")},
		}}}
	}
	return route
}

func TestDecideSplit(t *testing.T) {
	pair := func(stable, canary int32) []traffic.Backend {
		return []traffic.Backend{{Name: "checkout", Weight: stable}, {Name: "checkout-canary", Weight: canary}}
	}
	alone := []traffic.Backend{{Name: "checkout", Weight: 1}}
	tests := map[string]struct {
		scene        splitScene
		wantSequence int64 // 0: nothing recorded
		wantBackends []traffic.Backend
		wantReady    metav1.ConditionStatus
		wantReason   string
		wantWake     time.Duration
		wantRestored bool
	}{
		"nothing recorded: the canary enters at a feather": {
			scene:        splitScene{wanted: pair(95, 5)},
			wantSequence: 1, wantBackends: pair(999_999, 1), wantReady: metav1.ConditionFalse, wantReason: "NotWritten",
		},
		"written and not answered for": {
			scene:        splitScene{recorded: pair(999_999, 1), wanted: pair(95, 5), onRoute: true},
			wantSequence: 4, wantBackends: pair(999_999, 1), wantReady: metav1.ConditionUnknown, wantReason: "DataPlanePending",
		},
		"answered for: it has to settle": {
			scene:        splitScene{recorded: pair(999_999, 1), wanted: pair(95, 5), onRoute: true, answered: true},
			wantSequence: 4, wantBackends: pair(999_999, 1), wantReady: metav1.ConditionUnknown, wantReason: "Settling", wantWake: gatewayapi.SettleTime,
		},
		"settled: the canary gets its share": {
			scene:        splitScene{recorded: pair(999_999, 1), wanted: pair(95, 5), onRoute: true, answered: true, settled: true},
			wantSequence: 5, wantBackends: pair(95, 5), wantReady: metav1.ConditionFalse, wantReason: "NotWritten",
		},
		"the share settled: ready": {
			scene:        splitScene{recorded: pair(95, 5), wanted: pair(95, 5), onRoute: true, answered: true, settled: true},
			wantSequence: 4, wantBackends: pair(95, 5), wantReady: metav1.ConditionTrue, wantReason: reasonApplied,
		},
		"users are taken off although nothing is known about the route": {
			scene:        splitScene{recorded: pair(50, 50), wanted: alone, onRoute: true, ready: map[string]int{}},
			wantSequence: 5, wantBackends: pair(999_999, 1), wantReady: metav1.ConditionFalse, wantReason: "NotWritten",
		},
		"users are taken off although the data plane is not known any more": {
			scene:        splitScene{recorded: pair(50, 50), wanted: alone, onRoute: true, refusal: traffic.Unsupported("x", "y")},
			wantSequence: 5, wantBackends: pair(999_999, 1), wantReady: metav1.ConditionFalse, wantReason: v1alpha1.ReasonUnsupportedByDataPlane,
		},
		"a dead canary at a feather is dropped without an answer": {
			scene:        splitScene{recorded: pair(999_999, 1), wanted: alone, onRoute: true, ready: map[string]int{"checkout": 1}},
			wantSequence: 5, wantBackends: alone, wantReady: metav1.ConditionFalse, wantReason: "NotWritten",
		},
		"a canary without ready endpoints gets no share": {
			scene: splitScene{
				recorded: pair(999_999, 1), wanted: pair(95, 5), onRoute: true, answered: true, settled: true, ready: map[string]int{"checkout": 1},
			},
			wantSequence: 4, wantBackends: pair(999_999, 1), wantReady: metav1.ConditionFalse, wantReason: "NoReadyEndpoints",
		},
		"an unknown data plane is refused before the first write": {
			scene:     splitScene{wanted: pair(95, 5), refusal: traffic.Unsupported("x", "y")},
			wantReady: metav1.ConditionFalse, wantReason: v1alpha1.ReasonUnsupportedByDataPlane,
		},
		"a conflict is refused before the first write": {
			scene:     splitScene{wanted: pair(95, 5), conflict: &traffic.Conflict{Holder: "old", Route: "shop", Service: "checkout"}},
			wantReady: metav1.ConditionFalse, wantReason: reasonConflicted,
		},
		"a route that does not exist": {
			scene:     splitScene{wanted: pair(95, 5), noRoute: true},
			wantReady: metav1.ConditionFalse, wantReason: v1alpha1.ReasonRouteNotFound,
		},
		"deleted: users are taken off": {
			scene:        splitScene{recorded: pair(50, 50), wanted: pair(50, 50), onRoute: true, deleting: time.Second},
			wantSequence: 5, wantBackends: pair(999_999, 1), wantReady: metav1.ConditionFalse, wantReason: v1alpha1.ReasonDeleting,
			wantWake: splitReleaseLimit - time.Second,
		},
		"deleted and nobody answers: it waits for the limit and no longer": {
			scene:        splitScene{recorded: pair(999_999, 1), wanted: pair(50, 50), onRoute: true, deleting: splitReleaseLimit},
			wantSequence: 5, wantBackends: alone, wantReady: metav1.ConditionFalse, wantReason: v1alpha1.ReasonDeleting,
		},
		"deleted and still on the route": {
			scene:        splitScene{recorded: alone, wanted: pair(50, 50), onRoute: true, deleting: time.Second},
			wantSequence: 4, wantBackends: alone, wantReady: metav1.ConditionFalse, wantReason: v1alpha1.ReasonDeleting,
			wantWake: splitReleaseLimit - time.Second,
		},
		"deleted and off the route": {
			scene:        splitScene{recorded: alone, wanted: pair(50, 50), deleting: time.Second},
			wantSequence: 4, wantBackends: alone, wantReady: metav1.ConditionFalse, wantReason: v1alpha1.ReasonDeleting,
			wantWake: splitReleaseLimit - time.Second, wantRestored: true,
		},
		"deleted with its route gone": {
			scene:        splitScene{recorded: alone, wanted: pair(50, 50), noRoute: true, deleting: time.Second},
			wantSequence: 4, wantBackends: alone, wantReady: metav1.ConditionFalse, wantReason: v1alpha1.ReasonRouteNotFound,
			wantWake: splitReleaseLimit - time.Second, wantRestored: true,
		},
		"deleted before anything was written": {
			scene:     splitScene{wanted: pair(50, 50), deleting: time.Second},
			wantReady: metav1.ConditionFalse, wantReason: v1alpha1.ReasonDeleting,
			wantWake: splitReleaseLimit - time.Second, wantRestored: true,
		},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			d := decideSplit(tc.scene.facts(t))
			if got := ptr.Deref(d.status.Run.Sequence, 0); got != tc.wantSequence {
				t.Errorf("sequence = %d, want %d", got, tc.wantSequence)
			}
			if diff := cmp.Diff(append([]traffic.Backend{}, tc.wantBackends...), trafficBackends(d.status.Run.Backends)); diff != "" {
				t.Errorf("backends (-want +got):\n%s", diff)
			}
			ready := meta.FindStatusCondition(d.status.Conditions, v1alpha1.ConditionReady)
			if ready.Status != tc.wantReady || ready.Reason != tc.wantReason {
				t.Errorf("Ready = %s, %s (%s), want %s, %s", ready.Status, ready.Reason, ready.Message, tc.wantReady, tc.wantReason)
			}
			if d.wake != tc.wantWake {
				t.Errorf("wake = %s, want %s", d.wake, tc.wantWake)
			}
			if d.restored != tc.wantRestored {
				t.Errorf("restored = %v, want %v", d.restored, tc.wantRestored)
			}
			checkSplitConditions(t, d.status.Conditions)
		})
	}
}

// checkSplitConditions checks what kstatus relies on.
func checkSplitConditions(t *testing.T, conditions []metav1.Condition) {
	t.Helper()
	for _, kind := range []string{v1alpha1.ConditionReady, v1alpha1.ConditionAccepted, v1alpha1.ConditionTrafficApplied} {
		if meta.FindStatusCondition(conditions, kind) == nil {
			t.Errorf("condition %s is missing", kind)
		}
	}
	for _, c := range conditions {
		abnormal := c.Type == v1alpha1.ConditionReconciling || c.Type == v1alpha1.ConditionStalled
		if abnormal && c.Status != metav1.ConditionTrue {
			t.Errorf("condition %s is %s; it is there only when True", c.Type, c.Status)
		}
		if c.Message == "" || c.Reason == "" {
			t.Errorf("condition %s has no message or reason", c.Type)
		}
	}
	if meta.IsStatusConditionTrue(conditions, v1alpha1.ConditionStalled) && meta.IsStatusConditionTrue(conditions, v1alpha1.ConditionReconciling) {
		t.Error("both Stalled and Reconciling")
	}
}
