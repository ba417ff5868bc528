package cli

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"slipway.dev/slipway/api/v1alpha1"
	"slipway.dev/slipway/internal/release"
)

// operator answers a request as soon as it is written: it takes the annotation away and says the note in an Event.
func operator(annotation, note string) interceptor.Funcs {
	return interceptor.Funcs{Patch: func(ctx context.Context, c client.WithWatch, o client.Object, patch client.Patch, opts ...client.PatchOption) error {
		if err := c.Patch(ctx, o, patch, opts...); err != nil {
			return err
		}
		cr := o.DeepCopyObject().(*v1alpha1.CanaryRelease)
		delete(cr.Annotations, annotation)
		if err := c.Update(ctx, cr); err != nil || note == "" {
			return err
		}
		return c.Create(ctx, answerEvent("new", note))
	}}
}

func judgingRelease() *v1alpha1.CanaryRelease {
	return aRelease(at("Judging", "Judging", "step 1 of 3 at 5%: gathering evidence", "bcdf", "xz99"))
}

func TestRequest(t *testing.T) {
	for name, tc := range map[string]struct {
		args     []string
		release  *v1alpha1.CanaryRelease
		operator interceptor.Funcs
		// wantOut and wantMessage are parts of what is printed.
		wantOut     string
		wantStatus  int
		wantMessage string
	}{
		"the operator does it": {
			args: []string{"promote", "checkout"}, release: judgingRelease(), operator: operator(v1alpha1.RequestPromote, "promoted by a person"),
			wantOut: "asked: promote revision bcdf of CanaryRelease shop/checkout\nanswer: promoted by a person\n",
		},
		"the operator refuses": {
			args: []string{"retry", "checkout"}, release: judgingRelease(),
			operator:   operator(v1alpha1.RequestRetry, "retry refused: it means nothing while the release is Judging"),
			wantOut:    "asked: retry revision bcdf of CanaryRelease shop/checkout\n",
			wantStatus: 1, wantMessage: "it means nothing while the release is Judging",
		},
		"somebody means another revision than is being released": {
			args: []string{"abort", "checkout", "--revision", "old1"}, release: judgingRelease(),
			operator:   operator(v1alpha1.RequestAbort, "abort of revision old1 refused: the release is of revision bcdf"),
			wantOut:    "asked: abort revision old1 of CanaryRelease shop/checkout\n",
			wantStatus: 1, wantMessage: "the release is of revision bcdf",
		},
		"the operator does not answer": {
			args: []string{"pause", "checkout"}, release: judgingRelease(),
			wantOut:    "asked: pause revision bcdf of CanaryRelease shop/checkout\n",
			wantStatus: 2, wantMessage: "annotate canaryrelease checkout slipway.dev/pause-",
		},
		"the answer is lost": {
			args: []string{"resume", "checkout"}, release: judgingRelease(), operator: operator(v1alpha1.RequestResume, ""),
			wantOut:    "asked: resume revision bcdf of CanaryRelease shop/checkout\n",
			wantStatus: 2, wantMessage: "the release is at Judging: step 1 of 3",
		},
		"another person's refusal is not taken for the answer": {
			args: []string{"resume", "checkout"}, release: judgingRelease(), operator: operator(v1alpha1.RequestResume, "retry refused: it means nothing"),
			wantOut:    "asked: resume revision bcdf of CanaryRelease shop/checkout\n",
			wantStatus: 2, wantMessage: "cannot be read",
		},
		"nobody waits": {
			args: []string{"abort", "checkout", "--wait=false"}, release: judgingRelease(),
			wantOut: "asked: abort revision bcdf of CanaryRelease shop/checkout\n",
		},
		"the operator has never looked": {
			args: []string{"abort", "checkout"}, release: aRelease(), wantStatus: 1, wantMessage: "name a --revision",
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newTable(tc.operator, tc.release, answerEvent("old", "aborted"))
				out, status, message := w.run(t.Context(), tc.args...)
				if diff := cmp.Diff(tc.wantOut, out); diff != "" {
					t.Errorf("printed (-want +got):\n%s", diff)
				}
				if status != tc.wantStatus || !strings.Contains(message, tc.wantMessage) {
					t.Errorf("exit status %d (want %d), message %q (want %q in it)", status, tc.wantStatus, message, tc.wantMessage)
				}
			})
		})
	}
}

func TestRequestIsWrittenOnWhatWasRead(t *testing.T) {
	conflicts := 0
	funcs := interceptor.Funcs{Patch: func(ctx context.Context, c client.WithWatch, o client.Object, patch client.Patch, opts ...client.PatchOption) error {
		data, err := patch.Data(o)
		if err != nil {
			return err
		}
		if !strings.Contains(string(data), `"resourceVersion"`) {
			t.Errorf("patch %s carries no resourceVersion", data)
		}
		if conflicts++; conflicts == 1 {
			return apierrors.NewConflict(schema.GroupResource{Resource: "canaryreleases"}, o.GetName(), nil)
		}
		return c.Patch(ctx, o, patch, opts...)
	}}
	w := newTable(funcs, judgingRelease())
	if _, status, message := w.run(t.Context(), "promote", "checkout", "--wait=false"); status != 0 {
		t.Fatalf("exit status %d: %s", status, message)
	}
	cr := &v1alpha1.CanaryRelease{}
	if err := w.client.Get(t.Context(), client.ObjectKeyFromObject(aRelease()), cr); err != nil {
		t.Fatal(err)
	}
	if got := cr.Annotations[v1alpha1.RequestPromote]; got != "bcdf" {
		t.Errorf("annotation %q, want the revision that was printed", got)
	}
}

// The text of an Event is all that says whether a request was refused, so it is read as the core writes it.
func TestRefusalsAreKnownByTheCoresWords(t *testing.T) {
	held := release.Observation{Target: release.TargetFacts{Found: true, Held: true, Revision: "bcdf"}}
	plan := release.Plan{Steps: []release.Step{{WeightPercent: 5}}}
	ask := func(stage release.Stage, verb release.Verb, revision string) string {
		o := held
		o.Now, o.Request = now, release.Request{Verb: verb, Revision: revision}
		run := release.Run{Stage: stage, Revision: "bcdf", Canary: "bcdf", Stable: release.Stable{UID: "u", Revision: "xz99"}, Outcome: release.Rejected}
		return release.Decide(plan, run, o).Answer
	}
	for _, v := range verbs() {
		if answer := ask(release.RolledBack, v.name, "other"); !refused(corev1.Event{Message: answer}) {
			t.Errorf("%s of another revision: %q is not taken for a refusal", v.name, answer)
		}
	}
	if answer := ask(release.RolledBack, release.Pause, "bcdf"); !refused(corev1.Event{Message: answer}) {
		t.Errorf("pause after the end: %q is not taken for a refusal", answer)
	}
	for stage, verb := range map[release.Stage]release.Verb{release.RolledBack: release.Retry, release.Checking: release.Abort} {
		if answer := ask(stage, verb, "bcdf"); answer == "" || refused(corev1.Event{Message: answer}) {
			t.Errorf("%s at %s: %q is taken for a refusal", verb, stage, answer)
		}
	}
}
