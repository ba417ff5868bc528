package controllers

import (
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"slipway.dev/slipway/api/v1alpha1"
	"slipway.dev/slipway/internal/release"
)

// aSplit is one of the release's that carries 20 % and is applied.
func aSplit(w *world) {
	w.run.Want = release.Want{Split: true, Shares: release.Shares{Stable: 800_000, Canary: 200_000}}
	w.split = &v1alpha1.TrafficSplit{
		ObjectMeta: metav1.ObjectMeta{
			Name: "checkout", Namespace: "shop", Generation: 2,
			OwnerReferences: []metav1.OwnerReference{*metav1.NewControllerRef(w.cr, v1alpha1.GroupVersion.WithKind("CanaryRelease"))},
		},
		Spec: splitSpec(w, w.run.Want.Shares),
		Status: v1alpha1.TrafficSplitStatus{
			ObservedGeneration: ptr.To[int64](2),
			Conditions:         []metav1.Condition{{Type: v1alpha1.ConditionTrafficApplied, Status: metav1.ConditionTrue}},
			Run:                v1alpha1.SplitRun{AppliedAt: &metav1.MicroTime{Time: time.Unix(50, 0)}},
		},
	}
}

func TestAppliedIsOnlyBelievedOfWhatTheRecordWants(t *testing.T) {
	cases := map[string]struct {
		change func(*world)
		want   bool
	}{
		"the split says it of this generation and these shares": {want: true},
		"the split's status is of an older spec": {change: func(w *world) {
			w.split.Generation = 3
		}},
		"the record wants other shares than the split has": {change: func(w *world) {
			w.run.Want.Shares = release.Shares{Stable: release.Million}
		}},
		"the split is going": {change: func(w *world) {
			w.split.DeletionTimestamp = &metav1.Time{Time: time.Unix(60, 0)}
		}},
		"the split is somebody else's": {change: func(w *world) {
			w.split.OwnerReferences = nil
		}},
		"the data plane has not answered": {change: func(w *world) {
			w.split.Status.Conditions[0].Status = metav1.ConditionUnknown
		}},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			w := aWorld(aSplit)
			if tc.change != nil {
				tc.change(w)
			}
			got := w.trafficFacts()
			if got.Applied != tc.want {
				t.Errorf("Applied %v, want %v", got.Applied, tc.want)
			}
			if tc.want && !got.AppliedAt.Equal(time.Unix(50, 0)) {
				t.Errorf("AppliedAt %v, want what the split recorded", got.AppliedAt)
			}
		})
	}
}

func TestTheCanaryHasAShareAsLongAsRecordOrSpecSaysSo(t *testing.T) {
	w := aWorld(aSplit)
	w.split.Status.Run.Backends = w.split.Spec.Backends
	w.split.Spec = splitSpec(w, release.Shares{Stable: release.Million})
	if !w.trafficFacts().CanaryShare {
		t.Error("the routes still carry the canary by the split's record, and that was overlooked")
	}
	w.split.Status.Run.Backends = w.split.Spec.Backends
	if w.trafficFacts().CanaryShare {
		t.Error("nothing gives the canary a share any more")
	}
}

func TestARolloutHasFailedOnlyByAStatusOfItsPresentTemplate(t *testing.T) {
	failed := appsv1.DeploymentCondition{Type: appsv1.DeploymentProgressing, Status: corev1.ConditionFalse, Reason: "ProgressDeadlineExceeded"}
	cases := map[string]struct {
		observed int64
		want     bool
	}{
		"the controller has seen the present template":  {observed: 2, want: true},
		"the status is of the template before this one": {observed: 1},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			w := aWorld()
			w.target.Generation, w.target.Status.ObservedGeneration = 2, tc.observed
			w.target.Status.Conditions = []appsv1.DeploymentCondition{failed}
			if got := w.targetFacts().Failed; got != tc.want {
				t.Errorf("Failed %v, want %v", got, tc.want)
			}
		})
	}
}

