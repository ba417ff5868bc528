package e2e

import (
	"maps"
	"slices"
	"testing"

	"k8s.io/utils/ptr"

	"slipway.dev/slipway/api/v1alpha1"
	"slipway.dev/slipway/internal/store"
	"slipway.dev/slipway/internal/traffic/gatewayapi"
)

// operators are the scenarios in which something happens to the operator itself, so that all releases feel it.
var operators = []scenario{
	{"operator-killed", operatorKilled},
	{"leader-killed", leaderKilled},
}

// The operator dies in every stage of a good release, of a bad one, and of the way back from a promotion. Each goes on
// where it was: nothing goes back, nothing is made twice, nothing is lost, and no user notices.
func operatorKilled(tb testing.TB) {
	k := startKiller(tb)
	atOnce(tb,
		func() { goodKilled(tb, k) },
		func() { badKilled(tb, k) },
		func() { wayBackKilled(tb, k) },
	)
	k.stop()
}

func goodKilled(tb testing.TB, k *killer) {
	s := newScene(tb, setting{rate: 80})
	s.adopt(plan{})
	k.killIn(s, "Preparing", "Shifting", "Judging", "PromotionPreparing", "PromotionEntering", "PromotionRolling", "PromotionFinishing")
	s.push(good("v2"))
	s.awaitStage("Judging")
	twin := s.twin().UID
	s.awaitStage("PromotionRolling")
	if have := s.twin().UID; have != twin {
		s.Errorf("the canary's Deployment was made again: UID %s, was %s", have, twin)
	}
	s.awaitPromoted()
	s.wantStepsNeverBack()
	s.wantRecordsNeverBack()
	s.wantTemplates("v1", "v2")
	s.wantShare(s.sample(fewest), "v2", 1)
	s.wantNoHarm()
}

func badKilled(tb testing.TB, k *killer) {
	s := newScene(tb, setting{rate: 80})
	s.adopt(plan{keep: "5m"})
	stable := s.pods()
	k.killIn(s, "RollingBack", "RolledBack")
	s.push(failing("v2", "30"))
	s.awaitRolledBack(v1alpha1.ReasonHarmProven)
	k.awaitDone(s)
	s.wantRouteAsWritten()
	s.wantHeld(good("v2"), stable)
	s.wantFailedKept()
	s.wantRejectedFor(failing("v2", "30"))
	s.wantRecordsNeverBack()
	s.wantTemplates("v1")
	s.wantNoHarm("v2")
}

// wayBackKilled: a person aborts half-way through promotion, so that it is certain when the way back begins.
func wayBackKilled(tb testing.TB, k *killer) {
	s := newScene(tb, setting{rate: 80, shape: slowly})
	s.adopt(plan{steps: oneStep})
	s.push(good("v2"))
	s.awaitStage("Judging")
	owned := s.ownersOfTemplate()
	s.annotate(v1alpha1.RequestPromote)
	s.awaitRollingHalfWay("v2")
	k.killIn(s, "Evacuating", "PuttingBack", "Returning", "Reholding")
	s.annotate(v1alpha1.RequestAbort)
	s.awaitRolledBack(v1alpha1.ReasonAbortedByPerson)
	s.wantCleanedUp()
	s.wantHeldOn("v2", "v1")
	s.wantTemplates("v1", "v2")
	if have := s.ownersOfTemplate(); have != owned {
		s.Errorf("owners of the template's fields\n have %s\n had  %s", have, owned)
	}
	s.wantRecordsNeverBack()
	s.wantShare(s.sample(fewest), "v2", 0)
	s.wantNoHarm()
}

func (s *scene) awaitStage(stage string) {
	s.Helper()
	s.awaitState("stage "+stage, long, func(cr *v1alpha1.CanaryRelease) bool { return cr.Status.Stage == stage })
}

// wantRecordsNeverBack says that no record, and nothing that follows one, was ever replaced by an earlier one: so it is
// when two operators write, or one from an old cache.
func (s *scene) wantRecordsNeverBack() {
	s.Helper()
	latest := map[string]int64{}
	check := func(what string, sequence int64) {
		if sequence < latest[what] {
			s.Errorf("%s went back from %d to %d", what, latest[what], sequence)
		}
		latest[what] = max(latest[what], sequence)
	}
	for _, e := range s.releases.since(0) {
		check("the record of release "+string(e.object.UID), ptr.Deref(e.object.Status.Run.Sequence, 0))
	}
	for _, e := range s.splits.since(0) {
		check("the record of split "+string(e.object.UID), ptr.Deref(e.object.Status.Run.Sequence, 0))
		if stamp, err := store.ParseStamp(e.object.Annotations[v1alpha1.StampAnnotation]); err == nil {
			check("what split "+string(e.object.UID)+" follows", stamp.Sequence)
		}
	}
	for _, e := range s.routes.since(0) {
		for _, carried := range gatewayapi.Carried(e.object) {
			check("what the route carries of split "+carried.UID, carried.Sequence)
		}
	}
	if len(latest) < 3 {
		s.Errorf("too little was seen to say anything: %v", slices.Sorted(maps.Keys(latest)))
	}
}
