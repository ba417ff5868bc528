package gatewayapi

import (
	"maps"

	"slipway.dev/slipway/internal/traffic"
)

// inline writes a policy's retry and timeouts into the rule. A user's own are not written over.
func (d dresser) inline(retry traffic.Retry) error {
	if written := inlineRetry(retry); written != nil {
		if _, own := d.rule["retry"]; own {
			return d.ownInline("retry", "retries")
		}
		d.rule["retry"] = written
	}
	if retry.Request == 0 {
		return nil
	}
	timeouts, _ := d.rule["timeouts"].(map[string]any)
	for _, field := range []string{"request", "backendRequest"} {
		if _, own := timeouts[field]; own {
			return d.ownInline("timeouts."+field, "timeouts.request")
		}
	}
	timeouts = maps.Clone(timeouts)
	if timeouts == nil {
		timeouts = map[string]any{}
	}
	timeouts["request"] = traffic.FormatDuration(retry.Request)
	d.rule["timeouts"] = timeouts
	return nil
}

func (d dresser) ownInline(field, ours string) error {
	return traffic.Refused(traffic.Conflicted, "%s: rule %d of the route has %s of its own; take it out of the route, or %s out of the policy", ours, d.at.index, field, ours)
}

// inlineRetry is a policy as a rule's retry, or nil if it says nothing about retries.
func inlineRetry(retry traffic.Retry) map[string]any {
	if !retry.On() {
		return nil
	}
	out := map[string]any{"attempts": int64(*retry.Retries)}
	if len(retry.Codes) > 0 {
		codes := make([]any, 0, len(retry.Codes))
		for _, code := range retry.Codes {
			codes = append(codes, int64(code))
		}
		out["codes"] = codes
	}
	if retry.BackoffBase > 0 {
		out["backoff"] = traffic.FormatDuration(retry.BackoffBase)
	}
	return out
}
