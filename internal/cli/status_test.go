package cli

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"slipway.dev/slipway/api/v1alpha1"
)

func ownedByRelease() []metav1.OwnerReference {
	return []metav1.OwnerReference{*metav1.NewControllerRef(aRelease(), v1alpha1.GroupVersion.WithKind("CanaryRelease"))}
}

func weighted(name string, weight int32) v1alpha1.WeightedBackend {
	return v1alpha1.WeightedBackend{Name: name, Weight: new(weight)}
}

func aSplit(route v1alpha1.RouteStatus, backends ...v1alpha1.WeightedBackend) *v1alpha1.TrafficSplit {
	return &v1alpha1.TrafficSplit{
		ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "checkout", OwnerReferences: ownedByRelease()},
		Status:     v1alpha1.TrafficSplitStatus{Routes: []v1alpha1.RouteStatus{route}, Run: v1alpha1.SplitRun{Sequence: ptr.To[int64](3), Backends: backends}},
	}
}

func canaryPod(name string, change func(*corev1.Pod)) *corev1.Pod {
	p := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: "shop", Name: name, Labels: map[string]string{"app": "checkout-canary"},
			CreationTimestamp: metav1.NewTime(now.Add(-3 * time.Minute)),
		},
		Status: corev1.PodStatus{
			Phase: corev1.PodRunning, Conditions: []corev1.PodCondition{{Type: corev1.PodReady, Status: corev1.ConditionTrue}},
		},
	}
	change(p)
	return p
}

func crashing(p *corev1.Pod) {
	p.Status.Conditions = nil
	p.Status.ContainerStatuses = []corev1.ContainerStatus{{RestartCount: 3, State: corev1.ContainerState{
		Waiting: &corev1.ContainerStateWaiting{Reason: "CrashLoopBackOff"},
	}}}
}

func aTwin() client.Object {
	d := aTarget("v2", false)
	d.Name, d.OwnerReferences = "checkout-canary", ownedByRelease()
	d.Spec.Selector.MatchLabels = map[string]string{"app": "checkout-canary"}
	return d
}

func withEvidence(cr *v1alpha1.CanaryRelease) {
	s := &cr.Status
	s.Step, s.Weight, s.Evidence, s.FloorReplicas = "2/3", "25%", "harm 3%, health 61%", ptr.To[int32](4)
	s.Metrics = []v1alpha1.MetricStatus{
		{
			Name: "errors", Message: "the same in one sentence", Canary: "0.40% (5/1,240)", Stable: "0.38% (47/12,300)",
			Difference: "+0.02 points (? to +0.91)", Harm: "1.1 of 20", HarmPercent: ptr.To[int32](3), Health: "6.2 of 20", HealthPercent: ptr.To[int32](61),
			Noise: "1.20", RequestsNeeded: ptr.To[int64](900), TimeNeeded: "1m30s",
		},
		{Name: "queue-of-mails", Message: "worse than tolerated in 1 of 4 blocks of this step", Harm: "0.4 of 20", HarmPercent: ptr.To[int32](0), Health: "1.9 of 20", HealthPercent: ptr.To[int32](21)},
		{Name: "latency", Message: "canary 1.10% (14/1,240), stable 1.02% (125/12,300); harm evidence 1 of 20 (0%); promote evidence 22 of 20"},
	}
	s.Decisions = []v1alpha1.DecisionRecord{
		{Time: &metav1.Time{Time: now.Add(-5 * time.Minute)}, Revision: s.Revision, Stage: "Preparing", Weight: "0%", Reason: "Preparing", Message: "starting the canary"},
		{Time: &metav1.Time{Time: now.Add(-90 * time.Second)}, Revision: s.Revision, Stage: "Judging", Weight: "25%", Reason: "Judging", Message: "step 2 of 3 at 25%: gathering evidence"},
	}
	s.Conditions = append(s.Conditions,
		condition(v1alpha1.ConditionReconciling, metav1.ConditionTrue, "Judging", "the same again"),
		condition(v1alpha1.ConditionAccepted, metav1.ConditionTrue, "Accepted", "the release can be run as it is written"),
		condition(v1alpha1.ConditionTrafficApplied, metav1.ConditionTrue, "Applied", "the route gives the canary 25%"),
		condition("NotCovered", metav1.ConditionTrue, "NotCovered", "these cover stable's pods and not the canary's: NetworkPolicy allow-gateway, PodDisruptionBudget checkout"))
}

