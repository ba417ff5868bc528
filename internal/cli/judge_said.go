package cli

import (
	"encoding/json"
	"math"
	"slices"
	"strconv"

	"slipway.dev/slipway/internal/judge"
)

// appendLine writes what is said of a release as one line of JSON.
func appendLine(out []byte, c *course) []byte {
	s := &c.said
	out = append(out, `{"release":`...)
	out = appendString(out, c.name)
	out = append(out, `,"verdict":"`...)
	out = append(out, s.verdict...)
	out = append(out, `","second":`...)
	out = appendNumber(out, s.second)
	out = append(out, `,"metric":`...)
	out = appendString(out, c.policy.Metrics[s.metric].Name)
	out = append(out, `,"reason":"`...)
	out = append(out, s.reason...)
	out = append(out, `","logHarm":`...)
	out = appendLogs(out, c, anyMetric, func(l logs) float64 { return l.harm })
	if hasLimit(c.policy) {
		out = append(out, `,"logLimit":`...)
		out = appendLogs(out, c, limited, func(l logs) float64 { return l.limit })
	}
	out = append(out, `,"logPromote":`...)
	out = appendLogs(out, c, anyMetric, func(l logs) float64 { return l.promote })
	return append(appendLeft(out, s.left), "}\n"...)
}

func anyMetric(judge.MetricPolicy) bool { return true }

func limited(m judge.MetricPolicy) bool { return m.Limit > 0 }

func hasLimit(p judge.Policy) bool { return slices.ContainsFunc(p.Metrics, limited) }

// appendLogs writes one number for each metric that is picked.
func appendLogs(out []byte, c *course, pick func(judge.MetricPolicy) bool, of func(logs) float64) []byte {
	out = append(out, '{')
	first := true
	for i, m := range c.policy.Metrics {
		if !pick(m) {
			continue
		}
		if !first {
			out = append(out, ',')
		}
		first = false
		out = append(appendString(out, m.Name), ':')
		out = appendNumber(out, of(c.said.logs[i]))
	}
	return append(out, '}')
}

// appendLeft writes by weight when each step would have been left; nothing where none would.
func appendLeft(out []byte, left []passedGate) []byte {
	if len(left) == 0 {
		return out
	}
	out = append(out, `,"left":[`...)
	for i, l := range left {
		if i > 0 {
			out = append(out, ',')
		}
		out = appendNumber(append(out, `{"weight":`...), l.weight)
		out = appendNumber(append(out, `,"second":`...), l.second)
		out = append(out, '}')
	}
	return append(out, ']')
}

// appendString quotes a text; what was read as JSON can be written as JSON.
func appendString(out []byte, text string) []byte {
	quoted, err := json.Marshal(text)
	if err != nil {
		return append(out, `""`...)
	}
	return append(out, quoted...)
}

// appendNumber writes a number with twelve digits. JSON has no infinity.
func appendNumber(out []byte, v float64) []byte {
	if math.IsInf(v, 0) {
		v = math.Copysign(math.MaxFloat64, v)
	}
	const digits = 12
	if v == math.Trunc(v) && math.Abs(v) < 1e15 {
		return strconv.AppendFloat(out, v, 'f', 0, 64)
	}
	return strconv.AppendFloat(out, v, 'g', digits, 64)
}
