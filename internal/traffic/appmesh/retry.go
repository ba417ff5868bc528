package appmesh

import (
	"time"

	"slipway.dev/slipway/api/v1alpha1"
	"slipway.dev/slipway/internal/traffic"
)

// defaultRequest is how long App Mesh lets a request take that has no timeout.
const defaultRequest = 15 * time.Second

var httpEvents = map[v1alpha1.RetryTrigger]string{
	v1alpha1.RetryRefusedStream: "stream-error",
	v1alpha1.RetryGatewayError:  "gateway-error",
	v1alpha1.RetryServerError:   "server-error",
	v1alpha1.RetryRetriable4xx:  "client-error",
}

var statuses = map[v1alpha1.GRPCStatus]string{
	v1alpha1.GRPCCancelled:         "cancelled",
	v1alpha1.GRPCDeadlineExceeded:  "deadline-exceeded",
	v1alpha1.GRPCInternal:          "internal",
	v1alpha1.GRPCResourceExhausted: "resource-exhausted",
	v1alpha1.GRPCUnavailable:       "unavailable",
}

// retryRoutes writes the policies into all routes.
func retryRoutes(seen traffic.Seen, routes []any, retries []traffic.Retry) error {
	for _, r := range retries {
		for _, item := range routes {
			route, _ := item.(map[string]any)
			field, how := howOf(route)
			name := text(route, "name")
			if field == tcpRoute || how == nil {
				return traffic.Refused(traffic.NotReady, "route %s of Service %s is a tcpRoute, which has no requests to retry; take the RetryPolicy out", name, seen.Target.GetName())
			}
			if field != grpcRoute && len(r.Statuses) > 0 {
				return traffic.Refused(traffic.NotReady, "grpcStatuses: route %s of Service %s is no grpcRoute; take them out, or make it one", name, seen.Target.GetName())
			}
			if err := retryRoute(name, how, r); err != nil {
				return err
			}
		}
	}
	return nil
}

func retryRoute(name string, how map[string]any, r traffic.Retry) error {
	if r.Retries != nil {
		if _, own := how["retryPolicy"]; own {
			return traffic.Refused(traffic.Conflicted, "retries: route %s has retryPolicy of its own; take it out of the router, or retries out of the policy", name)
		}
		how["retryPolicy"] = retryPolicy(r)
	}
	if r.Request == 0 {
		return nil
	}
	timeout, _ := how["timeout"].(map[string]any)
	if _, own := timeout["perRequest"]; own {
		return traffic.Refused(traffic.Conflicted, "timeouts.request: route %s has timeout.perRequest of its own; take it out of the router, or out of the policy", name)
	}
	if timeout == nil {
		timeout = map[string]any{}
	}
	timeout["perRequest"] = duration(r.Request)
	how["timeout"] = timeout
	return nil
}

// retryPolicy is a policy as a route has it. A try may take as long as the request where nothing else is said: App Mesh
// wants a time for each try. Off has to be said, because the service retried by itself, and needs some event.
func retryPolicy(r traffic.Retry) map[string]any {
	out := map[string]any{"maxRetries": int64(*r.Retries), "perRetryTimeout": duration(perTry(r))}
	if r.Off() {
		out["httpRetryEvents"] = []any{"stream-error"}
		return out
	}
	var events, calls []any
	for _, t := range r.Triggers {
		if t == v1alpha1.RetryConnectFailure {
			out["tcpRetryEvents"] = []any{"connection-error"}
			continue
		}
		events = append(events, httpEvents[t])
	}
	for _, s := range r.Statuses {
		calls = append(calls, statuses[s])
	}
	if len(events) > 0 {
		out["httpRetryEvents"] = events
	}
	if len(calls) > 0 {
		out["grpcRetryEvents"] = calls
	}
	return out
}

func perTry(r traffic.Retry) time.Duration {
	switch {
	case r.PerTry > 0:
		return r.PerTry
	case r.Request > 0:
		return r.Request
	}
	return defaultRequest
}

// duration is a time as App Mesh writes it: a whole number of one unit.
func duration(d time.Duration) map[string]any {
	if d%time.Second == 0 {
		return map[string]any{"unit": "s", "value": int64(d / time.Second)}
	}
	return map[string]any{"unit": "ms", "value": d.Milliseconds()}
}
