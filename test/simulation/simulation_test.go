package simulation

import (
	"flag"
	"fmt"
	"os"
	"runtime/debug"
	"slices"
	"testing"
	"time"

	"slipway.dev/slipway/internal/release"
)

var (
	seeds = flag.Uint64("seeds", 90, "how many seeds to live through")
	first = flag.Uint64("first", 0, "the first seed")
)

func TestMain(m *testing.M) {
	flag.Parse()
	debug.SetGCPercent(800) // worlds are small and short-lived
	os.Exit(m.Run())
}

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

// found are seeds that once found something.
var found = []uint64{33, 249, 310, 366, 375, 438, 584}

func drawn() []uint64 {
	var out []uint64
	for seed := *first; seed < *first+*seeds; seed++ {
		out = append(out, seed)
	}
	for _, seed := range found {
		if !slices.Contains(out, seed) {
			out = append(out, seed)
		}
	}
	return out
}

// Each seed is a test of its own: -run 'TestSeeds/17 ' tells the story of the one that failed.
func TestSeeds(t *testing.T) {
	for _, seed := range drawn() {
		t.Run(fmt.Sprintf("%d %s", seed, profileOf(seed).name), func(t *testing.T) {
			t.Parallel()
			w := chaos(seed)
			if w.watcher.broken != nil {
				t.Errorf("%v\n%s%s", w.watcher.broken, w.story, standing(w.server))
			} else if testing.Verbose() {
				t.Logf("\n%s", w.story)
			}
		})
	}
}
