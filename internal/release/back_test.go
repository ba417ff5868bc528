package release

import (
	"testing"
	"time"
)

var evacuated = shares(Feather, 0, Million-Feather)

func TestBack(t *testing.T) {
	tell(t, map[string]story{
		"Preparing to RollingBack when the canary crashes": {from: Preparing, seen: crashing, want: RollingBack, wantReason: CanaryCrashLooping},
		"Preparing to RollingBack at the progress deadline": {
			from: Preparing, seen: func(o *Observation) { o.Twin.Failed = true }, want: RollingBack, wantReason: CanaryNotReady,
		},
		"Preparing of the first step has no users to take off": {
			from: Preparing, seen: func(o *Observation) { o.Twin = TwinFacts{} }, want: Preparing,
		},
		"Shifting to RollingBack when no pod is ready": {
			from: Shifting, seen: func(o *Observation) { o.Twin.ReadyPods = 0 }, want: RollingBack, wantReason: NoReadyCanary, wantShares: shares(Million, 0, 0),
		},
		"Judging to RollingBack without rejecting when the cluster has lost the pods": {
			from: Judging, seen: func(o *Observation) { o.Twin.ReadyPods, o.Twin.NotAdmitted = 0, true }, want: RollingBack, wantReason: CanaryNotScheduled,
			check: wantRejected(""),
		},
		"Judging to RollingBack by harm, and the template is rejected": {
			from: Judging, seen: harmful, want: RollingBack, wantReason: HarmProven, wantShares: shares(Million, 0, 0), check: wantRejected(newRevision),
		},
		"Judging to RollingBack by harm whatever else is wrong": {
			from: Judging, plan: suspended, run: func(r *Run) { r.Paused = true },
			seen: all(harmful, routeRefused, targetGone, asks(Promote, newRevision), func(o *Observation) { o.Twin, o.Hold = TwinFacts{}, HoldFacts{} }),
			want: RollingBack, wantShares: shares(Million, 0, 0),
		},
		"Judging to RollingBack by harm that nobody has named, in any step": {
			from: Judging, run: step(1), seen: func(o *Observation) { o.Verdict = Verdict{Kind: Rollback} }, want: RollingBack, wantReason: HarmProven,
		},
		"Judging to RollingBack without data when the user wants that": {
			from: Judging, plan: func(p *Plan) { p.OnNoData = NoDataRollback }, seen: noData, want: RollingBack, wantReason: NoData,
		},
		"Judging to RollingBack when somebody deleted the canary": {
			from: Judging, seen: func(o *Observation) { o.Twin = TwinFacts{} }, want: RollingBack, wantReason: CanaryNotReady, check: wantRejected(""),
		},

		"RollingBack waits until the route has let go":        {from: RollingBack, want: RollingBack, check: wantTwinKept(10)},
		"RollingBack waits for requests in flight":            {from: RollingBack, seen: appliedSecondsAgo(2), want: RollingBack, check: wantTwinKept(10)},
		"RollingBack counts no time before it took users off": {from: RollingBack, run: func(r *Run) { r.Since = now.Add(-time.Second) }, seen: appliedLongAgo, want: RollingBack},
		"RollingBack waits while a refused route still carries the canary": {
			from: RollingBack, seen: all(routeRefused, func(o *Observation) { o.Traffic.CanaryShare = true }), want: RollingBack,
		},
		"RollingBack to RolledBack when the route cannot be had at all": {from: RollingBack, seen: routeRefused, want: RolledBack, wantShares: shares(0, 0, 0)},
		"RollingBack to RolledBack when rejected":                       {from: RollingBack, seen: applied, want: RolledBack, check: wantTwinKept(0)},
		"RollingBack to Idle when superseded": {
			from: RollingBack, run: func(r *Run) { r.Outcome, r.Cause = Superseded, NewerChange }, seen: applied, want: Idle, wantReason: NewerChange,
		},
		"RollingBack goes on while suspended": {from: RollingBack, plan: suspended, seen: applied, want: RolledBack},

		"RolledBack stays, held on the rejected template": {from: RolledBack, want: RolledBack, wantReason: HarmProven, check: wantRejected(newRevision)},
		"RolledBack takes the canary away after keepFailedFor": {
			from: RolledBack, run: func(r *Run) { r.Since = now.Add(-2 * time.Hour) }, want: RolledBack,
			check: func(t *testing.T, d Decision) {
				if d.Want.Twin {
					t.Error("the canary is kept for ever")
				}
			},
		},
		"RolledBack to PuttingBack when pods of it serve after all": {from: RolledBack, seen: halfRolled, want: PuttingBack, wantTarget: PutBack},
		"RolledBack to Idle with a newer change":                    {from: RolledBack, seen: holdsTemplate(newer), want: Idle},
		"RolledBack to Idle with stable's template":                 {from: RolledBack, seen: holdsTemplate(oldRevision), want: Idle},
		"RolledBack to Idle when somebody lifted the hold":          {from: RolledBack, seen: lifted, want: Idle},
		"RolledBack to Idle when the Deployment was deleted":        {from: RolledBack, seen: targetGone, want: Idle},
	})
}

