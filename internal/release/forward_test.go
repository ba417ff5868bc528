package release

import (
	"testing"
	"time"
)

func TestForward(t *testing.T) {
	tell(t, map[string]story{
		"Idle stays while stable serves": {from: Idle, want: Idle, wantReason: StableServes},
		"Idle takes a rolled out Deployment as stable at first contact": {
			from: Idle, run: func(r *Run) { *r = Run{} },
			seen: func(o *Observation) {
				o.Stamped, o.Target.Serving = 0, Stable{UID: "uid-first", Revision: "first"}
			},
			want: Idle, wantReason: StableServes,
			check: func(t *testing.T, d Decision) {
				if d.Next.Stable.UID != "uid-first" || d.Next.Revision != "first" {
					t.Errorf("stable is %+v, the release's revision %q", d.Next.Stable, d.Next.Revision)
				}
			},
		},
		"Idle waits for a rollout before it takes it as stable": {
			from: Idle,
			seen: func(o *Observation) { o.Target.RolledOut, o.Target.Serving = false, Stable{UID: "uid-other"} },
			want: Idle, wantReason: Adopting,
		},
		"Idle says that the Deployment is missing": {from: Idle, seen: func(o *Observation) { o.Target = TargetFacts{} }, want: Idle, wantReason: TargetNotFound},
		"Idle leaves a Deployment alone that the user has paused": {
			from: Idle, seen: func(o *Observation) { o.Target.PausedByUser = true }, want: Idle, wantReason: PausedByUser,
		},
		"Idle to Checking with a held change":           {from: Idle, seen: holdsTemplate(newRevision), want: Checking, wantReason: PreparingCanary},
		"Idle to LettingThrough with stable's template": {from: Idle, seen: holdsTemplate(oldRevision), want: LettingThrough, wantReason: LetThrough, wantTarget: LetGo},
		"Idle to LettingThrough with a restart": {
			from: Idle, seen: all(holdsTemplate(newRevision), func(o *Observation) { o.Target.OnlyRestarted = true }), want: LettingThrough, wantTarget: LetGo,
		},
		"Idle to LettingThrough with a template that was promoted before": {
			from: Idle, seen: all(holdsTemplate(newRevision), func(o *Observation) { o.Target.PromotedBefore = true }), want: LettingThrough, wantTarget: LetGo,
		},
		"Idle to LettingThrough when stable has no available pod": {
			from: Idle, seen: all(holdsTemplate(newRevision), stableBroken), want: LettingThrough, wantTarget: LetGo,
		},
		"Idle to RolledBack with a rejected template": {
			from: Idle, seen: all(holdsTemplate(newRevision), rejectedBefore), want: RolledBack, wantReason: RolledBackCanary,
		},
		"Idle to RolledBack with a rejected template though stable has no available pod": {
			from: Idle, seen: all(holdsTemplate(newRevision), rejectedBefore, stableBroken), want: RolledBack,
		},
		"Idle to Checking with a rejected template that a person wants to be tried again": {
			from: Idle, run: func(r *Run) { r.Retried = newRevision }, seen: all(holdsTemplate(newRevision), rejectedBefore), want: Checking,
		},
		"a new change uses up what a person wanted to be tried again": {
			from: Idle, run: func(r *Run) { r.Retried = newer }, seen: holdsTemplate(newRevision), want: Checking,
			check: func(t *testing.T, d Decision) {
				if d.Next.Retried != "" {
					t.Errorf("%s would be tried again", d.Next.Retried)
				}
			},
		},
		"Idle to PuttingBack with a change over a half-rolled Deployment": {
			from: Idle, seen: all(holdsTemplate(newRevision), halfRolled), want: PuttingBack, wantTarget: PutBack, wantReason: NewerChange,
		},
		"Idle holds a change while nobody knows what stable is": {
			from: Idle, run: func(r *Run) { r.Stable = Stable{} },
			seen: all(holdsTemplate(newRevision), halfRolled, func(o *Observation) { o.Target.Serving = Stable{} }),
			want: Idle, wantReason: Adopting,
		},
		"Idle to LettingThrough with the fix of first rollouts of which no pod ever came up": {
			from: Idle, run: func(r *Run) { r.Stable = Stable{} },
			seen: all(holdsTemplate(newRevision), halfRolled, stableBroken, func(o *Observation) { o.Target.Serving = Stable{} }),
			want: LettingThrough, wantReason: LetThrough, wantTarget: LetGo,
		},
		"Idle holds a change while suspended": {from: Idle, plan: suspended, seen: holdsTemplate(newRevision), want: Idle, wantReason: Suspended},

		"LettingThrough stays until it has rolled out": {from: LettingThrough, want: LettingThrough, wantTarget: LetGo},
		"LettingThrough stays while the cache still shows the hold": {
			from: LettingThrough, seen: holdsTemplate(newRevision), want: LettingThrough, wantTarget: LetGo,
		},
		"LettingThrough to Idle when rolled out": {
			from: LettingThrough,
			seen: func(o *Observation) {
				o.Target.RolledOut, o.Target.Serving = true, Stable{"uid-" + newRevision, newRevision}
			},
			want: Idle, wantReason: StableServes,
		},
		"LettingThrough to PuttingBack with a newer change half-way": {
			from: LettingThrough, seen: holdsTemplate(newer), want: PuttingBack, wantTarget: PutBack,
		},
		"LettingThrough to Idle with a newer change before a pod was touched": {
			from: LettingThrough, seen: all(holdsTemplate(newer), func(o *Observation) { o.Target.Mixed = false }), want: Idle,
		},
		"LettingThrough to Idle when the Deployment is gone": {from: LettingThrough, seen: targetGone, want: Idle, wantReason: TargetNotFound},

		"Checking asks for the route once nothing stands against it": {
			from: Checking, run: func(r *Run) { r.Checked = false }, want: Checking, wantShares: shares(Million, 0, 0),
		},
		"Checking makes nothing while it is refused": {
			from: Checking, run: func(r *Run) { r.Checked = false },
			seen: func(o *Observation) {
				o.Refusals = []Refusal{{Reason: "UnsupportedByDataPlane", Message: "no weights"}}
			},
			want: Checking, wantReason: "UnsupportedByDataPlane", wantShares: shares(0, 0, 0),
		},
		"Checking refuses a plan without steps": {from: Checking, plan: func(p *Plan) { p.Steps = nil }, seen: applied, want: Checking, wantReason: Refused},
		"Checking makes nothing while suspended": {
			from: Checking, plan: suspended, run: func(r *Run) { r.Checked = false }, want: Checking, wantReason: Suspended, wantShares: shares(0, 0, 0),
		},
		"Checking waits for the twin of the release before to go": {
			from: Checking, seen: all(applied, func(o *Observation) { o.Twin = TwinFacts{Exists: true, Failed: true} }), want: Checking,
		},
		"Checking waits for the route":                           {from: Checking, want: Checking, wantShares: shares(Million, 0, 0)},
		"Checking says why the route cannot be had":              {from: Checking, seen: routeRefused, want: Checking, wantReason: "RouteConflict"},
		"Checking to Preparing when the route is had":            {from: Checking, seen: applied, want: Preparing, wantShares: shares(Million, 0, 0)},
		"Checking to LettingThrough when stable's pods are gone": {from: Checking, seen: stableBroken, want: LettingThrough, wantTarget: LetGo},

		"Preparing waits for pods": {from: Preparing, want: Preparing, wantReason: PreparingCanary},
		"Preparing says that the cluster takes no pods, and rolls nothing back": {
			from: Preparing, seen: func(o *Observation) { o.Twin.NotAdmitted, o.Twin.Failed = true, true }, want: Preparing, wantReason: CanaryNotScheduled,
		},
		"Preparing stays while suspended":                 {from: Preparing, plan: suspended, seen: twinReady, want: Preparing, wantReason: Suspended},
		"Preparing to Shifting when pods are ready":       {from: Preparing, seen: twinReady, want: Shifting, wantShares: shares(900_000, 100_000, 0)},
		"Preparing keeps the share of the step before it": {from: Preparing, run: step(1), want: Preparing, wantShares: shares(900_000, 100_000, 0)},

		"Shifting waits for the data plane":              {from: Shifting, want: Shifting, wantReason: ShiftingTraffic},
		"Shifting says why the route is refused":         {from: Shifting, seen: routeRefused, want: Shifting, wantReason: "RouteConflict", wantShares: shares(900_000, 100_000, 0)},
		"Shifting to Judging when the share is carried":  {from: Shifting, seen: applied, want: Judging, wantReason: JudgingStep},
		"Shifting counts no time before the step itself": {from: Shifting, seen: appliedLongAgo, want: Judging, check: wantAppliedAt(since)},
	})
}

