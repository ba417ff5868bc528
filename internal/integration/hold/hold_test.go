package hold

import (
	"context"
	"testing"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"slipway.dev/slipway/api/v1alpha1"
	"slipway.dev/slipway/internal/workload"
)

// state is what the policy decides about.
type state struct {
	Paused   bool
	HeldBy   string
	Replicas int32
}

func stateOf(d *appsv1.Deployment) state {
	return state{Paused: d.Spec.Paused, HeldBy: d.Annotations[v1alpha1.HeldAnnotation], Replicas: *d.Spec.Replicas}
}

var (
	free = state{Replicas: 3}
	held = state{Paused: true, HeldBy: "release", Replicas: 3}
)

// rolledOut is the status of a Deployment whose pods are all of its template.
func rolledOut(d *appsv1.Deployment) {
	d.Status = appsv1.DeploymentStatus{ObservedGeneration: d.Generation, Replicas: 3, UpdatedReplicas: 3, ReadyReplicas: 3, AvailableReplicas: 3}
}

// pending is the status of a paused Deployment whose template was changed: no pod is of it.
func pending(d *appsv1.Deployment) {
	d.Status = appsv1.DeploymentStatus{ObservedGeneration: d.Generation, Replicas: 3, ReadyReplicas: 3, AvailableReplicas: 3}
}

func TestChangeOfDeployment(t *testing.T) {
	tests := map[string]struct {
		before []func(*appsv1.Deployment)
		status func(*appsv1.Deployment)
		by     client.Client
		change func(*appsv1.Deployment)
		want   state
	}{
		"a changed template is held in the request that changes it": {
			change: image("shop:v2"), want: held,
		},
		"a restart is held too, and the operator lets it go": {
			change: func(d *appsv1.Deployment) {
				d.Spec.Template.Annotations = map[string]string{workload.RestartedAtAnnotation: "2026-01-01T00:00:00Z"}
			},
			want: held,
		},
		"scaling is nobody's business": {
			change: replicas(7), want: state{Replicas: 7},
		},
		"what is not held may be scaled to zero": {
			change: replicas(0), want: state{},
		},
		"labels of the Deployment itself are no change": {
			change: func(d *appsv1.Deployment) { d.Labels = map[string]string{"team": "checkout"} }, want: free,
		},
		"the operator's change is not held": {
			by: server.operator, change: image("shop:v2"), want: free,
		},
		"the autoscaler's change of a template would be held": {
			by: server.autoscaler, change: image("shop:v2"), want: held,
		},
		"a template that its user changes while it is paused is left alone": {
			before: []func(*appsv1.Deployment){pause}, change: image("shop:v2"), want: state{Paused: true, Replicas: 3},
		},
		"a template that is changed and paused by one request is left alone": {
			change: both(image("shop:v2"), pause), want: state{Paused: true, Replicas: 3},
		},
		"resuming with a change that was never rolled out is held": {
			before: []func(*appsv1.Deployment){pause, image("shop:v2")}, status: pending, change: resume, want: held,
		},
		"resuming before the controller has seen the change is held": {
			before: []func(*appsv1.Deployment){pause}, change: resume, want: held,
		},
		"resuming with nothing to roll out is left alone": {
			before: []func(*appsv1.Deployment){pause}, status: rolledOut, change: resume, want: free,
		},
		"a change that comes with the end of the user's pause is held": {
			before: []func(*appsv1.Deployment){pause}, status: rolledOut, change: both(image("shop:v2"), resume), want: held,
		},
		"a held Deployment is not resumed": {
			before: []func(*appsv1.Deployment){image("shop:v2")}, change: resume, want: held,
		},
		"the mark cannot be taken away": {
			before: []func(*appsv1.Deployment){image("shop:v2")}, change: unmark, want: held,
		},
		"mark and pause cannot be taken away together": {
			before: []func(*appsv1.Deployment){image("shop:v2")}, change: both(unmark, resume), want: held,
		},
		"the mark cannot be given another name": {
			before: []func(*appsv1.Deployment){image("shop:v2")},
			change: func(d *appsv1.Deployment) { d.Annotations[v1alpha1.HeldAnnotation] = "" },
			want:   held,
		},
		"going back to the stable template stays held until the operator lets it go": {
			before: []func(*appsv1.Deployment){image("shop:v2")}, change: image("shop:v1"), want: held,
		},
		"a held Deployment is scaled up": {
			before: []func(*appsv1.Deployment){image("shop:v2")}, change: replicas(9), want: state{Paused: true, HeldBy: "release", Replicas: 9},
		},
		"a held Deployment is scaled down, by people": {
			before: []func(*appsv1.Deployment){image("shop:v2")}, change: replicas(1), want: state{Paused: true, HeldBy: "release", Replicas: 1},
		},
		"a held Deployment scaled to zero keeps one pod": {
			before: []func(*appsv1.Deployment){image("shop:v2")}, change: replicas(0), want: state{Paused: true, HeldBy: "release", Replicas: 1},
		},
		"a change that comes with zero replicas keeps one pod": {
			change: both(image("shop:v2"), replicas(0)), want: state{Paused: true, HeldBy: "release", Replicas: 1},
		},
		"a change of a Deployment that is at zero stays at zero": {
			before: []func(*appsv1.Deployment){replicas(0)}, change: image("shop:v2"), want: state{Paused: true, HeldBy: "release"},
		},
		"the operator lifts the hold": {
			before: []func(*appsv1.Deployment){image("shop:v2")}, by: server.operator,
			change: func(d *appsv1.Deployment) { *d = *workload.Release(d) }, want: free,
		},
		"the operator puts the stable template back": {
			before: []func(*appsv1.Deployment){image("shop:v2")}, by: server.operator,
			change: func(d *appsv1.Deployment) {
				stable := d.Spec.Template.DeepCopy()
				stable.Spec.Containers[0].Image = "shop:v1"
				*d = *workload.PutBack(d, *stable)
			},
			want: free,
		},
	}
	s := newShop(t)
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			s.t = t
			s.reset("shop")
			for _, change := range tc.before {
				s.update(server.person, "shop", change)
			}
			if tc.status != nil {
				s.setStatus("shop", tc.status)
			}
			by := tc.by
			if by == nil {
				by = server.person
			}
			got := stateOf(s.update(by, "shop", tc.change))
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("answer of the API server (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(tc.want, stateOf(s.get("shop"))); diff != "" {
				t.Errorf("stored (-want +got):\n%s", diff)
			}
		})
	}
}

