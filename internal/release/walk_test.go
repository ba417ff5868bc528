package release

import (
	"iter"
	"math/rand/v2"
	"slices"
	"testing"
)

// A world without faults takes a release from any chaos to an end: nothing is ever stuck for good.
const (
	walks       = 2000
	walkSteps   = 60
	calmSteps   = 400
	lagMost     = 3
	faultChance = 6 // one look in so many
)

func TestRandomWalks(t *testing.T) {
	reached := map[Stage]int{}
	// The seeds beyond have once found a release that was stuck.
	for _, seed := range append(slices.Collect(seeds(walks)), 3000, 5453, 5711, 14409) {
		w, rng := newWorld(planOf(10, 50, 80)), rand.New(rand.NewPCG(seed, 1))
		w.plan.Steps[rng.IntN(3)].Hold = rng.IntN(4) == 0
		settleFor(t, seed, w, 12)
		w.apply("v2", true)
		for range walkSteps {
			w.lag = rng.IntN(lagMost)
			w.disturb(rng)
			advanceOnce(t, w, seed)
			reached[w.run.Stage]++
			if t.Failed() {
				return
			}
		}
		w.calm()
		untilAnEnd(t, seed, w)
		if t.Failed() || !atAnEnd(w) {
			t.Fatalf("seed %d: no end: %s", seed, w.state())
		}
	}
	for _, stage := range Stages() {
		if reached[stage] < 50 {
			t.Errorf("the walks come to %q %d times only", stage, reached[stage])
		}
	}
}

func seeds(n uint64) iter.Seq[uint64] {
	return func(yield func(uint64) bool) {
		for seed := range n {
			if !yield(seed) {
				return
			}
		}
	}
}

// From each stage that a good release passes, and from each that a bad one does, a calm world leads to an end.
func TestEveryStageComesToAnEnd(t *testing.T) {
	for _, bad := range []bool{false, true} {
		for _, stage := range Stages() {
			w := newWorld(planOf(10, 50))
			settleFor(t, 0, w, 12)
			w.apply("v2", true)
			for range calmSteps {
				if w.run.Stage == stage {
					break
				}
				if bad && w.run.Stage == PromotionRolling {
					w.faults.verdict = Verdict{Kind: Rollback}
				} else {
					w.calm()
				}
				advanceOnce(t, w, 0)
			}
			w.calm()
			untilAnEnd(t, 0, w)
			if !atAnEnd(w) {
				t.Errorf("from %q: %s", stage, w.state())
			}
		}
	}
}

func advanceOnce(t *testing.T, w *world, seed uint64) {
	t.Helper()
	before := w.run.Stage
	d, broken := w.look()
	for _, text := range broken {
		t.Errorf("seed %d: %s (%s -> %s: %s)", seed, text, before, d.Next.Stage, d.Detail)
	}
	w.tick()
}

func settleFor(t *testing.T, seed uint64, w *world, looks int) {
	t.Helper()
	for range looks {
		if w.run.Stage == Judging {
			w.faults.verdict = Verdict{Kind: Advance, Step: w.run.Step, Detail: "good"}
		}
		held := w.run.Stage == Judging && w.run.Step < len(w.plan.Steps) && w.plan.Steps[w.run.Step].Hold && !w.run.Resumed
		if (w.run.Paused || held) && w.run.Handled == "" {
			w.faults.request = Request{Verb: Resume, Revision: w.run.Revision}
		}
		advanceOnce(t, w, seed)
	}
}

// untilAnEnd stops where the world has come to an end and stays there.
func untilAnEnd(t *testing.T, seed uint64, w *world) {
	t.Helper()
	still := 0
	for looks := 0; looks < calmSteps && still < 5; looks++ {
		settleFor(t, seed, w, 1)
		still++
		if !atAnEnd(w) {
			still = 0
		}
	}
}

// atAnEnd: pods of one template serve, what is held has none, and the route is the user's own. That template is stable's,
// unless somebody has put one past the hold and another change has come before it was taken as stable.
func atAnEnd(w *world) bool {
	at := w.live.target
	if w.plan.Deleting {
		return w.done && !at.held && !w.live.split.exists && !w.live.twin.exists
	}
	facts := w.targetFacts(at)
	clean := !facts.Mixed && !w.live.split.exists && !w.live.hold
	if w.run.Stage == Idle {
		return clean && facts.OnlyStablePods && !at.held && !w.live.twin.exists
	}
	return w.run.Stage == RolledBack && clean && at.held && w.known[at.template] &&
		!slices.Contains(at.pods, at.template) && w.live.twin.wanted == 0
}

// calm ends what is wrong with the world; the user repairs what only the user can.
func (w *world) calm() {
	w.faults, w.lag, w.plan.Suspended = faults{}, 0, false
	at := &w.live.target
	at.userPaused = false
	if !at.exists {
		w.recreate()
	}
}

func (w *world) recreate() {
	at := &w.live.target
	*at = target{exists: true, template: at.template, life: at.life + 1, version: w.write()}
	for range podCount {
		at.pods = append(at.pods, at.template)
	}
}

// disturb is what people, the cluster and the metrics do.
func (w *world) disturb(rng *rand.Rand) {
	w.faults.verdict = Verdict{Kind: VerdictKind(rng.IntN(2)), Step: max(0, w.run.Step-rng.IntN(8)/7), Detail: "as drawn"}
	if rng.IntN(40) == 0 {
		w.faults.verdict.Kind = Rollback
	}
	w.faults.verdict.NoData = rng.IntN(10) == 0
	if rng.IntN(faultChance) != 0 {
		return
	}
	f, at := &w.faults, &w.live.target
	switch rng.IntN(24) {
	case 0, 1:
		w.apply([]string{"v1", "v2", "v3", "v4"}[rng.IntN(4)], true)
	case 2:
		w.apply([]string{"v1", "v2", "v3"}[rng.IntN(3)], false)
	case 3:
		at.held, at.version = false, w.write()
	case 4:
		w.live.twin = twin{version: w.write()}
	case 5:
		w.live.hold = false
	case 6:
		w.plan.Suspended = !w.plan.Suspended
	case 7:
		w.plan.Steps = planOf(10, 50, []int32{60, 80, 99}[rng.IntN(3)]).Steps[:1+rng.IntN(3)]
	case 8:
		w.run = []Run{{}, {Stage: "Unreadable", Sequence: w.run.Sequence}}[rng.IntN(2)]
	case 9:
		f.noRoom = !f.noRoom
	case 10:
		f.crashing = !f.crashing && rng.IntN(2) == 0
	case 11:
		f.rollFails = !f.rollFails && rng.IntN(2) == 0
	case 12:
		f.stableDown = !f.stableDown
	case 13:
		f.routeRefused = !f.routeRefused
	case 14:
		at.userPaused = !at.userPaused
	case 15:
		if at.exists = !at.exists; at.exists {
			w.recreate()
		} else {
			at.version, at.pods = w.write(), nil
		}
	case 16:
		w.plan.Deleting = w.plan.Deleting || rng.IntN(3) == 0
	default:
		verbs := []Verb{Abort, Pause, Resume, Promote, Promote, Retry}
		f.request = Request{Verb: verbs[rng.IntN(len(verbs))], Revision: []string{w.run.Revision, "v9"}[rng.IntN(8)/7]}
	}
}
