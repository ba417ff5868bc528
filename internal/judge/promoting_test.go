package judge

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// handover is a release of which stable's pods are replaced two at a look.
type handover struct {
	stream
	p        Policy
	s        *State
	replaced int
}

// promotionAfter is a healthy release at half of a hundred requests a second, about to be promoted. In a burst stable and
// canary have this share of bad requests.
func promotionAfter(t *testing.T, burst float64) *handover {
	t.Helper()
	p := errorsAndLatency(2)
	r := &handover{stream: stream{now: epoch, every: 10 * time.Second}, p: p, s: NewState(p)}
	for i := range 90 {
		rate := 0.0
		if i%27 < 3 {
			rate = burst
		}
		l := r.looks(rate, rate)
		l.History = i < 30
		if l.History {
			l.Metrics[0].Canary, l.Metrics[1].Canary = nil, nil
		}
		mustObserve(t, r.s, p, l)
	}
	return r
}

// looks is the next look, errors at these shares; the new version's pods in stable are as the canary's.
func (r *handover) looks(canary, stable float64) Look {
	errors := Counts{Canary: pods("canary", 10, 50, 50*canary), Stable: pods("stable", 20, 25, 25*stable)}
	for i := range r.replaced {
		errors.Stable[i] = PodCount{Pod: fmt.Sprint("new-", i), Requests: 25, Bad: 25 * canary}
	}
	return r.next(errors, Counts{Canary: pods("canary", 10, 50, 0), Stable: pods("stable", 20, 25, 0)})
}

// promote lives through so many looks of the promotion and says at which harm was proven; 0: at none.
func (r *handover) promote(t *testing.T, looks int, canary, stable float64) int {
	t.Helper()
	for i := range looks {
		r.replaced = min(20, r.replaced+2)
		l := r.looks(canary, stable)
		l.Promoting = true
		mustObserve(t, r.s, r.p, l)
		if r.s.Conclude(r.p, 1).Verdict == Rollback {
			return i + 1
		}
	}
	return 0
}

func TestVersionThatBreaksWhilePromoted(t *testing.T) {
	for name, c := range map[string]struct {
		burst, canary float64
		within        int // looks of ten seconds
	}{
		"stable has had no errors":     {canary: .4, within: 6},
		"stable had bursts of 2 %":     {burst: .02, canary: .4, within: 6},
		"a fifth of the requests fail": {canary: .2, within: 12},
	} {
		t.Run(name, func(t *testing.T) {
			r := promotionAfter(t, c.burst)
			if got := r.promote(t, 30, c.canary, 0); got == 0 || got > c.within {
				t.Fatalf("harm proven at look %d of the promotion, want within %d: %s", got, c.within, r.s.Assess(r.p, 1).Detail)
			}
			if a := r.s.Assess(r.p, 1); !strings.HasPrefix(a.Detail, "harm is proven while the version is promoted: errors: ") {
				t.Error(a.Detail)
			}
		})
	}
}

// TestBurstsWhilePromoted: what stable has been through before is no harm of the version that replaces it.
func TestBurstsWhilePromoted(t *testing.T) {
	r := promotionAfter(t, .2)
	if got := r.promote(t, 12, .2, .2); got != 0 {
		t.Errorf("rolled back at look %d of the promotion: %s", got, r.s.Assess(r.p, 1).Detail)
	}
}

// TestNoHealthWhilePromoted: against stable pods that are the new version's, a bad version looks healthy.
func TestNoHealthWhilePromoted(t *testing.T) {
	r := promotionAfter(t, 0)
	_, _, before := r.s.LogEvidence(r.p, 0)
	noise, stable := r.s.mem.Metrics[0].Noise, r.s.mem.Metrics[0].Stable
	r.promote(t, 30, .001, .001)
	if _, _, after := r.s.LogEvidence(r.p, 0); after != before {
		t.Errorf("evidence of health went from %v to %v", before, after)
	}
	if m := r.s.mem.Metrics[0]; m.Noise != noise || m.Stable != stable {
		t.Error("the new version's pods taught how stable behaves")
	}
}
