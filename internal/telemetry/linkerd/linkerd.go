// Package linkerd is the dialect of Linkerd's proxies, as the pod that calls or as the pod that serves counts. It must not
// know how routes are written.
package linkerd

import (
	"fmt"
	"time"

	"slipway.dev/slipway/internal/telemetry"
	"slipway.dev/slipway/internal/telemetry/counters"
)

// Side is whose proxy counts.
type Side string

// The sides.
const (
	// Outbound is the caller's proxy. It counts each try under the backend that it was sent to.
	Outbound Side = "outbound"
	// Inbound is the proxy of the pod that serves. It counts each try that arrives.
	Inbound Side = "inbound"
)

// Dialect makes queries for what one side counts.
type Dialect struct{ Side Side }

var _ telemetry.Plane = Dialect{}

// failed are the gRPC statuses that are the server's fault, as the proxy writes them.
var failed = []string{"UNKNOWN", "DEADLINE_EXCEEDED", "UNIMPLEMENTED", "INTERNAL", "UNAVAILABLE", "DATA_LOSS"}

// Facts are what the side can tell. A retry is above the choice of the backend in the caller's proxy, so that it goes to
// any arm.
func (d Dialect) Facts() telemetry.Facts {
	f := telemetry.Facts{Plane: "Linkerd, " + string(d.Side), Mirrors: telemetry.MirrorsNever, Sources: []string{
		"linkerd/linkerd2-proxy linkerd/app/outbound/src/http/logical/policy/route{.rs,/backend/metrics.rs,/metrics/labels.rs}",
		"linkerd.io/2/reference/proxy-metrics",
	}}
	var s counters.Schema
	switch d.Side {
	case Outbound:
		s, f.Arms, f.Unreachable = outbound(), []string{"backend_namespace", "backend_name"}, true
		f.Caveat = "callers must be meshed and the Service must have a route; a retry may go to the other arm; boundaries from 25ms to 10s"
	case Inbound:
		s, f.Arms, f.PerPod = inbound(), []string{"namespace", "deployment"}, true
		f.Caveat = "namespace, deployment and pod are put on by the scrape, as in linkerd-viz; a try that does not arrive is not seen; probes are left out by route_name"
	default:
		return f
	}
	latency := telemetry.Counted{Signal: telemetry.Latency, View: telemetry.Attempts, Unit: s.UnitName}
	for _, h := range s.Histograms {
		latency.Metrics = append(latency.Metrics, h+"_count", h+"_bucket")
	}
	f.Counted = []telemetry.Counted{{Signal: telemetry.Errors, View: telemetry.Attempts, Metrics: s.Requests}, latency}
	return f
}

func outbound() counters.Schema {
	return counters.Schema{
		Requests:   []string{"outbound_http_route_backend_response_statuses_total", "outbound_grpc_route_backend_response_statuses_total"},
		Histograms: []string{"outbound_http_route_backend_response_duration_seconds", "outbound_grpc_route_backend_response_duration_seconds"},
		Unit:       time.Second, UnitName: "s",
		Bad: []counters.Condition{{Label: "http_status", Prefix: "5"}, {Label: "error"}, {Label: "grpc_status", Values: failed}},
	}
}

func inbound() counters.Schema {
	return counters.Schema{
		Requests: []string{"response_total"}, Histograms: []string{"response_latency_ms"}, Unit: time.Millisecond, UnitName: "ms",
		Where: map[string][]string{"direction": {"inbound"}}, PerPod: true,
		Bad: []counters.Condition{{Label: "classification", Values: []string{"failure"}}},
		// The kubelet's probes go through the proxy too, and would make every version look better than it is.
		Ignored: []counters.Condition{{Label: "route_name", Values: []string{"probe"}}},
	}
}

// Names are <namespace>/<Service> for the caller's side, <namespace>/<Deployment> for the other.
func (d Dialect) Names(b telemetry.Backend) ([]string, error) {
	name := b.Service
	if d.Side == Inbound {
		name = b.Workload
	}
	if b.Namespace == "" || name == "" {
		return nil, fmt.Errorf("name a backend for Linkerd, %s: namespace and Service, or Deployment for inbound, must be known", d.Side)
	}
	return []string{b.Namespace + "/" + name}, nil
}

// Query returns the query for a signal.
func (d Dialect) Query(a telemetry.Ask) (telemetry.Query, error) {
	f := d.Facts()
	view, err := f.Choose(a)
	if err != nil {
		return nil, err
	}
	s := outbound()
	if d.Side == Inbound {
		s = inbound()
	}
	s.Plane, s.View, s.Backend = f.Plane, view, f.Arms
	return s.Query(a)
}
