package istio

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"slipway.dev/slipway/api/v1alpha1"
	"slipway.dev/slipway/internal/traffic"
)

// triggers are the triggers as Envoy calls them.
var triggers = map[v1alpha1.RetryTrigger]string{
	v1alpha1.RetryConnectFailure:     "connect-failure",
	v1alpha1.RetryRefusedStream:      "refused-stream",
	v1alpha1.RetryGatewayError:       "gateway-error",
	v1alpha1.RetryReset:              "reset",
	v1alpha1.RetryResetBeforeRequest: "reset-before-request",
	v1alpha1.RetryServerError:        "5xx",
	v1alpha1.RetryRetriable4xx:       "retriable-4xx",
}

// statuses are the statuses of gRPC as Envoy calls them.
var statuses = map[v1alpha1.GRPCStatus]string{
	v1alpha1.GRPCCancelled:         "cancelled",
	v1alpha1.GRPCDeadlineExceeded:  "deadline-exceeded",
	v1alpha1.GRPCInternal:          "internal",
	v1alpha1.GRPCResourceExhausted: "resource-exhausted",
	v1alpha1.GRPCUnavailable:       "unavailable",
}

// retry writes the policy for the rule into it. A user's own retries and timeout are not written over.
func (e editor) retry(intent traffic.Intent, f *found) error {
	r, ok := traffic.RetryFor(intent.Retries, text(e.rule, "name"))
	if !ok || e.protocol != "http" {
		return nil
	}
	at := slices.IndexFunc(intent.Retries, func(o traffic.Retry) bool { return o.Name == r.Name && o.SectionName == r.SectionName })
	f.retries[at] = true
	if r.Retries != nil {
		if _, own := e.rule["retries"]; own {
			return e.ownInline("retries", "retries")
		}
		retries, err := retriesOf(r)
		if err != nil {
			return err
		}
		e.rule["retries"] = retries
	}
	if r.Request == 0 {
		return nil
	}
	if _, own := e.rule["timeout"]; own {
		return e.ownInline("timeout", "timeouts.request")
	}
	e.rule["timeout"] = traffic.FormatMillis(r.Request)
	return nil
}

func (e editor) ownInline(field, ours string) error {
	return traffic.Refused(traffic.Conflicted, "%s: %s has %s of its own, which Istio would follow; take it out there, or %s out of the policy", ours, e.where(), field, ours)
}

// retriesOf is a policy as a rule's retries. Without retryOn Istio would retry what it chooses itself.
func retriesOf(r traffic.Retry) (map[string]any, error) {
	if r.Off() {
		return map[string]any{"attempts": int64(0)}, nil
	}
	on, err := retryOn(r)
	if err != nil {
		return nil, err
	}
	out := map[string]any{"attempts": int64(*r.Retries), "retryOn": on}
	if r.PerTry > 0 {
		out["perTryTimeout"] = traffic.FormatMillis(r.PerTry)
	}
	if r.BackoffBase > 0 {
		out["backoff"] = traffic.FormatMillis(r.BackoffBase)
	}
	return out, nil
}

func retryOn(r traffic.Retry) (string, error) {
	var on, unknown []string
	for _, t := range r.Triggers {
		on = append(on, triggers[t])
	}
	for _, s := range r.Statuses {
		on = append(on, statuses[s])
	}
	for _, code := range r.Codes {
		if !registered(code) {
			unknown = append(unknown, strconv.Itoa(int(code)))
		}
		on = append(on, strconv.Itoa(int(code)))
	}
	if len(unknown) > 0 {
		err := traffic.Unsupported("Istio", string(traffic.RetryStatusCodes))
		err.Why = map[string]string{string(traffic.RetryStatusCodes): fmt.Sprintf(
			"it knows only codes that are registered, and refuses %s; answer with another code, or use triggers: ServerError", strings.Join(unknown, ", "))}
		return "", err
	}
	if len(on) == 0 {
		return "", traffic.Refused(traffic.RetriesMore, "triggers: say what is retried; without that Istio chooses itself")
	}
	return strings.Join(on, ","), nil
}

// registered says whether Istio takes a status code as one. It asks Go's net/http, which has no others from 400 on.
func registered(code int32) bool {
	return (code >= 400 && code <= 418) || (code >= 421 && code <= 426) || code == 428 || code == 429 || code == 431 || code == 451 ||
		(code >= 500 && code <= 508) || code == 510 || code == 511
}
