package e2e

import (
	"testing"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"slipway.dev/slipway/api/v1alpha1"
)

// A template that was rejected is not tried on users again, whatever is lost: the record of the release, the canary, or
// the memory of who applies it once more.
func rejectedStaysRejected(tb testing.TB) {
	bad := failing("v2", "50")
	s := newScene(tb, setting{rate: 100})
	s.adopt(plan{keep: "5m"})
	stable := s.pods()
	s.push(bad)
	s.awaitRolledBack(v1alpha1.ReasonHarmProven)
	s.wantRouteAsWritten()
	s.wantFailedKept()
	s.mark("rejected")

	// At first with the failed canary there to look at, then without: it does not outlive its record.
	for range 2 {
		s.loseStatus()
		s.awaitRejectedAgain()
		s.wantNoCanary()
		s.push(bad)
		s.sample(fewest / 3)
		s.wantHeld(bad, stable)
	}

	s.push(good("v1"))
	s.awaitLetThrough("it is stable's template")
	s.push(bad)
	s.awaitRejectedAgain()
	s.sample(fewest / 3)
	s.wantHeld(bad, stable)
	s.wantSamePods(stable)
	s.throughZero("v1")
	s.wantShare(s.between(s.section("rejected").StartedAt, time.Now()), "v2", 0)
	s.wantNoHarm("v2")
}

// loseStatus takes everything out of the status of the release, as a restore from a manifest does.
func (s *scene) loseStatus() {
	s.Helper()
	s.fromHere()
	lost := client.RawPatch("application/merge-patch+json", []byte(`{"status":null}`))
	if err := shared.Status().Patch(s.Context(), s.current().DeepCopy(), lost, client.FieldOwner("somebody")); err != nil {
		s.Fatalf("take the status away: %v", err)
	}
}

// awaitRejectedAgain waits until the release says that its template was rejected at an earlier time.
func (s *scene) awaitRejectedAgain() {
	s.Helper()
	s.until("rejection", usual, func() (bool, string) {
		cr := s.current()
		return cr.Status.Stage == "RolledBack" && reason(cr) == v1alpha1.ReasonRolledBack &&
			is(cr.Status.Conditions, v1alpha1.ConditionStalled), describe(cr)
	})
	for _, e := range s.states() {
		if e.object.Status.Step != "" || percent(e.object) > 0 {
			s.Errorf("a rejected template was tried again: %s", describe(e.object))
		}
	}
	s.wantRouteAsWritten()
}
