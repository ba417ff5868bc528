package e2e

import (
	"testing"

	"k8s.io/apimachinery/pkg/types"

	"slipway.dev/slipway/api/v1alpha1"
)

// standing is a release that waits for a person at 20%.
func standing(tb testing.TB, with setting) (s *scene, stable []types.UID) {
	tb.Helper()
	s = newScene(tb, with)
	s.adopt(plan{steps: holdFirst})
	stable = s.pods()
	s.push(good("v2"))
	s.awaitHold("1/2")
	return s, stable
}

// resume goes on from a step that waits, to the end.
func (s *scene) resume() {
	s.Helper()
	s.annotate(v1alpha1.RequestResume)
	s.awaitPromoted()
	s.wantStepsNeverBack()
}

// A step with hold waits for a person, whatever the evidence, and does not touch stable.
func holdStep(tb testing.TB) {
	s, stable := standing(tb, setting{rate: 100})
	s.wantShare(s.sample(fewest), "v2", 0.2)
	if have := s.current(); have.Status.Step != "1/2" || reason(have) != v1alpha1.ReasonWaitingForPerson {
		s.Errorf("it did not wait: %s", describe(have))
	}
	s.wantHeld(good("v2"), stable)
	s.resume()
	s.wantNoHarm()
}

// A newer change starts over; the one before never gets another user, and is never in stable.
func newerChangeMidRelease(tb testing.TB) {
	s, stable := standing(tb, setting{rate: 100})
	s.push(good("v3"))
	s.awaitState("superseded release without a share", usual, func(cr *v1alpha1.CanaryRelease) bool {
		return percent(cr) == 0 && cr.Status.Stage != "Judging"
	})
	s.awaitHold("1/2")
	sample := s.sample(fewest)
	s.wantShare(sample, "v3", 0.2)
	s.wantShare(sample, "v2", 0)
	s.wantSamePods(stable)
	s.resume()
	s.wantNeverInStable(good("v2"))
	s.wantNoHarm()
}

// The stable template in Git again ends the release at once, with stable as it was.
func stableTemplateAgain(tb testing.TB) {
	s, stable := standing(tb, setting{rate: 100})
	s.push(good("v1"))
	s.awaitState("end of the release", usual, func(cr *v1alpha1.CanaryRelease) bool {
		return cr.Status.Stage == "Idle" && is(cr.Status.Conditions, v1alpha1.ConditionReady)
	})
	s.wantCleanedUp()
	s.wantStable()
	s.wantSamePods(stable)
	s.wantShare(s.sample(fewest/3), "v2", 0)
	s.wantNeverInStable(good("v2"))
	s.wantNoHarm()
}

// Deleting the CanaryRelease gives everything back: the route, the Deployment, the names.
func deletedMidStep(tb testing.TB) {
	s, stable := standing(tb, setting{rate: 100})
	s.remove()
	s.wantCleanedUp()
	s.wantStable()
	s.wantSamePods(stable)
	if have := versionOf(s.shop().Spec.Template); have != "v1" {
		s.Errorf("the Deployment has %s, want stable's v1", have)
	}
	for kind, finalizers := range map[string][]string{"Deployment": s.shop().Finalizers, "HTTPRoute": s.liveRoute().GetFinalizers()} {
		if len(finalizers) > 0 {
			s.Errorf("%s has finalizers %q", kind, finalizers)
		}
	}
	s.wantShare(s.sample(fewest/3), "v2", 0)
	s.wantNoHarm()

	// Git rolls the change out at its next apply: nothing holds it any more.
	s.apply(deployment("shop", good("v2")))
	s.awaitRolledOut("shop")
	s.wantStable()
	s.awaitAnswer("v2")
}
