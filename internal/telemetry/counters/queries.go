package counters

import (
	"regexp"
	"slices"
	"strings"
	"time"

	"slipway.dev/slipway/internal/telemetry"
)

// le is the label of a histogram's boundaries.
const le = "le"

func (s Schema) identity(what string, all arms) string {
	return s.Plane + " " + what + ", " + s.View.String() + "\n" + all.key()
}

// errorsQuery counts requests, and those that went wrong as bad.
type errorsQuery struct {
	schema Schema
	arms   arms
}

func (q errorsQuery) Key() string                    { return q.schema.identity("errors", q.arms) }
func (q errorsQuery) SlowerThan() telemetry.Boundary { return telemetry.Boundary{} }
func (q errorsQuery) PodsUnknown() bool              { return !q.schema.PerPod }

func (q errorsQuery) Selector([]string) telemetry.Selector {
	s := q.schema.selector(q.schema.Requests, q.arms)
	s.Match[le] = []string{""} // there is no such label; saying so lets one query fetch errors and latency
	return s
}

func (q errorsQuery) Role(l telemetry.Labels) (telemetry.Role, bool) {
	if !slices.Contains(q.schema.Requests, l[telemetry.NameLabel]) {
		return telemetry.Role{}, false
	}
	role, ok := q.schema.role(l, q.arms)
	role.Part = telemetry.Requests
	if anyHolds(q.schema.Bad, l) {
		role.Part = telemetry.RequestsAndBad
	}
	return role, ok
}

// latencyQuery counts requests that took longer than a boundary.
type latencyQuery struct {
	schema     Schema
	arms       arms
	slowerThan time.Duration
}

func (q latencyQuery) Key() string {
	return q.slowerThan.String() + " " + q.schema.identity("latency", q.arms)
}

func (q latencyQuery) SlowerThan() telemetry.Boundary {
	return telemetry.Boundary{Value: float64(q.slowerThan) / float64(q.schema.Unit), Unit: q.schema.UnitName}
}

func (q latencyQuery) PodsUnknown() bool { return !q.schema.PerPod }

func (q latencyQuery) Selector(boundaries []string) telemetry.Selector {
	var names []string
	for _, h := range q.schema.Histograms {
		names = append(names, h+"_count", h+"_bucket")
	}
	s := q.schema.selector(names, q.arms)
	if boundaries == nil {
		return s
	}
	patterns := []string{""} // the count has no such label
	for _, b := range boundaries {
		patterns = append(patterns, regexp.QuoteMeta(b))
	}
	s.Match[le] = patterns
	return s
}

func (q latencyQuery) Role(l telemetry.Labels) (telemetry.Role, bool) {
	name, isBucket := strings.CutSuffix(l[telemetry.NameLabel], "_bucket")
	if !isBucket {
		var isCount bool
		if name, isCount = strings.CutSuffix(name, "_count"); !isCount {
			return telemetry.Role{}, false
		}
	}
	if !slices.Contains(q.schema.Histograms, name) {
		return telemetry.Role{}, false
	}
	role, ok := q.schema.role(l, q.arms)
	// Each set of labels is a histogram of its own: a count without its bucket must not make requests slow.
	role.Part, role.Histogram = telemetry.HistogramCount, name+"\xff"+l.Without(telemetry.NameLabel, le)
	if isBucket {
		role.Part, role.LE = telemetry.HistogramBucket, l[le]
	}
	return role, ok
}
