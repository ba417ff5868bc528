package requests

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/go-logr/logr"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	utilyaml "k8s.io/apimachinery/pkg/util/yaml"
	clientscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/envtest"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"slipway.dev/slipway/api/v1alpha1"
)

// The users of these tests. What alice, who may do everything, is to the cluster, the others are by roles of a namespace.
const (
	operatorUser = "system:serviceaccount:slipway-system:slipway-operator"
	adminUser    = "alice"
	editorUser   = "erin"
	managerUser  = "mallory"
)

var (
	root   = filepath.Join("..", "..", "..")
	server struct {
		env    *envtest.Environment
		config *rest.Config
		scheme *runtime.Scheme
		// admin and operator are users with all rights; policies know the operator by its name.
		admin, operator client.Client
		// kubeconfigs is the directory with a file for each user, by name.
		kubeconfigs string
	}
)

func TestMain(m *testing.M) {
	code, err := run(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

func run(m *testing.M) (code int, err error) {
	if os.Getenv("KUBEBUILDER_ASSETS") == "" {
		return 1, errors.New("KUBEBUILDER_ASSETS is not set: it names the directory of kube-apiserver, etcd and kubectl; run `make test`, which sets it")
	}
	log.SetLogger(logr.Discard())
	if server.kubeconfigs, err = os.MkdirTemp("", "slipway-requests"); err != nil {
		return 1, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(server.kubeconfigs)) }()
	gatewayAPI, err := gatewayAPICRDs()
	if err != nil {
		return 1, err
	}
	server.env = &envtest.Environment{
		CRDDirectoryPaths:     []string{filepath.Join(root, "config", "crd", "slipway.dev_canaryreleases.yaml"), filepath.Join(root, "config", "crd", "slipway.dev_trafficsplits.yaml"), gatewayAPI},
		ErrorIfCRDPathMissing: true,
	}
	if server.config, err = server.env.Start(); err != nil {
		return 1, fmt.Errorf("start API server: %w", err)
	}
	defer func() { err = errors.Join(err, server.env.Stop()) }()
	if err := connect(); err != nil {
		return 1, err
	}
	if err := install(context.Background()); err != nil {
		return 1, err
	}
	return m.Run(), nil
}

func gatewayAPICRDs() (string, error) {
	out, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "sigs.k8s.io/gateway-api").Output()
	if err != nil {
		return "", fmt.Errorf("find module sigs.k8s.io/gateway-api: %w", err)
	}
	return filepath.Join(strings.TrimSpace(string(out)), "config", "crd", "standard"), nil
}

func connect() error {
	server.scheme = runtime.NewScheme()
	if err := errors.Join(clientscheme.AddToScheme(server.scheme), v1alpha1.AddToScheme(server.scheme)); err != nil {
		return err
	}
	var err error
	if server.admin, err = clientAs(adminUser, "system:masters"); err != nil {
		return err
	}
	if server.operator, err = clientAs(operatorUser, "system:masters"); err != nil {
		return err
	}
	for user, groups := range map[string][]string{adminUser: {"system:masters"}, editorUser: nil, managerUser: nil} {
		if err := writeKubeconfig(user, groups); err != nil {
			return err
		}
	}
	return nil
}

func clientAs(user string, groups ...string) (client.Client, error) {
	config := rest.CopyConfig(server.config)
	config.QPS, config.Burst = 1000, 1000
	config.Impersonate = rest.ImpersonationConfig{UserName: user, Groups: append(groups, "system:authenticated")}
	return client.New(config, client.Options{Scheme: server.scheme})
}

func writeKubeconfig(user string, groups []string) error {
	added, err := server.env.AddUser(envtest.User{Name: user, Groups: groups}, nil)
	if err != nil {
		return err
	}
	text, err := added.KubeConfig()
	if err != nil {
		return err
	}
	return os.WriteFile(kubeconfig(user), text, 0o600)
}

func kubeconfig(user string) string { return filepath.Join(server.kubeconfigs, user) }

// install creates the policies and the roles for people. What is there already stays.
func install(ctx context.Context) error {
	files := []string{filepath.Join("rbac", "aggregated_roles.yaml")}
	for _, policy := range []string{"requests", "hold", "floor", "route-guard"} {
		files = append(files, filepath.Join("admission", policy+".yaml"))
	}
	for _, file := range files {
		objects, err := manifests(filepath.Join(root, "config", file))
		if err != nil {
			return err
		}
		for _, obj := range objects {
			if err := client.IgnoreAlreadyExists(server.admin.Create(ctx, obj)); err != nil {
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
