package route

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/go-logr/logr"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/wait"
	clientscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/envtest"
	"sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/yaml"

	"slipway.dev/slipway/api/v1alpha1"
)

// The users who write in these tests. All may do everything: what differs is what the policy makes of their requests.
const (
	operatorUser = "system:serviceaccount:slipway-system:slipway-operator"
	personUser   = "alice"
)

// patience is how long a test waits for what is to come at once.
const patience = 20 * time.Second

// server is the API server of all tests of this package, and its clients.
var server struct {
	admin    *rest.Config
	scheme   *runtime.Scheme
	operator client.Client
	person   client.Client
}

func TestMain(m *testing.M) {
	code, err := runTests(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

func runTests(m *testing.M) (code int, err error) {
	if os.Getenv("KUBEBUILDER_ASSETS") == "" {
		return 1, errors.New("KUBEBUILDER_ASSETS is not set: it names the directory of kube-apiserver and etcd; run `make test`, which sets it")
	}
	log.SetLogger(logr.Discard())
	gatewayAPI, err := gatewayAPICRDs()
	if err != nil {
		return 1, err
	}
	env := &envtest.Environment{
		CRDDirectoryPaths:     []string{filepath.Join("..", "..", "..", "config", "crd"), gatewayAPI},
		ErrorIfCRDPathMissing: true,
	}
	if server.admin, err = env.Start(); err != nil {
		return 1, fmt.Errorf("start API server: %w", err)
	}
	defer func() { err = errors.Join(err, env.Stop()) }()
	server.scheme = runtime.NewScheme()
	if err := errors.Join(clientscheme.AddToScheme(server.scheme), v1alpha1.AddToScheme(server.scheme)); err != nil {
		return 1, err
	}
	if server.operator, err = clientAs(operatorUser); err != nil {
		return 1, err
	}
	if server.person, err = clientAs(personUser); err != nil {
		return 1, err
	}
	if err := installGuard(context.Background()); err != nil {
		return 1, err
	}
	return m.Run(), nil
}

// gatewayAPICRDs is the directory of Gateway API's standard CRDs, in the module that the operator is built with.
func gatewayAPICRDs() (string, error) {
	out, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "sigs.k8s.io/gateway-api").Output()
	if err != nil {
		return "", fmt.Errorf("find module sigs.k8s.io/gateway-api: %w", err)
	}
	return filepath.Join(strings.TrimSpace(string(out)), "config", "crd", "standard"), nil
}

func clientAs(user string) (client.Client, error) {
	return client.New(configAs(user), client.Options{Scheme: server.scheme})
}

func configAs(user string) *rest.Config {
	config := rest.CopyConfig(server.admin)
	config.QPS, config.Burst = 1000, 1000
	config.Impersonate = rest.ImpersonationConfig{UserName: user, Groups: []string{"system:masters", "system:authenticated"}}
	return config
}

// installGuard applies the policy for the namespaces that ask for it by label, so that tests of the controllers can do
// without, and waits until the API server enforces it.
func installGuard(ctx context.Context) error {
	text, err := os.ReadFile(filepath.Join("..", "..", "..", "config", "admission", "route-guard.yaml"))
	if err != nil {
		return err
	}
	for document := range strings.SplitSeq(string(text), "\n---\n") {
		obj := &unstructured.Unstructured{}
		if err := yaml.Unmarshal([]byte(document), obj); err != nil {
			return fmt.Errorf("read route-guard.yaml: %w", err)
		}
		if obj.GetKind() == "MutatingAdmissionPolicyBinding" {
			selector := map[string]any{"namespaceSelector": map[string]any{"matchLabels": map[string]any{"guarded": "true"}}}
			if err := unstructured.SetNestedMap(obj.Object, selector, "spec", "matchResources"); err != nil {
				return err
			}
		}
		if err := server.person.Create(ctx, obj); err != nil {
			return fmt.Errorf("create %s: %w", obj.GetKind(), err)
		}
	}
	return waitForGuard(ctx)
}

// waitForGuard writes a route that the guard changes until it does.
func waitForGuard(ctx context.Context) error {
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "guard-probe", Labels: map[string]string{"guarded": "true"}}}
	if err := server.person.Create(ctx, namespace); err != nil {
		return err
	}
	route := routeFrom(probeRoute, namespace.Name)
	if err := server.operator.Create(ctx, route); err != nil {
		return fmt.Errorf("create route to probe the guard: %w", err)
	}
	err := wait.PollUntilContextTimeout(ctx, 20*time.Millisecond, patience, true, func(ctx context.Context) (bool, error) {
		plain := route.DeepCopy()
		plain.SetAnnotations(nil)
		if err := server.person.Update(ctx, plain, client.DryRunAll); err != nil {
			return false, err
		}
		return plain.GetAnnotations()[v1alpha1.SplitAnnotation] != "", nil
	})
	if err != nil {
		return fmt.Errorf("wait for the guard to be enforced: %w", err)
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
	if err := server.person.Create(t.Context(), namespace); err != nil {
		t.Fatal(err)
	}
	return namespace.Name
}

func liveRoute(t *testing.T, namespace, name string) *unstructured.Unstructured {
	t.Helper()
	route := &unstructured.Unstructured{}
	route.SetGroupVersionKind(schema.GroupVersionKind{Group: "gateway.networking.k8s.io", Version: "v1", Kind: "HTTPRoute"})
	if err := server.person.Get(t.Context(), client.ObjectKey{Namespace: namespace, Name: name}, route); err != nil {
		t.Fatal(err)
	}
	return route
}
