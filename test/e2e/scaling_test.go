package e2e

import (
	"fmt"
	"strconv"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"slipway.dev/slipway/api/v1alpha1"
)

// A Deployment that comes back from zero while held may serve the held template, most of all where a ReplicaSet of it is
// there already. So one pod stays, and everything else that people scale goes through.
func scaledThroughZeroWhileHeld(tb testing.TB) {
	s := newScene(tb, setting{first: good("v0")})
	s.rollOut(good("v1"))
	s.startLoad(60)
	s.adopt(plan{suspended: true})
	s.push(good("v0"))
	s.awaitReason(usual, v1alpha1.ReasonSuspended)
	s.wantFloorSaid()

	s.throughZero("v1")
	s.deleteOldReplicaSets()
	s.throughZero("v1")
	s.admin().does("patch", "deployment", "shop", "--type=merge", "-p", `{"spec":{"revisionHistoryLimit":0}}`)
	s.throughZero("v1")
	s.zeroByManifest("v1")
	for _, n := range []int{5, 2, 1, 3} {
		s.scale(n)
		s.awaitPods(n, "v1")
	}
	if d := s.shop(); !d.Spec.Paused || d.Annotations[v1alpha1.HeldAnnotation] != "shop" || versionOf(d.Spec.Template) != "v0" {
		s.Errorf("the change is not held any more: paused %t, annotations %q, version %s", d.Spec.Paused, d.Annotations, versionOf(d.Spec.Template))
	}
	s.wantNeverServed("v0")
	s.wantNoHarm()
}

// rollOut brings another version up with nothing to hold it.
func (s *scene) rollOut(v version) {
	s.Helper()
	s.apply(deployment("shop", v))
	s.awaitRolledOut("shop")
	s.awaitAnswer(v.name)
}

// wantFloorSaid looks for the condition that says what becomes of a scale to zero.
func (s *scene) wantFloorSaid() {
	s.Helper()
	limited := meta.FindStatusCondition(s.current().Status.Conditions, "ScalingLimited")
	if limited == nil || limited.Status != "True" {
		s.Errorf("no condition says that the Deployment does not go to zero: %s", compact(s.current().Status.Conditions))
	}
}

// throughZero scales 4, 0, 4. What is held has no pod at any time, and one pod of the version that serves stays.
func (s *scene) throughZero(serving string) {
	s.Helper()
	s.scale(4)
	s.awaitPods(4, serving)
	s.scale(0)
	s.wantOnePod(serving)
	s.scale(4)
	s.awaitPods(4, serving)
}

// zeroByManifest asks for zero as Git would.
func (s *scene) zeroByManifest(serving string) {
	s.Helper()
	s.apply(set(deployment("shop", good("v0")), int64(0), "spec.replicas"))
	s.wantOnePod(serving)
}

func (s *scene) wantOnePod(version string) {
	s.Helper()
	if have := *s.shop().Spec.Replicas; have != 1 {
		s.Errorf("the Deployment was scaled to zero and has spec.replicas %d, want 1", have)
	}
	s.awaitPods(1, version)
}

func (s *scene) scale(n int) {
	s.Helper()
	s.admin().does("scale", "deployment", "shop", "--replicas", strconv.Itoa(n))
}

// awaitPods waits for so many available pods of the Deployment, and sees to it that all are of one version.
func (s *scene) awaitPods(n int, version string) {
	s.Helper()
	s.until(fmt.Sprintf("%d pods", n), usual, func() (bool, string) {
		d := s.shop()
		done := d.Status.ObservedGeneration == d.Generation && int(d.Status.Replicas) == n && int(d.Status.AvailableReplicas) == n
		return done, compact(d.Status)
	})
	pods := &corev1.PodList{}
	if err := shared.List(s.Context(), pods, client.InNamespace(s.namespace), client.MatchingLabels{"app": "shop"}); err != nil {
		s.Fatalf("list pods: %v", err)
	}
	for _, pod := range pods.Items {
		if have := versionOf(corev1.PodTemplateSpec{Spec: pod.Spec}); have != version {
			s.Errorf("pod %s is of %s, want %s only", pod.Name, have, version)
		}
	}
}

// deleteOldReplicaSets leaves the Deployment those ReplicaSets that have pods.
func (s *scene) deleteOldReplicaSets() {
	s.Helper()
	sets := &appsv1.ReplicaSetList{}
	if err := shared.List(s.Context(), sets, client.InNamespace(s.namespace), client.MatchingLabels{"app": "shop"}); err != nil {
		s.Fatalf("list ReplicaSets: %v", err)
	}
	deleted := 0
	for i := range sets.Items {
		if *sets.Items[i].Spec.Replicas > 0 {
			continue
		}
		if err := shared.Delete(s.Context(), &sets.Items[i]); err != nil {
			s.Fatalf("delete ReplicaSet %s: %v", sets.Items[i].Name, err)
		}
		deleted++
	}
	if deleted == 0 {
		s.Error("there was no old ReplicaSet: the trial before this one was none")
	}
}
