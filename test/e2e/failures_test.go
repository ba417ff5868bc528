package e2e

import (
	"fmt"
	"slices"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"slipway.dev/slipway/api/v1alpha1"
)

// failures are the scenarios in which something that a release stands on goes away.
var failures = []scenario{
	{"prometheus-away", prometheusAway},
	{"route-deleted-and-made-again", routeDeleted},
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
