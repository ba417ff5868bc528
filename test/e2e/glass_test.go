package e2e

import (
	"context"
	"strings"
	"syscall"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"slipway.dev/slipway/api/v1alpha1"
)

// stays stands at its only step until a person says otherwise, whatever the evidence.
const stays = `[{weightPercent: 50, hold: true}]`

// bringTo pushes a version and has a person take its release to a stage.
func (s *scene) bringTo(v version, stage string) {
	s.Helper()
	s.push(v)
	s.awaitStage("Judging")
	switch stage {
	case "Judging":
	case "RolledBack":
		s.annotate(v1alpha1.RequestAbort)
		s.awaitRolledBack(v1alpha1.ReasonAbortedByPerson)
	case "Promoted":
		s.annotate(v1alpha1.RequestPromote)
		s.awaitPromoted()
	default:
		s.Fatalf("the scenario does not know how to come to %s", stage)
	}
}

// promoteTo has a person promote what is judged, and for Evacuating abort it half-way.
func (s *scene) promoteTo(stage string) {
	s.Helper()
	s.annotate(v1alpha1.RequestPromote)
	s.awaitRollingHalfWay(versionOf(s.shop().Spec.Template))
	if stage == "Evacuating" {
		s.annotate(v1alpha1.RequestAbort)
	}
	s.awaitStage(stage)
}

// The pages about an operator that is dead, and about removing it, are followed word by word with releases in every stage.
// These two are one scenario because bringing releases to their stages takes most of the time.
func brokenGlassAndUninstalled(tb testing.TB) {
	midStep, rolledBack := &scene{}, &scene{}
	promoting, evacuating := &scene{}, &scene{}
	var stable []types.UID
	atOnce(tb,
		func() {
			midStep = newScene(tb, setting{})
			midStep.adopt(plan{steps: stays})
			stable = midStep.pods()
			midStep.bringTo(good("v2"), "Judging")
		},
		func() {
			rolledBack = newScene(tb, setting{})
			rolledBack.adopt(plan{steps: stays})
			rolledBack.bringTo(good("v2"), "RolledBack")
		},
		func() {
			promoting = newScene(tb, setting{shape: slowly})
			promoting.adopt(plan{steps: stays})
			promoting.bringTo(good("v2"), "Judging")
		},
		func() {
			evacuating = newScene(tb, setting{shape: slowly})
			evacuating.adopt(plan{steps: stays})
			evacuating.bringTo(good("v2"), "Judging")
		},
	)
	// Both at the same time: neither stage waits for anybody.
	atOnce(tb,
		func() { promoting.promoteTo("PromotionRolling") },
		func() { evacuating.promoteTo("Evacuating") },
	)
	killForGood(tb, evacuating)
	defer install(tb)

	atOnce(tb,
		func() { glassForStep(midStep, stable) },
		func() { glassForPromotion(promoting) },
	)
	glassForAll(rolledBack, evacuating)
	install(tb)
	for _, s := range []*scene{rolledBack, evacuating} {
		s.wantAdoptedAgain()
	}

	uninstalled(tb, midStep, rolledBack, promoting, evacuating)
}

// killForGood is an operator that has died and does not come back.
func killForGood(tb testing.TB, s *scene) {
	tb.Helper()
	if _, pid := s.leader(); syscall.Kill(pid, syscall.SIGKILL) != nil {
		tb.Fatalf("kill process %d", pid)
	}
	s.scaleOperator(0)
	tb.Logf("the operator is dead at stage %q", s.current().Status.Stage)
}

// install brings the operator, its policies and its CRDs (back) and waits until it runs.
func install(tb testing.TB) {
	tb.Helper()
	shell(tb, checkout, "kubectl apply --server-side --force-conflicts -k config/default")
	ctx, cancel := context.WithTimeout(context.WithoutCancel(tb.Context()), 2*time.Minute)
	defer cancel()
	if err := shared.setUpOperator(ctx); err != nil {
		tb.Fatal(err)
	}
}

