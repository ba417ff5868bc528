package judge

import (
	"math"
	"testing"
	"time"
)

// TestSettlingKeepsEvidence: a canary that is worse than tolerated, though better than the wide margin, must not lose the
// evidence against it when a weight change lands.
func TestSettlingKeepsEvidence(t *testing.T) {
	p := oneMetric(MetricPolicy{Name: "errors", Relative: .1, Absolute: .001})
	s, at := NewState(p), stream{now: epoch, every: 10 * time.Second}
	for range 30 {
		l := at.next(Counts{Stable: pods("stable", 8, 100, .1)})
		l.History = true
		mustObserve(t, s, p, l)
	}
	worse := Counts{Canary: pods("canary", 2, 100, 1), Stable: pods("stable", 8, 100, .1)}
	for range 2 {
		mustObserve(t, s, p, at.next(worse))
	}
	before := s.harm(p, -1).log
	l := at.next(worse)
	l.Settling, l.Step = true, 1
	mustObserve(t, s, p, l)
	least := before + math.Log1p(-settlingStake)
	if got := s.harm(p, -1).log; got < least {
		t.Errorf("evidence fell from %v to %v, under %v", before, got, least)
	}
	mustObserve(t, s, p, at.next(worse))
	if got := s.harm(p, -1).log; got < least {
		t.Errorf("after it the evidence is %v, under %v", got, least)
	}
}

// TestWideBetsMakeNoWealth: lending and putting back keep the mean over all bets.
func TestWideBetsMakeNoWealth(t *testing.T) {
	harm := wealth{}.invest(harmBets, .4)
	harm[3], harm[7] = 1.5, -20
	const idle = .3
	before := harmLog(harm, nil, idle)
	wide := harm.lend(nil, &arms{cold: tally{N: 10}})
	if got := harmLog(harm, wide, idle); len(wide) != wideBets || !near(got, before) {
		t.Errorf("lent: %v, was %v", got, before)
	}
	if wide = harm.lend(wide, &arms{}); len(wide) != wideBets {
		t.Error("a moment without requests ended the bets")
	}
	wide = harm.lend(wide, &arms{warm: tally{N: 10}})
	if got := harmLog(harm, wide, idle); len(wide) != 0 || !near(got, before) {
		t.Errorf("put back: %v, was %v", got, before)
	}
}
