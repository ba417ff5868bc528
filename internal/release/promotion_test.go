package release

import "testing"

func TestPromotion(t *testing.T) {
	tell(t, map[string]story{
		"PromotionPreparing waits for the old pods' Service": {
			from: PromotionPreparing, seen: func(o *Observation) { o.Hold = HoldFacts{} }, want: PromotionPreparing, wantShares: shares(500_000, 500_000, 0),
		},
		"PromotionPreparing waits for the old pods' Service to have a pod": {
			from: PromotionPreparing, seen: func(o *Observation) { o.Hold.ReadyPods = 0 }, want: PromotionPreparing,
		},
		"PromotionPreparing to PromotionEntering by a feather": {from: PromotionPreparing, want: PromotionEntering, wantShares: shares(499_999, 500_000, 1)},
		"PromotionPreparing stays while suspended":             {from: PromotionPreparing, plan: suspended, want: PromotionPreparing, wantReason: Suspended},
		"PromotionPreparing to PromotionRolling when stable has no pod to go back to": {
			from: PromotionPreparing, seen: all(stableBroken, func(o *Observation) { o.Hold = HoldFacts{} }),
			want: PromotionRolling, wantTarget: LetGo, wantShares: shares(500_000, 500_000, 0),
		},
		"PromotionEntering waits until the way back is in the route": {from: PromotionEntering, want: PromotionEntering, wantReason: Promoting},
		"PromotionEntering says why the route is refused":            {from: PromotionEntering, seen: routeRefused, want: PromotionEntering, wantReason: "RouteConflict"},
		"PromotionEntering stays while suspended":                    {from: PromotionEntering, plan: suspended, seen: applied, want: PromotionEntering, wantReason: Suspended},
		"PromotionEntering stays while paused": {
			from: PromotionEntering, run: func(r *Run) { r.Paused = true }, seen: applied, want: PromotionEntering, wantReason: PausedByPerson,
		},
		"PromotionEntering to PromotionRolling": {from: PromotionEntering, seen: applied, want: PromotionRolling, wantTarget: LetGo, wantShares: shares(499_999, 500_000, 1)},
		"PromotionEntering to PromotionRolling when the old pods have died": {
			from: PromotionEntering, seen: stableBroken, want: PromotionRolling, wantTarget: LetGo,
		},
		"PromotionRolling waits for the rollout": {from: PromotionRolling, want: PromotionRolling, wantTarget: LetGo},
		"PromotionRolling waits while the cache still shows the hold": {
			from: PromotionRolling, seen: all(holdsTemplate(newRevision), onlyStable, func(o *Observation) { o.Target.Failed = true }), want: PromotionRolling, wantTarget: LetGo,
		},
		"PromotionRolling waits while the cache still shows stable's pods rolled out": {
			from: PromotionRolling, seen: func(o *Observation) { o.Target.RolledOut, o.Target.Serving = true, Stable{UID: "uid-" + oldRevision} }, want: PromotionRolling, wantTarget: LetGo,
		},
		"PromotionRolling says that the user has paused it": {
			from: PromotionRolling, seen: func(o *Observation) { o.Target.PausedByUser = true }, want: PromotionRolling, wantReason: PausedByUser, wantTarget: LetGo,
		},
		"PromotionRolling goes on though suspended, for half-way is no place to stay": {
			from: PromotionRolling, plan: suspended, seen: rolledOut, want: PromotionFinishing,
		},
		"PromotionRolling to PromotionFinishing": {
			from: PromotionRolling, seen: rolledOut, want: PromotionFinishing, wantShares: shares(Million, 0, 0),
			check: func(t *testing.T, d Decision) {
				if d.Next.Stable.UID != "uid-"+oldRevision || d.Next.Rolled.UID != "uid-"+newRevision {
					t.Errorf("stable is %+v, rolled out %+v: there is no way back", d.Next.Stable, d.Next.Rolled)
				}
				if !d.Want.HoldService || d.Want.TwinPercent != 50 {
					t.Errorf("%+v", d.Next)
				}
			},
		},
		"PromotionFinishing waits for the last requests":     {from: PromotionFinishing, seen: appliedSecondsAgo(1), want: PromotionFinishing, check: wantTwinKept(50)},
		"PromotionFinishing lifts no hold of a newer change": {from: PromotionFinishing, seen: holdsTemplate(newer), want: PromotionFinishing, wantTarget: Keep},
		"PromotionFinishing to Idle when the canary has left the route": {
			from: PromotionFinishing, seen: applied, want: Idle, wantReason: Promoted, wantShares: shares(0, 0, 0), check: wantStable(newRevision),
		},
		"PromotionFinishing to Idle though the Deployment was deleted": {from: PromotionFinishing, seen: all(applied, targetGone), want: Idle},
	})
}