// glassForStep: a canary has users. They are taken off, and the old version stays.
func glassForStep(s *scene, stable []types.UID) {
	s.Helper()
	s.documented("route")
	s.wantRouteAsWritten()
	s.awaitAnswer("v1")
	s.documented("one-deployment")
	s.apply(s.manifest(good("v1")))
	s.lift()
	s.documented("finalizers")
	s.wantNothingOfOurs()
	s.wantStable()
	s.wantSamePods(stable)
	s.wantTemplates("v1")
	s.awaitAnswer("v1")
}

// glassForPromotion: half of stable's pods are new. It is an ordinary rollout, and can be undone like one.
func glassForPromotion(s *scene) {
	s.Helper()
	s.documented("route")
	s.documented("one-deployment")
	if d := s.shop(); d.Spec.Paused {
		s.Errorf("the Deployment is paused while it is promoted: annotations %q", d.Annotations)
	}
	shell(s, checkout, "kubectl -n "+s.namespace+" rollout undo deployment shop")
	s.documented("finalizers")
	s.wantNothingOfOurs()
	s.wantStable()
	s.wantTemplates("v1", "v2")
	s.awaitAnswer("v1")
}

// glassForAll: the whole cluster is let go; of these releases one was over, and one was on its way back from a promotion.
func glassForAll(rolledBack, evacuating *scene) {
	rolledBack.Helper()
	for _, s := range []*scene{rolledBack, evacuating} {
		s.documented("route")
	}
	documented(rolledBack, "all-deployments")
	held := documented(rolledBack, "list-held")
	for _, s := range []*scene{rolledBack, evacuating} {
		if !strings.Contains(held, s.namespace+"/shop\n") {
			s.Errorf("%s is not among the held Deployments: %q", s.namespace, held)
		}
		s.apply(s.manifest(good("v1")))
		s.lift()
	}
	for _, s := range []*scene{rolledBack, evacuating} {
		s.wantStable()
		s.awaitAnswer("v1")
	}
	if held = documented(rolledBack, "list-held"); held != "" {
		rolledBack.Errorf("still held: %q", held)
	}
}

// lift follows the page until the API server has learnt that nothing holds the Deployment any more: a person would try
// again as well.
func (s *scene) lift() {
	s.Helper()
	s.until("hold that can be lifted", usual, func() (bool, string) {
		if s.shop().Spec.Paused {
			s.documented("lift")
		}
		d := s.shop()
		return !d.Spec.Paused && d.Annotations[v1alpha1.HeldAnnotation] == "", "the Deployment is held still"
	})
}

// wantAdoptedAgain says that the operator, when it is back, takes what serves now as stable, and cleans up.
func (s *scene) wantAdoptedAgain() {
	s.Helper()
	s.until("adoption of what was let go", long, func() (bool, string) {
		cr, found := s.releases.last("shop")
		return found && cr.Status.Stage == "Idle" && is(cr.Status.Conditions, v1alpha1.ConditionReady), describe(cr)
	})
	s.wantCleanedUp()
	s.wantStable()
	s.awaitAnswer("v1")
}

// wantNothingOfOurs says that no object of the scene is ours, is held back by us, or has a word of ours on it.
func (s *scene) wantNothingOfOurs() {
	s.Helper()
	s.wantRouteAsWritten()
	s.until("end of everything of ours", long, func() (bool, string) {
		left := s.ofOurs()
		return len(left) == 0, strings.Join(left, ", ")
	})
}

// ofOurs leaves ReplicaSets out: Kubernetes copies a Deployment's annotations to its ReplicaSets and never takes one away
// there, so that a mark may stay on one. Nobody reads it.
func (s *scene) ofOurs() []string {
	s.Helper()
	var left []string
	for _, list := range []client.ObjectList{
		&appsv1.DeploymentList{}, &appsv1.ControllerRevisionList{}, &corev1.ServiceList{}, &corev1.PodList{},
	} {
		if err := shared.List(s.Context(), list, client.InNamespace(s.namespace)); err != nil {
			return []string{err.Error()}
		}
		left = append(left, marked(list)...)
	}
	if finalizers := s.liveRoute().GetFinalizers(); len(finalizers) > 0 {
		left = append(left, "finalizers of the route")
	}
	return left
}
