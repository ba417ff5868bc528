package policy

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/go-logr/logr"
	"k8s.io/apimachinery/pkg/runtime"
	clientscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/envtest"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"slipway.dev/slipway/api/v1alpha1"
)

// patience is how long a test waits for what is to come at once.
const patience = 20 * time.Second

// server is the API server of all tests of this package.
var server struct {
	config *rest.Config
	scheme *runtime.Scheme
	client.Client
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
	gatewayAPI, err := moduleDir("sigs.k8s.io/gateway-api", "../../..")
	if err != nil {
		return 1, err
	}
	// Envoy Gateway's module is among those that the rig is built from; it would be too much for our own go.mod.
	envoyGateway, err := moduleDir("github.com/envoyproxy/gateway", "../../../hack/rig/parts")
	if err != nil {
		return 1, err
	}
	env := &envtest.Environment{
		CRDDirectoryPaths: []string{
			filepath.Join("..", "..", "..", "config", "crd"),
			filepath.Join(gatewayAPI, "config", "crd", "experimental"),
			filepath.Join(envoyGateway, "charts", "gateway-helm", "charts", "crds", "crds", "generated"),
		},
		ErrorIfCRDPathMissing: true,
	}
	if server.config, err = env.Start(); err != nil {
		return 1, fmt.Errorf("start API server: %w", err)
	}
	defer func() { err = errors.Join(err, env.Stop()) }()
	server.config.QPS, server.config.Burst = 1000, 1000
	server.scheme = runtime.NewScheme()
	if err := errors.Join(clientscheme.AddToScheme(server.scheme), v1alpha1.AddToScheme(server.scheme)); err != nil {
		return 1, err
	}
	if server.Client, err = client.New(server.config, client.Options{Scheme: server.scheme}); err != nil {
		return 1, err
	}
	return m.Run(), nil
}

// moduleDir is where the module is that the Go module in dir requires.
func moduleDir(module, dir string) (string, error) {
	cmd := exec.Command("go", "mod", "download", "-json", module)
	cmd.Dir = dir
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("find module %s: %w: %s", module, err, strings.TrimSpace(string(out)))
	}
	var found struct{ Dir string }
	if err := json.Unmarshal(out, &found); err != nil {
		return "", err
	}
	return found.Dir, nil
}
