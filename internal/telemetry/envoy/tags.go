package envoy

import (
	"maps"
	"regexp"
	"slices"
	"strings"

	"slipway.dev/slipway/internal/telemetry"
)

// Tags are the labels into which a proxy's bootstrap (stats_tags) puts what Envoy's own tags put into envoy_cluster_name
// and envoy_response_code. The zero value means Envoy's own.
type Tags struct {
	// Cluster are labels whose values, joined by slashes, are the name of the cluster. Series are fetched by the last.
	Cluster []string
	// Code is the label of the response code, where it is not Envoy's own.
	Code string
	// Derived are further labels that differ between clusters, besides Envoy's own; they say nothing of who was scraped.
	Derived []string
}

func (t Tags) wrap(q telemetry.Query) telemetry.Query {
	if len(t.Cluster) == 0 {
		return q
	}
	return tagged{Query: q, tags: t}
}

// tagged asks for the series of a query under other labels.
type tagged struct {
	telemetry.Query
	tags Tags
}

func (q tagged) Key() string {
	return strings.Join(append(slices.Clone(q.tags.Cluster), q.tags.Code), ",") + "\n" + q.Query.Key()
}

func (q tagged) Selector(boundaries []string) telemetry.Selector {
	s := q.Query.Selector(boundaries)
	last := len(q.tags.Cluster) - 1
	match := map[string][]string{}
	maps.Copy(match, s.Match)
	values := make([]string, len(s.Values))
	for i, cluster := range s.Values {
		parts := strings.SplitN(cluster, "/", len(q.tags.Cluster))
		for j, part := range parts {
			if j < last {
				match[q.tags.Cluster[j]] = append(match[q.tags.Cluster[j]], regexp.QuoteMeta(part))
			}
		}
		values[i] = parts[len(parts)-1]
	}
	s.Route, s.Values, s.Match = q.tags.Cluster[last], values, match
	return s
}

func (q tagged) Role(l telemetry.Labels) (telemetry.Role, bool) {
	own := telemetry.Labels{}
	for label, value := range l {
		if !slices.Contains(q.tags.Derived, label) {
			own[label] = value
		}
	}
	parts := make([]string, len(q.tags.Cluster))
	for i, label := range q.tags.Cluster {
		parts[i] = l[label]
		delete(own, label)
	}
	own[clusterLabel] = strings.Join(parts, "/")
	if code := l[q.tags.Code]; code != "" {
		delete(own, q.tags.Code)
		own[codeLabel] = code
	}
	return q.Query.Role(own)
}
