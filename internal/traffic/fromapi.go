package traffic

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"slipway.dev/slipway/api/v1alpha1"
)

// SplitOf is what a TrafficSplit wants of one of its routes, with everything but Affinity, which depends on what was
// wanted before; see Pinned. Its record's sequence and backends are the caller's to set where they differ from the spec.
func SplitOf(split *v1alpha1.TrafficSplit, ref v1alpha1.RouteReference) Split {
	out := Split{
		Name: split.Name, UID: string(split.UID), Created: split.CreationTimestamp.Time,
		Service: split.Spec.ServiceRef.Name, SectionName: ref.SectionName,
	}
	for _, b := range split.Spec.Backends {
		out.Backends = append(out.Backends, Backend{Name: b.Name, Weight: valueOf(b.Weight)})
	}
	for _, m := range split.Spec.Matches {
		match := Match{Backend: m.Backend}
		for _, h := range m.Headers {
			match.Headers = append(match.Headers, Pair{Name: h.Name, Value: h.Value})
		}
		for _, c := range m.Cookies {
			match.Cookies = append(match.Cookies, Pair{Name: c.Name, Value: c.Value})
		}
		out.Matches = append(out.Matches, match)
	}
	if m := split.Spec.Mirror; m.Backend != "" {
		out.Mirror = &Mirror{Backend: m.Backend, Percent: m.Percent}
		if m.Percent == 0 {
			out.Mirror.Percent = 100
		}
	}
	return out
}

// RetryOf is what a RetryPolicy wants of one of its targets.
func RetryOf(policy *v1alpha1.RetryPolicy, ref v1alpha1.PolicyTargetReference) (Retry, error) {
	spec := policy.Spec
	out := Retry{
		Name: policy.Name, UID: string(policy.UID), Generation: policy.Generation, Created: policy.CreationTimestamp.Time,
		SectionName: ref.SectionName, Retries: spec.Retries,
		Triggers: slices.Sorted(slices.Values(spec.Triggers)), Codes: slices.Sorted(slices.Values(spec.HTTPStatusCodes)),
		Statuses: slices.Sorted(slices.Values(spec.GRPCStatuses)), AllMethods: spec.Methods == v1alpha1.RetryAllMethods,
	}
	if spec.Budget.Percent > 0 {
		out.Budget = &Budget{Percent: spec.Budget.Percent, MinConcurrent: spec.Budget.MinConcurrent, MinPerSecond: spec.Budget.MinPerSecond}
	}
	for _, d := range []struct {
		field string
		from  v1alpha1.Duration
		to    *time.Duration
	}{
		{"timeouts.request", spec.Timeouts.Request, &out.Request},
		{"timeouts.perTry", spec.Timeouts.PerTry, &out.PerTry},
		{"backoff.base", spec.Backoff.Base, &out.BackoffBase},
		{"backoff.max", spec.Backoff.Max, &out.BackoffMax},
	} {
		parsed, err := ParseDuration(d.from)
		if err != nil {
			return Retry{}, fmt.Errorf("read %s: %w", d.field, err)
		}
		*d.to = parsed
	}
	return out, nil
}

// ParseDuration reads a duration of the API; one that is absent is zero.
func ParseDuration(d v1alpha1.Duration) (time.Duration, error) {
	if d == "" {
		return 0, nil
	}
	return time.ParseDuration(string(d))
}

// FormatDuration writes a duration as Gateway API reads it (GEP-2257): whole numbers of h, m, s and ms, and nothing finer
// than a millisecond. What time.Duration writes, such as 1.5s, is refused there.
func FormatDuration(d time.Duration) string {
	if d < time.Millisecond {
		return "0s"
	}
	var out strings.Builder
	for _, unit := range []struct {
		name string
		of   time.Duration
	}{{"h", time.Hour}, {"m", time.Minute}, {"s", time.Second}, {"ms", time.Millisecond}} {
		if n := d / unit.of; n > 0 {
			out.WriteString(strconv.FormatInt(int64(n), 10) + unit.name)
			d %= unit.of
		}
	}
	return out.String()
}

// FormatMillis writes a duration as one whole number of one unit, the largest that says it exactly, for readers that take
// no more than one.
func FormatMillis(d time.Duration) string {
	for _, unit := range []struct {
		name string
		of   time.Duration
	}{{"h", time.Hour}, {"m", time.Minute}, {"s", time.Second}} {
		if d > 0 && d%unit.of == 0 {
			return strconv.FormatInt(int64(d/unit.of), 10) + unit.name
		}
	}
	return strconv.FormatInt(d.Milliseconds(), 10) + "ms"
}

func valueOf(p *int32) int32 {
	if p == nil {
		return 0
	}
	return *p
}
