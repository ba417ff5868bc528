package release

// judging: the share is applied. A step is left by evidence of this step, never by time alone unless the user says so.
func (t *turn) judging() {
	v := t.seen.Verdict
	settled := t.after(t.next.AppliedAt, t.plan.MinStepDuration)
	switch {
	case t.seen.Traffic.Refused:
		t.say(t.seen.Traffic.RefusedReason, "%s", t.seen.Traffic.Message)
	case t.stopped():
	case !t.seen.Traffic.Applied:
		t.say(ShiftingTraffic, "%s: the route does not carry the share now: %s", t.stepText(), orWaiting(t.seen.Traffic.Message))
	case !t.enough():
		t.withoutEvidence()
	case !settled:
		t.say(JudgingStep, "%s: %s; the step lasts at least minStepDuration", t.stepText(), v.Detail)
	default:
		t.leaveStep(v.Detail)
	}
}

// enough says that the judge lets this step go, on evidence of this step.
func (t *turn) enough() bool {
	return t.seen.Verdict.Kind == Advance && t.seen.Verdict.Step == t.next.Step
}

// withoutEvidence holds, and says what is missing; after maxDuration it does what the user chose.
func (t *turn) withoutEvidence() {
	v := t.seen.Verdict
	if !t.timeIsUp() {
		t.say(orJudging(v.Reason), "%s: %s", t.stepText(), orNoVerdict(v.Detail))
		return
	}
	switch {
	case t.plan.OnInconclusive == InconclusiveRollback:
		t.takeAway(Rejected, InconclusiveEvidence, "no verdict within maxDuration: "+orNoVerdict(v.Detail))
	case t.plan.OnInconclusive == InconclusivePromoteIfNoHarm && v.NoHarm && !v.NoData:
		t.leaveStep("no verdict within maxDuration, and no evidence of harm")
	default:
		t.say(InconclusiveEvidence, "%s: no verdict within maxDuration: %s; promote or abort it, or raise maxDuration",
			t.stepText(), orNoVerdict(v.Detail))
	}
}

func (t *turn) timeIsUp() bool {
	if t.plan.MaxDuration == 0 || t.plan.OnInconclusive == InconclusiveExtend {
		return false
	}
	return t.after(t.next.Started, t.plan.MaxDuration)
}

func orJudging(r Reason) Reason {
	if r == "" {
		return JudgingStep
	}
	return r
}

func orNoVerdict(detail string) string {
	if detail == "" {
		return "nothing has been measured yet"
	}
	return detail
}

// leaveStep goes on to the next step or to promotion, unless a person is to say so.
func (t *turn) leaveStep(why string) {
	if t.plan.Steps[t.next.Step].Hold && !t.next.Resumed {
		t.say(WaitingForPerson, "%s: %s; a person says when to go on (resume)", t.stepText(), why)
		return
	}
	t.next.Resumed = false
	if t.next.Step == t.lastStep() {
		t.enter(PromotionPreparing)
		t.say(Promoting, "revision %s: %s", t.next.Revision, why)
		return
	}
	t.next.Step++
	t.enter(Preparing)
	t.say(PreparingCanary, "%s: making pods ready for it", t.stepText())
}
