package gatewayapi

import (
	"fmt"
	"slices"
	"strings"

	"slipway.dev/slipway/internal/traffic"
)

var weightsOnly = []traffic.Capability{traffic.SplitOfRule, traffic.WeightedBackends}

// offered is what each known implementation does with an HTTPRoute. "Accepted" on a route does not say it: some accept
// what they then ignore. An implementation gets its line when somebody has read or seen that it does the thing.
var offered = map[string][]traffic.Capability{
	"gateway.envoyproxy.io/gatewayclass-controller": weightsOnly, // Envoy Gateway
	"istio.io/gateway-controller":                   weightsOnly,
	"istio.io/mesh-controller":                      weightsOnly, // Istio's waypoints
	"traefik.io/gateway-controller":                 weightsOnly,
	"projectcontour.io/gateway-controller":          weightsOnly, // Contour
	"gateway.nginx.org/nginx-gateway-controller":    weightsOnly, // NGINX Gateway Fabric: in steps of 0.01 %
	"kgateway.dev/kgateway":                         weightsOnly,
	"io.cilium/gateway-controller":                  weightsOnly,
	"konghq.com/kic-gateway-controller":             weightsOnly, // Kong
	"linkerd.io/policy-controller":                  weightsOnly,
}

// Offers are what all the data planes that serve the route do. An unknown data plane is refused by its name, and so is a
// route that none serves.
func (Router) Offers(seen traffic.Seen) (traffic.Offer, error) {
	observed := seen.Observed
	if len(observed.Controllers) == 0 {
		return traffic.Offer{}, traffic.Unsupported("a route that no data plane serves", string(traffic.WeightedBackends))
	}
	var unknown []string
	var offers []traffic.Capability
	for i, controller := range observed.Controllers {
		does, known := offered[controller]
		if !known {
			unknown = append(unknown, fmt.Sprintf("%q", controller))
			continue
		}
		if i == 0 {
			offers = slices.Clone(does)
		}
		offers = slices.DeleteFunc(offers, func(c traffic.Capability) bool { return !slices.Contains(does, c) })
	}
	if len(unknown) > 0 {
		slices.Sort(unknown)
		return traffic.Offer{}, traffic.Unsupported("unknown data plane "+strings.Join(unknown, ", "), string(traffic.WeightedBackends))
	}
	slices.Sort(offers)
	return traffic.Offer{Plane: routeKind + " on " + strings.Join(observed.Controllers, ", "), Capabilities: offers}, nil
}
