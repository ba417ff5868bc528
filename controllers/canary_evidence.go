package controllers

import (
	"fmt"
	"math"
	"time"

	"slipway.dev/slipway/api/v1alpha1"
	"slipway.dev/slipway/internal/hearing"
	"slipway.dev/slipway/internal/judge"
	"slipway.dev/slipway/internal/release"
)

// written is the evidence as status keeps it; empty when no release runs and stable is not compared with itself.
func (b *Bench) written(w *world, next release.Run) (string, error) {
	if !w.heard() || !hearsEvidence(next.Stage) && !w.calibrates() {
		return "", nil
	}
	return b.seat(w).Text()
}

// impossible says which metrics cannot be compared as they are, so far as the past shows it.
func (b *Bench) impossible(w *world) []string {
	if !hearsEvidence(w.run.Stage) {
		return nil
	}
	return b.seat(w).Impossible(w.terms)
}

// shown is the evidence for people. After the end of a release it stays as it was at the end.
func (b *Bench) shown(w *world, next release.Run) (string, []v1alpha1.MetricStatus) {
	if next.Stage == release.Checking || next.Stage == release.Idle && next.Cause != release.Promoted {
		return "", nil
	}
	if !hearsEvidence(w.run.Stage) {
		return w.cr.Status.Evidence, w.cr.Status.Metrics
	}
	s := b.seat(w)
	if !s.judged {
		return "", nil
	}
	var metrics []v1alpha1.MetricStatus
	for i := range s.last.ByMetric {
		metrics = append(metrics, metricStatus(&s.last.ByMetric[i], w.terms.Policy))
	}
	return fmt.Sprintf("harm %.0f%%, health %.0f%%", 100*s.last.HarmProgress, 100*s.last.PromoteProgress), metrics
}

// metricStatus is one metric's numbers.
func metricStatus(m *hearing.Metric, p judge.Policy) v1alpha1.MetricStatus {
	logHarm, risk := max(m.LogHarm, m.LogLimit), p.FalseRollbackRisk*m.Part()
	out := v1alpha1.MetricStatus{
		Name: m.UserName, Message: m.Detail,
		Harm: judge.EvidenceOf(logHarm, risk), HarmPercent: percentOf(judge.Progress(logHarm, risk)),
		Health: judge.EvidenceOf(m.LogPromote, p.BadPromotionRisk), HealthPercent: percentOf(judge.Progress(m.LogPromote, p.BadPromotionRisk)),
	}
	if m.Name != m.UserName {
		out.Message = m.Name + ": " + out.Message
	}
	if m.Measure.Kind == hearing.Gauge {
		if m.Block > 0 {
			out.Message += fmt.Sprintf("; blocks of %s", m.Block)
		}
		return shortened(out)
	}
	out.Canary, out.Stable, out.Difference = m.Canary.String(), m.Stable.String(), interval(m)
	if m.Canary.Requests > 0 && m.Stable.Requests > 0 {
		out.Message += "; difference " + out.Difference
	}
	if m.Noise > 0 {
		out.Noise = fmt.Sprintf("%.2f", min(m.Noise, mostNoise))
		out.Message += "; noise " + out.Noise
	}
	return shortened(needed(out, m))
}

// mostNoise keeps a noise that is over any measure within what the API takes.
const mostNoise = 1e6

// needed says how much more traffic the step needs, if that can be said.
func needed(out v1alpha1.MetricStatus, m *hearing.Metric) v1alpha1.MetricStatus {
	if math.IsInf(m.CanaryRequestsNeeded, 0) || m.CanaryRequestsNeeded > 1e15 {
		return out
	}
	requests := math.Ceil(m.CanaryRequestsNeeded)
	out.RequestsNeeded = new(int64(requests))
	took, known := m.TimeNeeded()
	if requests == 0 || !known {
		return out
	}
	out.TimeNeeded = took.String()
	out.Message += fmt.Sprintf("; about %s more canary requests are needed, %s at the present traffic", judge.Number(requests), took)
	return out
}

// interval is "+0.42 points (+0.11 to +0.80)".
func interval(m *hearing.Metric) string {
	side := func(v float64) string {
		if v <= -1 || v >= 1 {
			return "?"
		}
		return judge.Points(v)
	}
	return fmt.Sprintf("%s points (%s to %s)", judge.Points(m.Difference), side(m.DifferenceLow), side(m.DifferenceHigh))
}

func percentOf(progress float64) *int32 { return new(int32(math.Floor(100 * progress))) }

// shortened keeps a message within what the API takes.
func shortened(s v1alpha1.MetricStatus) v1alpha1.MetricStatus {
	s.Message = cut(s.Message, 512)
	return s
}

func cut(text string, most int) string {
	const more = "..."
	if len(text) <= most {
		return text
	}
	end := most - len(more)
	for end > 0 && text[end]&0xc0 == 0x80 { // not within a character
		end--
	}
	return text[:end] + more
}

// progress is how far harm and health are proven, and the end of the last look.
func (b *Bench) progress(w *world) (last hearing.Assessment, lastLook time.Time) {
	if !hearsEvidence(w.run.Stage) {
		return hearing.Assessment{}, time.Time{}
	}
	s := b.seat(w)
	return s.last, s.LastLook()
}
