package gatewayapi

import (
	"fmt"
	"slices"
	"strings"

	"slipway.dev/slipway/internal/traffic"
)

// offered is what each known implementation does with an HTTPRoute. "Accepted" on a route does not say it: some accept
// what they then ignore. An implementation gets its line when somebody has read or seen that it does the thing.
var offered = map[string][]traffic.Capability{
	"gateway.envoyproxy.io/gatewayclass-controller": {traffic.WeightedBackends}, // Envoy Gateway
	"istio.io/gateway-controller":                   {traffic.WeightedBackends},
	"istio.io/mesh-controller":                      {traffic.WeightedBackends}, // Istio's waypoints
	"traefik.io/gateway-controller":                 {traffic.WeightedBackends},
	"projectcontour.io/gateway-controller":          {traffic.WeightedBackends}, // Contour
	"gateway.nginx.org/nginx-gateway-controller":    {traffic.WeightedBackends}, // NGINX Gateway Fabric: in steps of 0.01 %
	"kgateway.dev/kgateway":                         {traffic.WeightedBackends},
	"io.cilium/gateway-controller":                  {traffic.WeightedBackends},
	"konghq.com/kic-gateway-controller":             {traffic.WeightedBackends}, // Kong
	"linkerd.io/policy-controller":                  {traffic.WeightedBackends},
}

// Offers are what all the data planes that serve the route do. An unknown data plane is refused by its name, and so is a
// route that none serves.
func (HTTPRoute) Offers(observed traffic.Observed) ([]traffic.Capability, error) {
	if len(observed.Controllers) == 0 {
		return nil, traffic.Unsupported("a route that no data plane serves", string(traffic.WeightedBackends))
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
		return nil, traffic.Unsupported("unknown data plane "+strings.Join(unknown, ", "), string(traffic.WeightedBackends))
	}
	slices.Sort(offers)
	return offers, nil
}
