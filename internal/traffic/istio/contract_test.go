package istio

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/runtime/schema"

	"slipway.dev/slipway/internal/traffic"
	"slipway.dev/slipway/internal/traffic/contracttest"
)

func suites() []contracttest.Suite {
	var out []contracttest.Suite
	for _, kind := range []schema.GroupVersionKind{virtualService, service} {
		out = append(out, contracttest.Suite{
			Router: Router{}, Kind: kind.GroupKind(), Dir: filepath.Join("testdata", strings.ToLower(kind.Kind)), Divisions: divisions,
		})
	}
	return out
}

// divisions reads the weights of all rules that send to checkout. One that is alone in a rule has everything.
func divisions(r traffic.Rendering) [][]traffic.Backend {
	var out [][]traffic.Backend
	for _, obj := range slices.Concat(r.Patched, r.Generated) {
		for _, rule := range listOf(specOf(obj), "http") {
			var division []traffic.Backend
			route := listOf(rule, "route")
			for _, destination := range route {
				weight := number(destination["weight"])
				if len(route) == 1 {
					weight = 1
				}
				division = append(division, traffic.Backend{
					Name: serviceOf(text(mapOf(destination, "destination"), "host"), obj.GetNamespace()), Weight: int32(weight),
				})
			}
			if len(division) > 0 {
				out = append(out, division)
			}
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
