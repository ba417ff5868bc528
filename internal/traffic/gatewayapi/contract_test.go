package gatewayapi

import (
	"path/filepath"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/runtime/schema"

	"slipway.dev/slipway/internal/traffic"
	"slipway.dev/slipway/internal/traffic/contracttest"
)

func suites() []contracttest.Suite {
	var out []contracttest.Suite
	for _, kind := range routeKinds {
		out = append(out, contracttest.Suite{
			Router: Router{}, Kind: schema.GroupKind{Group: group, Kind: kind},
			Dir: filepath.Join("testdata", "contract", strings.ToLower(kind)), Divisions: divisions,
		})
	}
	return out
}

// divisions are the backendRefs of the user's own rules that send to Service checkout.
func divisions(r traffic.Rendering) [][]traffic.Backend {
	var out [][]traffic.Backend
	for _, rule := range rulesOf(r.Patched[0]) {
		var list []traffic.Backend
		found := false
		for _, ref := range refsOf(rule) {
			found = found || ref.name() == "checkout"
			list = append(list, traffic.Backend{Name: ref.name(), Weight: int32(effective(ref.weight()))}) //nolint:gosec // at most a million
		}
		if found && !isDerived(rule) {
			out = append(out, list)
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
