package controllers

import (
	"fmt"
	"time"

	"k8s.io/utils/ptr"

	"slipway.dev/slipway/api/v1alpha1"
	"slipway.dev/slipway/internal/analysis"
	"slipway.dev/slipway/internal/release"
)

// drainTime is how long requests in flight have after their backend has left the route.
const drainTime = 5 * time.Second

// defaultMinReplicas is what an absent canary.minReplicas means.
const defaultMinReplicas int32 = 2

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
		OneBadPod:      oneBadPodOf(a.OneBadPod),
		Mode:           modeOf(a.Mode),
		OnDelete:       onDeleteOf(spec.OnDelete),
	}
	var err error
	read := func(field string, text v1alpha1.Duration, absent time.Duration) time.Duration {
		d, parseErr := analysis.Duration(field, text, absent)
		if err == nil {
			err = parseErr
		}
		return d
	}
	for i, s := range spec.Steps {
		p.Steps = append(p.Steps, release.Step{
			WeightPercent: s.WeightPercent, Hold: ptr.Deref(s.Hold, false), LeaveAfter: read(fmt.Sprintf("steps[%d].leaveAfter", i), s.LeaveAfter, 0),
		})
	}
	p.KeepFailedFor = read("canary.keepFailedFor", spec.Canary.KeepFailedFor, time.Hour)
	p.MinStepDuration = read("analysis.minStepDuration", a.MinStepDuration, time.Minute)
	p.MaxDuration = read("analysis.maxDuration", a.MaxDuration, analysis.DefaultMaxDuration)
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

func oneBadPodOf(p v1alpha1.OneBadPodPolicy) release.OneBadPodAction {
	switch p {
	case v1alpha1.OneBadPodReplace:
		return release.OneBadPodReplace
	case v1alpha1.OneBadPodRollback:
		return release.OneBadPodRollback
	case v1alpha1.OneBadPodHold:
	}
	return release.OneBadPodHold
}

func modeOf(m v1alpha1.AnalysisMode) release.Mode {
	switch m {
	case v1alpha1.ModeObserve:
		return release.Observe
	case v1alpha1.ModeAA:
		return release.CompareStable
	case v1alpha1.ModeEnforce:
	}
	return release.Enforce
}

func onDeleteOf(p v1alpha1.DeletionPolicy) release.Target {
	if p == v1alpha1.DeletionTakeChange {
		return release.LetGo
	}
	return release.PutBack
}

// orInt is a number, or what its absence means.
func orInt(v, absent int32) int32 {
	if v == 0 {
		return absent
	}
	return v
}

// nextShareOf is the share of the traffic that leaving a step leads to; 1 where that is the promotion.
func nextShareOf(p release.Plan, step int) float64 {
	if step+1 < len(p.Steps) {
		return float64(p.Steps[step+1].WeightPercent) / 100
	}
	return 1
}