func TestStableIsBrokenWhenItHasBeenWithoutPodsForAWhile(t *testing.T) {
	now := time.Unix(1000, 0)
	stable := &appsv1.ReplicaSet{ObjectMeta: metav1.ObjectMeta{UID: "stable"}}
	pod := func(ready corev1.ConditionStatus, ago time.Duration) corev1.Pod {
		return corev1.Pod{
			ObjectMeta: metav1.ObjectMeta{OwnerReferences: []metav1.OwnerReference{*metav1.NewControllerRef(stable, appsv1.SchemeGroupVersion.WithKind("ReplicaSet"))}},
			Status:     corev1.PodStatus{Conditions: []corev1.PodCondition{{Type: corev1.PodReady, Status: ready, LastTransitionTime: metav1.NewTime(now.Add(-ago))}}},
		}
	}
	foreign := pod(corev1.ConditionTrue, time.Hour)
	foreign.OwnerReferences = nil
	cases := map[string]struct {
		available int32
		pods      []corev1.Pod
		unknown   bool
		want      bool
		wantWake  time.Duration
	}{
		"it has pods": {available: 1},
		"its last pod failed a probe a moment ago": {
			pods: []corev1.Pod{pod(corev1.ConditionFalse, time.Hour), pod(corev1.ConditionFalse, time.Second)}, wantWake: brokenAfter - time.Second,
		},
		"a pod takes requests, and is not available yet": {
			pods: []corev1.Pod{pod(corev1.ConditionFalse, time.Hour), pod(corev1.ConditionTrue, time.Second)}, wantWake: brokenAfter,
		},
		"its pods have been away for a while": {pods: []corev1.Pod{pod(corev1.ConditionFalse, brokenAfter)}, want: true},
		"it has no pods at all":               {want: true},
		"another's pods are none of it":       {pods: []corev1.Pod{foreign}, want: true},
		"it never served: there is nothing to wait for": {
			pods: []corev1.Pod{pod(corev1.ConditionFalse, time.Second)}, unknown: true, want: true,
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			w := aWorld()
			w.stable = stable.DeepCopy()
			w.stable.Status.AvailableReplicas = tc.available
			w.stablePods = tc.pods
			w.run.Stable.UID = "stable"
			if tc.unknown {
				w.run.Stable.UID = ""
			}
			if got := w.observe(now, release.Verdict{}).Target.StableBroken; got != tc.want {
				t.Errorf("StableBroken %v, want %v", got, tc.want)
			}
			if got := w.lookAgain(now); got != tc.wantWake {
				t.Errorf("looked at again in %s, want %s", got, tc.wantWake)
			}
		})
	}
}

func TestOfSeveralRequestsTheMostUrgentIsHeard(t *testing.T) {
	cr := aRelease(func(c *v1alpha1.CanaryRelease) {
		c.Annotations = map[string]string{v1alpha1.RequestPromote: "abc", v1alpha1.RequestAbort: "abc"}
	})
	if got := requestOf(cr); got != (release.Request{Verb: release.Abort, Revision: "abc"}) {
		t.Errorf("request %+v, want the abort", got)
	}
}

func TestARecordThatCannotBeReadIsLostAndKeepsItsSequence(t *testing.T) {
	run := readRun(v1alpha1.RunRecord{Sequence: ptr.To[int64](7), Record: "{"})
	if run.Sequence != 7 {
		t.Errorf("run %+v; want sequence 7", run)
	}
	next := release.Decide(aWorld().plan, run, release.Observation{Now: time.Unix(1, 0)}).Next
	if next.Stage == release.PromotionRolling || next.Want.Shares.Canary != 0 {
		t.Errorf("a lost record led to %+v", next)
	}
}

// Where the API server does not take the canary, there is no Deployment whose state could say so.
func TestACanaryThatTheAPIServerRefusesIsSaid(t *testing.T) {
	w := aWorld()
	w.twin, w.refusal = nil, `deployments.apps "checkout-canary" is forbidden: exceeded quota`
	got := w.twinFacts()
	if !got.NotAdmitted || got.Trouble != w.refusal {
		t.Errorf("not admitted %t, trouble %q; want the API server's words", got.NotAdmitted, got.Trouble)
	}
	if w.lookAgain(time.Unix(1, 0)) == 0 {
		t.Error("nobody looks again, though nothing that is watched may change")
	}
}
