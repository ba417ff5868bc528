// Package appmesh is the dialect of AWS App Mesh: Envoy's counters in the proxies of callers, of the clusters that App Mesh
// makes of virtual nodes. The service ended on 30 September 2026; this is for what was recorded and for those who move on.
package appmesh

import (
	"errors"
	"fmt"

	"slipway.dev/slipway/internal/telemetry"
	"slipway.dev/slipway/internal/telemetry/envoy"
)

// Dialect makes queries for one mesh.
type Dialect struct {
	// Mesh is the mesh's name in AWS.
	Mesh string
	// Protocol is that of the virtual nodes' listeners: http, http2 or grpc; empty means http.
	Protocol string
}

var _ telemetry.Plane = Dialect{}

// Facts are what the proxies of callers count.
func (Dialect) Facts() telemetry.Facts {
	return telemetry.Facts{
		Plane: "AWS App Mesh", Counted: envoy.Counted(), Arms: []string{"envoy_cluster_name"},
		RetriesStay: true, Mirrors: telemetry.MirrorsNever, Unreachable: true,
		Caveat: "the proxies of callers and gateways must be scraped (port 9901, /stats/prometheus); the names are those of the virtual nodes in AWS; " +
			"meshes of accounts from after July 2020 retry twice by themselves (503, UNAVAILABLE, connect-failure, refused-stream, reset)",
		Sources: append(envoy.Sources(), "awsdocs/aws-app-mesh-user-guide doc_source/envoy-defaults.md", "aws/aws-app-mesh-examples (howto-k8s-connection-pools: cluster.cds_egress_<mesh>_<node>_http_8080)"),
	}
}

// Names are the clusters: cds_egress_<mesh>_<virtual node>_<protocol>_<port>. The controller calls the node
// <name>_<namespace> in AWS, and Backend.Workload is its name in Kubernetes.
func (d Dialect) Names(b telemetry.Backend) ([]string, error) {
	if d.Mesh == "" || b.Namespace == "" || b.Workload == "" || b.Port <= 0 {
		return nil, errors.New("a cluster of App Mesh is named by mesh, virtual node, namespace and port: one of them is not known")
	}
	protocol := d.Protocol
	if protocol == "" {
		protocol = "http"
	}
	return []string{fmt.Sprintf("cds_egress_%s_%s_%s_%s_%d", d.Mesh, b.Workload, b.Namespace, protocol, b.Port)}, nil
}

// Query returns the query for a signal.
func (d Dialect) Query(a telemetry.Ask) (telemetry.Query, error) {
	return envoy.Plane{Facts: d.Facts()}.Query(a)
}
