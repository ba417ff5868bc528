package controllers

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"k8s.io/utils/ptr"

	"slipway.dev/slipway/api/v1alpha1"
	"slipway.dev/slipway/internal/judge"
	"slipway.dev/slipway/internal/release"
)

// drainTime is how long requests in flight have after their backend has left the route.
const drainTime = 5 * time.Second

// Defaults of fields that an object may lack when the API server's defaulting has not seen it.
const (
	defaultMinReplicas int32 = 2
	defaultEvery             = 10 * time.Second
	defaultWarmup            = time.Minute
)

// planOf is the user's wish in the core's terms. The CRD's schema has already refused what cannot be read; an error here
// names the field all the same.
func planOf(cr *v1alpha1.CanaryRelease) (release.Plan, error) {
	spec, a := cr.Spec, cr.Spec.Analysis
	p := release.Plan{
		Suspended:      ptr.Deref(spec.Suspend, false),
		Deleting:       !cr.DeletionTimestamp.IsZero(),
		Drain:          drainTime,
		OnInconclusive: inconclusiveOf(a.OnInconclusive),
		OnNoData:       noDataOf(a.OnNoData),
		OnDelete:       onDeleteOf(spec.OnDelete),
	}
	for _, s := range spec.Steps {
		p.Steps = append(p.Steps, release.Step{WeightPercent: s.WeightPercent, Hold: ptr.Deref(s.Hold, false)})
	}
	var err error
	read := func(field string, text v1alpha1.Duration, absent time.Duration) time.Duration {
		d, parseErr := durationOf(field, text, absent)
		if err == nil {
			err = parseErr
		}
		return d
	}
	p.KeepFailedFor = read("canary.keepFailedFor", spec.Canary.KeepFailedFor, time.Hour)
	p.MinStepDuration = read("analysis.minStepDuration", a.MinStepDuration, time.Minute)
	p.MaxDuration = read("analysis.maxDuration", a.MaxDuration, 2*time.Hour)
	return p, err
}

func inconclusiveOf(p v1alpha1.InconclusivePolicy) release.Inconclusive {
	switch p {
	case v1alpha1.InconclusiveExtend:
		return release.InconclusiveExtend
	case v1alpha1.InconclusiveRollback:
		return release.InconclusiveRollback
	case v1alpha1.InconclusivePromoteIfNoHarm:
		return release.InconclusivePromoteIfNoHarm
	case v1alpha1.InconclusiveHold:
	}
	return release.InconclusiveHold
}

func noDataOf(p v1alpha1.NoDataPolicy) release.NoDataAction {
	if p == v1alpha1.NoDataRollback {
		return release.NoDataRollback
	}
	return release.NoDataHold
}

func onDeleteOf(p v1alpha1.DeletionPolicy) release.Target {
	if p == v1alpha1.DeletionTakeChange {
		return release.LetGo
	}
	return release.PutBack
}

// durationOf reads a GEP-2257 duration, which is a subset of what Go reads.
func durationOf(field string, text v1alpha1.Duration, absent time.Duration) (time.Duration, error) {
	if text == "" {
		return absent, nil
	}
	d, err := time.ParseDuration(string(text))
	if err != nil {
		return 0, fmt.Errorf("%s: %q is not a duration such as 90s or 1m30s", field, text)
	}
	return d, nil
}

// orInt is a number, or what its absence means.
func orInt(v, absent int32) int32 {
	if v == 0 {
		return absent
	}
	return v
}

// shareOf reads a percentage as a share: 0.1% is 0.001.
func shareOf(field string, text v1alpha1.Percent, absent float64) (float64, error) {
	if text == "" {
		return absent, nil
	}
	v, err := strconv.ParseFloat(strings.TrimSuffix(string(text), "%"), 64)
	if err != nil {
		return 0, fmt.Errorf("%s: %q is not a percentage such as 0.1%%", field, text)
	}
	return v / 100, nil
}

// defaultMetrics are judged where the user names none: what the data plane sees by itself. Errors are worth more than
// latency, so that a version that answers with errors is found out in the fewest scrapes.
func defaultMetrics() []v1alpha1.Metric {
	return []v1alpha1.Metric{
		{Name: "errors", Signal: v1alpha1.SignalErrors, Importance: 2, Tolerate: v1alpha1.Tolerance{Relative: "10%", Absolute: "0.1%"}},
		{Name: "latency", Signal: v1alpha1.SignalLatency, SlowerThan: "500ms", Importance: 1, Tolerate: v1alpha1.Tolerance{Relative: "10%", Absolute: "0.5%"}},
	}
}

func metricsOf(cr *v1alpha1.CanaryRelease) []v1alpha1.Metric {
	if len(cr.Spec.Analysis.Metrics) > 0 {
		return cr.Spec.Analysis.Metrics
	}
	return defaultMetrics()
}

// policyOf is what the judge is to tolerate.
func policyOf(cr *v1alpha1.CanaryRelease) (judge.Policy, error) {
	a := cr.Spec.Analysis
	var err error
	share := func(field string, text v1alpha1.Percent, absent float64) float64 {
		v, parseErr := shareOf(field, text, absent)
		if err == nil {
			err = parseErr
		}
		return v
	}
	p := judge.Policy{
		FalseRollbackRisk: share("analysis.falseRollbackRisk", a.FalseRollbackRisk, 0.05),
		BadPromotionRisk:  share("analysis.badPromotionRisk", a.BadPromotionRisk, 0.05),
		WarmupTolerance:   share("analysis.warmupTolerance", a.WarmupTolerance, 0.05),
		Steps:             len(cr.Spec.Steps),
	}
	for _, m := range metricsOf(cr) {
		field := "analysis.metrics[" + m.Name + "]."
		p.Metrics = append(p.Metrics, judge.MetricPolicy{
			Name:       m.Name,
			Relative:   share(field+"tolerate.relative", m.Tolerate.Relative, 0.1),
			Absolute:   share(field+"tolerate.absolute", m.Tolerate.Absolute, 0.001),
			Importance: float64(orInt(m.Importance, 1)),
			Limit:      share(field+"limit", m.Limit, 0),
		})
	}
	if err != nil {
		return p, err
	}
	if p.Warmup, err = durationOf("analysis.warmup", a.Warmup, defaultWarmup); err != nil {
		return p, err
	}
	if p.MaxDuration, err = durationOf("analysis.maxDuration", a.MaxDuration, 2*time.Hour); err != nil {
		return p, err
	}
	return p, p.Validate()
}

// nextShareOf is the share of the traffic that leaving a step leads to; 1 where that is the promotion.
func nextShareOf(p release.Plan, step int) float64 {
	if step+1 < len(p.Steps) {
		return float64(p.Steps[step+1].WeightPercent) / 100
	}
	return 1
}
