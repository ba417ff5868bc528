// Package nginxgateway is the dialect of NGINX Gateway Fabric with NGINX Plus. (Open source NGINX counts nothing for each
// upstream.)
package nginxgateway

import (
	"fmt"

	"slipway.dev/slipway/internal/telemetry"
	"slipway.dev/slipway/internal/telemetry/counters"
	"slipway.dev/slipway/internal/telemetry/envoy"
)

const responses = "nginx_http_upstream_peer_responses_total"

// Dialect makes queries for NGINX Plus.
type Dialect struct{}

var _ telemetry.Plane = Dialect{}

// Facts are what NGINX Plus can tell. Times are an average gauge, of which no share of slow requests can be made.
func (Dialect) Facts() telemetry.Facts {
	return telemetry.Facts{
		Plane: "NGINX Gateway Fabric with NGINX Plus", Arms: []string{"nginx_upstream_name"},
		Counted: []telemetry.Counted{{Signal: telemetry.Errors, View: telemetry.Attempts, Metrics: []string{responses}}},
		Caveat: "NGINX Plus only; times are averages, so there is no signal Latency; a try without an answer is not seen; " +
			"NGINX tries the next pod by itself when it cannot connect (proxy_next_upstream), always of the same upstream",
		RetriesStay: true,
		Sources:     []string{"docs.nginx.com/nginx-gateway-fabric/monitoring/prometheus", "nginx/agent internal/collector/nginxplusreceiver/documentation.md"},
	}
}

// Names are the upstreams: <namespace>_<Service>_<port>.
func (Dialect) Names(b telemetry.Backend) ([]string, error) {
	if err := envoy.NeedService(b); err != nil {
		return nil, err
	}
	return []string{fmt.Sprintf("%s_%s_%d", b.Namespace, b.Service, b.Port)}, nil
}

// Query returns the query for a signal.
func (d Dialect) Query(a telemetry.Ask) (telemetry.Query, error) {
	f := d.Facts()
	view, err := f.Choose(a)
	if err != nil {
		return nil, err
	}
	return counters.Schema{
		Plane: f.Plane, View: view, Requests: []string{responses}, Backend: f.Arms,
		Bad: []counters.Condition{{Label: "nginx_status_range", Values: []string{"5xx"}}},
	}.Query(a)
}