func TestNewerChange(t *testing.T) {
	for _, from := range []Stage{Preparing, Shifting, Judging, PromotionPreparing, PromotionEntering} {
		tell(t, map[string]story{
			string(from) + " to RollingBack with a newer change":             {from: from, seen: holdsTemplate(newer), want: RollingBack, wantReason: NewerChange, wantShares: shares(Million, 0, 0)},
			string(from) + " to RollingBack with stable's template":          {from: from, seen: holdsTemplate(oldRevision), want: RollingBack, wantReason: ChangeWithdrawn},
			string(from) + " to RollingBack when somebody lifted the hold":   {from: from, seen: lifted, want: RollingBack, wantReason: ChangeWithdrawn},
			string(from) + " to RollingBack when the Deployment was deleted": {from: from, seen: targetGone, want: RollingBack, wantReason: TargetNotFound},
		})
	}
	tell(t, map[string]story{
		"Checking to Idle with a newer change":             {from: Checking, seen: holdsTemplate(newer), want: Idle, wantReason: NewerChange},
		"Checking to Idle with stable's template":          {from: Checking, seen: holdsTemplate(oldRevision), want: Idle, wantReason: ChangeWithdrawn},
		"Checking to Idle when somebody lifted the hold":   {from: Checking, seen: lifted, want: Idle},
		"Checking to Idle when the Deployment was deleted": {from: Checking, seen: targetGone, want: Idle, wantReason: TargetNotFound},
	})
}

func TestPutBack(t *testing.T) {
	tell(t, map[string]story{
		"Evacuating waits until users are on the old pods": {from: Evacuating, want: Evacuating, wantTarget: Freeze, wantShares: evacuated, check: wantTwinKept(50)},
		"Evacuating holds nothing again when somebody has set stable's template back past the hold": {
			from: Evacuating, seen: func(o *Observation) { o.Target.Revision, o.Target.SameAsStable = oldRevision, true },
			want: Evacuating, wantTarget: Freeze, wantShares: evacuated,
			check: func(t *testing.T, d Decision) {
				if !d.Next.Reverted {
					t.Error("the change would be held again over what a person wrote")
				}
			},
		},
		"Evacuating counts no share that was applied before": {
			from: Evacuating, run: func(r *Run) { r.Since = now.Add(-time.Second) }, seen: appliedLongAgo, want: Evacuating, wantTarget: Freeze, wantShares: evacuated,
		},
		"Evacuating to PuttingBack when users are on the old pods": {from: Evacuating, seen: applied, want: PuttingBack, wantTarget: PutBack, wantShares: evacuated},
		"Evacuating to PuttingBack when no old pod is left": {
			from: Evacuating, seen: func(o *Observation) { o.Hold.ReadyPods = 0 }, want: PuttingBack, wantTarget: PutBack, wantShares: shares(Million, 0, 0),
		},
		"Evacuating keeps users on the old pods when nothing is known of them": {
			from: Evacuating, seen: func(o *Observation) { o.Hold = HoldFacts{} }, want: Evacuating, wantTarget: Freeze, wantShares: evacuated,
		},
		"PuttingBack waits for stable's pods":                       {from: PuttingBack, want: PuttingBack, wantTarget: PutBack, wantShares: evacuated},
		"PuttingBack waits while the cache shows the bad template":  {from: PuttingBack, seen: all(lifted, onlyStable), want: PuttingBack, wantTarget: PutBack},
		"PuttingBack to Returning when only stable's pods are left": {from: PuttingBack, seen: onlyStable, want: Returning, wantShares: shares(Million, 0, 0), check: wantTwinKept(50)},
		"PuttingBack to Reholding where no canary ran":              {from: PuttingBack, run: func(r *Run) { r.Canary = "" }, seen: onlyStable, want: Reholding, wantTarget: Rehold},
		"PuttingBack takes a newer change over, to hold it at the end": {
			from: PuttingBack, seen: holdsTemplate(newer), want: PuttingBack, wantTarget: PutBack, wantShares: evacuated,
			check: func(t *testing.T, d Decision) {
				if d.Next.Revision != newer || d.Want.Rejected != newRevision || d.Want.TwinRevision != newRevision {
					t.Errorf("%+v", d.Next)
				}
			},
		},
		"PuttingBack takes stable's template over, and holds nothing at the end": {
			from: PuttingBack, seen: holdsTemplate(oldRevision), want: PuttingBack, wantTarget: PutBack,
			check: func(t *testing.T, d Decision) {
				if !d.Next.Reverted || d.Want.Rejected != newRevision {
					t.Errorf("%+v", d.Next)
				}
			},
		},
		"PuttingBack to Returning with a Deployment made anew of stable's template": {
			from: PuttingBack, seen: func(o *Observation) { o.Target.RolledOut, o.Target.Serving = true, Stable{"uid-again", oldRevision} }, want: Returning,
			check: func(t *testing.T, d Decision) {
				if d.Next.Stable.UID != "uid-again" {
					t.Errorf("stable is %+v", d.Next.Stable)
				}
			},
		},
		"PuttingBack to RollingBack when a fix comes and stable was broken before": {
			from: PuttingBack, run: func(r *Run) { r.Unprotected = true }, seen: all(holdsTemplate(newer), stableBroken), want: RollingBack,
		},
		"PuttingBack waits until the template's fields are their owners'": {from: PuttingBack, seen: all(onlyStable, ours), want: PuttingBack, wantTarget: PutBack},
		"Reholding waits until the template's fields are their owners'":   {from: Reholding, seen: all(holdsTemplate(newRevision), ours), want: Reholding, wantTarget: Rehold},
		"Reholding of nothing waits until the template's fields are their owners'": {
			from: Reholding, run: func(r *Run) { r.Reverted = true }, seen: ours, want: Reholding, wantTarget: PutBack,
		},
		"Returning waits until the route is the user's Service":            {from: Returning, want: Returning, check: wantTwinKept(50)},
		"Returning leaves a newer change where it is held":                 {from: Returning, seen: holdsTemplate(newer), want: Returning, check: wantTwinKept(50)},
		"Returning to Reholding":                                           {from: Returning, seen: applied, want: Reholding, wantTarget: Rehold},
		"Reholding waits until the change is held":                         {from: Reholding, want: Reholding, wantTarget: Rehold},
		"Reholding to RolledBack when the change is held":                  {from: Reholding, seen: holdsTemplate(newRevision), want: RolledBack, check: wantRejected(newRevision)},
		"Reholding to RolledBack when a newer change is held":              {from: Reholding, seen: holdsTemplate(newer), want: RolledBack, check: wantRejected(newRevision)},
		"Reholding to RolledBack when there is nothing to hold":            {from: Reholding, run: func(r *Run) { r.Reverted = true }, want: RolledBack},
		"Reholding to Idle when the change was withdrawn":                  {from: Reholding, run: func(r *Run) { r.Outcome = Withdrawn }, want: Idle},
		"Reholding to Idle when the newer change is held":                  {from: Reholding, run: superseded, seen: holdsTemplate(newer), want: Idle},
		"Reholding keeps the newest of the changes":                        {from: Reholding, run: superseded, seen: holdsTemplate("c0ffe"), want: Idle},
		"Reholding to RolledBack when stable's template is held instead":   {from: Reholding, seen: holdsTemplate(oldRevision), want: RolledBack},
		"Reholding to Idle when stable's template was what had to be held": {from: Reholding, run: func(r *Run) { r.Outcome, r.Revision = Superseded, oldRevision }, seen: holdsTemplate(oldRevision), want: Idle},
	})
	for _, from := range []Stage{Evacuating, PuttingBack, Returning, Reholding} {
		tell(t, map[string]story{
			string(from) + " to RollingBack when the Deployment was deleted":      {from: from, seen: targetGone, want: RollingBack},
			string(from) + " to RollingBack when something was put past the hold": {from: from, seen: pastHold, want: RollingBack},
		})
	}
}