func TestStatusScreens(t *testing.T) {
	v1, v2 := revision("v1"), revision("v2")
	applied := v1alpha1.RouteStatus{Kind: "HTTPRoute", Name: "checkout", Applied: metav1.ConditionTrue, Repairs: ptr.To[int32](2), RepairedFrom: "argocd-controller"}
	waitsFor := v1alpha1.RouteStatus{Kind: "HTTPRoute", Name: "checkout", Applied: metav1.ConditionUnknown, Message: "Gateway gateway-system/gw has not said yet that it has generation 7"}
	for name, objects := range map[string][]client.Object{
		"judging": {
			aRelease(at("Judging", "NotEnoughTraffic", "step 2 of 3 at 25%: errors: about 900 requests more are needed for a verdict at the accepted risk", v2, v1), withEvidence),
			aTarget("v2", true), aTwin(), aSplit(applied, weighted("checkout", 750_000), weighted("checkout-canary", 250_000)),
			canaryPod("checkout-canary-6d5f7-bxk2p", func(*corev1.Pod) {}), canaryPod("checkout-canary-6d5f7-zz9qw", crashing),
		},
		"a-feather-and-a-request": {
			aRelease(at("Preparing", "Preparing", "step 1 of 3 at 5%: 0 of 2 canary pods are ready", v2, v1), func(cr *v1alpha1.CanaryRelease) {
				cr.Annotations = map[string]string{v1alpha1.RequestAbort: v2}
				cr.Status.Step, cr.Status.Weight = "1/3", "0%"
			}),
			aTarget("v2", true), aTwin(), aSplit(waitsFor, weighted("checkout", 999_999), weighted("checkout-canary", 1)),
		},
		"stable":        {aRelease(at("Idle", "Stable", "revision "+v1+" serves; a change will be held and released step by step", v1, v1)), aTarget("v1", false)},
		"not-looked-at": {aRelease()},
		"compared-with-itself": {aRelease(at("Idle", "Stable", "revision "+v1+" serves", v1, v1), func(cr *v1alpha1.CanaryRelease) {
			cr.Spec.Analysis.Mode = v1alpha1.ModeAA
			cr.Status.Calibration = []v1alpha1.MetricCalibration{{
				Name: "errors", ProposedRelative: "15%", ProposedAbsolute: "0.2%",
				Message: "halves of stable: 0.12% (24/20,000) and 0.10% (21/20,500); noise 1.40; pods differ by 12%; proposed: relative 15%, absolute 0.2%, with which the steps take about 21m0s",
			}}
		}), aTarget("v1", false)},
	} {
		t.Run(name, func(t *testing.T) {
			out, status, message := newTable(interceptor.Funcs{}, objects...).run(t.Context(), "status", "checkout")
			if status != 0 {
				t.Fatalf("exit status %d: %s", status, message)
			}
			golden(t, filepath.Join("testdata", "status", name+".golden"), out)
		})
	}
}

func golden(t *testing.T, path, got string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s (-want +got; -update writes it anew):\n%s", path, diff)
	}
}

func TestWatchDrawsWhatHasChanged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newTable(scenes(
			at("Shifting", "Shifting", "waits", "b", "a"), at("Shifting", "Shifting", "waits", "b", "a"), at("Judging", "Judging", "gathers", "b", "a"),
		), aRelease(), aTarget("v2", true))
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		out, _, _ := w.run(ctx, "status", "checkout", "--watch")
		if got := strings.Count(out, "release    shop/checkout"); got != 2 {
			t.Errorf("drawn %d times, want 2:\n%s", got, out)
		}
	})
}
