package release

import (
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestRepair(t *testing.T) {
	lost := func(r *Run) { *r = Run{} }
	tell(t, map[string]story{
		"a lost record takes users off first": {
			from: Idle, run: lost,
			seen: all(holdsTemplate(newRevision), func(o *Observation) {
				o.Traffic, o.Twin = TrafficFacts{Exists: true, CanaryShare: true}, TwinFacts{Exists: true, ReadyPods: 4}
			}),
			want: RollingBack, wantReason: RecordLost, wantShares: shares(Million, 0, 0), check: wantTwinKept(50),
		},
		"a lost record goes on behind the stamps of objects": {
			from: Idle, run: lost, seen: all(holdsTemplate(newRevision), func(o *Observation) { o.Stamped, o.Target.Serving.UID = 41, "uid-serving" }), want: Checking,
			check: wantRun("sequence", func(r Run) bool { return r.Sequence == 42 }),
		},
		"a lost record promotes nothing": {
			from: Idle, run: lost, want: RollingBack,
			seen: all(holdsTemplate(newRevision), verdict(Advance, 0), asks(Promote, newRevision), func(o *Observation) { o.Traffic.CanaryShare = true }),
		},
		"a lost record leaves a rejected template rejected": {from: Idle, run: lost, seen: all(holdsTemplate(newRevision), rejectedBefore), want: RolledBack},
		"a lost record takes what serves as stable while a change is held": {
			from: Idle, run: lost, seen: all(holdsTemplate(newRevision), func(o *Observation) { o.Target.Serving.UID = "uid-serving" }), want: Checking,
			check: wantRun("stable", func(r Run) bool { return r.Stable.UID == "uid-serving" }),
		},
		"an unreadable stage starts over":    {from: Judging, run: func(r *Run) { r.Stage = "Dancing" }, want: RollingBack, wantReason: RecordLost},
		"a step below none starts over":      {from: Judging, run: step(-1), want: RollingBack, wantReason: RecordLost},
		"an older record starts over":        {from: Judging, seen: func(o *Observation) { o.Stamped = 9 }, want: RollingBack, check: wantRun("sequence", func(r Run) bool { return r.Sequence == 10 })},
		"a record of a deletion starts over": {from: Deleting, want: RollingBack},
		"a step that the plan has lost starts over": {
			from: Judging, run: step(5), seen: all(applied, harmful), want: RollingBack, wantReason: RecordLost, wantShares: shares(Million, 0, 0),
		},
		"the loss is said while users are taken off": {
			from: RollingBack, run: func(r *Run) { r.Outcome, r.Cause, r.CauseDetail = Superseded, RecordLost, "lost" }, want: RollingBack, wantReason: RecordLost,
		},
	})
}

// In each stage the loss of the whole record leads to no user more on the canary, and to no hold lifted.
func TestRecordLostInEveryStage(t *testing.T) {
	plan := planOf(10, 50)
	for _, stage := range Stages() {
		for name, kept := range map[string]Run{"all of it": {}, "all but the sequence": {Stage: "Unreadable", Sequence: 7}} {
			d := Decide(plan, kept, seenIn(recordOf(plan, stage)))
			if d.Want.Shares.Canary != 0 || d.Want.Target != Keep {
				t.Errorf("%q, lost is %s: %+v", stage, name, d.Want)
			}
		}
	}
}

func TestWeightOfThePresentStepChanged(t *testing.T) {
	run := recordOf(planOf(10, 50), Judging)
	for name, test := range map[string]struct {
		plan Plan
		want Stage
	}{
		"evidence of one share does not lead on from another": {planOf(30, 50), RollingBack},
		"a later step may change":                             {planOf(10, 60, 70), Preparing},
		"a later step may go":                                 {planOf(10), PromotionPreparing},
	} {
		t.Run(name, func(t *testing.T) {
			seen := seenIn(run)
			verdict(Advance, 0)(&seen)
			d := Decide(test.plan, run, seen)
			if d.Next.Stage != test.want {
				t.Errorf("%s, want %s: %s", d.Next.Stage, test.want, d.Detail)
			}
			if d.Want.TwinPercent < run.Want.TwinPercent {
				t.Error("pods are taken from a canary that has users")
			}
		})
	}
}

func TestRunSurvivesStorage(t *testing.T) {
	for _, stage := range Stages() {
		want := recordOf(planOf(10, 50), stage)
		want.Reverted, want.Unprotected, want.LookingSince, want.Final = true, true, since, PutBack
		want.Handled, want.Retried, want.Paused, want.Resumed = "pause/x", "x", true, true
		text, err := json.Marshal(want)
		if err != nil {
			t.Fatal(err)
		}
		var got Run
		if err := json.Unmarshal(text, &got); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%q (-want +got):\n%s", stage, diff)
		}
	}
	if text, _ := json.Marshal(Run{}); string(text) != "{}" {
		t.Errorf("an empty record is written as %s", text)
	}
}
