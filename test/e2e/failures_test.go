package e2e

import (
	"fmt"
	"slices"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"slipway.dev/slipway/api/v1alpha1"
)

// failures are the scenarios in which something that a release stands on goes away.
var failures = []scenario{
	{"prometheus-away", prometheusAway},
	{"route-deleted-and-made-again", routeDeleted},
	{"route-removed-from-release", routeRemoved},
	{"stable-pods-deleted-during-rollback", stablePodsDeleted},
}

// The route goes and comes back. Without it there is nothing to judge by, and it is said; with it the release goes on where
// it was, and users of the new route do not notice that.
func routeDeleted(tb testing.TB) {
	s, stable := standing(tb, setting{rate: 100})
	s.wantNoHarm()
	if err := shared.Delete(s.Context(), s.liveRoute()); err != nil {
		s.Fatalf("delete the route: %v", err)
	}
	s.pushed = s.releases.len()
	s.awaitState("word of the route", usual/2, func(cr *v1alpha1.CanaryRelease) bool {
		return says(cr, v1alpha1.ReasonRouteNotFound, "shop")
	})
	s.wantHeld(good("v2"), stable)

	s.annotate(v1alpha1.RequestResume)
	s.until("answer to the request", usual/2, func() (bool, string) {
		_, asked := s.current().Annotations[v1alpha1.RequestResume]
		return !asked, "it is there still"
	})
	if have := s.current(); have.Status.Step != "1/2" || have.Status.Stage == "PromotionPreparing" {
		s.Errorf("it went on without a route: %s", describe(have))
	}

	s.apply(s.route(plainRules))
	s.until("any answer", usual, func() (bool, string) {
		_, err := s.ask()
		return err == nil, fmt.Sprint(err)
	})
	s.startLoad(100)
	s.awaitPromoted()
	s.wantStepsNeverBack()
	s.wantShare(s.sample(fewest), "v2", 1)
	s.wantNoHarm()
}

// All stable pods are gone at the moment of a rollback. Users leave the bad version all the same: nothing is waited for.
func stablePodsDeleted(tb testing.TB) {
	s, stable := standing(tb, setting{rate: 100})
	if err := shared.DeleteAllOf(s.Context(), &corev1.Pod{}, client.InNamespace(s.namespace),
		client.MatchingLabels{"app": "shop"}, client.GracePeriodSeconds(0)); err != nil {
		s.Fatalf("delete stable's pods: %v", err)
	}
	s.annotate(v1alpha1.RequestAbort)
	s.awaitRolledBack(v1alpha1.ReasonAbortedByPerson)
	s.wantUsersOffAtOnce("RollingBack", "v2")
	s.wantCleanedUp()
	s.wantHeldOn("v2", "v1")
	if slices.Equal(s.pods(), stable) {
		s.Error("stable's pods were not deleted: the scenario shows nothing")
	}
	s.wantShare(s.sample(fewest), "v1", 1)
	s.wantTemplates("v1")
}

// The release stops splitting one of its two routes while the canary has a share there. That route becomes what its owner
// wrote, by a feather, and its users do not notice; the other one goes on.
func routeRemoved(tb testing.TB) {
	s := newScene(tb, setting{rate: 100})
	second := s.route(plainRules)
	second.SetName("second")
	if err := unstructured.SetNestedStringSlice(second.Object, []string{"second." + s.host}, "spec", "hostnames"); err != nil {
		s.Fatal(err)
	}
	s.apply(second)
	s.adopt(plan{steps: holdFirst})
	s.editRelease(`{"spec":{"routeRefs":[{"name":"shop"},{"name":"second"}]}}`)
	s.push(good("v2"))
	s.awaitHold("1/2")
	s.wantShare(s.sample(fewest), "v2", 0.2)

	s.editRelease(`{"spec":{"routeRefs":[{"name":"second"}]}}`)
	s.wantRouteAsWritten()
	s.wantFeatherLast("shop-canary")
	s.wantShare(s.sample(fewest), "v2", 0)
	s.until("split on the route that stays", usual, func() (bool, string) {
		route, _ := s.routes.last("second")
		share, _ := shareIn(route, "shop-canary")
		return share == 0.2, specText(route)
	})
	s.annotate(v1alpha1.RequestPromote)
	s.awaitPromoted()
	s.wantShare(s.sample(fewest), "v2", 1)
	s.wantNoHarm()
}

// editRelease is kubectl patch of the CanaryRelease.
func (s *scene) editRelease(patch string) {
	s.Helper()
	if err := shared.Patch(s.Context(), s.current().DeepCopy(), client.RawPatch(types.MergePatchType, []byte(patch)), git); err != nil {
		s.Fatalf("edit the CanaryRelease: %v", err)
	}
}

// wantFeatherLast says that a backend had next to no weight when it left the route.
func (s *scene) wantFeatherLast(backend string) {
	s.Helper()
	last := -1.0
	for _, e := range s.routes.since(0) {
		if share, found := shareIn(e.object, backend); found && e.object.GetName() == "shop" {
			last = share
		}
	}
	if last < 0 || last > 1.0/100_000 {
		s.Errorf("Service %s left the route with a share of %g", backend, last)
	}
}
