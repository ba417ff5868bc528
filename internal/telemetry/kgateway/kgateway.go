// Package kgateway is the dialect of kgateway: Envoy's counters of the clusters that it makes of a Service's port.
package kgateway

import (
	"fmt"

	"slipway.dev/slipway/internal/telemetry"
	"slipway.dev/slipway/internal/telemetry/envoy"
)

// Dialect makes queries for kgateway.
type Dialect struct{}

var _ telemetry.Plane = Dialect{}

// Facts are what its proxies count.
func (Dialect) Facts() telemetry.Facts {
	return telemetry.Facts{
		Plane: "kgateway", Controllers: []string{"kgateway.dev/kgateway"},
		Counted: envoy.Counted(), Arms: []string{"envoy_cluster_name"}, RetriesStay: true, Unreachable: true,
		Caveat:  "all routes to a Service's port are counted under one name, copies of requests (mirror) too; a Gateway with a client certificate for backends has names of its own, which are not counted",
		Sources: append(envoy.Sources(), "kgateway-dev/kgateway pkg/pluginsdk/ir/backend.go (buildClusterName)"),
	}
}

// Names are the clusters: kube_<namespace>_<Service>_<port>.
func (Dialect) Names(b telemetry.Backend) ([]string, error) {
	if err := envoy.NeedService(b); err != nil {
		return nil, err
	}
	return []string{fmt.Sprintf("kube_%s_%s_%d", b.Namespace, b.Service, b.Port)}, nil
}

// Query returns the query for a signal.
func (d Dialect) Query(a telemetry.Ask) (telemetry.Query, error) {
	return envoy.Plane{Facts: d.Facts()}.Query(a)
}
