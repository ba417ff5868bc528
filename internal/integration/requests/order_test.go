package requests

import (
	"context"
	"path/filepath"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/envtest"
)

// TestPoliciesThatOutliveTheCRDs is why the page removes the policies first: an API server that starts with the policies and
// without the kind of their parameter refuses changes of Deployments that nobody releases.
func TestPoliciesThatOutliveTheCRDs(t *testing.T) {
	env := &envtest.Environment{}
	config, err := env.Start()
	if err != nil {
		t.Fatalf("start API server: %v", err)
	}
	t.Cleanup(func() {
		if err := env.Stop(); err != nil {
			t.Errorf("stop API server: %v", err)
		}
	})
	admin, err := client.New(config, client.Options{Scheme: server.scheme})
	if err != nil {
		t.Fatal(err)
	}
	objects, err := manifests(filepath.Join(root, "config", "admission", "hold.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	d := shop{t, "left-over"}.deployment()
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: d.Namespace}}
	for _, o := range append([]client.Object{namespace, d}, asObjects(objects)...) {
		if err := admin.Create(t.Context(), o); err != nil {
			t.Fatalf("create %T: %v", o, err)
		}
	}
	tries := func(what string, done func(error) bool) {
		t.Helper()
		err := wait.PollUntilContextTimeout(t.Context(), 100*time.Millisecond, 20*time.Second, true, func(ctx context.Context) (bool, error) {
			scaled := d.DeepCopy()
			return done(admin.Patch(ctx, scaled, client.RawPatch("application/merge-patch+json", []byte(`{"spec":{"replicas":5}}`)), client.DryRunAll)), nil
		})
		if err != nil {
			t.Errorf("waited 20 seconds until %s", what)
		}
	}
	tries("changes are refused", func(err error) bool { return err != nil })
	for _, o := range objects {
		if err := admin.Delete(t.Context(), o); err != nil {
			t.Fatalf("delete %s: %v", o.GetName(), err)
		}
	}
	tries("changes go through once the policy is removed", func(err error) bool { return err == nil })
}

func asObjects[T client.Object](all []T) []client.Object {
	var out []client.Object
	for _, o := range all {
		out = append(out, o)
	}
	return out
}
