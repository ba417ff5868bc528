package e2e

import (
	"encoding/json"
	"fmt"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"slipway.dev/slipway/api/v1alpha1"
)

const splitManifest = `
apiVersion: slipway.dev/v1alpha1
kind: TrafficSplit
metadata: {name: shop}
spec:
  serviceRef: {name: shop}
  routeRefs: [{name: shop}]
  backends: [{name: shop, weight: %d}, {name: shop-next, weight: %d}]
`

// A TrafficSplit by hand sends the shares that it names; backends come and go without a failed request.
func splitOnItsOwn(tb testing.TB) {
	s := newScene(tb, setting{rate: 150})
	s.apply(service("shop-next"))
	s.apply(deployment("shop-next", good("next")))
	s.awaitRolledOut("shop-next")

	s.split(90, 10)
	s.wantShare(s.sample(fewest), "next", 0.1)
	s.wantFeatherFirst("shop-next")
	s.split(50, 50)
	s.wantShare(s.sample(fewest), "next", 0.5)
	s.split(100, 0)
	s.wantShare(s.sample(fewest), "next", 0)
	s.split(75, 25)
	s.wantShare(s.sample(fewest), "next", 0.25)

	split, _ := s.splits.last("shop")
	if err := shared.Delete(s.Context(), split.DeepCopy()); err != nil {
		s.Fatal(err)
	}
	s.until("end of the TrafficSplit", long, func() (bool, string) {
		split, found := s.splits.last("shop")
		return !found, compact(split.Status)
	})
	s.wantRouteAsWritten()
	s.wantShare(s.sample(fewest), "next", 0)
	s.wantNoHarm()
}

// split asks for shares and waits until they are said to be applied.
func (s *scene) split(stable, next int) {
	s.Helper()
	s.apply(parse(fmt.Sprintf(splitManifest, stable, next)))
	want := &v1alpha1.TrafficSplit{}
	s.get(want, "shop")
	s.until(fmt.Sprintf("split of %d to %d", stable, next), long, func() (bool, string) {
		split, found := s.splits.last("shop")
		if !found || split.Status.ObservedGeneration == nil {
			return false, "no status"
		}
		done := *split.Status.ObservedGeneration == want.Generation && is(split.Status.Conditions, v1alpha1.ConditionReady) &&
			is(split.Status.Conditions, v1alpha1.ConditionTrafficApplied)
		return done, compact(split.Status)
	})
}

// wantFeatherFirst says that a backend had next to no weight when it came into the route.
func (s *scene) wantFeatherFirst(backend string) {
	s.Helper()
	for _, e := range s.routes.since(0) {
		share, found := shareIn(e.object, backend)
		if !found {
			continue
		}
		if share > 1.0/100_000 {
			s.Errorf("Service %s came into the route with a share of %g", backend, share)
		}
		return
	}
	s.Errorf("Service %s never came into the route", backend)
}

// shareIn is the share of a backend in the first rule that has it.
func shareIn(route *unstructured.Unstructured, backend string) (share float64, found bool) {
	var spec struct {
		Rules []struct {
			BackendRefs []struct {
				Name   string
				Weight float64
			}
		}
	}
	if err := json.Unmarshal([]byte(specText(route)), &spec); err != nil {
		return 0, false
	}
	for _, rule := range spec.Rules {
		sum, part := 0.0, -1.0
		for _, ref := range rule.BackendRefs {
			sum += ref.Weight
			if ref.Name == backend {
				part = ref.Weight
			}
		}
		if part >= 0 && sum > 0 {
			return part / sum, true
		}
	}
	return 0, false
}
