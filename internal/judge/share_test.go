package judge

import (
	"math/rand/v2"
	"strings"
	"testing"
	"time"
)

// shareScene draws looks of a split.
type shareScene struct {
	stream
	r *rand.Rand
	p Policy
	s *State
}

func newShareScene(seed uint64) *shareScene {
	p := oneMetric(MetricPolicy{Name: "errors", Relative: .1, Absolute: .001})
	return &shareScene{stream: stream{now: epoch, every: 10 * time.Second}, r: rand.New(rand.NewPCG(seed, 2)), p: p, s: NewState(p)}
}

// look is n requests in the mean, a part of which the canary gets.
func (c *shareScene) look(t *testing.T, wanted, share, n float64) Reason {
	t.Helper()
	l := c.next(Counts{Canary: pods("canary", 2, poisson(c.r, n*share/2), 0), Stable: pods("stable", 4, poisson(c.r, n*(1-share)/4), 0)})
	l.WantedShare = wanted
	mustObserve(t, c.s, c.p, l)
	text, err := c.s.MarshalText()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.s.UnmarshalText(text); err != nil { // a restart at any look changes nothing
		t.Fatal(err)
	}
	return c.s.Conclude(c.p, 1).Reason
}

// TestAShareThatIsRightAgain: samples of one arm only, for a while, hold a release up for as long as it takes to show that
// the share is right, and no longer.
func TestAShareThatIsRightAgain(t *testing.T) {
	for _, c := range []struct{ wanted, lied, n float64 }{
		{.5, 1, 1000}, {.5, 0, 1000}, {.1, 1, 1000}, {.1, 0, 5000}, {.05, .5, 10_000},
	} {
		s := newShareScene(1)
		held := false
		for range 30 {
			held = s.look(t, c.wanted, c.lied, c.n) == ShareNotAsWanted || held
		}
		if !held {
			t.Fatalf("a share of %v where %v is wanted is not found", c.lied, c.wanted)
		}
		s.look(t, c.wanted, c.wanted, c.n)
		if said := s.s.Assess(s.p, 1).Detail; !strings.Contains(said, "the canary g") || !strings.Contains(said, " is wanted") {
			t.Errorf("what holds is not said: %s", said)
		}
		looks := 0
		for looks < 180 && s.look(t, c.wanted, c.wanted, c.n) == ShareNotAsWanted {
			looks++
		}
		if looks == 180 {
			t.Errorf("%v where %v was wanted: half an hour of the right share is not enough to go on", c.lied, c.wanted)
		}
		t.Logf("%v where %v was wanted, %v requests a look: right again after %d looks", c.lied, c.wanted, c.n, looks+1)
		for range 100 { // it looks again, and finds the next one
			s.look(t, c.wanted, c.lied, c.n)
		}
		if s.s.Conclude(s.p, 1).Reason != ShareNotAsWanted {
			t.Errorf("%v where %v is wanted: not found a second time", c.lied, c.wanted)
		}
	}
}

// TestAShareThatStaysWrong: what is wrong by more than is tolerated is not taken for right, however long it lasts.
func TestAShareThatStaysWrong(t *testing.T) {
	for _, c := range []struct{ wanted, share float64 }{{.5, .4}, {.5, .6}, {.1, .2}, {.1, .07}, {.05, .08}} {
		forgotten, held := 0, false
		for seed := range uint64(20) {
			s := newShareScene(10 + seed)
			held = false
			for range 360 {
				wrong := s.look(t, c.wanted, c.share, 2000) == ShareNotAsWanted
				if held && !wrong {
					forgotten++
				}
				held = wrong
			}
		}
		if forgotten > 0 || !held {
			t.Errorf("a share of %v where %v is wanted was taken for right %d times in 20 hours", c.share, c.wanted, forgotten)
		}
	}
}

// TestAShareAtTheEdge: what is wrong by just what is tolerated is taken for right in few of many hours.
func TestAShareAtTheEdge(t *testing.T) {
	restored := 0
	const runs = 200
	for seed := range uint64(runs) {
		s := newShareScene(1000 + seed)
		for range 30 {
			s.look(t, .5, 1, 1000)
		}
		for range 60 {
			if s.look(t, .5, .45, 1000) != ShareNotAsWanted {
				restored++
				break
			}
		}
	}
	// The promise is 5 % for each time that it begins to look right; ten minutes have room for several.
	if restored > runs/5 {
		t.Errorf("%d of %d", restored, runs)
	}
	t.Logf("taken for right: %d of %d", restored, runs)
}
