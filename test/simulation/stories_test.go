package simulation

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"slipway.dev/slipway/internal/release"
)

var update = flag.Bool("update", false, "write the stories as they are now")

// TestStories compares what happens, word for word, with stories that people can read. A change of a story is a change of
// what users see.
func TestStories(t *testing.T) {
	tests := map[string]func(t *testing.T, w *world){
		"a good version is promoted": func(t *testing.T, w *world) {
			w.people.applyApp("v2")
			w.goTo(t, release.PromotionFinishing)
		},
		"a bad version is rolled back and the fix is released": func(t *testing.T, w *world) {
			w.traffic.badShare["v2"] = 0.25
			w.people.applyApp("v2")
			w.goTo(t, release.RolledBack)
			w.run(20 * time.Second)
			w.people.applyApp("v2")
			w.run(20 * time.Second)
			w.people.applyApp("v3")
			w.goTo(t, release.PromotionFinishing)
		},
		"harm is found half-way through promotion": func(t *testing.T, w *world) {
			w.rollout.behave = func(string) behaviour { return behaviour{startup: 15 * time.Second} }
			w.people.applyApp("v2")
			w.goTo(t, release.PromotionRolling)
			w.run(3 * time.Second)
			w.traffic.flow()
			w.traffic.badShare["v2"] = 0.4
			w.goTo(t, release.RolledBack)
		},
		"a newer change and a re-apply and a crash in the midst of it": func(t *testing.T, w *world) {
			w.people.applyApp("v2")
			w.goTo(t, release.Judging)
			w.admission.routesUnguarded = true
			w.people.applyRoute(2)
			w.run(5 * time.Second)
			w.faults.crashAfter = 1
			w.people.applyApp("v3")
			w.run(100 * time.Millisecond)
			w.faults.stop()
			w.goTo(t, release.PromotionFinishing)
		},
		"the release is deleted while its canary serves": func(t *testing.T, w *world) {
			w.people.applyApp("v2")
			w.goTo(t, release.Judging)
			w.people.takeRelease()
		},
	}
	for name, tell := range tests {
		t.Run(name, func(t *testing.T) {
			w := calmWorld()
			tell(t, w)
			if !w.until(10*time.Minute, w.settled) {
				t.Errorf("no end: %s", w.unsettled())
			}
			if w.watcher.broken != nil {
				t.Error(w.watcher.broken)
			}
			compare(t, strings.ReplaceAll(name, " ", "-"), w.story.String())
		})
	}
}

func compare(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name+".golden")
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(strings.Split(string(want), "\n"), strings.Split(got, "\n")); diff != "" {
		t.Errorf("the story has changed (-want +got); if it is meant to, -update:\n%s", diff)
	}
}

func TestSameSeedTellsTheSameStory(t *testing.T) {
	for seed := uint64(len(profiles()) - 1); seed < 20; seed += uint64(len(profiles())) {
		if diff := cmp.Diff(chaos(seed).story.lines, chaos(seed).story.lines); diff != "" {
			t.Errorf("seed %d: %s", seed, diff)
		}
	}
}
