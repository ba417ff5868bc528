package route

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/wait"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"slipway.dev/slipway/api/v1alpha1"
	"slipway.dev/slipway/internal/integration/apiserver"
)

// personUser may do everything, as the operator does here: what differs is what the policy makes of their requests.
const personUser = "alice"

// patience is how long a test waits for what is to come at once.
const patience = 20 * time.Second

// server is the API server of all tests of this package; operator and person are its users, who may do everything.
var (
	server           *apiserver.Server
	operator, person client.Client
)

func TestMain(m *testing.M) {
	os.Exit(apiserver.Run(m, func(s *apiserver.Server) (err error) {
		server = s
		if operator, err = s.ClientAs(apiserver.Operator, apiserver.Masters); err != nil {
			return err
		}
		if person, err = s.ClientAs(personUser, apiserver.Masters); err != nil {
			return err
		}
		return installGuard(context.Background())
	}))
}

// installGuard applies the policy for the namespaces that ask for it by label, so that tests of the controllers can do
// without, and waits until the API server enforces it.
func installGuard(ctx context.Context) error {
	objects, err := apiserver.Manifests(filepath.Join(apiserver.Root, "config", "admission", "route-guard.yaml"))
	if err != nil {
		return err
	}
	for _, obj := range objects {
		if obj.GetKind() == "MutatingAdmissionPolicyBinding" {
			selector := map[string]any{"namespaceSelector": map[string]any{"matchLabels": map[string]any{"guarded": "true"}}}
			if err := unstructured.SetNestedMap(obj.Object, selector, "spec", "matchResources"); err != nil {
				return err
			}
		}
		if err := person.Create(ctx, obj); err != nil {
			return fmt.Errorf("create %s: %w", obj.GetKind(), err)
		}
	}
	return waitForGuard(ctx)
}

// waitForGuard writes a route that the guard changes until it does.
func waitForGuard(ctx context.Context) error {
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "guard-probe", Labels: map[string]string{"guarded": "true"}}}
	if err := person.Create(ctx, namespace); err != nil {
		return err
	}
	route := routeFrom(probeRoute, namespace.Name)
	if err := operator.Create(ctx, route); err != nil {
		return fmt.Errorf("create route to probe the guard: %w", err)
	}
	var refused error // the policy is known before the types that it is about are
	err := wait.PollUntilContextTimeout(ctx, 20*time.Millisecond, patience, true, func(ctx context.Context) (bool, error) {
		plain := route.DeepCopy()
		plain.SetAnnotations(nil)
		refused = person.Update(ctx, plain, client.DryRunAll)
		return refused == nil && plain.GetAnnotations()[v1alpha1.SplitAnnotation] != "", nil
	})
	if err != nil {
		return fmt.Errorf("wait for the guard to be enforced: %w", errors.Join(err, refused))
	}
	return nil
}

const probeRoute = `
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata:
  name: probe
  annotations:
    slipway.dev/split: "v1\nsplit s u/1 checkout * checkout:1"
spec:
  parentRefs: [{name: eg}]
`

func routeFrom(text, namespace string) *unstructured.Unstructured {
	route := &unstructured.Unstructured{}
	if err := yaml.Unmarshal([]byte(text), route); err != nil {
		panic(err)
	}
	route.SetNamespace(namespace)
	return route
}

// newNamespace makes a namespace for one test.
func newNamespace(t *testing.T, guarded bool) string {
	t.Helper()
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{GenerateName: "route-"}}
	if guarded {
		namespace.Labels = map[string]string{"guarded": "true"}
	}
	if err := person.Create(t.Context(), namespace); err != nil {
		t.Fatal(err)
	}
	return namespace.Name
}

func liveRoute(t *testing.T, namespace, name string) *unstructured.Unstructured {
	t.Helper()
	route := &unstructured.Unstructured{}
	route.SetGroupVersionKind(schema.GroupVersionKind{Group: "gateway.networking.k8s.io", Version: "v1", Kind: "HTTPRoute"})
	if err := person.Get(t.Context(), client.ObjectKey{Namespace: namespace, Name: name}, route); err != nil {
		t.Fatal(err)
	}
	return route
}
