package meshes

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/envtest"

	"slipway.dev/slipway/internal/integration/apiserver"
)

// admin is a client for which a field that the API server does not know is an error.
var admin client.Client

func TestMain(m *testing.M) {
	os.Exit(apiserver.Run(m, func(s *apiserver.Server) error {
		crds := envtest.CRDInstallOptions{Paths: []string{filepath.Join("testdata", "crds")}, ErrorIfPathMissing: true}
		if _, err := envtest.InstallCRDs(s.Config, crds); err != nil {
			return fmt.Errorf("install CRDs: %w", err)
		}
		c, err := s.ClientAs("alice", apiserver.Masters)
		if err != nil {
			return err
		}
		admin = client.WithFieldValidation(c, metav1.FieldValidationStrict)
		return nil
	}))
}