func TestJudging(t *testing.T) {
	tell(t, map[string]story{
		"Judging waits without a verdict":                    {from: Judging, seen: verdict(NoVerdict, 0), want: Judging},
		"Judging waits without any measurement":              {from: Judging, seen: applied, want: Judging, wantReason: JudgingStep},
		"Judging takes an unknown verdict for none":          {from: Judging, seen: verdict(VerdictKind(9), 0), want: Judging},
		"Judging takes the verdict on another step for none": {from: Judging, run: step(1), seen: verdict(Advance, 0), want: Judging},
		"Judging holds while there is no data": {
			from: Judging, seen: all(verdict(Advance, 0), func(o *Observation) { o.Verdict.NoData, o.Verdict.Reason = true, NoData }), want: Judging, wantReason: NoData,
		},
		"Judging waits while the route carries something else": {
			from: Judging, seen: all(verdict(Advance, 0), func(o *Observation) { o.Traffic.Applied = false }), want: Judging, wantReason: ShiftingTraffic,
		},
		"Judging lasts minStepDuration": {
			from: Judging, run: func(r *Run) { r.AppliedAt = now.Add(-time.Second) }, seen: verdict(Advance, 0), want: Judging,
			check: func(t *testing.T, d Decision) {
				if d.Wake != 59*time.Second {
					t.Errorf("wake in %s", d.Wake)
				}
			},
		},
		"Judging to Preparing with evidence and more steps":       {from: Judging, seen: verdict(Advance, 0), want: Preparing, wantShares: shares(900_000, 100_000, 0)},
		"Judging to PromotionPreparing with evidence of the last": {from: Judging, run: step(1), seen: verdict(Advance, 1), want: PromotionPreparing, wantReason: Promoting},
		"Judging waits for a person at a hold":                    {from: Judging, plan: holdAt(0), seen: verdict(Advance, 0), want: Judging, wantReason: WaitingForPerson},
		"Judging says that it is suspended":                       {from: Judging, plan: suspended, seen: verdict(Advance, 0), want: Judging, wantReason: Suspended},
		"maxDuration holds by default":                            {from: Judging, run: lookingFor(3 * time.Hour), seen: verdict(NoVerdict, 0), want: Judging, wantReason: InconclusiveEvidence},
		"maxDuration goes on looking with Extend": {
			from: Judging, plan: inconclusive(InconclusiveExtend), run: lookingFor(3 * time.Hour), seen: verdict(NoVerdict, 0), want: Judging, wantReason: WithinTolerance,
		},
		"maxDuration rolls back with Rollback, and uses up a retry": {
			from: Judging, plan: inconclusive(InconclusiveRollback),
			run:  func(r *Run) { lookingFor(3 * time.Hour)(r); r.Retried = newRevision },
			seen: verdict(NoVerdict, 0), want: RollingBack, wantReason: InconclusiveEvidence, wantShares: shares(Million, 0, 0),
			check: func(t *testing.T, d Decision) {
				if d.Next.Retried != "" || d.Want.Rejected != newRevision {
					t.Errorf("retried %q, rejected %q", d.Next.Retried, d.Want.Rejected)
				}
			},
		},
		"maxDuration goes on with PromoteIfNoHarm": {
			from: Judging, plan: inconclusive(InconclusivePromoteIfNoHarm), run: lookingFor(3 * time.Hour),
			seen: all(verdict(NoVerdict, 0), func(o *Observation) { o.Verdict.NoHarm = true }), want: Preparing,
		},
		"maxDuration does not go on with PromoteIfNoHarm and no data": {
			from: Judging, plan: inconclusive(InconclusivePromoteIfNoHarm), run: lookingFor(3 * time.Hour),
			seen: all(verdict(NoVerdict, 0), func(o *Observation) { o.Verdict.NoHarm, o.Verdict.NoData = true, true }), want: Judging,
		},
		"maxDuration does not go on with PromoteIfNoHarm of another step": {
			from: Judging, plan: inconclusive(InconclusivePromoteIfNoHarm), run: lookingFor(3 * time.Hour),
			seen: all(verdict(NoVerdict, 1), func(o *Observation) { o.Verdict.NoHarm = true }), want: Judging,
		},
		"time that the release was stopped does not count for maxDuration": {
			from: Judging, plan: func(p *Plan) { suspended(p); inconclusive(InconclusiveRollback)(p) }, run: lookingFor(3 * time.Hour), seen: verdict(NoVerdict, 0),
			want: Judging, wantReason: Suspended,
			check: func(t *testing.T, d Decision) {
				if !d.Next.LookingSince.IsZero() {
					t.Error("the time goes on")
				}
			},
		},
	})
}

