package envoy

import (
	"errors"
	"fmt"

	"slipway.dev/slipway/internal/telemetry"
)

// Plane is a data plane whose proxies are Envoys, as far as it differs from others of them: what it calls its clusters,
// and under which labels.
type Plane struct {
	Facts telemetry.Facts
	Tags  Tags
}

// Query is that of Envoy, in the plane's labels.
func (p Plane) Query(a telemetry.Ask) (telemetry.Query, error) {
	view, err := p.Facts.Choose(a)
	if err != nil {
		return nil, err
	}
	a.View = view
	q, err := Dialect{}.Query(a)
	if err != nil {
		return nil, fmt.Errorf("query %s: %w", p.Facts.Plane, err)
	}
	return p.Tags.wrap(q), nil
}

// Counted are what every Envoy measures of a cluster. Tries come first only when they are asked for: what users see is
// the answer after retries.
func Counted() []telemetry.Counted {
	return []telemetry.Counted{
		{Signal: telemetry.Errors, View: telemetry.AfterRetries, Metrics: []string{responses}},
		{Signal: telemetry.Errors, View: telemetry.Attempts, Metrics: []string{responses, retries}},
		{Signal: telemetry.Latency, View: telemetry.AfterRetries, Metrics: []string{timeCount, timeBucket}, Unit: "ms", CoversTries: true},
	}
}

// Sources are where the facts about Envoy's counters come from.
func Sources() []string {
	return []string{"envoyproxy/envoy source/common/router/{router,retry_state_impl}.cc"}
}

// NeedService says that a backend lacks what a cluster's name is made of.
func NeedService(b telemetry.Backend) error {
	if b.Namespace == "" || b.Service == "" || b.Port <= 0 {
		return errors.New("a cluster's name is made of namespace, Service and port: one of them is not known")
	}
	return nil
}
