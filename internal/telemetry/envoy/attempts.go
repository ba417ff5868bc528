package envoy

import "slipway.dev/slipway/internal/telemetry"

// retries counts tries that were given up for another one: the proxy adds one when it decides to try again, whether an
// answer, a reset, a timeout or a failed connection made it so. (retry_upstream_rq has codes, but only of answers.)
const retries = "envoy_cluster_upstream_rq_retry"

// attemptsQuery counts tries: the last one of each request by its code, and each one before it as bad, for it was retried
// because it failed.
type attemptsQuery struct{ errorsQuery }

func (q attemptsQuery) Key() string { return "envoy tries\n" + q.clusters.key() }

func (q attemptsQuery) Selector(boundaries []string) telemetry.Selector {
	s := q.errorsQuery.Selector(boundaries)
	s.Names = append(s.Names, retries)
	return s
}

func (q attemptsQuery) Role(l telemetry.Labels) (telemetry.Role, bool) {
	if l[telemetry.NameLabel] != retries {
		return q.errorsQuery.Role(l)
	}
	role, ok := q.clusters.role(l)
	role.Part = telemetry.RequestsAndBad
	return role, ok
}
