package controllers

import (
	"fmt"
	"strconv"
	"time"

	"slipway.dev/slipway/api/v1alpha1"
	"slipway.dev/slipway/internal/hearing"
	"slipway.dev/slipway/internal/judge"
	"slipway.dev/slipway/internal/release"
)

// calibrates says that two halves of stable are compared: mode AA, and no release is under way.
func (w *world) calibrates() bool {
	return w.plan.Mode == release.CompareStable && (w.run.Stage == release.Idle || w.run.Stage == release.RolledBack) &&
		w.run.Stable.UID != "" && !w.plan.Deleting && len(w.refusals) == 0
}

// calibrate hears stable against itself.
func (b *Bench) calibrate(w *world) {
	s := b.seat(w)
	report := b.sampler.Take(w.key())
	s.problem, s.noData = report.Problem, report.NoData
	for _, look := range report.Looks {
		if err := s.HearHalves(w.terms, look); err != nil {
			s.problem = err.Error()
		}
	}
	s.judged = true
}

// trial is the release that tolerances are proposed for: the one that the resource describes.
func trial(w *world) judge.Trial {
	t := judge.Trial{CanaryPods: int(orInt(w.cr.Spec.Canary.MinReplicas, defaultMinReplicas)), Every: everyOf(w.cr)}
	for _, step := range w.plan.Steps {
		if step.WeightPercent > 0 {
			t.Shares = append(t.Shares, float64(step.WeightPercent)/100)
		}
	}
	return t
}

// calibration is what has been found out of each metric; what there is stays until the mode finds out something new.
func (b *Bench) calibration(w *world) []v1alpha1.MetricCalibration {
	if !w.calibrates() {
		return w.cr.Status.Calibration
	}
	s := b.seat(w)
	if !s.judged || s.LastLook().IsZero() {
		return w.cr.Status.Calibration
	}
	var out []v1alpha1.MetricCalibration
	found := s.Calibrate(w.terms, trial(w))
	for i := range found {
		out = append(out, s.compared(w.terms.Policy.Metrics[i].Name, &found[i]))
	}
	return out
}

// compared is one metric of two halves.
func (s *seat) compared(name string, m *hearing.Calibration) v1alpha1.MetricCalibration {
	out := v1alpha1.MetricCalibration{Name: name, Message: s.problem}
	switch {
	case s.problem != "":
	case m.Measure.Kind == hearing.Gauge:
		out.Message = fmt.Sprintf("one half was worse than the other by more than %.4g%% in %s of %s blocks of %s", 100*m.Measure.Tolerance,
			judge.Number(m.First.Bad), judge.Number(m.First.Requests), m.Block)
		if m.RolledBack {
			out.Message += "; a healthy release would have been rolled back by it"
		}
	case m.First.Requests == 0 || m.Second.Requests == 0:
		out.Message = "one of the halves has had no requests yet"
	case m.Measure.Kind == hearing.Quantile: // its tolerance follows from the quantile
		out.Message = fmt.Sprintf("%s; %s", m, presently(m))
	default:
		out.Message = fmt.Sprintf("%s; %s", m, m.Proposed())
		if m.Reached && m.Shown {
			out.ProposedRelative, out.ProposedAbsolute = percentText(m.Relative), percentText(m.Absolute)
		}
	}
	out.Message = cut(out.Message, 512)
	return out
}

// presently is how long a release takes with the tolerance as it is.
func presently(m *hearing.Calibration) string {
	if m.Present > m.Within {
		return fmt.Sprintf("with the quantile as it is, the steps take longer than %s at this traffic", m.Within)
	}
	return fmt.Sprintf("with the quantile as it is, the steps take about %s", max(m.Present, time.Second))
}

func percentText(share float64) v1alpha1.Percent {
	return v1alpha1.Percent(strconv.FormatFloat(100*share, 'g', 4, 64) + "%")
}
