// Package istio is the dialect of Istio: the standard metrics that its sidecars, gateways and waypoints report, and the
// counters of their Envoys. It must not know how routes are written.
package istio

import (
	"fmt"
	"time"

	"slipway.dev/slipway/internal/telemetry"
	"slipway.dev/slipway/internal/telemetry/counters"
	"slipway.dev/slipway/internal/telemetry/envoy"
)

const (
	requests = "istio_requests_total"
	duration = "istio_request_duration_milliseconds"
)

// Reporter is who reports the standard metrics.
type Reporter string

// The reporters.
const (
	// Source is the caller's sidecar, or a gateway. It reports a request once, when the caller has its answer.
	Source Reporter = "source"
	// Waypoint is an ambient mesh's layer 7 proxy, which sends the request on, and retries it, as a caller's sidecar would.
	Waypoint Reporter = "waypoint"
	// Destination is the sidecar of the pod that serves. It reports each try that reaches it.
	Destination Reporter = "destination"
)

// Dialect makes queries for the standard metrics of one reporter.
type Dialect struct{ Reporter Reporter }

var _ telemetry.Plane = Dialect{}

// failed are the gRPC statuses that are the server's fault, as OpenTelemetry's conventions for spans of servers list
// them: Unknown, DeadlineExceeded, Unimplemented, Internal, Unavailable, DataLoss. (The HTTP code of those is 200.)
var failed = []string{"2", "4", "12", "13", "14", "15"}

// Facts are what the reporter can tell.
func (d Dialect) Facts() telemetry.Facts {
	f := telemetry.Facts{
		Plane: "Istio, reporter " + string(d.Reporter), RetriesStay: true, Sources: []string{
			"istio.io/latest/docs/reference/config/metrics", "istio.io/latest/docs/concepts/traffic-management (retries: 2 by default)",
		},
	}
	view := telemetry.AfterRetries
	switch d.Reporter {
	case Destination:
		view = telemetry.Attempts
		f.Arms, f.PerPod = []string{"destination_workload_namespace", "destination_workload"}, true
		f.Caveat = "a try that reaches no sidecar is not seen; code 0 (the caller gave up) counts as bad; not in an ambient mesh"
	case Source, Waypoint:
		f.Arms = []string{"destination_service_namespace", "destination_service_name"}
		f.Mirrors, f.Unreachable = telemetry.MirrorsApart, true
		f.Caveat = "code 0 (the client went away) counts neither way; an ambient mesh without a waypoint counts connections only"
		if d.Reporter == Source {
			f.Controllers = []string{"istio.io/gateway-controller"}
		}
	default:
		return telemetry.Facts{Plane: f.Plane}
	}
	f.Counted = []telemetry.Counted{
		{Signal: telemetry.Errors, View: view, Metrics: []string{requests}},
		{Signal: telemetry.Latency, View: view, Metrics: []string{duration + "_count", duration + "_bucket"}, Unit: "ms", CoversTries: view == telemetry.AfterRetries},
	}
	return f
}

// Names are <namespace>/<Service>, or <namespace>/<Deployment> where the destination reports: there a request to the
// user's Service that was routed to the canary must count for the pod that answered.
func (d Dialect) Names(b telemetry.Backend) ([]string, error) {
	name := b.Service
	if d.Reporter == Destination {
		name = b.Workload
	}
	if b.Namespace == "" || name == "" {
		return nil, fmt.Errorf("name a backend for %s: namespace and Service, or Deployment for the destination, must be known", d.Facts().Plane)
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
	s := counters.Schema{
		Plane: f.Plane, View: view, Requests: []string{requests}, Histograms: []string{duration}, Unit: time.Millisecond, UnitName: "ms",
		Backend: f.Arms, Where: map[string][]string{"reporter": {string(d.Reporter)}}, PerPod: f.PerPod,
		Bad: []counters.Condition{{Label: "response_code", Prefix: "5"}, {Label: "grpc_response_status", Values: failed}},
	}
	nobody := counters.Condition{Label: "response_code", Values: []string{"0"}}
	if d.Reporter == Destination {
		s.Bad = append(s.Bad, nobody)
	} else {
		s.Ignored = []counters.Condition{nobody}
	}
	return s.Query(a)
}

// clusterTag is the label into which Istio's bootstrap puts the name of a cluster.
const clusterTag = "cluster_name"

// Proxy is the dialect of the counters of the Envoys of callers and gateways that Istio configures.
type Proxy struct{}

var _ telemetry.Plane = Proxy{}

// Facts are what the proxies of callers and gateways count.
func (Proxy) Facts() telemetry.Facts {
	return telemetry.Facts{
		Plane: "Istio, Envoy's counters", Counted: envoy.Counted(), Arms: []string{clusterTag}, RetriesStay: true, Unreachable: true,
		Caveat: "Istio's proxies leave these counters out unless proxyStatsMatcher (annotation sidecar.istio.io/statsInclusionPrefixes) has cluster.outbound; " +
			"an Envoy with a bootstrap of its own needs the stats_tag {tag_name: cluster_name, regex: '^cluster(\\.(.+);)'}, because Envoy's own tag ends at the first dot of a host name",
		Sources: append(envoy.Sources(), "istio/istio tools/packaging/common/envoy_bootstrap.json (stats_tags)", "istio/istio pilot/pkg/networking/core/cluster_builder.go (AltStatName ends with ;)"),
	}
}

// Names are the clusters that Istio makes of a Service's port, or of a subset of it.
func (Proxy) Names(b telemetry.Backend) ([]string, error) {
	if err := envoy.NeedService(b); err != nil {
		return nil, err
	}
	return []string{fmt.Sprintf("outbound|%d|%s|%s.%s.svc.cluster.local", b.Port, b.Subset, b.Service, b.Namespace)}, nil
}

// Query returns the query for a signal.
func (p Proxy) Query(a telemetry.Ask) (telemetry.Query, error) {
	tags := envoy.Tags{Cluster: []string{clusterTag}, Code: "response_code"}
	return envoy.Plane{Facts: p.Facts(), Tags: tags}.Query(a)
}
