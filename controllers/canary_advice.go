package controllers

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"k8s.io/utils/ptr"

	"slipway.dev/slipway/api/v1alpha1"
	"slipway.dev/slipway/internal/hearing"
	"slipway.dev/slipway/internal/judge"
	"slipway.dev/slipway/internal/release"
	"slipway.dev/slipway/internal/workload"
)

// advice is what the user should know of how the release is judged, while there is time to change it.
type advice struct {
	reason, text string
}

// advice of a release, the most important first. It follows from the spec, from stable's size and from what stable
// answered before the canary had users.
func (b *Bench) advice(w *world) []advice {
	if !hearsEvidence(w.run.Stage) || w.target == nil || len(w.plan.Steps) == 0 {
		return nil
	}
	s := b.seat(w)
	var out []advice
	out = append(out, nothingToProve(w.terms)...)
	out = append(out, oneCanaryPod(w)...)
	out = append(out, tooLittleTraffic(w, s)...)
	notes := slices.Concat(s.notes, s.Notes(w.terms))
	slices.Sort(notes)
	for _, note := range slices.Compact(notes) {
		out = append(out, advice{v1alpha1.ReasonBoundaryNotAsAsked, note})
	}
	return out
}

// untold is the advice of which people were not told yet, one for each reason.
func (b *Bench) untold(w *world) []advice {
	var out []advice
	if !hearsEvidence(w.run.Stage) {
		return nil
	}
	s := b.seat(w)
	for _, a := range b.advice(w) {
		if n := len(out); n > 0 && out[n-1].reason == a.reason {
			out[n-1].text += "; " + a.text
			continue
		}
		if s.told[a.reason] {
			continue
		}
		out = append(out, a)
	}
	for _, a := range out {
		if s.told == nil {
			s.told = map[string]bool{}
		}
		s.told[a.reason] = true
	}
	return out
}

// nothingToProve: without an absolute tolerance, a metric that has no bad requests can never be shown to be within it.
func nothingToProve(t hearing.Terms) []advice {
	var out []advice
	for i, m := range t.Policy.Metrics {
		if m.Absolute == 0 && t.Measures[i].Kind != hearing.Gauge {
			out = append(out, advice{v1alpha1.ReasonNoAbsoluteTolerance, fmt.Sprintf(
				"metric %q: tolerate.absolute is 0%%, so that without bad requests nothing can be proven and no step is left; 0.1%% takes about %s canary requests",
				m.Name, judge.Number(math.Ceil(math.Log(1/t.Policy.BadPromotionRisk)/.001)))})
		}
	}
	return out
}

// oneCanaryPod names the steps that have a single pod.
func oneCanaryPod(w *world) []advice {
	replicas, least := ptr.Deref(w.target.Spec.Replicas, 1), orInt(w.cr.Spec.Canary.MinReplicas, defaultMinReplicas)
	var steps []string
	for i, step := range w.plan.Steps {
		if workload.TwinReplicas(replicas, step.WeightPercent, least) == 1 {
			steps = append(steps, fmt.Sprintf("%d (%d%%)", i+1, step.WeightPercent))
		}
	}
	if len(steps) == 0 {
		return nil
	}
	return []advice{{v1alpha1.ReasonOneCanaryPod, fmt.Sprintf(
		"the canary has one pod beside %d of stable in step %s: a bad pod and a bad version cannot be told apart, and both are rolled back; set canary.minReplicas to 2 or more",
		replicas, strings.Join(steps, ", "))}}
}

// tooLittleTraffic says so when the release needs more time for its evidence than it has.
func tooLittleTraffic(w *world, s *seat) []advice {
	if w.plan.MaxDuration == 0 || w.plan.Mode != release.Enforce || s.Before() <= 0 {
		return nil
	}
	var all time.Duration
	var longest hearing.Need
	at := -1
	for i, step := range w.plan.Steps {
		need, known := s.Forecast(w.terms, float64(step.WeightPercent)/100, nextShareOf(w.plan, i))
		if !known {
			return nil
		}
		if at < 0 || math.IsInf(need.Requests, 0) || need.Time > longest.Time && !math.IsInf(longest.Requests, 0) {
			longest, at = need, i
		}
		all += max(need.Time, w.plan.MinStepDuration)
	}
	weight := w.plan.Steps[at].WeightPercent
	const cure = "a higher weightPercent, a wider tolerance or a longer maxDuration would do"
	switch {
	case math.IsInf(longest.Requests, 0):
		return []advice{{v1alpha1.ReasonTooLittleTraffic, fmt.Sprintf(
			"metric %q: with %.2f%% bad requests in stable, step %d at %d%% cannot be shown to be within tolerance by any number of requests; tolerate more",
			longest.Metric, 100*longest.Share, at+1, weight)}}
	case all > w.plan.MaxDuration:
		return []advice{{v1alpha1.ReasonTooLittleTraffic, fmt.Sprintf(
			"the steps need about %s, and maxDuration is %s: step %d at %d%% alone needs about %s canary requests for metric %q, which is %s at the present %.3g requests/s of the service; %s",
			all.Round(time.Minute), w.plan.MaxDuration, at+1, weight, judge.Number(math.Ceil(longest.Requests)), longest.Metric,
			longest.Time.Round(time.Second), longest.PerSecond, cure)}}
	}
	return nil
}

// adviceReason is that of the first.
func adviceReason(all []advice) string {
	if len(all) == 0 {
		return ""
	}
	return all[0].reason
}

// adviceText is all of it in one message.
func adviceText(all []advice) string {
	texts := make([]string, len(all))
	for i, a := range all {
		texts[i] = a.text
	}
	return strings.Join(texts, "; ")
}
