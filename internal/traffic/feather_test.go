package traffic

import (
	"maps"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func backends(pairs ...any) []Backend {
	var out []Backend
	for i := 0; i < len(pairs); i += 2 {
		out = append(out, Backend{Name: pairs[i].(string), Weight: int32(pairs[i+1].(int))})
	}
	return out
}

func TestFeather(t *testing.T) {
	tests := map[string]struct {
		now, want []Backend
		applied   bool
		wantNext  []Backend
		wantDone  bool
	}{
		"what is there already stays as it is written": {
			now: backends("stable", 95, "canary", 5), want: backends("stable", 95, "canary", 5), applied: true,
			wantNext: backends("stable", 95, "canary", 5), wantDone: true,
		},
		"a backend enters at a feather": {
			now: backends("stable", 1), want: backends("stable", 95, "canary", 5), applied: true,
			wantNext: backends("stable", 999_999, "canary", 1),
		},
		"a feather that is not applied waits": {
			now: backends("stable", 999_999, "canary", 1), want: backends("stable", 95, "canary", 5),
			wantNext: backends("stable", 999_999, "canary", 1),
		},
		"a feather that is applied gets its share": {
			now: backends("stable", 999_999, "canary", 1), want: backends("stable", 95, "canary", 5), applied: true,
			wantNext: backends("stable", 95, "canary", 5), wantDone: true,
		},
		"a share grows at once for a backend that has one": {
			now: backends("stable", 95, "canary", 5), want: backends("stable", 50, "canary", 50),
			wantNext: backends("stable", 50, "canary", 50), wantDone: true,
		},
		"users are taken off at once": {
			now: backends("stable", 50, "canary", 50), want: backends("stable", 1),
			wantNext: backends("stable", 999_999, "canary", 1),
		},
		"weight zero is the same as not there": {
			now: backends("stable", 50, "canary", 50), want: backends("stable", 100, "canary", 0),
			wantNext: backends("stable", 999_999, "canary", 1),
		},
		"a backend that leaves stays until its feather is applied": {
			now: backends("stable", 999_999, "canary", 1), want: backends("stable", 1),
			wantNext: backends("stable", 999_999, "canary", 1),
		},
		"a backend that leaves is taken out when its feather is applied": {
			now: backends("stable", 999_999, "canary", 1), want: backends("stable", 1), applied: true,
			wantNext: backends("stable", 1), wantDone: true,
		},
		"one comes while another goes, in one write": {
			now: backends("stable", 50, "canary", 50), want: backends("stable", 50, "hold", 50), applied: true,
			wantNext: backends("stable", 999_998, "canary", 1, "hold", 1),
		},
		"shares of the others change while one comes": {
			now: backends("stable", 75, "canary", 25), want: backends("stable", 50, "canary", 40, "hold", 10), applied: true,
			wantNext: backends("stable", 555_555, "canary", 444_444, "hold", 1),
		},
		"nothing that is wanted is known yet, so the old ones carry on": {
			now: backends("stable", 95, "canary", 5), want: backends("hold", 1), applied: true,
			wantNext: backends("stable", 949_999, "canary", 50_000, "hold", 1),
		},
		"and go on to carry while the new one is not applied": {
			now: backends("stable", 949_999, "canary", 50_000, "hold", 1), want: backends("hold", 1),
			wantNext: backends("stable", 949_999, "canary", 50_000, "hold", 1),
		},
		"everything goes to the new one as soon as it is applied": {
			now: backends("stable", 949_999, "canary", 50_000, "hold", 1), want: backends("hold", 1), applied: true,
			wantNext: backends("stable", 1, "canary", 1, "hold", 999_998),
		},
		"the way back to one that just went to a feather waits for nothing": {
			now: backends("stable", 1, "canary", 999_999), want: backends("stable", 1),
			wantNext: backends("stable", 999_999, "canary", 1),
		},
		"a backend that is wanted at a feather stays there": {
			now: backends("stable", 1), want: backends("stable", 999_999, "canary", 1),
			wantNext: backends("stable", 999_999, "canary", 1), wantDone: true,
		},
		"a backend that is wanted below a feather gets one": {
			now: backends("stable", 1_000_000, "other", 1_000_000), want: backends("stable", 1_000_000, "other", 1_000_000, "canary", 1), applied: true,
			wantNext: backends("stable", 500_000, "other", 499_999, "canary", 1), wantDone: true,
		},
		"without anything there is nobody to wait for": {
			want:     backends("stable", 95, "canary", 5),
			wantNext: backends("stable", 95, "canary", 5), wantDone: true,
		},
		"a weight of 1 of 100 is no feather": {
			now: backends("stable", 99, "canary", 1), want: backends("stable", 1), applied: true,
			wantNext: backends("stable", 999_999, "canary", 1),
		},
		"nothing wanted does not make all of it zero": {
			now: backends("stable", 99, "canary", 1), applied: true,
			wantNext: backends("stable", 99, "canary", 1),
		},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			next, done := Feather(tc.now, tc.want, tc.applied)
			if diff := cmp.Diff(tc.wantNext, next); diff != "" {
				t.Errorf("next (-want +got):\n%s", diff)
			}
			if done != tc.wantDone {
				t.Errorf("done = %v, want %v", done, tc.wantDone)
			}
		})
	}
}

