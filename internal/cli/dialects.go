package cli

import (
	"slipway.dev/slipway/internal/telemetry"
	"slipway.dev/slipway/internal/telemetry/appmesh"
	"slipway.dev/slipway/internal/telemetry/cilium"
	"slipway.dev/slipway/internal/telemetry/consul"
	"slipway.dev/slipway/internal/telemetry/contour"
	"slipway.dev/slipway/internal/telemetry/envoygateway"
	"slipway.dev/slipway/internal/telemetry/istio"
	"slipway.dev/slipway/internal/telemetry/kgateway"
	"slipway.dev/slipway/internal/telemetry/linkerd"
	"slipway.dev/slipway/internal/telemetry/nginxgateway"
	"slipway.dev/slipway/internal/telemetry/noarms"
	"slipway.dev/slipway/internal/telemetry/traefik"
)

// Dialects are the data planes by whose metrics a release can be judged. Where one can be measured in several ways, the
// preferred one comes first.
func Dialects() []telemetry.Plane {
	return []telemetry.Plane{
		envoygateway.Dialect{},
		istio.Dialect{Reporter: istio.Source},
		istio.Dialect{Reporter: istio.Waypoint},
		istio.Dialect{Reporter: istio.Destination},
		istio.Proxy{},
		linkerd.Dialect{Side: linkerd.Outbound},
		linkerd.Dialect{Side: linkerd.Inbound},
		consul.Dialect{},
		appmesh.Dialect{},
		traefik.Dialect{},
		contour.Dialect{},
		nginxgateway.Dialect{},
		kgateway.Dialect{},
		cilium.Proxy{},
		cilium.Hubble{},
	}
}

// NoDialects are the data planes that are refused, because their metrics do not tell the arms apart.
func NoDialects() []telemetry.NoArms { return noarms.Planes() }
