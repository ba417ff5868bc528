// Package contour is the dialect of Contour: Envoy's counters under the names that Contour gives to a Service's port.
package contour

import (
	"fmt"

	"slipway.dev/slipway/internal/telemetry"
	"slipway.dev/slipway/internal/telemetry/envoy"
)

// Dialect makes queries for Contour.
type Dialect struct{}

var _ telemetry.Plane = Dialect{}

// Facts are what its proxies count.
func (Dialect) Facts() telemetry.Facts {
	return telemetry.Facts{
		Plane: "Contour", Controllers: []string{"projectcontour.io/gateway-controller"},
		Counted: envoy.Counted(), Arms: []string{"envoy_cluster_name"}, RetriesStay: true, Unreachable: true,
		Caveat:  "all routes to a Service's port are counted under one name, those of other HTTPProxies and copies of requests (mirror) too",
		Sources: append(envoy.Sources(), "projectcontour/contour internal/envoy/cluster.go (AltStatName)"),
	}
}

// Names are what Contour calls a Service's port in statistics: <namespace>_<Service>_<port>.
func (Dialect) Names(b telemetry.Backend) ([]string, error) {
	if err := envoy.NeedService(b); err != nil {
		return nil, err
	}
	return []string{fmt.Sprintf("%s_%s_%d", b.Namespace, b.Service, b.Port)}, nil
}

// Query returns the query for a signal.
func (d Dialect) Query(a telemetry.Ask) (telemetry.Query, error) {
	return envoy.Plane{Facts: d.Facts()}.Query(a)
}
