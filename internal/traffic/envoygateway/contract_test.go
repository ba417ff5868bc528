package envoygateway

import (
	"path/filepath"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/runtime/schema"

	"slipway.dev/slipway/internal/traffic"
	"slipway.dev/slipway/internal/traffic/contracttest"
	"slipway.dev/slipway/internal/traffic/gatewayapi"
)

func suites() []contracttest.Suite {
	var out []contracttest.Suite
	for _, kind := range []string{"HTTPRoute", "GRPCRoute", "TCPRoute", "TLSRoute"} {
		out = append(out, contracttest.Suite{
			Router: Router{}, Kind: schema.GroupKind{Group: "gateway.networking.k8s.io", Kind: kind},
			Dir: filepath.Join("testdata", "contract", strings.ToLower(kind)), Divisions: divisions,
		})
	}
	return out
}

func divisions(r traffic.Rendering) [][]traffic.Backend {
	return gatewayapi.Divisions(r.Patched[0], "checkout")
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
