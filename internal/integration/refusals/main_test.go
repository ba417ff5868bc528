package refusals

import (
	"context"
	"errors"
	"os"
	"testing"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"slipway.dev/slipway/internal/integration/apiserver"
)

// server and admin, who may do everything, are of all tests of this package.
var (
	server *apiserver.Server
	admin  client.Client
)

func TestMain(m *testing.M) {
	os.Exit(apiserver.Run(m, func(s *apiserver.Server) (err error) {
		server = s
		if admin, err = s.ClientAs("alice", apiserver.Masters); err != nil {
			return err
		}
		return errors.Join(
			apiserver.Install(context.Background(), admin, "admission/hold.yaml", "admission/floor.yaml", "admission/route-guard.yaml", "admission/requests.yaml"),
			apiserver.Install(context.Background(), admin, "rbac/aggregated_roles.yaml", "rbac/role.yaml"),
		)
	}))
}
