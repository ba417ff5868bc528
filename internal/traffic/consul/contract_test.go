package consul

import (
	"slices"
	"testing"

	"slipway.dev/slipway/internal/traffic"
	"slipway.dev/slipway/internal/traffic/contracttest"
)

func suite() contracttest.Suite {
	return contracttest.Suite{Router: Router{}, Kind: serviceKind, Dir: "testdata/service", Divisions: divisions}
}

func divisions(r traffic.Rendering) [][]traffic.Backend {
	var out [][]traffic.Backend
	for _, obj := range slices.Concat(r.Patched, r.Generated) {
		if obj.GetKind() != SplitterKind.Kind {
			continue
		}
		var list []traffic.Backend
		for _, item := range listOf(obj, "splits") {
			entry, _ := item.(map[string]any)
			list = append(list, traffic.Backend{Name: text(entry, "service"), Weight: weightOf(entry)})
		}
		out = append(out, list)
	}
	return out
}

func TestContract(t *testing.T) { contracttest.Run(t, suite()) }

func TestContractHasTeeth(t *testing.T) { contracttest.Teeth(t, suite()) }
