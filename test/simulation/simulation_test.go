package simulation

import (
	"flag"
	"fmt"
	"os"
	"runtime/debug"
	"slices"
	"sync/atomic"
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

// drawn are n seeds, and those that once found something.
func drawn(n uint64, found []uint64) []uint64 {
	var out []uint64
	for seed := *first; seed < *first+n; seed++ {
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
func TestSeeds(t *testing.T) { live(t, drawn(*seeds, found)) }

// TestTwoOperators has another operator take the lead while the old one is in the midst of a reconcile that it then goes
// on with, on top of what else a seed has.
func TestTwoOperators(t *testing.T) {
	live(t, drawn(*seeds/others, nil), func(w *world) { w.faults.failover = 60 })
}

// TestLyingPrometheus has Prometheus tell nonsense, on top of what else a seed has.
func TestLyingPrometheus(t *testing.T) {
	live(t, drawn(*seeds/others, nil), func(w *world) { w.people.may = append(w.people.may, lyingPrometheus()...) })
}

// others is how many times fewer seeds there are for what comes on top.
const others = 4

// gaveUp says that -failfast was asked for and a seed has failed: seeds run beside each other, so that go test itself
// would go on with all of them.
var gaveUp atomic.Bool

func live(t *testing.T, seeds []uint64, also ...func(w *world)) {
	t.Helper()
	failFast := flag.Lookup("test.failfast").Value.String() == "true"
	for _, seed := range seeds {
		t.Run(fmt.Sprintf("%d %s", seed, profileOf(seed).name), func(t *testing.T) {
			t.Parallel()
			if gaveUp.Load() {
				return
			}
			w := chaos(seed, also...)
			if failFast && w.watcher.broken != nil {
				gaveUp.Store(true)
			}
			if w.watcher.broken != nil {
				t.Errorf("%v\n%s%s", w.watcher.broken, w.story, standing(w.server))
			} else if testing.Verbose() {
				t.Logf("\n%s", w.story)
			}
		})
	}
}
