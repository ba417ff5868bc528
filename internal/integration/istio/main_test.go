package istio

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/envtest"

	"slipway.dev/slipway/internal/integration/apiserver"
)

var (
	server *apiserver.Server
	admin  client.Client
	// crds is the file of Istio's CRDs.
	crds string
)

func TestMain(m *testing.M) {
	os.Exit(apiserver.Run(m, func(s *apiserver.Server) (err error) {
		server = s
		if crds, err = istioCRDs(); err != nil {
			return err
		}
		if _, err := envtest.InstallCRDs(s.Config, envtest.CRDInstallOptions{Paths: []string{crds}, ErrorIfPathMissing: true}); err != nil {
			return fmt.Errorf("install Istio's CRDs: %w", err)
		}
		if admin, err = s.ClientAs("alice", apiserver.Masters); err != nil {
			return err
		}
		return admin.Create(context.Background(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "shop"}})
	}))
}

// istioCRDs finds the file in the version of Istio's API that test/planes/istio requires: it is too much for our own go.mod.
func istioCRDs() (string, error) {
	const module = "istio.io/api"
	cmd := exec.Command("go", "mod", "download", "-json", module)
	cmd.Dir = filepath.Join(apiserver.Root, "test", "planes", "istio")
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("find module %s: %w: %s", module, err, out)
	}
	var found struct{ Dir string }
	if err := json.Unmarshal(out, &found); err != nil {
		return "", err
	}
	return filepath.Join(found.Dir, "kubernetes", "customresourcedefinitions.gen.yaml"), nil
}
