package tenants

import (
	"context"
	"errors"
	"os"
	"testing"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"slipway.dev/slipway/internal/integration/apiserver"
)

// The users of these tests. What admin, who may do everything, is to the cluster, the others are by roles.
const (
	tenantUser  = "tina"
	managerUser = "mallory"
)

var (
	server                  *apiserver.Server
	admin, tenant, operator client.Client
)

func TestMain(m *testing.M) {
	os.Exit(apiserver.Run(m, func(s *apiserver.Server) error {
		server = s
		var errs [3]error
		admin, errs[0] = s.ClientAs("alice", apiserver.Masters)
		tenant, errs[1] = s.ClientAs(tenantUser)
		// The operator here has the rights of config/rbac and no other.
		operator, errs[2] = s.ClientAs(apiserver.Operator, "system:serviceaccounts", "system:serviceaccounts:slipway-system")
		if err := errors.Join(errs[:]...); err != nil {
			return err
		}
		return apiserver.Install(context.Background(), admin,
			"manager/namespace.yaml", "rbac/service_account.yaml", "rbac/role.yaml", "rbac/role_binding.yaml", "rbac/aggregated_roles.yaml",
			"admission/hold.yaml", "admission/floor.yaml", "admission/route-guard.yaml", "admission/requests.yaml")
	}))
}
