package route

import (
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"slipway.dev/slipway/api/v1alpha1"
)

// applied makes a split 95/5 on a route with one rule and waits until it is applied.
func (w world) applied() {
	w.t.Helper()
	w.create(routeOf(w.t, w.namespace, oneRule))
	w.endpoints("checkout")
	w.endpoints("checkout-canary")
	w.create(w.split("checkout", backend("checkout", 95), backend("checkout-canary", 5)))
	w.waitForWeights(map[string]int64{"checkout": 999_999, "checkout-canary": 1})
	w.answer()
	w.waitForWeights(map[string]int64{"checkout": 95, "checkout-canary": 5})
	w.answer()
	w.waitForCondition("checkout", v1alpha1.ConditionReady, metav1.ConditionTrue, "Applied")
}

// TestWhatIsWrittenOverIsPutBack re-applies the user's own rules without a guard.
func TestWhatIsWrittenOverIsPutBack(t *testing.T) {
	w := newWorld(t)
	w.applied()
	for i, write := range []func(){
		func() {
			own := routeOf(t, w.namespace, oneRule)
			if err := person.Patch(t.Context(), own, client.Apply, client.ForceOwnership, client.FieldOwner("argocd-controller")); err != nil { //nolint:staticcheck // The route is untyped.
				t.Fatal(err)
			}
		},
		func() {
			own := routeOf(t, w.namespace, oneRule)
			own.SetResourceVersion(liveRoute(t, w.namespace, "shop").GetResourceVersion())
			if err := person.Update(t.Context(), own, client.FieldOwner("argocd-controller")); err != nil {
				t.Fatal(err)
			}
		},
	} {
		write()
		w.waitForWeights(map[string]int64{"checkout": 95, "checkout-canary": 5})
		w.eventually("repairs are counted", func() (bool, any) {
			s := w.read("checkout").Status.Routes[0]
			return s.Repairs != nil && *s.Repairs == int32(i+1) && s.RepairedFrom == "argocd-controller", s
		})
		w.answer()
		w.waitForCondition("checkout", v1alpha1.ConditionReady, metav1.ConditionTrue, "Applied")
	}
}

// TestNothingIsWrittenWhenNothingChanged gives the controllers events that mean nothing.
func TestNothingIsWrittenWhenNothingChanged(t *testing.T) {
	w := newWorld(t)
	w.applied()
	route, split := liveRoute(t, w.namespace, "shop").GetGeneration(), w.read("checkout").ResourceVersion
	label := client.RawPatch(types.MergePatchType, []byte(`{"metadata":{"labels":{"seen":"yes"}}}`))
	if err := person.Patch(t.Context(), liveRoute(t, w.namespace, "shop"), label); err != nil {
		t.Fatal(err)
	}
	// A second split that is worked off afterwards shows that the event has been seen.
	other := w.split("other", backend("cart", 1))
	other.Spec.ServiceRef.Name = "cart"
	w.create(other)
	w.waitForCondition("other", v1alpha1.ConditionAccepted, metav1.ConditionFalse, v1alpha1.ReasonRouteNotFound)
	if got := liveRoute(t, w.namespace, "shop").GetGeneration(); got != route {
		t.Errorf("the route was written: generation %d, then %d", route, got)
	}
	if got := w.read("checkout").ResourceVersion; got != split {
		t.Errorf("the split was written: resourceVersion %s, then %s", split, got)
	}
}

func TestTheOlderSplitHoldsTheRule(t *testing.T) {
	w := newWorld(t)
	w.applied()
	w.create(w.split("zweiter", backend("checkout", 1), backend("other", 1)))
	c := w.waitForCondition("zweiter", v1alpha1.ConditionAccepted, metav1.ConditionFalse, "Conflicted")
	if !strings.Contains(c.Message, `TrafficSplit "checkout" `) {
		t.Errorf("message %q does not name the holder", c.Message)
	}
	w.waitForCondition("zweiter", v1alpha1.ConditionStalled, metav1.ConditionTrue, "Conflicted")
	w.waitForWeights(map[string]int64{"checkout": 95, "checkout-canary": 5})

	if err := person.Delete(t.Context(), w.read("checkout")); err != nil {
		t.Fatal(err)
	}
	w.waitForWeights(map[string]int64{"checkout": 999_999, "checkout-canary": 1})
	w.answer()
	w.waitForCondition("zweiter", v1alpha1.ConditionAccepted, metav1.ConditionTrue, "Accepted")
	w.waitForWeights(map[string]int64{"checkout": 999_999, "other": 1})
}

