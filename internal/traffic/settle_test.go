package traffic

import (
	"testing"
	"time"
)

func TestBehind(t *testing.T) {
	split := Split{Service: "a", Backends: []Backend{{Name: "a", Weight: 90}, {Name: "b", Weight: 10}, {Name: "c", Weight: 0}}}
	mirrored := split
	mirrored.Backends, mirrored.Mirror = split.Backends[:1], &Mirror{Backend: "b", Percent: 100}
	matched := mirrored
	matched.Mirror, matched.Matches = nil, []Match{{Backend: "b"}}
	for name, tc := range map[string]struct {
		split    Split
		observed Observed
		want     State
	}{
		"the canary has none":                     {split, Observed{}, False},
		"the canary has one, the Service has not": {split, Observed{ReadyEndpoints: map[string]int{"b": 1}}, True},
		"the canary leaves":                       {split, Observed{Leaving: []string{"b"}}, True},
		"copies go to one that has none":          {mirrored, Observed{}, False},
		"a match goes to one that has none":       {matched, Observed{}, False},
	} {
		t.Run(name, func(t *testing.T) {
			if got := Behind([]Split{tc.split}, tc.observed); got.State != tc.want || (got.State == False && got.Cause != NoReadyEndpoints) {
				t.Errorf("verdict is %s %s: %s", got.State, got.Cause, got.Message)
			}
		})
	}
}

func TestSettled(t *testing.T) {
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	for name, tc := range map[string]struct {
		since time.Time
		want  State
		wake  time.Duration
	}{
		"not looked at before": {time.Time{}, Unknown, SettleTime},
		"for a second":         {now.Add(-time.Second), Unknown, SettleTime - time.Second},
		"long enough":          {now.Add(-SettleTime), True, 0},
	} {
		t.Run(name, func(t *testing.T) {
			got := Settled(Observed{Now: now, GoodSince: tc.since})
			if got.State != tc.want || got.Wake != tc.wake || !got.Good {
				t.Errorf("verdict is %+v", got)
			}
		})
	}
}
