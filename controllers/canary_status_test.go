package controllers

import (
	"strings"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"slipway.dev/slipway/api/v1alpha1"
	"slipway.dev/slipway/internal/analysis"
	"slipway.dev/slipway/internal/release"
)

func aWorld(change ...func(*world)) *world {
	w := &world{cr: aRelease()}
	w.plan, _ = planOf(w.cr)
	w.terms, _ = analysis.Terms(w.cr.Spec.Analysis, len(w.cr.Spec.Steps))
	w.target = &appsv1.Deployment{Spec: appsv1.DeploymentSpec{Replicas: ptr.To[int32](4)}}
	for _, c := range change {
		c(w)
	}
	return w
}

func heldTarget(w *world) {
	w.target.Annotations = map[string]string{v1alpha1.HeldAnnotation: "checkout"}
	w.target.Spec.Paused = true
}

func TestConditionsSayWhatKstatusReads(t *testing.T) {
	cases := map[string]struct {
		world                      func(*world)
		decision                   release.Decision
		wantReady                  metav1.ConditionStatus
		wantReconciling, wantStall bool
	}{
		"stable serves: ready": {
			decision:  release.Decision{Reason: release.StableServes},
			wantReady: metav1.ConditionTrue,
		},
		"a promoted release: ready": {
			decision:  release.Decision{Reason: release.Promoted},
			wantReady: metav1.ConditionTrue,
		},
		"a step is judged: reconciling": {
			decision:  release.Decision{Next: release.Run{Stage: release.Judging}, Reason: release.NotEnoughTraffic},
			wantReady: metav1.ConditionFalse, wantReconciling: true,
		},
		"rolled back: stalled": {
			decision:  release.Decision{Next: release.Run{Stage: release.RolledBack}, Reason: release.HarmProven},
			wantReady: metav1.ConditionFalse, wantStall: true,
		},
		"something stands against a release that begins: stalled": {
			world:     func(w *world) { w.refuse(release.Refused, "no") },
			decision:  release.Decision{Next: release.Run{Stage: release.Checking}, Reason: release.Refused},
			wantReady: metav1.ConditionFalse, wantStall: true,
		},
		"something stands against releases while none runs: stalled, before anybody is hurt": {
			world:     func(w *world) { w.refuse(release.Refused, "no") },
			decision:  release.Decision{Reason: release.StableServes},
			wantReady: metav1.ConditionFalse, wantStall: true,
		},
		"adopting: reconciling": {
			decision:  release.Decision{Reason: release.Adopting},
			wantReady: metav1.ConditionFalse, wantReconciling: true,
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			w := aWorld()
			if tc.world != nil {
				tc.world(w)
			}
			r := &CanaryReconciler{Now: func() time.Time { return time.Unix(100, 0) }}
			s := v1alpha1.CanaryReleaseStatus{}
			r.setConditions(&s, w, tc.decision)
			ready := meta.FindStatusCondition(s.Conditions, v1alpha1.ConditionReady)
			if ready == nil || ready.Status != tc.wantReady || ready.ObservedGeneration != 3 {
				t.Errorf("Ready %+v, want %s of generation 3", ready, tc.wantReady)
			}
			if got := meta.IsStatusConditionTrue(s.Conditions, v1alpha1.ConditionReconciling); got != tc.wantReconciling {
				t.Errorf("Reconciling %v, want %v", got, tc.wantReconciling)
			}
			if got := meta.IsStatusConditionTrue(s.Conditions, v1alpha1.ConditionStalled); got != tc.wantStall {
				t.Errorf("Stalled %v, want %v", got, tc.wantStall)
			}
			for _, kind := range []string{v1alpha1.ConditionAccepted, v1alpha1.ConditionTrafficApplied} {
				if meta.FindStatusCondition(s.Conditions, kind) == nil {
					t.Errorf("%s is missing", kind)
				}
			}
		})
	}
}

func TestFloorIsWhatStableHadWhenTheReleaseBeganAndNeverZeroWhileHeld(t *testing.T) {
	cases := map[string]struct {
		held    bool
		stage   release.Stage
		present *int32
		want    *int32
	}{
		"nothing is held: no floor":                     {stage: release.Idle, present: ptr.To[int32](4)},
		"a release begins: what stable has":             {held: true, stage: release.Checking, want: ptr.To[int32](4)},
		"mid-release: as it was at the beginning":       {held: true, stage: release.Judging, present: ptr.To[int32](9), want: ptr.To[int32](9)},
		"rolled back and held: only zero is in the way": {held: true, stage: release.RolledBack, present: ptr.To[int32](9), want: ptr.To[int32](1)},
		"held by a release that is suspended: one":      {held: true, stage: release.Idle, want: ptr.To[int32](1)},
		"the hold was lifted to promote: as before":     {stage: release.PromotionRolling, present: ptr.To[int32](4), want: ptr.To[int32](4)},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			w := aWorld()
			if tc.held {
				heldTarget(w)
			}
			got := floorOf(tc.present, w, release.Decision{Next: release.Run{Stage: tc.stage}})
			if ptr.Deref(got, -1) != ptr.Deref(tc.want, -1) {
				t.Errorf("floor %d, want %d", ptr.Deref(got, -1), ptr.Deref(tc.want, -1))
			}
		})
	}
}

func TestAConditionSaysHowFarAHeldDeploymentMayShrink(t *testing.T) {
	cases := map[string]struct {
		floor *int32
		want  []string
	}{
		"nothing is held: no such condition": {},
		"rolled back: only zero is in the way": {
			floor: ptr.To[int32](1), want: []string{`Deployment "checkout"`, "at least 1 pod while", "zero"},
		},
		"a release runs: autoscalers keep what stable had": {
			floor: ptr.To[int32](4), want: []string{"at least 1 pod while", "autoscaler", "4"},
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			w := aWorld(heldTarget)
			r := &CanaryReconciler{Now: func() time.Time { return time.Unix(100, 0) }}
			s := v1alpha1.CanaryReleaseStatus{FloorReplicas: tc.floor}
			r.setConditions(&s, w, release.Decision{Next: release.Run{Stage: release.RolledBack}, Reason: release.HarmProven})
			c := meta.FindStatusCondition(s.Conditions, "ScalingLimited")
			if (c != nil) != (tc.floor != nil) {
				t.Fatalf("ScalingLimited is %+v, with a floor of %d", c, ptr.Deref(tc.floor, 0))
			}
			for _, part := range tc.want {
				if !strings.Contains(c.Message, part) {
					t.Errorf("want %q in %q", part, c.Message)
				}
			}
		})
	}
}

func TestProgressAloneIsNotDecisive(t *testing.T) {
	before := v1alpha1.CanaryReleaseStatus{Stage: "Judging", Evidence: "harm 1%, health 2%"}
	after := *before.DeepCopy()
	after.Evidence, after.Run.Evidence = "harm 3%, health 9%", "x"
	if decisive(before, after) {
		t.Error("progress of the evidence alone was decisive")
	}
	after.Stage = "Promoting"
	if !decisive(before, after) {
		t.Error("a change of stage was not decisive")
	}
}
