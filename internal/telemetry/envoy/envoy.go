// Package envoy is the dialect of data planes that are Envoy proxies: what a proxy measures of the clusters that it
// sends to. It must not know which controller configured the proxy: the caller gives the clusters' names.
package envoy

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"slipway.dev/slipway/internal/telemetry"
)

const (
	// Responses to requests, after retries: what a retry has replaced is counted in another family.
	responses    = "envoy_cluster_upstream_rq"
	timeCount    = "envoy_cluster_upstream_rq_time_count"
	timeBucket   = "envoy_cluster_upstream_rq_time_bucket"
	clusterLabel = "envoy_cluster_name"
	codeLabel    = "envoy_response_code"
	boundary     = "le"
)

// Dialect makes queries for the metrics of Envoy. Ask.Canary and Ask.Stable are names of Envoy clusters.
type Dialect struct{}

var _ telemetry.Dialect = Dialect{}

// Query returns the query for a signal.
func (Dialect) Query(a telemetry.Ask) (telemetry.Query, error) {
	arms, err := assign(a)
	if err != nil {
		return nil, fmt.Errorf("query envoy for signal %s: %w", a.Signal, err)
	}
	if a.View == telemetry.Attempts && a.Signal != telemetry.Errors {
		// Its time is that of the request, from first to last try.
		return nil, &telemetry.UnsupportedError{Dialect: "Envoy", Missing: a.Signal.String() + ", " + a.View.String()}
	}
	switch a.Signal {
	case telemetry.Errors:
		if a.View == telemetry.Attempts {
			return attemptsQuery{errorsQuery{clusters: arms}}, nil
		}
		return errorsQuery{clusters: arms}, nil
	case telemetry.Latency:
		if a.Whole {
			return latencyQuery{clusters: arms, whole: true}, nil
		}
		if a.SlowerThan <= 0 {
			return nil, fmt.Errorf("query envoy for signal %s: slowerThan is %s, but must be more than 0", a.Signal, a.SlowerThan)
		}
		return latencyQuery{clusters: arms, slowerThan: a.SlowerThan}, nil
	case telemetry.UnknownSignal:
	}
	return nil, &telemetry.UnsupportedError{Dialect: "Envoy", Missing: a.Signal.String()}
}

// clusters are the arms by the clusters' names.
type clusters map[string]telemetry.Arm

func assign(a telemetry.Ask) (clusters, error) {
	if len(a.Canary) == 0 || len(a.Stable) == 0 {
		return nil, errors.New("each arm needs the name of at least one cluster")
	}
	c := clusters{}
	for _, name := range a.Canary {
		c[name] = telemetry.Canary
	}
	for _, name := range a.Stable {
		if c[name] == telemetry.Canary {
			return nil, fmt.Errorf("cluster %q serves both arms, so that they cannot be told apart", name)
		}
		c[name] = telemetry.Stable
	}
	if c[""] != telemetry.UnknownArm {
		return nil, errors.New("a cluster has no name")
	}
	return c, nil
}

func (c clusters) names() []string {
	names := make([]string, 0, len(c))
	for name := range c {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

func (c clusters) key() string {
	var b strings.Builder
	for _, name := range c.names() {
		fmt.Fprintf(&b, "%s=%s\n", name, c[name])
	}
	return b.String()
}

// role is what all series of a cluster have in common.
func (c clusters) role(l telemetry.Labels) (telemetry.Role, bool) {
	arm, ok := c[l[clusterLabel]]
	return telemetry.Role{
		Arm:      arm,
		BothArms: true,
		// Whatever else a scrape job puts on the series tells who scraped what.
		Target:   l.Without(telemetry.NameLabel, clusterLabel, codeLabel, boundary),
		Subjects: telemetry.ScrapedSubjects(l),
	}, ok
}

// errorsQuery counts responses, and those with 5xx as bad: also those that Envoy gave itself for the cluster.
type errorsQuery struct{ clusters clusters }

func (q errorsQuery) Key() string                    { return "envoy errors\n" + q.clusters.key() }
func (q errorsQuery) SlowerThan() telemetry.Boundary { return telemetry.Boundary{} }
func (q errorsQuery) PodsUnknown() bool              { return true }

func (q errorsQuery) Selector([]string) telemetry.Selector {
	return telemetry.Selector{
		Names: []string{responses}, Route: clusterLabel, Values: q.clusters.names(),
		// There is no such label; saying so lets one query fetch errors and latency.
		Match: map[string][]string{boundary: {""}},
	}
}

func (q errorsQuery) Role(l telemetry.Labels) (telemetry.Role, bool) {
	role, ok := q.clusters.role(l)
	if !ok || l[telemetry.NameLabel] != responses || len(l[codeLabel]) != 3 {
		return telemetry.Role{}, false
	}
	role.Part = telemetry.Requests
	if l[codeLabel][0] == '5' {
		role.Part = telemetry.RequestsAndBad
	}
	return role, true
}

// latencyQuery counts the requests that took longer than a boundary of Envoy's histogram, which is in milliseconds.
type latencyQuery struct {
	clusters   clusters
	slowerThan time.Duration
	whole      bool
}

func (q latencyQuery) Key() string {
	if q.whole {
		return "envoy latencies\n" + q.clusters.key()
	}
	return "envoy latency " + q.slowerThan.String() + "\n" + q.clusters.key()
}

func (q latencyQuery) SlowerThan() telemetry.Boundary {
	return telemetry.Boundary{Value: float64(q.slowerThan) / float64(time.Millisecond), Unit: "ms", Whole: q.whole}
}

func (q latencyQuery) PodsUnknown() bool { return true }

func (q latencyQuery) Selector(boundaries []string) telemetry.Selector {
	s := telemetry.Selector{Names: []string{timeCount, timeBucket}, Route: clusterLabel, Values: q.clusters.names()}
	if boundaries == nil {
		return s
	}
	patterns := []string{""} // the count has no such label
	for _, b := range boundaries {
		patterns = append(patterns, regexp.QuoteMeta(b))
	}
	s.Match = map[string][]string{boundary: patterns}
	return s
}

func (q latencyQuery) Role(l telemetry.Labels) (telemetry.Role, bool) {
	role, ok := q.clusters.role(l)
	if !ok {
		return telemetry.Role{}, false
	}
	role.Histogram = l[clusterLabel]
	switch l[telemetry.NameLabel] {
	case timeCount:
		role.Part = telemetry.HistogramCount
	case timeBucket:
		role.Part, role.LE = telemetry.HistogramBucket, l[boundary]
	default:
		return telemetry.Role{}, false
	}
	return role, true
}
