package cli

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"slipway.dev/slipway/api/v1alpha1"
)

// v1 is stable, v2 is what is waited for, v3 comes later.
func TestStanding(t *testing.T) {
	v1, v2, v3 := revision("v1"), revision("v2"), revision("v3")
	for name, tc := range map[string]struct {
		inTarget string
		held     bool
		release  *v1alpha1.CanaryRelease
		want     standingOf
	}{
		"right after the apply, the operator has not seen it": {
			inTarget: "v2", held: true, release: aRelease(at("Idle", "Stable", "", v1, v1)), want: undecided,
		},
		"right after the apply, the release before was rolled back": {
			inTarget: "v2", held: true, release: aRelease(at("RolledBack", "HarmProven", "", v3, v1)), want: undecided,
		},
		"a release that the operator has never looked at": {
			inTarget: "v2", held: true, release: aRelease(), want: undecided,
		},
		"it is being judged":     {inTarget: "v2", held: true, release: aRelease(at("Judging", "Judging", "", v2, v1)), want: undecided},
		"it is being rolled out": {inTarget: "v2", release: aRelease(at("PromotionRolling", "Promoting", "", v2, v1)), want: undecided},
		"the canary leaves":      {inTarget: "v2", release: aRelease(at("PromotionFinishing", "Promoting", "", v2, v2)), want: undecided},
		"it is promoted":         {inTarget: "v2", release: aRelease(at("Idle", "Promoted", "", v2, v2)), want: promoted},
		"it was let through":     {inTarget: "v2", release: aRelease(at("Idle", "Stable", "", "", v2)), want: promoted},
		"it serves, and was held by an apply that changed it twice": {
			inTarget: "v2", held: true, release: aRelease(at("Idle", "Stable", "", v2, v2)), want: undecided,
		},
		"it is being rolled back": {inTarget: "v2", held: true, release: aRelease(at("RollingBack", "HarmProven", "", v2, v1)), want: undecided},
		"it is rolled back":       {inTarget: "v2", held: true, release: aRelease(at("RolledBack", "HarmProven", "", v2, v1)), want: rolledBack},
		"stable is put back after harm in the promotion": {
			inTarget: "v1", release: aRelease(at("PuttingBack", "HarmProven", "", v2, v1)), want: undecided,
		},
		"it is held again after a put-back, and the Deployment was read before": {
			inTarget: "v1", release: aRelease(at("RolledBack", "HarmProven", "", v2, v1)), want: rolledBack,
		},
		"a newer change came": {inTarget: "v3", held: true, release: aRelease(at("Judging", "Judging", "", v2, v1)), want: replaced},
		"stable was set back": {inTarget: "v1", release: aRelease(at("Idle", "Stable", "", v1, v1)), want: replaced},
		"the release is deleted": {
			inTarget: "v2", held: true, want: leaving, release: aRelease(at("Deleting", "Deleting", "", v2, v1), func(cr *v1alpha1.CanaryRelease) {
				cr.DeletionTimestamp = &metav1.Time{Time: now}
			}),
		},
	} {
		t.Run(name, func(t *testing.T) {
			if got := standing(seen{aTarget(tc.inTarget, tc.held), tc.release}, v2); got != tc.want {
				t.Errorf("standing %d, want %d", got, tc.want)
			}
		})
	}
}

// scenes has the release go through scenes, one for each time that it is read after the first.
func scenes(all ...func(*v1alpha1.CanaryRelease)) interceptor.Funcs {
	reads := 0
	return interceptor.Funcs{Get: func(ctx context.Context, c client.WithWatch, key client.ObjectKey, o client.Object, opts ...client.GetOption) error {
		err := c.Get(ctx, key, o, opts...)
		cr, ok := o.(*v1alpha1.CanaryRelease)
		if !ok || err != nil {
			return err
		}
		reads++
		all[min(max(reads-2, 0), len(all)-1)](cr)
		return nil
	}}
}

func TestWait(t *testing.T) {
	v1, v2 := revision("v1"), revision("v2")
	before := at("Idle", "Stable", "v1 serves", v1, v1)
	judging := at("Judging", "NotEnoughTraffic", "step 1 of 3 at 5%: 100 requests more", v2, v1)
	waits := at("Judging", "WaitingForPerson", "step 3 of 3 at 50%: a person says when to go on", v2, v1)
	for name, tc := range map[string]struct {
		scenes     []func(*v1alpha1.CanaryRelease)
		wantOut    []string
		wantStatus int
		want       string
	}{
		"until it is promoted": {
			scenes: []func(*v1alpha1.CanaryRelease){before, judging, judging, waits, at("Idle", "Promoted", "revision was promoted", v2, v2)},
			wantOut: []string{
				"waiting for revision " + v2, "not begun with this revision yet", "Judging: NotEnoughTraffic\n",
				"WaitingForPerson: step 3 of 3 at 50%: a person says when to go on", "promoted: revision " + v2 + " serves",
			},
		},
		"until it is rolled back": {
			scenes:     []func(*v1alpha1.CanaryRelease){before, judging, at("RolledBack", "HarmProven", "errors: canary 4%", v2, v1)},
			wantStatus: 1, want: "rolled back: HarmProven: errors: canary 4%",
		},
		"until the time is up": {
			scenes: []func(*v1alpha1.CanaryRelease){waits}, wantStatus: 2, want: "WaitingForPerson",
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				// Nobody lifts the hold on paper, so the Deployment is as after it.
				w := newTable(scenes(tc.scenes...), aRelease(), aTarget("v2", false))
				out, status, message := w.run(t.Context(), "wait", "deployment/checkout")
				if status != tc.wantStatus || !strings.Contains(message, tc.want) {
					t.Errorf("exit status %d (want %d), message %q (want %q in it)", status, tc.wantStatus, message, tc.want)
				}
				for _, line := range tc.wantOut {
					if strings.Count(out, line) != 1 {
						t.Errorf("want %q once in:\n%s", line, out)
					}
				}
			})
		})
	}
}

func TestWaitIsForTheTemplateThatWasThere(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		looks := 0
		funcs := interceptor.Funcs{Get: func(ctx context.Context, c client.WithWatch, key client.ObjectKey, o client.Object, opts ...client.GetOption) error {
			if err := c.Get(ctx, key, o, opts...); err != nil || key.Name != "checkout" {
				return err
			}
			if cr, ok := o.(*v1alpha1.CanaryRelease); ok {
				if looks++; looks == 3 {
					if err := c.Update(ctx, changed(ctx, t, c)); err != nil {
						t.Error(err)
					}
				}
				at("Judging", "Judging", "", revision("v2"), revision("v1"))(cr)
			}
			return nil
		}}
		w := newTable(funcs, aRelease(), aTarget("v2", true))
		_, status, message := w.run(t.Context(), "wait", "checkout")
		if want := "revision " + revision("v3") + " has come in the place of revision " + revision("v2"); status != 2 || !strings.Contains(message, want) {
			t.Errorf("exit status %d, message %q, want 2 and %q", status, message, want)
		}
	})
}

// changed is the Deployment with the third version in it.
func changed(ctx context.Context, t *testing.T, c client.Client) client.Object {
	t.Helper()
	d := aTarget("v2", true)
	if err := c.Get(ctx, client.ObjectKeyFromObject(d), d); err != nil {
		t.Error(err)
	}
	d.Spec.Template = template("v3")
	return d
}
