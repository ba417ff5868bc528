package release

import (
	"encoding/json"
	"math"
	"testing"
	"time"
)

// FuzzDecide: whatever is recorded, asked for and seen, a decision comes out, and its shares and sequence are sound.
func FuzzDecide(f *testing.F) {
	plan := planOf(10, 50)
	for _, stage := range Stages() {
		run := recordOf(plan, stage)
		f.Add(asJSON(f, plan), asJSON(f, run), asJSON(f, seenIn(run)))
	}
	f.Add(`{"Steps":[{"WeightPercent":2147483647},{"WeightPercent":-5}]}`, `{"stage":"Judging","step":1}`, `{"Verdict":{"Kind":2}}`)
	f.Add(`{}`, `{"stage":"Judging","step":-1}`, `{}`)
	f.Add(asJSON(f, observing(time.Minute)), asJSON(f, recordOf(observing(time.Minute), Judging)), `{"Verdict":{"Kind":2}}`)
	f.Add(`{"Steps":[{"WeightPercent":100}]}`, `{"stage":"PromotionRolling","want":{"split":true,"shares":{"canary":-7}}}`, `{"Target":{"Found":true}}`)
	f.Fuzz(func(t *testing.T, planText, runText, seenText string) {
		var (
			p Plan
			r Run
			o Observation
		)
		if json.Unmarshal([]byte(planText), &p) != nil || json.Unmarshal([]byte(runText), &r) != nil || json.Unmarshal([]byte(seenText), &o) != nil {
			return
		}
		// A sequence at the end of its range is 10^18 decisions away.
		r.Sequence, o.Stamped = bound64(r.Sequence), bound64(o.Stamped)
		d := Decide(p, r, o)
		for _, broken := range invariants(p, r, o, d) {
			t.Error(broken)
		}
	})
}

func bound64(n int64) int64 { return min(max(n, 0), math.MaxInt64/2) }

func asJSON(f *testing.F, v any) string {
	f.Helper()
	text, err := json.Marshal(v)
	if err != nil {
		f.Fatal(err)
	}
	return string(text)
}

// TestDecideIsTotal tries each stage with every small record and with facts that are all there, or none.
func TestDecideIsTotal(t *testing.T) {
	full := Observation{
		Now:     now,
		Target:  TargetFacts{true, true, true, newRevision, true, true, true, true, true, true, true, true, Stable{"u", "r"}, true, true},
		Twin:    TwinFacts{Exists: true, Ready: true, CrashLooping: true, Failed: true, NotAdmitted: true},
		Hold:    HoldFacts{Exists: true, Enough: true},
		Traffic: TrafficFacts{Exists: true, CanaryShare: true, Refused: true, Applied: true},
		Verdict: Verdict{Kind: Advance, NoData: true, NoHarm: true}, Request: Request{Verb: Promote}, Refusals: []Refusal{{}},
	}
	plans := []Plan{{}, planOf(), planOf(100), planOf(5, 5), planOf(50, 10), planOf(-1, 400), {Deleting: true}, {Suspended: true, MaxDuration: time.Second}, observing(0, 0), observing(time.Minute, time.Hour), comparing()}
	for _, plan := range plans {
		for _, stage := range append(Stages(), "Dancing") {
			for _, step := range []int{-1, 0, 1, 7} {
				for _, o := range []Observation{{}, full, {Target: TargetFacts{Found: true, Held: true}}} {
					run := Run{Stage: stage, Step: step}
					for range 4 {
						d := Decide(plan, run, o)
						for _, broken := range invariants(plan, run, o, d) {
							t.Errorf("step %d, %+v: %s", step, plan.Steps, broken)
						}
						run = d.Next
					}
				}
			}
		}
	}
}

func BenchmarkDecide(b *testing.B) {
	plan := planOf(1, 5, 20, 50)
	run := recordOf(plan, Judging)
	seen := seenIn(run)
	verdict(NoVerdict, 0)(&seen)
	b.ReportAllocs()
	for b.Loop() {
		Decide(plan, run, seen)
	}
}
