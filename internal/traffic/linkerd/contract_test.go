package linkerd

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/runtime/schema"

	"slipway.dev/slipway/internal/traffic"
	"slipway.dev/slipway/internal/traffic/contracttest"
	"slipway.dev/slipway/internal/traffic/gatewayapi"
)

func suites() []contracttest.Suite {
	var out []contracttest.Suite
	for _, kind := range []schema.GroupKind{ServiceKind.GroupKind(), RouteKind.GroupKind(), GRPCKind.GroupKind()} {
		out = append(out, contracttest.Suite{Router: Router{}, Kind: kind, Dir: filepath.Join("testdata", strings.ToLower(kind.Kind)), Divisions: divisions})
	}
	return out
}

func divisions(r traffic.Rendering) [][]traffic.Backend {
	var out [][]traffic.Backend
	for _, obj := range slices.Concat(r.Patched, r.Generated) {
		if strings.HasSuffix(obj.GetKind(), "Route") {
			out = append(out, gatewayapi.Divisions(obj, "checkout")...)
		}
	}
	return out
}

func TestContract(t *testing.T) {
	for _, s := range suites() {
		t.Run(s.Kind.Kind, func(t *testing.T) { contracttest.Run(t, s) })
	}
}

func TestContractHasTeeth(t *testing.T) {
	for _, s := range suites() {
		t.Run(s.Kind.Kind, func(t *testing.T) { contracttest.Teeth(t, s) })
	}
}
