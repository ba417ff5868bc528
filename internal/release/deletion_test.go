package release

import "testing"

func TestDeletion(t *testing.T) {
	gone := func(o *Observation) { o.Traffic, o.Twin, o.Hold = TrafficFacts{}, TwinFacts{}, HoldFacts{} }
	tell(t, map[string]story{
		"Deleting waits for the route": {
			from: Deleting, plan: deleted, run: heldTwin, seen: func(o *Observation) { o.Traffic.Exists = true }, want: Deleting, check: wantRun("cleared", notCleared),
		},
		"Deleting lets the canary finish its requests": {
			from: Deleting, plan: deleted, run: func(r *Run) { heldTwin(r); r.AppliedAt = now.Add(-1) },
			seen: func(o *Observation) { o.Traffic, o.Twin.Exists = TrafficFacts{}, true }, want: Deleting, check: wantRun("cleared", notCleared),
		},
		"Deleting goes on to the Deployment when the route is given back": {from: Deleting, plan: deleted, seen: gone, want: Deleting, wantTarget: PutBack},
		"Deleting lifts the hold with TakeChange":                         {from: Deleting, plan: takeChange, seen: gone, want: Deleting, wantTarget: LetGo},
		"Deleting lifts the hold where nobody knows stable": {
			from: Deleting, plan: deleted, run: func(r *Run) { r.Stable = Stable{} },
			seen: all(gone, halfRolled, func(o *Observation) { o.Target.Serving = Stable{} }), want: Deleting, wantTarget: LetGo,
		},
		"Deleting leaves a Deployment alone that is not held": {from: Deleting, plan: deleted, seen: all(gone, lifted), want: Deleting, wantTarget: Keep},
		"Deleting leaves a Deployment alone that is gone":     {from: Deleting, plan: deleted, seen: all(gone, targetGone), want: Deleting, wantTarget: Keep},
		"Deleting puts a bad, half-rolled template away": {
			from: Deleting, plan: deleted, run: func(r *Run) { r.Outcome = Rejected; r.Want.HoldService = true }, seen: all(gone, lifted, halfRolled), want: Deleting, wantTarget: PutBack,
		},
		"Deleting waits for the canary to go": {
			from: Deleting, plan: deleted, run: cleared(PutBack), seen: func(o *Observation) { o.Twin.Exists = true }, want: Deleting, wantTarget: PutBack, check: wantForget(false),
		},
		"Deleting waits for stable's template":  {from: Deleting, plan: deleted, run: cleared(PutBack), want: Deleting, wantTarget: PutBack, check: wantForget(false)},
		"Deleting holds nothing that came late": {from: Deleting, plan: deleted, run: cleared(Keep), seen: holdsTemplate(newer), want: Deleting, wantTarget: PutBack, check: wantForget(false)},
		"Deleting ends when stable's template is back": {
			from: Deleting, plan: deleted, run: cleared(PutBack), seen: func(o *Observation) { o.Target.Held, o.Target.SameAsStable = false, true }, want: Deleting, wantTarget: PutBack, check: wantForget(true),
		},
		"Deleting ends when the hold is lifted": {from: Deleting, plan: takeChange, run: cleared(LetGo), seen: lifted, want: Deleting, wantTarget: LetGo, check: wantForget(true)},
	})
}

// Deletion is heard in every stage, takes users off first, and takes nothing else away before the route is given back.
func TestDeletionLeavesEveryStage(t *testing.T) {
	plan := planOf(10, 50)
	for _, stage := range Stages() {
		if stage == Deleting {
			continue
		}
		run := recordOf(plan, stage)
		run.TwinGone = true // as in RolledBack after keepFailedFor: it must not be read as "nothing is left".
		run.Want = wantOf(plan, run)
		asked := plan
		asked.Deleting = true
		d := Decide(asked, run, seenIn(run))
		if d.Next.Stage != Deleting || d.Want.Split || d.Want.Forget || d.Want.Target != Keep {
			t.Errorf("%q: %+v", stage, d.Want)
		}
		if d.Want.Twin != run.Want.Twin || d.Want.TwinPercent != run.Want.TwinPercent || d.Want.HoldService != run.Want.HoldService {
			t.Errorf("%q: pods are taken away before the route: %+v", stage, d.Want)
		}
	}
}

func deleted(p *Plan) { p.Deleting = true }

func takeChange(p *Plan) { p.Deleting, p.OnDelete = true, LetGo }

func heldTwin(r *Run) { r.AppliedAt = since }

func notCleared(r Run) bool { return !r.Cleared }

func cleared(final Target) func(*Run) {
	return func(r *Run) { r.Cleared, r.Final = true, final }
}

func wantForget(want bool) func(*testing.T, Decision) {
	return func(t *testing.T, d Decision) {
		t.Helper()
		if d.Want.Forget != want {
			t.Errorf("forget %t: %s", d.Want.Forget, d.Detail)
		}
	}
}
