package release

import (
	"strings"
	"testing"
	"time"
)

// observing is a plan whose steps last so long, and nothing follows from evidence.
func observing(leaveAfter ...time.Duration) Plan {
	p := planOf(10, 50)
	p.Mode = Observe
	p.Steps = p.Steps[:len(leaveAfter)]
	for i, after := range leaveAfter {
		p.Steps[i].LeaveAfter = after
	}
	return p
}

func comparing() Plan {
	p := planOf(10, 50)
	p.Mode = CompareStable
	return p
}

func under(p Plan) func(*Plan) { return func(plan *Plan) { *plan = p } }

func says(words string) func(*testing.T, Decision) {
	return func(t *testing.T, d Decision) {
		t.Helper()
		if !strings.Contains(d.Detail, words) {
			t.Errorf("detail %q, want %q in it", d.Detail, words)
		}
	}
}

func TestObserving(t *testing.T) {
	harmObserved := all(applied, func(o *Observation) {
		o.Verdict = Verdict{Kind: Rollback, Reason: HarmProven, Detail: "errors 4% > 1%"}
	})
	tell(t, map[string]story{
		"harm is said, and nobody is taken off": {
			from: Judging, plan: under(observing(time.Hour, time.Hour)), seen: harmObserved, want: Judging, wantReason: JudgingStep,
			check: func(t *testing.T, d Decision) {
				says("this would be rolled back: errors 4%")(t, d)
				if d.Observed != string(HarmProven) {
					t.Errorf("observed %q, want %q on record", d.Observed, HarmProven)
				}
			},
		},
		"health is said, and the step is not left by it": {
			from: Judging, plan: under(observing(time.Hour, time.Hour)), seen: verdict(Advance, 0), want: Judging, check: says("this would go on"),
		},
		"a step is left when its time is over": {
			from: Judging, plan: under(observing(5*time.Minute, 0)), seen: verdict(NoVerdict, 0), want: Preparing,
		},
		"a step whose time is over is left with harm too, for nothing follows from it": {
			from: Judging, plan: under(observing(5*time.Minute, 0)), seen: harmObserved, want: Preparing,
		},
		"a step without a time waits for a person": {
			from: Judging, plan: under(observing(0, 0)), seen: verdict(Advance, 0), want: Judging, wantReason: WaitingForPerson,
		},
		"a person lets it go on": {
			from: Judging, plan: under(observing(0, 0)), run: func(r *Run) { r.Resumed = true }, seen: verdict(NoVerdict, 0), want: Preparing,
		},
		"the last step leads to promotion by its time, never by evidence": {
			from: Judging, plan: under(observing(0, time.Hour)), run: step(1), seen: verdict(Advance, 1), want: Judging,
		},
		"maxDuration has no say": {
			from: Judging, plan: func(p *Plan) {
				*p = observing(0, 0)
				p.MaxDuration, p.OnInconclusive = time.Minute, InconclusiveRollback
			}, seen: verdict(NoVerdict, 0), want: Judging, wantReason: WaitingForPerson,
		},
		"missing data has no say": {
			from: Judging, plan: func(p *Plan) {
				*p = observing(0, 0)
				p.OnNoData = NoDataRollback
			}, seen: all(applied, func(o *Observation) { o.Verdict = Verdict{NoData: true, Reason: NoData} }), want: Judging,
		},
		"a canary that cannot run is a fact, and no evidence": {
			from: Judging, plan: under(observing(time.Hour, time.Hour)), seen: all(applied, func(o *Observation) { o.Twin.CrashLooping = true }),
			want: RollingBack, wantReason: CanaryCrashLooping,
		},
		"a person aborts it": {
			from: Judging, plan: under(observing(0, 0)), seen: all(applied, asks(Abort, newRevision)), want: RollingBack,
		},
	})
}

func TestStableComparedWithItselfReleasesNothing(t *testing.T) {
	tell(t, map[string]story{
		"a change stays held": {from: Idle, plan: under(comparing()), seen: holdsTemplate(newRevision), want: Idle, wantReason: Suspended, check: says("Enforce or Observe")},
		"a release that runs stops where it is": {
			from: Judging, plan: under(comparing()), seen: verdict(Advance, 0), want: Judging, wantReason: Suspended,
		},
		"and harm is rolled back": {from: Judging, plan: under(comparing()), seen: all(applied, harmful), want: RollingBack, wantReason: HarmProven},
	})
}

func TestOneBadPod(t *testing.T) {
	onePod := all(applied, func(o *Observation) {
		o.Verdict = Verdict{Reason: OneBadPod, Detail: "harm is on one canary pod alone", BadPod: "web-canary-1"}
	})
	replaced := func(want string) func(*testing.T, Decision) {
		return func(t *testing.T, d Decision) {
			t.Helper()
			if d.ReplacePod != want {
				t.Errorf("pod to replace: %q, want %q", d.ReplacePod, want)
			}
		}
	}
	with := func(a OneBadPodAction) func(*Plan) { return func(p *Plan) { p.OneBadPod = a } }
	tell(t, map[string]story{
		"holds":       {from: Judging, seen: onePod, want: Judging, wantReason: OneBadPod, check: replaced("")},
		"is replaced": {from: Judging, plan: with(OneBadPodReplace), seen: onePod, want: Judging, wantReason: OneBadPod, check: replaced("web-canary-1")},
		"is taken for a bad version where the user wants it so": {
			from: Judging, plan: with(OneBadPodRollback), seen: onePod, want: RollingBack, wantReason: OneBadPod,
		},
		"is only said where evidence is observed": {
			from: Judging, plan: func(p *Plan) {
				*p = observing(0, 0)
				p.OneBadPod = OneBadPodReplace
			}, seen: onePod, want: Judging, check: replaced(""),
		},
	})
}
