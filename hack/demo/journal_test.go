package main

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"slipway.dev/slipway/api/v1alpha1"
)

var noon = time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC)

func after(seconds float64) time.Time { return noon.Add(time.Duration(seconds * float64(time.Second))) }

func status(stage, step, weight, revision, stable, reason string) v1alpha1.CanaryReleaseStatus {
	return v1alpha1.CanaryReleaseStatus{
		Stage: stage, Step: step, Weight: weight, Revision: revision, StableRevision: stable,
		Conditions: []metav1.Condition{{Type: v1alpha1.ConditionReady, Reason: reason, Message: reason + ", with numbers"}},
	}
}

var idle = status("Idle", "", "0%", "one", "one", "Stable")

func TestTimelineHasALineForEachStageStepAndWeight(t *testing.T) {
	j := journal{started: noon}
	j.push(after(1), "v2", idle)
	for _, seen := range []sighting{
		{after(1.1), idle}, // the operator has not seen the change yet
		{after(2), status("Preparing", "1/2", "0%", "two", "one", "Preparing")},
		{after(3), status("Judging", "1/2", "5%", "two", "one", "Judging")},
		{after(4), status("Judging", "1/2", "5%", "two", "one", "NotEnoughTraffic")}, // progress is no line of its own
		{after(5.04), status("Judging", "2/2", "50%", "two", "one", "Judging")},
		{after(6), status("Idle", "", "0%", "two", "two", "Promoted")},
	} {
		j.see(seen.at, seen.status)
	}
	want := []Entry{
		{AtSeconds: 1, Version: "v2", Stage: "Pushed"},
		{AtSeconds: 2, Version: "v2", Stage: "Preparing", Step: "1/2", Weight: "0%", Reason: "Preparing"},
		{AtSeconds: 3, Version: "v2", Stage: "Judging", Step: "1/2", Weight: "5%", Reason: "Judging"},
		{AtSeconds: 5, Version: "v2", Stage: "Judging", Step: "2/2", Weight: "50%", Reason: "Judging"},
		{AtSeconds: 6, Version: "v2", Stage: "Idle", Weight: "0%", Reason: "Promoted"},
	}
	if diff := cmp.Diff(want, j.entries); diff != "" {
		t.Errorf("timeline (-want +have):\n%s", diff)
	}
}

func TestOutcomeIsThatOfThePushedVersion(t *testing.T) {
	cases := map[string]struct {
		before, now v1alpha1.CanaryReleaseStatus
		want        Outcome
	}{
		"before the operator has seen the change, nothing has ended": {idle, idle, Running},
		"the end of the version before is not that of this one": {
			status("Idle", "", "0%", "two", "two", "Promoted"), status("Idle", "", "0%", "two", "two", "Promoted"), Running,
		},
		"judging goes on":                       {idle, status("Judging", "1/3", "5%", "two", "one", "Judging"), Running},
		"idle with the new revision as stable":  {idle, status("Idle", "", "0%", "two", "two", "Promoted"), Promoted},
		"idle on the way to it is no promotion": {idle, status("Idle", "", "0%", "two", "one", "Stable"), Running},
		"users being taken off is not the end":  {idle, status("RollingBack", "", "0%", "two", "one", "HarmProven"), Running},
		"rolled back":                           {idle, status("RolledBack", "", "0%", "two", "one", "HarmProven"), RolledBack},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			j := journal{started: noon}
			j.push(noon, "v2", c.before)
			if have := j.outcome(c.now); have != c.want {
				t.Errorf("have %q, want %q", have, c.want)
			}
		})
	}
}