func superseded(r *Run) { r.Outcome, r.Revision = Superseded, newer }

func crashing(o *Observation) { o.Twin.CrashLooping, o.Twin.Trouble = true, "exit code 1" }

func noData(o *Observation) { applied(o); o.Verdict = Verdict{NoData: true} }

// lifted: somebody has taken the hold from the Deployment by hand.
func lifted(o *Observation) {
	o.Target.Held, o.Target.Revision, o.Target.SameAsStable = false, newRevision, false
}

// pastHold: a template that nobody held is rolling out.
func pastHold(o *Observation) {
	o.Target.Held, o.Target.Revision, o.Target.SameAsStable = false, newer, false
}

// ours: the operator died between its write of the template and that which gives the fields back.
func ours(o *Observation) { o.Target.Ours = true }

func onlyStable(o *Observation) { o.Target.OnlyStablePods, o.Target.Mixed = true, false }

func appliedSecondsAgo(n int) func(*Observation) {
	return func(o *Observation) {
		o.Traffic.Applied, o.Traffic.AppliedAt = true, now.Add(-time.Duration(n)*time.Second)
	}
}

func wantRejected(revision string) func(*testing.T, Decision) {
	return func(t *testing.T, d Decision) {
		t.Helper()
		if d.Want.Rejected != revision {
			t.Errorf("rejected %q, want %q", d.Want.Rejected, revision)
		}
	}
}

func wantTwinKept(percent int32) func(*testing.T, Decision) {
	return func(t *testing.T, d Decision) {
		t.Helper()
		if !d.Want.Twin || d.Want.TwinPercent != percent {
			t.Errorf("twin %t of %d%%, want %d%%", d.Want.Twin, d.Want.TwinPercent, percent)
		}
	}
}
