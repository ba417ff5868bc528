package hold

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"slipway.dev/slipway/api/v1alpha1"
	"slipway.dev/slipway/internal/workload"
)

var gitApply = []string{"apply", "--server-side", "--field-manager=git", "-f", "-"}

// rehold plays harm while promoting: stable has an environment variable that the change takes away; the change is
// released, stable is put back, and the change is held again.
func rehold(s shop, restore bool) (before, after *appsv1.Deployment) {
	s.t.Helper()
	if err := server.person.Delete(s.t.Context(), s.get("shop")); err != nil {
		s.t.Fatalf("delete Deployment: %v", err)
	}
	s.mustKubectl(gitVersion("shop:v1", "EXTRA"), gitApply...)
	stable := s.get("shop").Spec.Template
	s.mustKubectl(gitVersion("shop:v2", "NEW"), gitApply...)
	before = s.get("shop")

	rev, err := workload.NewRevision(s.release(), workload.RevisionCandidate, before.Spec.Template, 1)
	if err == nil {
		rev, err = workload.RecordManagedFields(rev, before)
	}
	if err != nil {
		s.t.Fatalf("record the held template: %v", err)
	}
	s.create(rev)

	s.operate(workload.Release)
	s.operate(func(d *appsv1.Deployment) *appsv1.Deployment { return workload.PutBack(d, stable) })
	s.operate(func(d *appsv1.Deployment) *appsv1.Deployment {
		return workload.Rehold(d, s.recordedTemplate(rev.Name), "release")
	})
	if restore {
		s.operate(s.restoring(rev.Name))
	}
	return before, s.get("shop")
}

// operate is one write of the operator.
func (s shop) operate(change func(*appsv1.Deployment) *appsv1.Deployment) {
	s.t.Helper()
	d := change(s.get("shop"))
	if err := server.operator.Update(s.t.Context(), d, client.FieldOwner(v1alpha1.FieldManager)); err != nil {
		s.t.Fatalf("update Deployment as the operator: %v", err)
	}
}

func (s shop) restoring(revision string) func(*appsv1.Deployment) *appsv1.Deployment {
	return func(d *appsv1.Deployment) *appsv1.Deployment {
		recorded, err := workload.RecordedManagedFields(s.revision(revision))
		if err != nil {
			s.t.Fatalf("read managed fields: %v", err)
		}
		out, err := workload.RestoreOwnership(d, recorded)
		if err != nil {
			s.t.Fatalf("restore managed fields: %v", err)
		}
		return out
	}
}

func (s shop) revision(name string) *appsv1.ControllerRevision {
	s.t.Helper()
	rev := &appsv1.ControllerRevision{}
	if err := server.operator.Get(s.t.Context(), client.ObjectKey{Namespace: s.namespace, Name: name}, rev); err != nil {
		s.t.Fatalf("get ControllerRevision: %v", err)
	}
	return rev
}

func (s shop) recordedTemplate(name string) corev1.PodTemplateSpec {
	s.t.Helper()
	template, err := workload.ReadTemplate(s.revision(name))
	if err != nil {
		s.t.Fatal(err)
	}
	return template
}

func TestHeldAgainIsWhatGitApplied(t *testing.T) {
	s := newShop(t)
	before, after := rehold(s, true)
	if diff := cmp.Diff(held, stateOf(after)); diff != "" {
		t.Fatalf("not held again (-want +got):\n%s", diff)
	}
	if !workload.SameTemplate(before.Spec.Template, after.Spec.Template) {
		t.Errorf("the held template came back changed:\n%s", cmp.Diff(before.Spec.Template, after.Spec.Template))
	}
	if owners := s.ownersOf(`k:{\"name\":\"NEW\"}`); !cmp.Equal(owners, []string{"git"}) {
		t.Errorf("the template's new variable is owned by %v, want git alone", owners)
	}

	s.mustKubectl(gitVersion("shop:v2", "NEW"), gitApply...)
	again := s.get("shop")
	if again.Generation != after.Generation || stateOf(again) != held {
		t.Errorf("the next apply from Git changed something: generation %d, was %d, %+v", again.Generation, after.Generation, stateOf(again))
	}
	s.mustKubectl(gitVersion("shop:v3"), gitApply...)
	if env := s.get("shop").Spec.Template.Spec.Containers[0].Env; len(env) > 0 {
		t.Errorf("an apply that takes variables away leaves %v: a third template", env)
	}
}

// Without the recorded owners the trap is there; should the API server change, the second write may go.
func TestWithoutTheRecordedOwnersGitMakesAThirdTemplate(t *testing.T) {
	s := newShop(t)
	rehold(s, false)
	if out, err := s.kubectl(gitVersion("shop:v3"), gitApply...); err == nil {
		if env := s.get("shop").Spec.Template.Spec.Containers[0].Env; len(env) == 0 {
			t.Errorf("an apply from Git is neither refused nor leaves the operator's fields behind:\n%s", out)
		}
	}
}

func TestStablePutBackBelongsToGitAgain(t *testing.T) {
	s := newShop(t)
	if err := server.person.Delete(t.Context(), s.get("shop")); err != nil {
		t.Fatalf("delete Deployment: %v", err)
	}
	s.mustKubectl(gitVersion("shop:v1", "EXTRA"), gitApply...)
	stable := s.get("shop")
	s.mustKubectl(gitVersion("shop:v2"), gitApply...)
	s.operate(func(d *appsv1.Deployment) *appsv1.Deployment { return workload.PutBack(d, stable.Spec.Template) })
	s.operate(func(d *appsv1.Deployment) *appsv1.Deployment {
		out, err := workload.RestoreOwnership(d, stable.ManagedFields)
		if err != nil {
			t.Fatalf("restore managed fields: %v", err)
		}
		return out
	})
	s.mustKubectl(gitVersion("shop:v2"), gitApply...)
	c := s.get("shop").Spec.Template.Spec.Containers[0]
	if c.Image != "shop:v2" || len(c.Env) > 0 {
		t.Errorf("Git's next apply makes image %q, env %v; want what is in Git", c.Image, c.Env)
	}
}
