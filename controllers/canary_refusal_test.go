package controllers

import (
	"errors"
	"strings"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"k8s.io/utils/ptr"

	"slipway.dev/slipway/api/v1alpha1"
	"slipway.dev/slipway/internal/release"
	"slipway.dev/slipway/internal/store"
	"slipway.dev/slipway/internal/workload"
)

var (
	overQuota = apierrors.NewForbidden(schema.GroupResource{Group: "apps", Resource: "deployments"}, "checkout-canary", errors.New("exceeded quota: few"))
	byPolicy  = apierrors.NewInvalid(schema.GroupKind{Group: "apps", Kind: "Deployment"}, "checkout-canary",
		field.ErrorList{field.Forbidden(field.NewPath("spec"), "no canaries here")})
)

// preparing is a release whose canary was asked for.
func preparing(w *world) {
	w.run = release.Run{
		Stage: release.Preparing, Canary: "abc", Revision: "abc",
		Want: release.Want{Split: true, Shares: release.Shares{Stable: release.Million}, Twin: true, TwinRevision: "abc", TwinPercent: 20},
	}
}

// aTwin is there as it was asked for, and no pod is ready.
func aTwin(w *world) {
	w.twin = &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Name: "checkout-canary"}}
	w.twinService = &corev1.Service{}
	w.twinSays = workload.TwinFacts{Exists: true, Revision: "abc", Desired: 2}
}

// A twin that the API server does not take is a reason that people can act on, and not a rollback.
func TestWhatTheAPIServerSaysAgainstTheTwinIsSaid(t *testing.T) {
	cases := map[string]struct {
		change   func(*world)
		says     error
		want     string
		wantBack bool // the error goes back to be tried again
	}{
		"a quota":                       {says: overQuota, want: "exceeded quota: few"},
		"a policy":                      {says: byPolicy, want: "no canaries here"},
		"somebody else was faster":      {says: store.ErrStale, wantBack: true},
		"the server is away":            {says: apierrors.NewServiceUnavailable("away"), wantBack: true},
		"nothing":                       {},
		"while it is taken away again":  {change: func(w *world) { w.run.Stage = release.RollingBack }, says: overQuota, wantBack: true},
		"what was made before is there": {change: aTwin, says: overQuota},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			w := aWorld(preparing)
			if tc.change != nil {
				tc.change(w)
			}
			b := NewBench(&readings{})
			if err := b.refused(w, tc.says); (err != nil) != tc.wantBack {
				t.Fatalf("went back: %v, want %v", err, tc.wantBack)
			}
			next := aWorld(preparing)
			if tc.change != nil {
				tc.change(next)
			}
			next.refusal = b.refusal(next)
			facts := next.twinFacts()
			if facts.NotAdmitted != (tc.want != "") || !strings.Contains(facts.Trouble, tc.want) {
				t.Errorf("not admitted %v, trouble %q; want %q", facts.NotAdmitted, facts.Trouble, tc.want)
			}
			if tc.want == "" {
				return
			}
			d := release.Decide(next.plan, next.run, release.Observation{Target: release.TargetFacts{Found: true, Held: true, Revision: "abc"}, Twin: facts})
			if d.Next.Stage != release.Preparing || string(d.Reason) != v1alpha1.ReasonCanaryNotScheduled || !strings.Contains(d.Detail, tc.want) {
				t.Errorf("stage %s, reason %s: %s", d.Next.Stage, d.Reason, d.Detail)
			}
		})
	}
}

func TestARefusalIsForgottenWhenTheTwinIsTaken(t *testing.T) {
	w := aWorld(preparing)
	b := NewBench(&readings{})
	if err := b.refused(w, overQuota); err != nil {
		t.Fatal(err)
	}
	if soon := w.lookAgain(time.Unix(1, 0)); soon <= 0 || soon >= refusalPause {
		t.Errorf("a refusal that nobody was told of is looked at again in %s", soon)
	}
	w = aWorld(preparing)
	w.refusal, w.refusalSaid = b.refusal(w), b.refusal(w)
	if again := w.lookAgain(time.Unix(1, 0)); again != refusalPause {
		t.Errorf("a refusal is looked at again in %s, want %s", again, refusalPause)
	}
	if err := b.refused(w, nil); err != nil || b.refusal(w) != "" {
		t.Errorf("still refused: %v, %q", err, b.refusal(w))
	}
}

// The Service of the old pods may be refused too, and a promotion that waits for it says so.
func TestWhatTheAPIServerSaysAgainstTheHoldServiceIsSaid(t *testing.T) {
	w := aWorld(preparing, aTwin)
	w.run.Stage = release.PromotionPreparing
	w.stable = &appsv1.ReplicaSet{Status: appsv1.ReplicaSetStatus{AvailableReplicas: 3, ReadyReplicas: 3}}
	w.target.Spec.Replicas = ptr.To[int32](3)
	w.refusal = "create Service checkout-stable-hold: exceeded quota: few"
	if got := w.holdFacts().Trouble; got != w.refusal {
		t.Errorf("trouble %q, want %q", got, w.refusal)
	}
	d := release.Decide(w.plan, w.run, release.Observation{
		Target: release.TargetFacts{Found: true, Held: true, Revision: "abc"},
		Twin:   release.TwinFacts{Exists: true, Ready: true, ReadyPods: 2}, Hold: w.holdFacts(),
	})
	if d.Next.Stage != release.PromotionPreparing || !strings.Contains(d.Detail, "exceeded quota: few") {
		t.Errorf("stage %s: %s", d.Next.Stage, d.Detail)
	}
}
