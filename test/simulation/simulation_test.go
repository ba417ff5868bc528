package simulation

import (
	"testing"
	"time"

	"slipway.dev/slipway/internal/release"
)

func TestCalm(t *testing.T) {
	tests := map[string]struct {
		badShare float64
		want     release.Stage
		cause    release.Reason
	}{
		"a good version is promoted":   {badShare: 0.005, want: release.Idle, cause: release.Promoted},
		"a bad version is rolled back": {badShare: 0.2, want: release.RolledBack, cause: release.HarmProven},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			w := newWorld(1, releaseSpec())
			w.traffic.badShare["v1"], w.traffic.badShare["v2"] = 0.005, tc.badShare
			w.run(30 * time.Second)
			w.people.applyApp("v2")
			w.run(5 * time.Minute)
			if run := runOf(w.release()); w.watcher.broken != nil || run.Stage != tc.want || run.Cause != tc.cause {
				t.Errorf("%q, %q, %v; want %q, %q\n%s", run.Stage, run.Cause, w.watcher.broken, tc.want, tc.cause, w.story)
			}
		})
	}
}
