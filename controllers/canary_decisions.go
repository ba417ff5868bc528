package controllers

import (
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"slipway.dev/slipway/api/v1alpha1"
	"slipway.dev/slipway/internal/release"
)

const (
	// mostDecisions is how many are kept: with longestDecision, a few kilobytes.
	mostDecisions   = 20
	longestDecision = 400
)

// decisionsWith are the decisions on record with this one, if it is one: a change of stage, of step or of the share that
// is asked for, or of what only observed evidence would have led to.
func decisionsWith(before []v1alpha1.DecisionRecord, w *world, d release.Decision, now time.Time) []v1alpha1.DecisionRecord {
	moved := d.Next.Stage != w.run.Stage || d.Next.Step != w.run.Step || d.Want.Shares != w.run.Want.Shares
	if !moved && d.ReplacePod == "" && d.Observed == "" {
		return before
	}
	stage := stageName(d.Next.Stage)
	one := v1alpha1.DecisionRecord{
		Time: &metav1.Time{Time: now.Truncate(time.Second)}, Revision: d.Next.Revision, Stage: stage, Weight: weightOf(d.Want),
		Reason: string(d.Reason), Message: cut(d.Detail, longestDecision),
	}
	switch {
	case moved:
	case d.ReplacePod != "":
		one.Reason, one.Message = string(release.OneBadPod), cut("pod "+d.ReplacePod+" is replaced: "+d.Detail, longestDecision)
	default:
		one.Reason = d.Observed
	}
	if last := len(before) - 1; last >= 0 && !moved && before[last].Reason == one.Reason && before[last].Stage == one.Stage &&
		before[last].Revision == one.Revision && before[last].Weight == one.Weight {
		return before
	}
	all := append(append([]v1alpha1.DecisionRecord{}, before...), one)
	return all[max(0, len(all)-mostDecisions):]
}
