package hearing

import (
	"fmt"
	"math"
	"time"

	"slipway.dev/slipway/internal/judge"
)

// Assessment is what the evidence amounts to.
type Assessment struct {
	judge.Assessment
	// ByMetric are in the order in which the user gave the metrics.
	ByMetric []Metric
}

// Metric is one of the user's metrics. Of a shape the numbers are those of the place that says most; its evidence of harm
// is the average over the places, that of health the least.
type Metric struct {
	judge.MetricAssessment
	Measure Measure
	Policy  judge.MetricPolicy
	// UserName is the metric's name without its place.
	UserName string
	// CanaryPerSecond is how many requests the canary gets, as far as this step has lasted.
	CanaryPerSecond float64
	// Block is how long a gauge's blocks are; 0 while that is not known.
	Block time.Duration
}

// Assess says what the evidence amounts to. since is when the present step's share was applied.
func (h *Hearing) Assess(t Terms, nextShare float64, since time.Time) Assessment {
	policy := t.policy(h.record.Places)
	out := Assessment{Assessment: h.state.Assess(policy, nextShare), ByMetric: make([]Metric, len(t.Measures))}
	if len(out.Metrics) != len(policy.Metrics) {
		out.ByMetric = nil // the metrics were edited under a release that runs: there are no numbers of the new ones
		return out
	}
	seconds := h.record.LastLook.Sub(since).Seconds()
	for k, c := range t.comparisons() {
		m := &out.ByMetric[c.metric]
		one := Metric{
			MetricAssessment: out.Metrics[k], Measure: t.Measures[c.metric], Policy: t.Policy.Metrics[c.metric],
			UserName: t.Policy.Metrics[c.metric].Name, Block: h.BlockLength(t.Policy.Metrics[c.metric].Name),
		}
		if !since.IsZero() && seconds > 0 {
			one.CanaryPerSecond = one.Canary.Requests / seconds
		}
		if c.cut == 0 {
			*m = one
			continue
		}
		m.join(one, c.cut)
	}
	out.Detail = h.sentence(t, &out)
	return out
}

// Part is the metric's part of the risk of a false rollback: alone, it proves harm at one over that part.
func (m *Metric) Part() float64 { return m.Weight * float64(m.Measure.comparisons()) }

// join takes in a further place of a shape.
func (m *Metric) join(o Metric, before int) {
	harm := logMean(m.LogHarm, o.LogHarm, before)
	promote, noise := min(m.LogPromote, o.LogPromote), max(m.Noise, o.Noise)
	needed := max(m.CanaryRequestsNeeded, o.CanaryRequestsNeeded)
	if o.LogHarm > m.LogHarm {
		*m = o
	}
	m.LogHarm, m.LogPromote, m.Noise, m.CanaryRequestsNeeded = harm, promote, noise, needed
}

// logMean is the log of the mean of n values, the log of whose mean is given, and one more.
func logMean(mean, more float64, n int) float64 {
	top := max(mean, more)
	return top + math.Log((float64(n)*math.Exp(mean-top)+math.Exp(more-top))/float64(n+1))
}

// sentence is the verdict in words. For one that is final it says by how much, against which tolerance, and how early it
// was known; the others are the judge's own.
func (h *Hearing) sentence(t Terms, a *Assessment) string {
	if a.Verdict != judge.Rollback || h.record.Proven == 0 {
		return a.Detail
	}
	for i := range a.ByMetric {
		m := &a.ByMetric[i]
		if !h.decidedBy(t, i, a.Metric) {
			continue
		}
		return fmt.Sprintf("%s: %s: %s; %s; evidence %s; known %s after the first users, by look %d",
			headline(a.Reason), m.Name, m.against(), m.tolerated(a.Reason), judge.EvidenceOf(math.Log(a.HarmEvidence), t.Policy.FalseRollbackRisk),
			h.record.ProvenAfter.Round(100*time.Millisecond), h.record.Proven)
	}
	return a.Detail
}

// decidedBy says that a comparison of this name is of the metric.
func (h *Hearing) decidedBy(t Terms, metric int, name string) bool {
	policy := t.policy(h.record.Places)
	for k, c := range t.comparisons() {
		if c.metric == metric && policy.Metrics[k].Name == name {
			return true
		}
	}
	return false
}

func headline(r judge.Reason) string {
	if r == judge.LimitExceeded {
		return "the limit is exceeded"
	}
	return "harm is proven"
}

// against is what the arms answered: "canary 30.20% (61/202), stable 0.10% (2/1,830), 30.09 points more (at least 22.41)".
func (m *Metric) against() string {
	if m.Measure.Kind == Gauge {
		return fmt.Sprintf("worse than stable by more than tolerated in %s of %s blocks of %s", judge.Number(m.Canary.Bad), judge.Number(m.Canary.Requests), m.Block)
	}
	text := fmt.Sprintf("canary %s, stable %s, %s points", m.Canary, m.Stable, judge.Points(m.Difference))
	switch {
	case m.Policy.LowerIsWorse && m.DifferenceHigh < 0:
		text += fmt.Sprintf(" (%s at least)", judge.Points(m.DifferenceHigh))
	case !m.Policy.LowerIsWorse && m.DifferenceLow > 0:
		text += fmt.Sprintf(" (%s at least)", judge.Points(m.DifferenceLow))
	}
	return text
}

// tolerated is what was accepted.
func (m *Metric) tolerated(r judge.Reason) string {
	switch {
	case r == judge.LimitExceeded:
		return "the limit is " + percent(m.Policy.Limit)
	case m.Measure.Kind == Gauge:
		return percent(m.Measure.Tolerance) + " is tolerated"
	case m.Measure.Kind == Quantile:
		return fmt.Sprintf("%s of the requests may be slower, and what is slow in stable too", percent(1-m.Measure.Quantile))
	}
	return fmt.Sprintf("%s and %s points are tolerated", percent(m.Policy.Relative), number(100*m.Policy.Absolute))
}

func percent(share float64) string { return number(100*share) + "%" }

// number is a number without the digits that arithmetic has put behind it.
func number(v float64) string { return judge.Number(math.Round(v*1e4) / 1e4) }

// TimeNeeded is how long the requests take that are still needed; false where that cannot be expected.
func (m *Metric) TimeNeeded() (time.Duration, bool) {
	if m.CanaryPerSecond <= 0 || math.IsInf(m.CanaryRequestsNeeded, 0) || math.IsNaN(m.CanaryRequestsNeeded) {
		return 0, false
	}
	seconds := m.CanaryRequestsNeeded / m.CanaryPerSecond
	if seconds > float64(1000*time.Hour/time.Second) {
		return 0, false
	}
	return time.Duration(seconds * float64(time.Second)).Round(time.Second), true
}
