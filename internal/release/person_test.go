package release

import (
	"strings"
	"testing"
)

func TestPerson(t *testing.T) {
	tell(t, map[string]story{
		"abort takes users off and rejects":        {from: Judging, seen: asks(Abort, newRevision), want: RollingBack, wantReason: AbortedByPerson, check: wantRejected(newRevision)},
		"abort works before anything was made":     {from: Checking, seen: asks(Abort, newRevision), want: RolledBack, wantReason: AbortedByPerson, check: wantRejected(newRevision)},
		"abort works while suspended":              {from: Judging, plan: suspended, seen: asks(Abort, newRevision), want: RollingBack},
		"abort uses up a retry":                    {from: Judging, run: func(r *Run) { r.Retried = newRevision }, seen: asks(Abort, newRevision), want: RollingBack, check: wantRun("retried", func(r Run) bool { return r.Retried == "" })},
		"abort of another revision is refused":     {from: Judging, seen: asks(Abort, newer), want: Judging, check: wantAnswer("refused")},
		"abort means nothing when all is over":     {from: PromotionFinishing, seen: asks(Abort, newRevision), want: PromotionFinishing, check: wantAnswer("refused")},
		"pause stops a step that could be left":    {from: Judging, seen: all(verdict(Advance, 0), asks(Pause, newRevision)), want: Judging, wantReason: PausedByPerson, check: wantAnswer("paused")},
		"pause stays":                              {from: Judging, run: paused, seen: verdict(Advance, 0), want: Judging, wantReason: PausedByPerson},
		"pause does not stand before harm":         {from: Judging, run: paused, seen: harmful, want: RollingBack, wantReason: HarmProven},
		"pause cannot stop pods that roll":         {from: PromotionRolling, seen: asks(Pause, newRevision), want: PromotionRolling, wantTarget: LetGo, check: wantAnswer("refused")},
		"resume takes back a pause":                {from: Judging, run: paused, seen: all(verdict(Advance, 0), asks(Resume, newRevision)), want: Preparing, check: wantAnswer("resumed")},
		"resume leaves a hold":                     {from: Judging, plan: holdAt(0), seen: all(verdict(Advance, 0), asks(Resume, newRevision)), want: Preparing, check: wantRun("resumed", func(r Run) bool { return !r.Resumed })},
		"resume before the evidence is remembered": {from: Judging, plan: holdAt(0), seen: all(verdict(NoVerdict, 0), asks(Resume, newRevision)), want: Judging, check: wantRun("resumed", func(r Run) bool { return r.Resumed })},
		"resume of a pause does not leave the hold too": {
			from: Judging, plan: holdAt(0), run: paused, seen: all(verdict(Advance, 0), asks(Resume, newRevision)), want: Judging, wantReason: WaitingForPerson,
		},
		"resume means nothing where nothing is stopped": {from: Shifting, seen: asks(Resume, newRevision), want: Shifting, check: wantAnswer("refused")},
		"promote needs no evidence":                     {from: Judging, seen: asks(Promote, newRevision), want: PromotionPreparing, wantReason: Promoting, check: wantAnswer("promoted")},
		"promote keeps the share that has pods":         {from: Preparing, run: step(1), seen: asks(Promote, newRevision), want: PromotionPreparing, wantShares: shares(900_000, 100_000, 0)},
		"promote ends a pause":                          {from: Judging, run: paused, seen: asks(Promote, newRevision), want: PromotionPreparing, check: wantRun("paused", func(r Run) bool { return !r.Paused })},
		"promote does not stand before harm":            {from: Judging, seen: all(harmful, asks(Promote, newRevision)), want: RollingBack},
		"promote needs a canary that has run":           {from: Preparing, seen: asks(Promote, newRevision), want: Preparing, check: wantAnswer("refused")},
		"promote means nothing in Checking":             {from: Checking, seen: asks(Promote, newRevision), want: Checking, check: wantAnswer("refused")},
		"promote of another revision is refused":        {from: Judging, seen: asks(Promote, newer), want: Judging, check: wantAnswer("refused")},
		"promote of what was rejected is refused":       {from: RolledBack, seen: asks(Promote, newRevision), want: RolledBack, check: wantAnswer("refused")},
		"retry begins again":                            {from: RolledBack, seen: asks(Retry, newRevision), want: Idle, check: wantRun("retried", func(r Run) bool { return r.Retried == newRevision })},
		"retry means nothing while it runs":             {from: Judging, seen: asks(Retry, newRevision), want: Judging, check: wantAnswer("refused")},
		"an unknown verb is refused":                    {from: Judging, seen: asks("dance", newRevision), want: Judging, check: wantAnswer("refused")},
		"a request is dealt with once": {
			from: Judging, run: func(r *Run) { r.Handled = "promote/" + newRevision }, seen: asks(Promote, newRevision), want: Judging,
			check: func(t *testing.T, d Decision) {
				if d.Answer != "" || !d.RequestDone {
					t.Errorf("answer %q, done %t", d.Answer, d.RequestDone)
				}
			},
		},
		"a request can be made again when the last is gone": {
			from: Judging, run: func(r *Run) { r.Handled = "promote/" + newRevision }, want: Judging, check: wantRun("handled", func(r Run) bool { return r.Handled == "" }),
		},
	})
}

func TestRejectedStaysRejected(t *testing.T) {
	plan, seen := planOf(10, 50), all(holdsTemplate(newRevision), rejectedBefore)
	run := recordOf(plan, Idle)
	for range 20 {
		o := seenIn(run)
		seen(&o)
		o.Now = o.Now.Add(plan.KeepFailedFor)
		run = Decide(plan, run, o).Next
		if run.Stage != Idle && run.Stage != RolledBack {
			t.Fatalf("a rejected template came to %s", run.Stage)
		}
	}
}

func paused(r *Run) { r.Paused = true }

func wantAnswer(word string) func(*testing.T, Decision) {
	return func(t *testing.T, d Decision) {
		t.Helper()
		if !strings.Contains(d.Answer, word) || !d.RequestDone {
			t.Errorf("answer %q, done %t", d.Answer, d.RequestDone)
		}
	}
}

func wantRun(what string, holds func(Run) bool) func(*testing.T, Decision) {
	return func(t *testing.T, d Decision) {
		t.Helper()
		if !holds(d.Next) {
			t.Errorf("%s: %+v", what, d.Next)
		}
	}
}
