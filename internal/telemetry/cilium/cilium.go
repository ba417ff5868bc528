// Package cilium is the dialect of Cilium: the counters of its Envoys, which serve Gateways and the routes of Services, and
// what Hubble counts on the node of the pod that serves.
package cilium

import (
	"errors"
	"fmt"
	"time"

	"slipway.dev/slipway/internal/telemetry"
	"slipway.dev/slipway/internal/telemetry/counters"
	"slipway.dev/slipway/internal/telemetry/envoy"
)

const (
	requests = "hubble_http_requests_total"
	duration = "hubble_http_request_duration_seconds"
)

// Proxy makes queries for Cilium's Envoys.
type Proxy struct{}

var _ telemetry.Plane = Proxy{}

// Facts are what its proxies count.
func (Proxy) Facts() telemetry.Facts {
	return telemetry.Facts{
		Plane: "Cilium, Envoy", Controllers: []string{"io.cilium/gateway-controller"},
		Counted: envoy.Counted(), Arms: []string{"envoy_cluster_name"}, RetriesStay: true, Unreachable: true,
		Caveat: "Envoy writes the colons of <CiliumEnvoyConfig>/<namespace>:<Service>:<port> as underscores; copies of requests (mirror) count too; " +
			"the metrics are those of cilium-envoy (port 9964), not of the agent",
		Sources: append(envoy.Sources(), "cilium/cilium operator/pkg/model/translation/envoy_cluster.go (getClusterName)", "envoyproxy/envoy source/common/stats/utility.cc (sanitizeStatsName)"),
	}
}

// Config is the CiliumEnvoyConfig that Cilium makes of a Gateway, for Backend.Config.
func Config(namespace, gateway string) string { return namespace + "/cilium-gateway-" + gateway }

// Names are the clusters, which are named after the CiliumEnvoyConfig that they stand in.
func (Proxy) Names(b telemetry.Backend) ([]string, error) {
	if err := envoy.NeedService(b); err != nil {
		return nil, err
	}
	if b.Config == "" {
		return nil, errors.New("a cluster of Cilium is named after its CiliumEnvoyConfig, which is not known")
	}
	return []string{
		fmt.Sprintf("%s/%s_%s_%d", b.Config, b.Namespace, b.Service, b.Port),
		fmt.Sprintf("%s/%s:%s:%d", b.Config, b.Namespace, b.Service, b.Port),
	}, nil
}

// Query returns the query for a signal.
func (p Proxy) Query(a telemetry.Ask) (telemetry.Query, error) {
	return envoy.Plane{Facts: p.Facts()}.Query(a)
}

// Hubble makes queries for what Hubble sees of HTTP in front of the pods that serve.
type Hubble struct{}

var _ telemetry.Plane = Hubble{}

// Facts are what Hubble counts, with the labels that its option labelsContext adds.
func (Hubble) Facts() telemetry.Facts {
	return telemetry.Facts{
		Plane: "Cilium, Hubble", Arms: []string{"destination_namespace", "destination_workload"}, RetriesStay: true,
		Counted: []telemetry.Counted{
			{Signal: telemetry.Errors, View: telemetry.Attempts, Metrics: []string{requests}},
			{Signal: telemetry.Latency, View: telemetry.Attempts, Metrics: []string{duration + "_count", duration + "_bucket"}, Unit: "s"},
		},
		Caveat: "needs the metric httpV2 with labelsContext=destination_namespace,destination_workload and a layer 7 policy in front of the pods; " +
			"a try that does not arrive is not seen, copies of requests (mirror) are",
		Sources: []string{"docs.cilium.io/en/stable/observability/metrics (Hubble, httpV2)"},
	}
}

// Names are <namespace>/<Deployment>.
func (Hubble) Names(b telemetry.Backend) ([]string, error) {
	if b.Namespace == "" || b.Workload == "" {
		return nil, errors.New("name a backend for Hubble: namespace and Deployment must be known")
	}
	return []string{b.Namespace + "/" + b.Workload}, nil
}

// Query returns the query for a signal.
func (h Hubble) Query(a telemetry.Ask) (telemetry.Query, error) {
	f := h.Facts()
	view, err := f.Choose(a)
	if err != nil {
		return nil, err
	}
	return counters.Schema{
		Plane: f.Plane, View: view, Requests: []string{requests}, Histograms: []string{duration}, Unit: time.Second, UnitName: "s",
		Backend: f.Arms, Where: map[string][]string{"reporter": {"server"}}, Bad: []counters.Condition{{Label: "status", Prefix: "5"}},
	}.Query(a)
}
