// Package apiserver starts a real kube-apiserver for the integration tests, with the CRDs of Slipway and of Gateway API, and
// speaks to it as the users that a test is about. No controller of Kubernetes runs: what they would do, a test does itself.
package apiserver

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/go-logr/logr"
	"k8s.io/apimachinery/pkg/runtime"
	clientscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/envtest"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"slipway.dev/slipway/api/v1alpha1"
)

const (
	// Operator is the user whom the admission policies know.
	Operator = "system:serviceaccount:slipway-system:slipway-operator"
	// Masters is the group of those who may do everything.
	Masters = "system:masters"
)

// Root is the repository, as the folder of a test sees it.
var Root = filepath.Join("..", "..", "..")

// Server is an API server that runs.
type Server struct {
	Config *rest.Config
	Scheme *runtime.Scheme

	env         *envtest.Environment
	kubeconfigs string
}

// Run starts an API server, prepares it and runs the tests. It gives the exit code.
func Run(m *testing.M, prepare func(*Server) error) int {
	code, err := run(m, prepare)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return code
}

func run(m *testing.M, prepare func(*Server) error) (code int, err error) {
	if os.Getenv("KUBEBUILDER_ASSETS") == "" {
		return 1, errors.New("KUBEBUILDER_ASSETS is not set: it names the folder of kube-apiserver, etcd and kubectl; make test-integration sets it")
	}
	log.SetLogger(logr.Discard())
	s := &Server{Scheme: runtime.NewScheme()}
	if err := errors.Join(clientscheme.AddToScheme(s.Scheme), v1alpha1.AddToScheme(s.Scheme)); err != nil {
		return 1, err
	}
	if s.kubeconfigs, err = os.MkdirTemp("", "slipway-integration"); err != nil {
		return 1, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(s.kubeconfigs)) }()
	gatewayAPI, err := gatewayAPICRDs()
	if err != nil {
		return 1, err
	}
	s.env = &envtest.Environment{
		CRDDirectoryPaths:     []string{filepath.Join(Root, "config", "crd"), gatewayAPI},
		ErrorIfCRDPathMissing: true,
	}
	if s.Config, err = s.env.Start(); err != nil {
		return 1, fmt.Errorf("start API server: %w", err)
	}
	defer func() { err = errors.Join(err, s.env.Stop()) }()
	s.Config.QPS, s.Config.Burst = 1000, 1000
	if err := prepare(s); err != nil {
		return 1, err
	}
	return m.Run(), nil
}

// gatewayAPICRDs is the folder of Gateway API's standard CRDs, in the module that the operator is built with.
func gatewayAPICRDs() (string, error) {
	out, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "sigs.k8s.io/gateway-api").Output()
	if err != nil {
		return "", fmt.Errorf("find module sigs.k8s.io/gateway-api: %w", err)
	}
	return filepath.Join(strings.TrimSpace(string(out)), "config", "crd", "standard"), nil
}

// ConfigAs is what a user of these groups connects with. Everybody is in system:authenticated.
func (s *Server) ConfigAs(user string, groups ...string) *rest.Config {
	config := rest.CopyConfig(s.Config)
	config.Impersonate = rest.ImpersonationConfig{UserName: user, Groups: append(groups, "system:authenticated")}
	return config
}

// ClientAs is a client of a user of these groups.
func (s *Server) ClientAs(user string, groups ...string) (client.Client, error) {
	return client.New(s.ConfigAs(user, groups...), client.Options{Scheme: s.Scheme})
}

// AddUser makes a kubeconfig for a user of these groups: Kubeconfig names its file.
func (s *Server) AddUser(user string, groups ...string) error {
	added, err := s.env.AddUser(envtest.User{Name: user, Groups: groups}, nil)
	if err != nil {
		return err
	}
	text, err := added.KubeConfig()
	if err != nil {
		return err
	}
	return os.WriteFile(s.Kubeconfig(user), text, 0o600)
}

// Kubeconfig is the file for a user who was added.
func (s *Server) Kubeconfig(user string) string { return filepath.Join(s.kubeconfigs, user) }
