package controllers

import (
	"fmt"
	"math"
	"slices"
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

// calibrate hears stable against itself, two looks at a time.
func (b *Bench) calibrate(w *world) {
	s := b.seat(w)
	report := b.sampler.Take(w.key())
	s.problem, s.noData = report.Problem, report.NoData
	for _, look := range report.Looks {
		if s.half == nil {
			s.half = &look
			continue
		}
		err := s.Hear(w.terms, hearing.Halves(*s.half, look), hearing.Circumstances{Step: 0, NextShare: 1})
		s.half = nil
		if err != nil {
			s.problem = err.Error()
		}
	}
	s.last, s.judged = s.Assess(w.terms, 1, time.Time{}), true
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
	for i := range s.last.ByMetric {
		out = append(out, s.compared(w, &s.last.ByMetric[i]))
	}
	return out
}

// compared is one metric of two halves.
func (s *seat) compared(w *world, m *hearing.Metric) v1alpha1.MetricCalibration {
	out := v1alpha1.MetricCalibration{Name: m.UserName}
	switch {
	case s.problem != "":
		out.Message = cut(s.problem, 512)
		return out
	case m.Measure.Kind == hearing.Gauge:
		out.Message = fmt.Sprintf("one half was worse than the other by more than %.4g%% in %s of %s blocks", 100*m.Measure.Tolerance,
			judge.Number(m.Canary.Bad), judge.Number(m.Canary.Requests))
		return out
	case m.Canary.Requests == 0 || m.Stable.Requests == 0:
		out.Message = "one of the halves has had no requests yet"
		return out
	}
	out.Message = fmt.Sprintf("halves of stable: %s and %s; difference %s; noise %.2f", m.Canary, m.Stable, interval(m), min(m.Noise, mostNoise))
	if m.LogHarm >= math.Log(1/w.terms.Policy.FalseRollbackRisk) {
		out.Message += "; a healthy release would be rolled back by this tolerance"
	}
	proposed, ok := proposal(m)
	if !ok {
		out.Message = cut(out.Message+"; not enough was seen to propose a tolerance", 512)
		return out
	}
	out.ProposedAbsolute = v1alpha1.Percent(strconv.FormatFloat(100*proposed, 'g', 4, 64) + "%")
	rate := (m.Canary.Bad + m.Stable.Bad) / (m.Canary.Requests + m.Stable.Requests)
	needs := judge.Forecast(judge.Expectation{
		Relative: m.Policy.Relative, Absolute: proposed, CanaryBad: rate, StableBad: rate, StablePerCanary: 9,
		BadPromotionRisk: w.terms.Policy.BadPromotionRisk, Noise: m.Noise,
	})
	out.Message += fmt.Sprintf("; tolerate.absolute %s holds for both halves", out.ProposedAbsolute)
	if !math.IsInf(needs, 0) {
		out.Message += fmt.Sprintf(", and a canary at 10%% needs about %s requests for its promotion by it", judge.Number(math.Ceil(needs)))
	}
	out.Message = cut(out.Message, 512)
	return out
}

// proposals are the tolerances that people use.
var proposals = []float64{.0005, .001, .002, .003, .005, .01, .02, .03, .05, .1}

// proposal is the least of them within which the halves are shown to be.
func proposal(m *hearing.Metric) (float64, bool) {
	most := max(math.Abs(m.DifferenceLow), math.Abs(m.DifferenceHigh))
	i := slices.IndexFunc(proposals, func(v float64) bool { return v >= most })
	if i < 0 {
		return 0, false
	}
	return proposals[i], true
}
