package release

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// now is when every story is looked at; since is when its stage began, long enough ago for anything to be over.
var (
	now   = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	since = now.Add(-10 * time.Minute)
)

const (
	oldRevision = "5f6d8"
	newRevision = "7c9b4"
	newer       = "9a1e2"
)

// story is one decision: the stage in which nothing new has happened, what is different, and what follows.
type story struct {
	from Stage
	plan func(*Plan)
	run  func(*Run)
	seen func(*Observation)

	want       Stage
	wantReason Reason
	wantShares *Shares
	wantTarget Target
	check      func(*testing.T, Decision)
}

func tell(t *testing.T, stories map[string]story) {
	t.Helper()
	for name, s := range stories {
		t.Run(name, func(t *testing.T) {
			plan, run, seen := s.scene()
			d := Decide(plan, run, seen)
			if d.Next.Stage != s.want {
				t.Fatalf("stage %q, want %q (%s: %s)", d.Next.Stage, s.want, d.Reason, d.Detail)
			}
			if s.wantReason != "" && d.Reason != s.wantReason {
				t.Errorf("reason %q, want %q (%s)", d.Reason, s.wantReason, d.Detail)
			}
			if s.wantShares != nil {
				if diff := cmp.Diff(*s.wantShares, d.Want.Shares); diff != "" {
					t.Errorf("shares (-want +got):\n%s", diff)
				}
			}
			if d.Want.Target != s.wantTarget {
				t.Errorf("target %q, want %q", d.Want.Target, s.wantTarget)
			}
			if s.check != nil {
				s.check(t, d)
			}
			for _, broken := range invariants(plan, run, seen, d) {
				t.Error(broken)
			}
		})
	}
}

func (s story) scene() (Plan, Run, Observation) {
	plan := planOf(10, 50)
	if s.plan != nil {
		s.plan(&plan)
	}
	run := recordOf(plan, s.from)
	if s.run != nil {
		s.run(&run)
		run.Want = wantOf(plan, run)
	}
	seen := seenIn(run)
	if s.seen != nil {
		s.seen(&seen)
	}
	return plan, run, seen
}

func planOf(percents ...int32) Plan {
	p := Plan{
		KeepFailedFor: time.Hour, MinStepDuration: time.Minute, MaxDuration: 2 * time.Hour, Drain: 5 * time.Second, OnDelete: PutBack,
	}
	for _, percent := range percents {
		p.Steps = append(p.Steps, Step{WeightPercent: percent})
	}
	return p
}

// recordOf is the record of an ordinary release in a stage. In the steps it is the first of them, in a promotion the last.
func recordOf(p Plan, stage Stage) Run {
	r := Run{Sequence: 7, Stage: stage, Stable: Stable{UID: "uid-" + oldRevision, Revision: oldRevision}, Since: since}
	switch stage {
	case Idle:
		return r
	case Preparing, Shifting, Judging:
		r.LookingSince = since
	case PromotionPreparing, PromotionEntering, PromotionRolling:
		r.Step = max(len(p.Steps)-1, 0)
	case PromotionFinishing:
		r.Step = max(len(p.Steps)-1, 0)
		r.Rolled = Stable{UID: "uid-" + newRevision, Revision: newRevision}
	case RollingBack, RolledBack:
		r.Outcome, r.Cause, r.CauseDetail = Rejected, HarmProven, "errors 4% > 1%"
	case Evacuating, PuttingBack, Returning, Reholding:
		r.Step = max(len(p.Steps)-1, 0)
		r.Outcome, r.Cause, r.CauseDetail = Rejected, HarmProven, "errors 4% > 1%"
		r.Evacuated = true
	case LettingThrough, Checking, Deleting:
	}
	r.Revision, r.Canary, r.Checked, r.Started, r.AppliedAt = newRevision, newRevision, true, since, since
	r.Want = wantOf(p, r)
	return r
}

// seenIn is the world in the middle of a stage: what it waits for has not come yet, and nothing is wrong.
func seenIn(r Run) Observation {
	o := Observation{
		Now:     now,
		Target:  TargetFacts{Found: true, Held: true, Revision: newRevision, OnlyStablePods: true, Serving: r.Stable},
		Traffic: TrafficFacts{Exists: r.Want.Split, CanaryShare: r.Want.Shares.Canary > 0},
		Hold:    HoldFacts{Exists: r.Want.HoldService, ReadyPods: 4, Enough: r.Want.HoldService},
		Stamped: r.Sequence,
	}
	if r.Want.Twin && r.Want.TwinPercent > 0 {
		o.Twin = TwinFacts{Exists: true, ReadyPods: 2, WantedPods: 4}
	}
	switch r.Stage {
	case Idle:
		o.Target.Held, o.Target.Revision, o.Target.SameAsStable, o.Target.RolledOut = false, oldRevision, true, true
	case LettingThrough, PromotionRolling, Evacuating:
		o.Target.Held, o.Target.OnlyStablePods, o.Target.Mixed, o.Target.Serving = false, false, true, Stable{}
	case PuttingBack:
		o.Target.Held, o.Target.OnlyStablePods, o.Target.Mixed, o.Target.Serving = false, false, true, Stable{}
		o.Target.Revision, o.Target.SameAsStable = oldRevision, true
	case Returning, Reholding:
		o.Target.Held, o.Target.Revision, o.Target.SameAsStable = false, oldRevision, true
	case PromotionFinishing:
		o.Target.Held, o.Target.RolledOut = false, true
	case Checking, Preparing, Shifting, Judging, PromotionPreparing, PromotionEntering, RollingBack, RolledBack, Deleting:
	}
	return o
}

// The facts that stages wait for.

func applied(o *Observation) {
	o.Traffic.Applied, o.Traffic.AppliedAt = true, since.Add(time.Minute)
}

func verdict(kind VerdictKind, step int) func(*Observation) {
	return func(o *Observation) {
		applied(o)
		o.Verdict = Verdict{Kind: kind, Step: step, Reason: WithinTolerance, Detail: "errors 0.4% <= 1%"}
	}
}

func harmful(o *Observation) {
	o.Verdict = Verdict{Kind: Rollback, Reason: HarmProven, Detail: "errors 4% > 1%"}
}

func holdsTemplate(revision string) func(*Observation) {
	return func(o *Observation) {
		o.Target.Held, o.Target.Revision, o.Target.SameAsStable = true, revision, revision == oldRevision
	}
}

func asks(verb Verb, revision string) func(*Observation) {
	return func(o *Observation) { o.Request = Request{Verb: verb, Revision: revision} }
}

func all(facts ...func(*Observation)) func(*Observation) {
	return func(o *Observation) {
		for _, fact := range facts {
			fact(o)
		}
	}
}

func shares(stable, canary, hold int32) *Shares {
	return &Shares{Stable: stable, Canary: canary, Hold: hold}
}
