package scale

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/go-logr/logr"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	utilyaml "k8s.io/apimachinery/pkg/util/yaml"
	clientscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"k8s.io/klog/v2"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/envtest"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"slipway.dev/slipway/api/v1alpha1"
)

// The sizes. `make bench-scale` gives larger ones.
var (
	idle   = flag.Int("idle", 60, "how many CanaryReleases there are")
	few    = flag.Int("few", 6, "how many of them run a release at first")
	active = flag.Int("active", 24, "how many of them run a release in the end")
	window = flag.Duration("window", 10*time.Second, "how long each figure is measured")
	report = flag.String("report", "", "file to write the figures to")
)

const operatorUser = "system:serviceaccount:slipway-system:slipway-operator"

var (
	root    = filepath.Join("..", "..", "..")
	cluster struct {
		env    *envtest.Environment
		admin  *rest.Config
		scheme *runtime.Scheme
		client client.WithWatch
		// dir has kubeconfigs, the audit log and what processes write.
		dir string
	}
)

func TestMain(m *testing.M) {
	flag.Parse()
	code, err := run(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

func run(m *testing.M) (code int, err error) {
	if os.Getenv("KUBEBUILDER_ASSETS") == "" {
		return 1, errors.New("KUBEBUILDER_ASSETS is not set: it names the directory of kube-apiserver, etcd, kube-controller-manager and prometheus; run `make test-integration`, which sets it")
	}
	ctrl.SetLogger(logr.Discard())
	klog.SetLogger(logr.Discard())
	if cluster.dir, err = os.MkdirTemp("", "slipway-scale"); err != nil {
		return 1, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(cluster.dir)) }()
	if err := startServer(); err != nil {
		return 1, err
	}
	defer func() { err = errors.Join(err, cluster.env.Stop()) }()
	if err := connect(); err != nil {
		return 1, err
	}
	if err := install(context.Background()); err != nil {
		return 1, err
	}
	return m.Run(), nil
}

// auditPolicy has the API server write down each change that the operator asks for, refused ones included.
const auditPolicy = `apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
rules:
- level: Metadata
  users: ["` + operatorUser + `"]
  verbs: [create, update, patch, delete, deletecollection]
- level: None
`

func startServer() error {
	gatewayAPI, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "sigs.k8s.io/gateway-api").Output()
	if err != nil {
		return fmt.Errorf("find module sigs.k8s.io/gateway-api: %w", err)
	}
	policy := filepath.Join(cluster.dir, "audit.yaml")
	if err := os.WriteFile(policy, []byte(auditPolicy), 0o600); err != nil {
		return err
	}
	cluster.env = &envtest.Environment{
		CRDDirectoryPaths: []string{
			filepath.Join(root, "config", "crd"), filepath.Join(strings.TrimSpace(string(gatewayAPI)), "config", "crd", "standard"),
		},
		ErrorIfCRDPathMissing: true,
	}
	cluster.env.ControlPlane.GetAPIServer().Configure().
		Append("audit-policy-file", policy).Append("audit-log-path", auditLog()).
		Set("service-cluster-ip-range", "10.96.0.0/16").
		Append("max-requests-inflight", "2000").Append("max-mutating-requests-inflight", "1000")
	if cluster.admin, err = cluster.env.Start(); err != nil {
		return fmt.Errorf("start API server: %w", err)
	}
	return nil
}

func connect() (err error) {
	cluster.scheme = runtime.NewScheme()
	err = errors.Join(clientscheme.AddToScheme(cluster.scheme), v1alpha1.AddToScheme(cluster.scheme), gatewayv1.Install(cluster.scheme))
	if err != nil {
		return err
	}
	cluster.admin.QPS, cluster.admin.Burst = -1, 0
	cluster.client, err = client.NewWithWatch(cluster.admin, client.Options{Scheme: cluster.scheme})
	return err
}

// install puts in what `make deploy` does, but for the operator's own Deployment.
func install(ctx context.Context) error {
	files := []string{
		"manager/namespace.yaml", "rbac/service_account.yaml", "rbac/role.yaml", "rbac/role_binding.yaml", "rbac/leader_election_role.yaml",
		"admission/hold.yaml", "admission/floor.yaml", "admission/route-guard.yaml", "admission/requests.yaml",
	}
	for _, file := range files {
		objects, err := manifests(filepath.Join(root, "config", filepath.FromSlash(file)))
		if err != nil {
			return err
		}
		for _, obj := range objects {
			if err := client.IgnoreAlreadyExists(cluster.client.Create(ctx, obj)); err != nil {
				return fmt.Errorf("create %s %s: %w", obj.GetKind(), obj.GetName(), err)
			}
		}
	}
	return nil
}

func manifests(path string) ([]*unstructured.Unstructured, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	decoder := utilyaml.NewYAMLOrJSONDecoder(bytes.NewReader(text), 4096)
	var out []*unstructured.Unstructured
	for {
		obj := &unstructured.Unstructured{}
		err := decoder.Decode(obj)
		if errors.Is(err, io.EOF) {
			return out, nil
		}
		if err != nil {
			return nil, fmt.Errorf("read %s: %w", path, err)
		}
		if len(obj.Object) > 0 {
			out = append(out, obj)
		}
	}
}