// TestFeatherTellsAStory walks random wishes and answers and checks at every step what must always hold.
func TestFeatherTellsAStory(t *testing.T) {
	for seed := range uint64(3000) {
		walk(t, seed)
	}
}

func FuzzFeather(f *testing.F) {
	f.Add(uint64(1))
	f.Fuzz(walk)
}

func walk(t *testing.T, seed uint64) {
	rng := rand.New(rand.NewPCG(seed, 7))
	now := backends("stable", 1)
	everApplied := map[string]bool{"stable": true}
	want := randomWant(rng)
	for range 30 {
		if rng.IntN(4) == 0 {
			want = randomWant(rng)
		}
		applied := rng.IntN(2) == 0
		if applied {
			everApplied = map[string]bool{}
			for _, b := range now {
				everApplied[b.Name] = true
			}
		}
		next, _ := FeatherKnowing(now, want, applied, slices.Collect(maps.Keys(everApplied)))
		checkStep(t, seed, step{now: now, want: want, next: next, applied: applied, known: everApplied})
		maps.DeleteFunc(everApplied, func(name string, _ bool) bool { return weightOf(next, name) == 0 })
		now = next
	}
	checkConverges(t, seed, now, want)
}

func randomWant(rng *rand.Rand) []Backend {
	names := []string{"stable", "canary", "hold", "blue"}
	rng.Shuffle(len(names), func(i, j int) { names[i], names[j] = names[j], names[i] })
	tops := []int32{1, 3, 100, 1_000_000}
	var out []Backend
	for _, name := range names[:1+rng.IntN(len(names))] {
		out = append(out, Backend{Name: name, Weight: rng.Int32N(tops[rng.IntN(len(tops))] + 1)})
	}
	out[0].Weight = max(out[0].Weight, 1)
	return out
}

type step struct {
	now, want, next []Backend
	applied         bool
	known           map[string]bool
}

func checkStep(t *testing.T, seed uint64, s step) {
	t.Helper()
	total := sum(s.next)
	fail := func(format string, args ...any) {
		t.Helper()
		t.Fatalf("seed %d: now %v, want %v, applied %v, next %v: "+format, append([]any{seed, s.now, s.want, s.applied, s.next}, args...)...)
	}
	if total <= 0 {
		fail("all zero")
	}
	share := func(in []Backend, name string) bool {
		return weightOf(in, name) > 0 && !atFeather(weightOf(in, name), sum(in))
	}
	carrier := slices.ContainsFunc(s.want, func(b Backend) bool { return b.Weight > 0 && s.known[b.Name] && weightOf(s.now, b.Name) > 0 })
	for _, name := range []string{"stable", "canary", "hold", "blue"} {
		switch {
		case !s.known[name] && share(s.next, name):
			fail("%s has a share and was never applied", name)
		case weightOf(s.now, name) == 0 && share(s.next, name):
			fail("%s enters above a feather", name)
		case share(s.now, name) && weightOf(s.next, name) == 0:
			fail("%s leaves from above a feather", name)
		case weightOf(s.now, name) > 0 && weightOf(s.next, name) == 0 && !s.applied:
			fail("%s leaves without its feather applied", name)
		case carrier && weightOf(s.want, name) == 0 && share(s.next, name):
			fail("users are left on %s, which is not wanted", name)
		}
	}
	checkOrder(s, fail)
}

// checkOrder checks that what stays keeps its order and what comes is at the end.
func checkOrder(s step, fail func(string, ...any)) {
	place := func(in []Backend, name string) int {
		return slices.IndexFunc(in, func(b Backend) bool { return b.Name == name })
	}
	for i := 1; i < len(s.next); i++ {
		before, after := place(s.now, s.next[i-1].Name), place(s.now, s.next[i].Name)
		if after >= 0 && (before < 0 || before > after) {
			fail("order changed")
		}
	}
}

func checkConverges(t *testing.T, seed uint64, now, want []Backend) {
	t.Helper()
	for range 4 {
		next, done := Feather(now, want, true)
		if done {
			again, still := Feather(next, want, true)
			if diff := cmp.Diff(next, again); diff != "" || !still {
				t.Fatalf("seed %d: done is not the end (-first +second):\n%s", seed, diff)
			}
			return
		}
		now = next
	}
	t.Fatalf("seed %d: %v does not come to %v", seed, now, want)
}
