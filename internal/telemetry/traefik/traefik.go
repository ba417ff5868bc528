// Package traefik is the dialect of Traefik's metrics of services. It must not know how routes are written.
package traefik

import (
	"errors"
	"time"

	"slipway.dev/slipway/internal/telemetry"
	"slipway.dev/slipway/internal/telemetry/counters"
)

const (
	requests = "traefik_service_requests_total"
	duration = "traefik_service_request_duration_seconds"
	// numbered is what Traefik calls a Service of a route of Gateway API (the end of a long name with a hash of the rule), and
	// of an IngressRoute. A port by name is left out: checkout-canary would be port canary of Service checkout.
	numbered = `(?:(?:http|grpc)route-.+-svc-%s-[0-9]+@kubernetesgateway|%s-[0-9]+@kubernetescrd)`
)

// Dialect makes queries for Traefik.
type Dialect struct{}

var _ telemetry.Plane = Dialect{}

// Facts are what Traefik can tell.
func (Dialect) Facts() telemetry.Facts {
	return telemetry.Facts{
		Plane: "Traefik", Controllers: []string{"traefik.io/gateway-controller"}, Arms: []string{"service"},
		Counted: []telemetry.Counted{
			{Signal: telemetry.Errors, View: telemetry.Attempts, Metrics: []string{requests}},
			{Signal: telemetry.Latency, View: telemetry.Attempts, Metrics: []string{duration + "_count", duration + "_bucket"}, Unit: "s"},
		},
		Unreachable: true,
		Caveat: "the boundaries are 0.1, 0.3, 1.2 and 5 s unless --metrics.prometheus.buckets says otherwise; the retry middleware chooses among the arms " +
			"anew for each try; series end when a route's rule changes, because its hash is in their name",
		Sources: []string{"doc.traefik.io/traefik/observability/metrics/overview", "traefik/traefik pkg/provider/kubernetes/gateway/httproute.go"},
	}
}

// Names are <namespace>-<Service>, which is how Traefik writes them.
func (Dialect) Names(b telemetry.Backend) ([]string, error) {
	if b.Namespace == "" || b.Service == "" {
		return nil, errors.New("name a backend for Traefik: namespace and Service must be known")
	}
	return []string{b.Namespace + "-" + b.Service}, nil
}

// Query returns the query for a signal.
func (d Dialect) Query(a telemetry.Ask) (telemetry.Query, error) {
	f := d.Facts()
	view, err := f.Choose(a)
	if err != nil {
		return nil, err
	}
	return counters.Schema{
		Plane: f.Plane, View: view, Requests: []string{requests}, Histograms: []string{duration}, Unit: time.Second, UnitName: "s",
		Backend: f.Arms, Pattern: numbered, Bad: []counters.Condition{{Label: "code", Prefix: "5"}},
	}.Query(a)
}
