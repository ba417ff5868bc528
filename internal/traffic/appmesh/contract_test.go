package appmesh

import (
	"slices"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"slipway.dev/slipway/internal/traffic"
	"slipway.dev/slipway/internal/traffic/contracttest"
)

func suite() contracttest.Suite {
	return contracttest.Suite{
		Router: Router{}, Kind: serviceKind, Dir: "testdata/service", Divisions: divisions,
		Replaces: []string{"spec.provider.virtualNode"},
	}
}

// serviceOfNode is by which Service the nodes of the cases are known.
var serviceOfNode = map[string]string{"checkout-v1": "checkout", "checkout-canary": "checkout-canary"}

func divisions(r traffic.Rendering) [][]traffic.Backend {
	var out [][]traffic.Backend
	for _, obj := range slices.Concat(r.Patched, r.Generated) {
		if obj.GetKind() != RouterKind.Kind {
			continue
		}
		for _, item := range routesOf(obj) {
			_, how := howOf(item.(map[string]any))
			targets, _, _ := unstructured.NestedSlice(how, "action", "weightedTargets")
			var list []traffic.Backend
			for _, t := range targets {
				target := t.(map[string]any)
				list = append(list, traffic.Backend{Name: serviceOfNode[text(target["virtualNodeRef"].(map[string]any), "name")], Weight: int32(target["weight"].(int64))})
			}
			out = append(out, list)
		}
	}
	return out
}

func TestContract(t *testing.T) { contracttest.Run(t, suite()) }

func TestContractHasTeeth(t *testing.T) { contracttest.Teeth(t, suite()) }
