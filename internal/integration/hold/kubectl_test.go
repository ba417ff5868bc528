package hold

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// What kubectl says to a held Deployment, and that it neither rolls the change out nor loses it. The texts are in
// docs/operations.md.
func TestKubectlWhileHeld(t *testing.T) {
	tests := map[string]struct {
		args []string
		says string
		ok   bool
	}{
		"undo":    {args: []string{"rollout", "undo", "deployment/shop"}, says: "cannot rollback a paused deployment"},
		"restart": {args: []string{"rollout", "restart", "deployment/shop"}, says: "can't restart paused deployment"},
		"pause":   {args: []string{"rollout", "pause", "deployment/shop"}, says: "already paused"},
		"resume":  {args: []string{"rollout", "resume", "deployment/shop"}, says: "resumed", ok: true},
	}
	s := newShop(t)
	s.replicaSet("shop:v0", "1")
	s.replicaSet("shop:v1", "2")
	s.update(server.person, "shop", image("shop:v2"))
	before := s.get("shop")
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			s.t = t
			out, err := s.kubectl("", tc.args...)
			if (err == nil) != tc.ok || !strings.Contains(out, tc.says) {
				t.Errorf("%v, want success %v and %q in: %s", err, tc.ok, tc.says, out)
			}
			after := s.get("shop")
			if diff := cmp.Diff(held, stateOf(after)); diff != "" || after.Generation != before.Generation {
				t.Errorf("generation %d, was %d (-want +got):\n%s", after.Generation, before.Generation, diff)
			}
		})
	}
}

// With nothing held, what kubectl changes is held like any change.
func TestKubectlWhileFree(t *testing.T) {
	tests := map[string]struct {
		args  []string
		image string
	}{
		"undo":    {args: []string{"rollout", "undo", "deployment/shop", "--to-revision=1"}, image: "shop:v0"},
		"restart": {args: []string{"rollout", "restart", "deployment/shop"}, image: "shop:v1"},
		"set":     {args: []string{"set", "image", "deployment/shop", "shop=shop:v3"}, image: "shop:v3"},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			s := newShop(t)
			s.replicaSet("shop:v0", "1")
			s.replicaSet("shop:v1", "2")
			s.mustKubectl("", tc.args...)
			after := s.get("shop")
			if diff := cmp.Diff(held, stateOf(after)); diff != "" || after.Spec.Template.Spec.Containers[0].Image != tc.image {
				t.Errorf("image %s, want %s (-want +got):\n%s", after.Spec.Template.Spec.Containers[0].Image, tc.image, diff)
			}
		})
	}
}

// replicaSet is what the Deployment controller, which nobody runs here, made for a version.
func (s shop) replicaSet(version, revision string) {
	s.t.Helper()
	d := s.get("shop")
	image(version)(d)
	name := strings.ReplaceAll(version, ":", "-")
	d.Spec.Template.Labels[appsv1.DefaultDeploymentUniqueLabelKey] = name
	s.create(&appsv1.ReplicaSet{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: s.namespace, Name: name, Labels: d.Spec.Template.Labels,
			Annotations:     map[string]string{"deployment.kubernetes.io/revision": revision},
			OwnerReferences: []metav1.OwnerReference{*metav1.NewControllerRef(d, appsv1.SchemeGroupVersion.WithKind("Deployment"))},
		},
		Spec: appsv1.ReplicaSetSpec{Selector: &metav1.LabelSelector{MatchLabels: d.Spec.Template.Labels}, Template: d.Spec.Template},
	})
}
