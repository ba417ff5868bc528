package e2e

import (
	"slices"
	"testing"

	"slipway.dev/slipway/api/v1alpha1"
)

// While a change is held, kubectl's own commands neither roll it out nor lose it.
func kubectlWhileHeld(tb testing.TB) {
	s := newScene(tb, setting{first: good("v0")})
	// Without a version before the present one, kubectl would have nothing to undo.
	s.rollOut(good("v1"))
	s.startLoad(100)
	s.adopt(plan{steps: holdFirst})
	stable := s.pods()
	s.push(good("v2"))
	s.awaitHold("1/2")
	admin := s.admin()
	s.mark("kubectl")
	admin.wants(admin.kubectl("rollout", "undo", "deployment/shop"), 1, "paused")
	admin.wants(admin.kubectl("rollout", "restart", "deployment/shop"), 1, "paused")
	admin.wants(admin.kubectl("rollout", "pause", "deployment/shop"), 1, "already paused")
	admin.does("rollout", "resume", "deployment/shop")
	s.wantHeld(good("v2"), stable)
	admin.wants(admin.kubectlOn(s.placed("shop", good("v2")), "replace", "-f", "-"), 0)
	s.wantHeld(good("v2"), stable)
	s.sample(fewest)
	s.wantShareSince("kubectl", "v2", 0.2)
	s.wantHeld(good("v2"), stable)
	if have := s.current(); have.Status.Step != "1/2" || have.Status.Weight != "20%" {
		s.Errorf("the release moved: %s", describe(have))
	}
	s.wantNoHarm()
	s.forced(good("v2"))
	s.forced(good("v3"))
}

// forced deletes and creates the Deployment, by kubectl replace --force. That is not held, and said in the documentation:
// what comes up is stable, and nothing of a release is left.
func (s *scene) forced(v version) {
	s.Helper()
	before := s.shop().UID
	s.fromHere()
	s.admin().wants(s.admin().kubectlOn(s.placed("shop", v), "replace", "--force", "-f", "-"), 0)
	if s.shop().UID == before {
		s.Fatal("the Deployment was not made anew")
	}
	s.awaitRolledOut("shop")
	s.until("adoption of what was made anew", usual, func() (bool, string) {
		cr := s.current()
		return cr.Status.Stage == "Idle" && is(cr.Status.Conditions, v1alpha1.ConditionReady) &&
			cr.Status.StableRevision == cr.Status.Revision && s.changed(cr), describe(cr)
	})
	s.wantCleanedUp()
	s.wantStable()
	s.awaitAnswer(v.name)
}

// changed says that a state of the release came after fromHere.
func (s *scene) changed(cr *v1alpha1.CanaryRelease) bool {
	return slices.ContainsFunc(s.states(), func(e entry[*v1alpha1.CanaryRelease]) bool { return e.object.ResourceVersion == cr.ResourceVersion })
}

// With nothing held, kubectl's commands change the Deployment, and what is new in that has to prove itself.
func kubectlOnAFreeDeployment(tb testing.TB) {
	s := newScene(tb, setting{first: good("v0")})
	s.rollOut(good("v1"))
	s.startLoad(100)
	s.adopt(plan{steps: holdFirst})
	admin := s.admin()

	before := s.pods()
	s.fromHere()
	admin.does("rollout", "restart", "deployment/shop")
	s.awaitLetThrough("only kubectl.kubernetes.io/restartedAt differs")
	stable := s.pods()
	for _, uid := range stable {
		if slices.Contains(before, uid) {
			s.Errorf("pod %s was not restarted", uid)
		}
	}

	// v0 served before there was a CanaryRelease: nothing is known of it.
	s.fromHere()
	admin.does("rollout", "undo", "deployment/shop", "--to-revision=1")
	s.awaitHold("1/2")
	s.wantHeld(good("v0"), stable)
	s.wantShare(s.sample(fewest), "v0", 0.2)

	revision := s.current().Status.Revision
	s.fromHere()
	admin.wants(admin.kubectlOn(s.placed("shop", good("v2")), "replace", "-f", "-"), 0)
	s.awaitState("hold of what replaced it", long, func(cr *v1alpha1.CanaryRelease) bool {
		return cr.Status.Revision != revision && reason(cr) == v1alpha1.ReasonWaitingForPerson
	})
	s.wantHeld(good("v2"), stable)
	s.resume()
	s.pausedByUser(good("v3"))
	s.wantNoHarm()
}

// pausedByUser is a pause of the user's own: nothing is held and nothing rolls out until they resume, and then what
// changed in between is held.
func (s *scene) pausedByUser(v version) {
	s.Helper()
	stable := s.pods()
	s.fromHere()
	s.admin().does("rollout", "pause", "deployment/shop")
	s.awaitNow(v1alpha1.ReasonPausedByUser)
	s.push(v)
	s.sample(fewest / 3)
	if d := s.shop(); !d.Spec.Paused || len(oursIn(d.Annotations)) > 0 || reason(s.current()) != v1alpha1.ReasonPausedByUser {
		s.Errorf("the user's pause was not left alone: paused %t, annotations %q, %s", d.Spec.Paused, oursIn(d.Annotations), describe(s.current()))
	}
	s.wantSamePods(stable)
	s.wantNeverServed(v.name)
	s.admin().does("rollout", "resume", "deployment/shop")
	s.awaitHold("1/2")
	s.wantHeld(v, stable)
	s.wantShare(s.sample(fewest), v.name, 0.2)
}
