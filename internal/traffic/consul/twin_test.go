package consul

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"slipway.dev/slipway/api/v1alpha1"
	"slipway.dev/slipway/internal/traffic"
)

var twin = traffic.Twin{Stable: "checkout", Canary: "checkout-canary"}

func TestCopies(t *testing.T) {
	stable := []string{
		entry("ServiceDefaults", "checkout", "{protocol: http, maxInboundConnections: 5}"),
		entry("ServiceIntentions", "web-to-checkout", "{destination: {name: checkout}, sources: [{name: web, action: allow}]}"),
		entry("ServiceDefaults", "pay", "{protocol: http}"),
		entry("ServiceIntentions", "all", `{destination: {name: "*"}, sources: [{name: "*", action: deny}]}`),
	}
	for name, tc := range map[string]struct {
		objects []string
		want    map[string]string
	}{
		"what hangs on the name": {stable, map[string]string{
			"ServiceDefaults checkout-canary":   entry("ServiceDefaults", "checkout-canary", "{protocol: http, maxInboundConnections: 5}"),
			"ServiceIntentions checkout-canary": entry("ServiceIntentions", "checkout-canary", "{destination: {name: checkout-canary}, sources: [{name: web, action: allow}]}"),
		}},
		"what the user says themselves": {append(stable,
			entry("ServiceDefaults", "checkout-canary", "{protocol: grpc}"),
			entry("ServiceIntentions", "for-the-canary", "{destination: {name: checkout-canary}}")), map[string]string{}},
		"nothing": {nil, map[string]string{}},
	} {
		t.Run(name, func(t *testing.T) {
			got, want := map[string]any{}, map[string]any{}
			for _, obj := range Copies(seenOf(t, tc.objects...).Objects, twin) {
				if obj.GetLabels()[v1alpha1.ManagedByLabel] != v1alpha1.ManagedBy || len(obj.GetLabels()) != 1 {
					t.Errorf("labels of %s are %v", obj.GetName(), obj.GetLabels())
				}
				obj.SetLabels(nil)
				got[obj.GetKind()+" "+obj.GetName()] = obj.Object
			}
			for key, text := range tc.want {
				want[key] = object(t, text).Object
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("copies (-want +got):\n%s", diff)
			}
		})
	}
}

// TestCopiesAgain makes the same copies where those that were made before are there.
func TestCopiesAgain(t *testing.T) {
	seen := seenOf(t, http("checkout"))
	first := Copies(seen.Objects, twin)
	again := Copies(append(seen.Objects, first...), twin)
	if diff := cmp.Diff(first, again); diff != "" {
		t.Errorf("(-first +again):\n%s", diff)
	}
}

func TestUncovered(t *testing.T) {
	objects := seenOf(t,
		entry("ServiceIntentions", "to-payments", "{destination: {name: payments}, sources: [{name: checkout, action: allow}]}"),
		entry("ServiceIntentions", "to-stock", "{destination: {name: stock}, sources: [{name: checkout}, {name: checkout-canary}]}"),
		entry("ServiceIntentions", "to-all", `{destination: {name: mail}, sources: [{name: "*"}]}`),
		entry("ServiceDefaults", "web", "{upstreamConfig: {overrides: [{name: checkout, limits: {maxConnections: 5}}]}}"),
	).Objects
	want := []string{"ServiceDefaults web (upstreamConfig.overrides: checkout)", "ServiceIntentions to-payments (sources: checkout)"}
	if diff := cmp.Diff(want, Uncovered(objects, twin)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
