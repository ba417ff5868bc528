package e2e

import (
	"strings"
	"testing"

	"slipway.dev/slipway/api/v1alpha1"
)

// awaitLetThrough waits until the user's last change was rolled out at once, for a reason that is said, and until it is
// stable. It must not have been tried on users by steps.
func (s *scene) awaitLetThrough(why string) {
	s.Helper()
	through := false
	s.awaitState("rollout at once", long, func(cr *v1alpha1.CanaryRelease) bool {
		through = through || (reason(cr) == v1alpha1.ReasonLetThrough && strings.Contains(message(cr), why))
		return through && cr.Status.Stage == "Idle" && is(cr.Status.Conditions, v1alpha1.ConditionReady)
	})
	for _, e := range s.states() {
		if e.object.Status.Step != "" {
			s.Errorf("what need not be held was released by steps: %s", describe(e.object))
			break
		}
	}
	s.wantCleanedUp()
	s.wantStable()
}

// Of a Deployment whose first rollouts never came up nobody can be protected: the fix rolls out at once, however many
// versions were tried before.
func firstRolloutCrashLoops(tb testing.TB) {
	crashing := func(name string) version { return version{name: name, env: map[string]string{"CRASH": "true"}} }
	s := newScene(tb, setting{first: crashing("v1"), down: true})
	s.apply(one(deployment("shop", crashing("v1"))))
	s.apply(plan{}.manifest())
	s.until("word that there is nothing to take as stable", usual, func() (bool, string) {
		cr, found := s.releases.last("shop")
		return found && reason(cr) == v1alpha1.ReasonAdopting, describe(cr)
	})
	for _, v := range []version{crashing("v2"), good("v3")} {
		s.fromHere()
		s.apply(one(deployment("shop", v)))
		s.awaitState("rollout of "+v.name+" at once", usual, func(cr *v1alpha1.CanaryRelease) bool {
			return reason(cr) == v1alpha1.ReasonLetThrough && strings.Contains(message(cr), "nothing to protect")
		})
	}
	s.awaitLetThrough("nothing to protect")
	s.awaitAnswer("v3")
}