func TestWhatCannotBeFollowedIsRefusedBeforeTheFirstWrite(t *testing.T) {
	w := newWorld(t)
	w.create(w.split("checkout", backend("checkout", 95), backend("checkout-canary", 5)))
	w.waitForCondition("checkout", v1alpha1.ConditionAccepted, metav1.ConditionFalse, v1alpha1.ReasonRouteNotFound)

	class := untyped("GatewayClass", "", "new-"+w.namespace)
	set(t, class, "example.com/new", "spec", "controllerName")
	w.create(class)
	gateway := untyped("Gateway", w.namespace, "new")
	set(t, gateway, "new-"+w.namespace, "spec", "gatewayClassName")
	set(t, gateway, []any{map[string]any{"name": "http", "port": int64(80), "protocol": "HTTP"}}, "spec", "listeners")
	w.create(gateway)
	route := routeOf(t, w.namespace, oneRule)
	set(t, route, []any{map[string]any{"name": "new"}}, "spec", "parentRefs")
	w.create(route)
	c := w.waitForCondition("checkout", v1alpha1.ConditionAccepted, metav1.ConditionFalse, v1alpha1.ReasonUnsupportedByDataPlane)
	if !strings.Contains(c.Message, "example.com/new") {
		t.Errorf("message %q does not name the data plane", c.Message)
	}
	w.waitForWeights(map[string]int64{"checkout": 1})
	if got := liveRoute(t, w.namespace, "shop").GetAnnotations(); len(got) != 0 {
		t.Errorf("the route was written: %v", got)
	}
	if err := person.Delete(t.Context(), w.read("checkout")); err != nil {
		t.Fatal(err)
	}
	w.waitForSplitsGone()
}

// TestARouteThatIsGoneDoesNotBlockDeletion deletes the route first.
func TestARouteThatIsGoneDoesNotBlockDeletion(t *testing.T) {
	w := newWorld(t)
	w.applied()
	if err := person.Delete(t.Context(), liveRoute(t, w.namespace, "shop")); err != nil {
		t.Fatal(err)
	}
	w.waitForCondition("checkout", v1alpha1.ConditionAccepted, metav1.ConditionFalse, v1alpha1.ReasonRouteNotFound)
	if err := person.Delete(t.Context(), w.read("checkout")); err != nil {
		t.Fatal(err)
	}
	w.waitForSplitsGone()
}

// TestALostStatusIsTakenUpFromTheRoute takes the record away: the route must not go backwards, and goes on.
func TestALostStatusIsTakenUpFromTheRoute(t *testing.T) {
	w := newWorld(t)
	w.applied()
	split := w.read("checkout")
	lost := client.RawPatch(types.MergePatchType, []byte(`{"status":{"run":null,"routes":null,"conditions":null}}`))
	if err := person.Status().Patch(t.Context(), split, lost); err != nil {
		t.Fatal(err)
	}
	w.eventually("record is taken up", func() (bool, any) {
		run := w.read("checkout").Status.Run
		return run.Sequence != nil && *run.Sequence == 3, run
	})
	w.waitForWeights(map[string]int64{"checkout": 95, "checkout-canary": 5})
	w.answer()
	w.waitForCondition("checkout", v1alpha1.ConditionReady, metav1.ConditionTrue, "Applied")
}

func (w world) waitForSplitsGone() {
	w.t.Helper()
	w.eventually("splits are gone", func() (bool, any) {
		var list v1alpha1.TrafficSplitList
		err := person.List(w.t.Context(), &list, client.InNamespace(w.namespace))
		return err == nil && len(list.Items) == 0, list.Items
	})
}
