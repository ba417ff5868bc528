package hold

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	utilyaml "k8s.io/apimachinery/pkg/util/yaml"
	clientscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/envtest"

	"slipway.dev/slipway/api/v1alpha1"
)

// The users who write in these tests. All may do everything: what differs is what the policies make of their requests.
const (
	operatorUser   = "system:serviceaccount:slipway-system:slipway-operator"
	autoscalerUser = "system:serviceaccount:kube-system:horizontal-pod-autoscaler"
	kedaUser       = "system:serviceaccount:scaling:keda-operator"
	managerUser    = "system:kube-controller-manager"
	personUser     = "alice"
)

// server is the API server of all tests of this package, and its clients.
var server struct {
	env                          *envtest.Environment
	scheme                       *runtime.Scheme
	admin                        *rest.Config
	person, operator, autoscaler client.Client
	keda, manager                client.Client
	kubeconfig                   string
}

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
	dir, err := os.MkdirTemp("", "slipway-hold")
	if err != nil {
		return 1, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	server.env = &envtest.Environment{
		CRDDirectoryPaths:     []string{filepath.Join("..", "..", "..", "config", "crd")},
		ErrorIfCRDPathMissing: true,
	}
	if server.admin, err = server.env.Start(); err != nil {
		return 1, fmt.Errorf("start API server: %w", err)
	}
	defer func() { err = errors.Join(err, server.env.Stop()) }()
	if err := connect(filepath.Join(dir, "kubeconfig")); err != nil {
		return 1, err
	}
	if err := install(context.Background(), "hold.yaml", "floor.yaml"); err != nil {
		return 1, err
	}
	return m.Run(), nil
}

func connect(kubeconfig string) error {
	server.scheme = runtime.NewScheme()
	if err := errors.Join(clientscheme.AddToScheme(server.scheme), v1alpha1.AddToScheme(server.scheme)); err != nil {
		return err
	}
	var err error
	for user, c := range map[string]*client.Client{personUser: &server.person, operatorUser: &server.operator, autoscalerUser: &server.autoscaler, kedaUser: &server.keda, managerUser: &server.manager} {
		config := rest.CopyConfig(server.admin)
		config.Impersonate = rest.ImpersonationConfig{UserName: user, Groups: []string{"system:masters"}}
		if *c, err = client.New(config, client.Options{Scheme: server.scheme}); err != nil {
			return err
		}
	}
	person, err := server.env.AddUser(envtest.User{Name: personUser, Groups: []string{"system:masters"}}, nil)
	if err != nil {
		return err
	}
	text, err := person.KubeConfig()
	if err != nil {
		return err
	}
	server.kubeconfig = kubeconfig
	return os.WriteFile(kubeconfig, text, 0o600)
}

// install creates what stands in files of config/admission. What is there already stays.
func install(ctx context.Context, files ...string) error {
	for _, file := range files {
		objects, err := manifests(filepath.Join("..", "..", "..", "config", "admission", file))
		if err != nil {
			return err
		}
		for _, obj := range objects {
			if err := client.IgnoreAlreadyExists(server.person.Create(ctx, obj)); err != nil {
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
