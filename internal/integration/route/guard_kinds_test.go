package route

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"slipway.dev/slipway/internal/traffic"
	"slipway.dev/slipway/internal/traffic/gatewayapi"
)

// TestGuardKeepsTheOtherKindsOfRoutes applies a GRPCRoute, a TCPRoute and a TLSRoute anew, as they stand in Git.
func TestGuardKeepsTheOtherKindsOfRoutes(t *testing.T) {
	for kind, more := range map[string]string{"GRPCRoute": "", "TCPRoute": "", "TLSRoute": "  hostnames: [db.example.com]\n"} {
		t.Run(kind, func(t *testing.T) {
			written := routeFrom(`
apiVersion: gateway.networking.k8s.io/v1
kind: `+kind+`
metadata: {name: shop}
spec:
`+more+`  parentRefs: [{name: eg}]
  rules: [{name: pay, backendRefs: [{name: checkout, port: 80, weight: 2}, {name: legacy, port: 80}]}]
`, newNamespace(t, true))
			live := written.DeepCopy()
			if err := operator.Create(t.Context(), live, client.FieldOwner("git")); err != nil {
				t.Fatal(err)
			}
			split := splitOf("checkout", "", shares("checkout", 95, "checkout-canary", 5)...)
			want, err := gatewayapi.HTTPRoute{}.Render(live, traffic.Intent{Splits: []traffic.Split{split}})
			if err != nil {
				t.Fatal(err)
			}
			rendered := want.DeepCopy()
			if err := operator.Update(t.Context(), rendered, client.FieldOwner("slipway")); err != nil {
				t.Fatal(err)
			}
			again := written.DeepCopy()
			again.SetResourceVersion(rendered.GetResourceVersion())
			if err := person.Update(t.Context(), again, client.FieldOwner("kubectl-replace")); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(rulesOf(t, want), rulesOf(t, again)); diff != "" {
				t.Errorf("rules after kubectl replace (-rendered +live):\n%s", diff)
			}
			if got := gatewayapi.Carried(again); len(got) != 1 || got[0].Sequence != 3 {
				t.Errorf("the route carries %+v", got)
			}
		})
	}
}

func rulesOf(t *testing.T, route *unstructured.Unstructured) []any {
	t.Helper()
	rules, _, err := unstructured.NestedSlice(route.Object, "spec", "rules")
	if err != nil {
		t.Fatal(err)
	}
	return rules
}