// reset makes the Deployment anew.
func (s shop) reset(name string) {
	s.t.Helper()
	if err := server.person.Delete(s.t.Context(), s.get(name)); err != nil {
		s.t.Fatalf("delete Deployment: %v", err)
	}
	s.create(s.manifest(name))
}

func TestDeploymentThatNoReleaseNamesIsLeftAlone(t *testing.T) {
	s := newShop(t)
	if diff := cmp.Diff(free, stateOf(s.update(server.person, "other", image("other:v2")))); diff != "" {
		t.Errorf("another Deployment of the namespace (-want +got):\n%s", diff)
	}
	elsewhere := bareShop(t)
	if diff := cmp.Diff(free, stateOf(elsewhere.update(server.person, "shop", image("shop:v2")))); diff != "" {
		t.Errorf("a Deployment of that name in another namespace (-want +got):\n%s", diff)
	}
}

func TestNothingIsHeldOnceTheReleaseIsBeingDeleted(t *testing.T) {
	s := newShop(t)
	s.update(server.person, "shop", image("shop:v2"))
	cr := s.release()
	cr.Finalizers = []string{v1alpha1.Finalizer}
	if err := server.person.Update(t.Context(), cr); err != nil {
		t.Fatalf("add finalizer: %v", err)
	}
	if err := server.person.Delete(t.Context(), cr); err != nil {
		t.Fatalf("delete CanaryRelease: %v", err)
	}
	s.eventually("the policy knows of the deletion", func() bool {
		return !s.update(server.person, "shop", both(unmark, resume), client.DryRunAll).Spec.Paused
	})
	if got := stateOf(s.update(server.person, "shop", both(unmark, resume))); got != free {
		t.Errorf("while the release is being deleted a person cannot lift the hold: %+v", got)
	}
	if got := stateOf(s.update(server.person, "shop", image("shop:v3"))); got != free {
		t.Errorf("while the release is being deleted a change is held: %+v", got)
	}
}

func TestBreakGlass(t *testing.T) {
	s := newShop(t)
	s.update(server.person, "shop", image("shop:v2"))
	s.mustKubectl("", "rollout", "resume", "deployment/shop")
	if diff := cmp.Diff(held, stateOf(s.get("shop"))); diff != "" {
		t.Fatalf("resume lifted the hold while the binding was there (-want +got):\n%s", diff)
	}
	t.Cleanup(func() { reinstall(t) })
	s.mustKubectl("", "delete", "mutatingadmissionpolicybinding", workload.HoldPolicy)
	s.eventually("the API server forgets the binding", func() bool {
		return !s.update(server.person, "shop", resume, client.DryRunAll).Spec.Paused
	})
	s.mustKubectl("", "rollout", "resume", "deployment/shop")
	if s.get("shop").Spec.Paused {
		t.Error("kubectl rollout resume did not resume after the binding was deleted")
	}
}

func reinstall(t *testing.T) {
	t.Helper()
	// The context of a test is done when its cleanups run.
	if err := install(context.WithoutCancel(t.Context()), "hold.yaml"); err != nil {
		t.Errorf("install the policy again: %v", err)
	}
}