func suspended(p *Plan)             { p.Suspended = true }
func stableBroken(o *Observation)   { o.Target.StableBroken = true }
func rejectedBefore(o *Observation) { o.Target.Rejected = true }
func targetGone(o *Observation)     { o.Target = TargetFacts{} }
func twinReady(o *Observation)      { o.Twin.Ready, o.Twin.ReadyPods = true, 4 }
func halfRolled(o *Observation)     { o.Target.Mixed, o.Target.OnlyStablePods = true, false }

func routeRefused(o *Observation) {
	o.Traffic.Refused, o.Traffic.RefusedReason, o.Traffic.Message = true, "RouteConflict", "another release has the rule"
}

func appliedLongAgo(o *Observation) {
	o.Traffic.Applied, o.Traffic.AppliedAt = true, since.Add(-time.Hour)
}

func step(n int) func(*Run) { return func(r *Run) { r.Step = n } }

func holdAt(n int) func(*Plan) { return func(p *Plan) { p.Steps[n].Hold = true } }

func inconclusive(i Inconclusive) func(*Plan) { return func(p *Plan) { p.OnInconclusive = i } }

func lookingFor(d time.Duration) func(*Run) { return func(r *Run) { r.LookingSince = now.Add(-d) } }

func wantAppliedAt(at time.Time) func(*testing.T, Decision) {
	return func(t *testing.T, d Decision) {
		t.Helper()
		if !d.Next.AppliedAt.Equal(at) {
			t.Errorf("applied at %s, want %s", d.Next.AppliedAt, at)
		}
	}
}
