package controllers

import (
	"slices"
	"testing"

	"k8s.io/apimachinery/pkg/runtime/schema"

	"slipway.dev/slipway/internal/traffic"
	"slipway.dev/slipway/internal/traffic/appmesh"
	"slipway.dev/slipway/internal/traffic/consul"
	"slipway.dev/slipway/internal/traffic/envoygateway"
	"slipway.dev/slipway/internal/traffic/gatewayapi"
	"slipway.dev/slipway/internal/traffic/istio"
	"slipway.dev/slipway/internal/traffic/linkerd"
)

// A mesh that is not installed costs nothing: Services and what else it would read are not kept.
func TestOnlyWhatIsInstalledIsWatched(t *testing.T) {
	routers := traffic.Registry{gatewayapi.Router{}, envoygateway.Router{}, istio.Router{}, linkerd.Router{}, consul.Router{}, appmesh.Router{}}
	service := schema.GroupKind{Kind: "Service"}
	for name, tc := range map[string]struct {
		installed    schema.GroupKind // beside what every cluster here has
		wantServices bool             // as targets
		wantBeside   []string
		wantNot      []string
	}{
		"no mesh":  {installed: httpRouteKind.GroupKind(), wantNot: []string{"Service", "Namespace"}},
		"Istio":    {installed: schema.GroupKind{Group: istioGroup, Kind: "VirtualService"}, wantServices: true, wantBeside: []string{"Service", "VirtualService"}, wantNot: []string{"Namespace"}},
		"Linkerd":  {installed: linkerd.ServerKind.GroupKind(), wantServices: true, wantBeside: []string{"Service", "Server"}, wantNot: []string{"Namespace"}},
		"Consul":   {installed: consul.SplitterKind.GroupKind(), wantServices: true, wantBeside: []string{"ServiceSplitter"}, wantNot: []string{"Namespace"}},
		"App Mesh": {installed: appmesh.RouterKind.GroupKind(), wantServices: true, wantBeside: []string{"VirtualRouter"}, wantNot: []string{"Namespace"}},
	} {
		t.Run(name, func(t *testing.T) {
			apis := map[string]traffic.API{}
			for _, kind := range []schema.GroupKind{service, {Kind: "Namespace"}, httpRouteKind.GroupKind(), tc.installed} {
				apis[traffic.APIName(kind)] = traffic.API{}
			}
			if got := (planner{routers: routers}).takes(service, apis); got != tc.wantServices {
				t.Errorf("Services are looked at: %t", got)
			}
			var beside []string
			for _, kind := range watchedKinds(routers, apis) {
				beside = append(beside, kind.Kind)
			}
			for _, kind := range tc.wantBeside {
				if !slices.Contains(beside, kind) {
					t.Errorf("%s is not watched; what is: %v", kind, beside)
				}
			}
			for _, kind := range tc.wantNot {
				if slices.Contains(beside, kind) {
					t.Errorf("%s is watched", kind)
				}
			}
		})
	}
}