func TestHarmWhilePromoting(t *testing.T) {
	tooFew := func(o *Observation) { o.Hold.Enough = false }
	tell(t, map[string]story{
		"PromotionRolling to Evacuating by harm":                                      {from: PromotionRolling, seen: harmful, want: Evacuating, wantTarget: Freeze, wantShares: evacuated, check: wantRejected(newRevision)},
		"PromotionRolling to Evacuating by harm in the moment when it has rolled out": {from: PromotionRolling, seen: all(rolledOut, harmful), want: Evacuating, wantTarget: Freeze, wantShares: evacuated},
		"PromotionRolling to PuttingBack by harm with too few old pods":               {from: PromotionRolling, seen: all(harmful, tooFew), want: PuttingBack, wantTarget: PutBack, wantShares: shares(Million, 0, 0), check: wantTwinKept(50)},
		"PromotionRolling to Evacuating when the rollout fails":                       {from: PromotionRolling, seen: func(o *Observation) { o.Target.Failed = true }, want: Evacuating, wantTarget: Freeze, wantShares: evacuated},
		"PromotionRolling to Evacuating when no canary pod is ready":                  {from: PromotionRolling, seen: func(o *Observation) { o.Twin.ReadyPods = 0 }, want: Evacuating, wantTarget: Freeze, wantReason: NoReadyCanary, wantShares: evacuated},
		"PromotionRolling to PuttingBack when no canary pod is ready and too few old pods": {
			from: PromotionRolling, seen: all(tooFew, func(o *Observation) { o.Twin.ReadyPods = 0 }), want: PuttingBack, wantTarget: PutBack, wantShares: shares(Million, 0, 0),
		},
		"PromotionRolling to Evacuating when somebody deleted the canary, without rejecting": {
			from: PromotionRolling, seen: func(o *Observation) { o.Twin = TwinFacts{} }, want: Evacuating, wantTarget: Freeze, wantShares: evacuated, check: wantRejected(""),
		},
		"PromotionRolling to Evacuating when a person aborts":   {from: PromotionRolling, seen: asks(Abort, newRevision), want: Evacuating, wantTarget: Freeze, wantShares: evacuated},
		"PromotionRolling to Evacuating with a newer change":    {from: PromotionRolling, seen: holdsTemplate(newer), want: Evacuating, wantTarget: Freeze, wantReason: NewerChange, wantShares: evacuated},
		"PromotionRolling to Evacuating with stable's template": {from: PromotionRolling, seen: holdsTemplate(oldRevision), want: Evacuating, wantTarget: Freeze, wantReason: ChangeWithdrawn, wantShares: evacuated},
		"PromotionRolling to RollingBack when something was put past the hold": {
			from: PromotionRolling, seen: pastHold, want: RollingBack, wantReason: ChangeWithdrawn, wantShares: shares(Million, 0, 0),
		},
		"PromotionRolling to Evacuating when stable's template was put past the hold": {
			from: PromotionRolling, seen: func(o *Observation) { o.Target.Revision, o.Target.SameAsStable = oldRevision, true }, want: Evacuating, wantTarget: Freeze, wantShares: evacuated,
		},
		"PromotionRolling to RollingBack when the Deployment was deleted": {from: PromotionRolling, seen: targetGone, want: RollingBack, wantReason: TargetNotFound},
	})
}

// The evidence of a promotion's last seconds comes when every pod is new already.
func TestHarmAfterTheRollout(t *testing.T) {
	tell(t, map[string]story{
		"PromotionFinishing to PuttingBack by harm": {
			from: PromotionFinishing, seen: harmful, want: PuttingBack, wantReason: HarmProven, wantTarget: PutBack, wantShares: shares(Million, 0, 0),
			check: func(t *testing.T, d Decision) {
				wantStable(oldRevision)(t, d)
				wantRejected(newRevision)(t, d)
			},
		},
		"PromotionFinishing to PuttingBack by harm though a newer change is held": {
			from: PromotionFinishing, seen: all(harmful, holdsTemplate(newer)), want: PuttingBack, wantTarget: PutBack, check: wantStable(oldRevision),
		},
		"PromotionFinishing to RollingBack by harm when somebody has put something past the hold": {
			from: PromotionFinishing, seen: all(harmful, pastHold), want: RollingBack, check: wantRejected(newRevision),
		},
		"PromotionFinishing stays by harm when stable was broken before": {
			from: PromotionFinishing, run: func(r *Run) { r.Unprotected = true }, seen: harmful, want: PromotionFinishing,
		},
		"PromotionFinishing heeds no pod of the canary: it is leaving": {
			from: PromotionFinishing, seen: all(crashing, func(o *Observation) { o.Twin.ReadyPods = 0 }), want: PromotionFinishing,
		},
		"PromotionFinishing to Deleting keeps what was promoted as stable": {
			from: PromotionFinishing, plan: func(p *Plan) { p.Deleting = true }, want: Deleting, wantShares: shares(0, 0, 0), check: wantStable(newRevision),
		},
		"PromotionFinishing to RollingBack with an old record keeps what was promoted as stable": {
			from: PromotionFinishing, seen: func(o *Observation) { o.Stamped = 99 }, want: RollingBack, check: wantStable(newRevision),
		},
	})
}

func wantStable(revision string) func(*testing.T, Decision) {
	return func(t *testing.T, d Decision) {
		t.Helper()
		if want := (Stable{UID: "uid-" + revision, Revision: revision}); d.Next.Stable != want {
			t.Errorf("stable is %+v, want %+v", d.Next.Stable, want)
		}
	}
}

// Once a promotion has begun, an edit of the steps changes nothing in the route.
func TestStepsChangedWhilePromoting(t *testing.T) {
	plan := planOf(10, 50)
	for _, stage := range []Stage{PromotionPreparing, PromotionEntering, PromotionRolling} {
		run := recordOf(plan, stage)
		for _, changed := range []Plan{planOf(), planOf(10), planOf(10, 20), planOf(10, 90)} {
			seen := seenIn(run)
			if stage == PromotionPreparing {
				seen.Hold = HoldFacts{}
			}
			d := Decide(changed, run, seen)
			if d.Next.Stage != stage || d.Want.Shares != run.Want.Shares || d.Want.TwinPercent < run.Want.TwinPercent {
				t.Errorf("%s with %v: %s, %+v, want %+v", stage, changed.Steps, d.Next.Stage, d.Want, run.Want)
			}
		}
	}
}

func rolledOut(o *Observation) {
	o.Target.Held, o.Target.Mixed, o.Target.RolledOut = false, false, true
	o.Target.Serving = Stable{UID: "uid-" + newRevision, Revision: newRevision}
}
