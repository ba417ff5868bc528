// Package envoygateway is the dialect of Envoy Gateway: Envoy's counters of the clusters that it makes of backends. It must
// not read routes: where a cluster's name depends on the route, the translator of the route gives it.
package envoygateway

import (
	"fmt"

	"slipway.dev/slipway/internal/telemetry"
	"slipway.dev/slipway/internal/telemetry/envoy"
)

// Dialect makes queries for Envoy Gateway.
type Dialect struct{}

var _ telemetry.Plane = Dialect{}

// Facts are what its proxies count.
func (Dialect) Facts() telemetry.Facts {
	return telemetry.Facts{
		Plane: "Envoy Gateway", Controllers: []string{"gateway.envoyproxy.io/gatewayclass-controller"},
		Counted: envoy.Counted(), Arms: []string{"envoy_cluster_name"}, RetriesStay: true, Mirrors: telemetry.MirrorsApart, Unreachable: true,
		Caveat: "each backend needs a cluster of its own: spec.mergeBackends in the EnvoyProxy, or a filter that stays on the backendRef; " +
			"otherwise a rule's backends share one, and a retry may change the arm",
		Sources: append(envoy.Sources(), "envoyproxy/gateway v1.9.1 internal/gatewayapi/{filters,route}.go, internal/xds/translator/route.go (a mirror has a cluster of its own)"),
	}
}

// Names are the clusters that Envoy Gateway makes of a Service with mergeBackends. Those that it falls back to are named
// by the place in the route.
func (Dialect) Names(b telemetry.Backend) ([]string, error) {
	if err := envoy.NeedService(b); err != nil {
		return nil, err
	}
	return []string{fmt.Sprintf("service/%s/%s/%d/http", b.Namespace, b.Service, b.Port)}, nil
}

// Query returns the query for a signal.
func (d Dialect) Query(a telemetry.Ask) (telemetry.Query, error) {
	return envoy.Plane{Facts: d.Facts()}.Query(a)
}
