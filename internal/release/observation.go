package release

import "time"

// Observation is every fact that a decision may rest on. A fact that could not be had is its zero value, which never
// leads forward.
type Observation struct {
	Now      time.Time
	Target   TargetFacts
	Twin     TwinFacts
	Hold     HoldFacts
	Traffic  TrafficFacts
	Verdict  Verdict
	Request  Request
	Refusals []Refusal
	// Stamped is the highest Run.Sequence that objects of this release carry; 0: none does, or it cannot be known. More
	// than the record's own says that the record was lost.
	Stamped int64
}

// TargetFacts are about the user's Deployment.
type TargetFacts struct {
	Found bool
	// Held: our mark is there and the Deployment is paused. PausedByUser: paused without the mark.
	Held         bool
	PausedByUser bool
	// Revision names the template that is in the Deployment now.
	Revision string
	// SameAsStable: that template equals the recorded stable ReplicaSet's.
	SameAsStable bool
	// OnlyRestarted: it differs from stable's in the restartedAt annotation alone.
	OnlyRestarted bool
	// PromotedBefore: it was promoted within the rollback window.
	PromotedBefore bool
	// Rejected: it was rejected before.
	Rejected bool
	// StableBroken: stable has never completed a rollout, or has no available pod. Where stable is not known, the Deployment
	// as a whole has none.
	StableBroken bool
	// RolledOut: every pod is of the Deployment's template and available.
	RolledOut bool
	// Failed: its rollout exceeded the progress deadline.
	Failed bool
	// Mixed: pods of more than one template run.
	Mixed bool
	// Serving is the ReplicaSet that would be stable if the present state were adopted; zero: cannot be known.
	Serving Stable
	// OnlyStablePods: every pod is of stable's ReplicaSet, and as many as wanted are available.
	OnlyStablePods bool
	// Ours: the operator wrote the template, and its fields have not been given back to their owners yet.
	Ours bool
}

// TwinFacts are about the canary's Deployment.
type TwinFacts struct {
	Exists bool
	// Ready: as many pods as the step needs are ready, all of the wanted revision.
	Ready bool
	// ReadyPods is the number of pods that can take traffic now.
	ReadyPods int32
	// WantedPods is the number of pods that the step needs.
	WantedPods int32
	// CrashLooping and Failed are facts about the version, not about the cluster: it cannot run.
	CrashLooping bool
	Failed       bool
	// NotAdmitted: quota or scheduler refuse the pods: a fact about the cluster.
	NotAdmitted bool
	// Trouble says in words what keeps pods from being ready; empty: nothing.
	Trouble string
}

// HoldFacts are about the Service of the old pods.
type HoldFacts struct {
	Exists    bool
	ReadyPods int32
	// Enough: the old pods left can carry the traffic.
	Enough bool
	// Trouble says in words what keeps the Service from being made; empty: nothing.
	Trouble string
}

// TrafficFacts are what the split says.
type TrafficFacts struct {
	// Exists: the split object is there.
	Exists bool
	// CanaryShare: the split as it is recorded now gives the canary more than nothing.
	CanaryShare bool
	// Refused: the split cannot be had, for this reason. RefusedReason is one of Reason.
	Refused       bool
	RefusedReason Reason
	Message       string
	// Applied: the route carries exactly the shares that the run wants, and has for the settle time.
	Applied bool
	// AppliedAt is since when. Zero unless Applied. What lies before the stage began does not count.
	AppliedAt time.Time
}

// VerdictKind is what the evidence says. The zero value is no verdict.
type VerdictKind int

// The verdicts. Only Advance leads forward and only Rollback back.
const (
	NoVerdict VerdictKind = iota
	Advance
	Rollback
)

// Verdict is the judge's word on the present step.
type Verdict struct {
	Kind VerdictKind
	// Step is the step that the evidence is of. On another step only Rollback counts: harm is harm.
	Step int
	// Reason and Detail say why; for NoVerdict what is missing.
	Reason Reason
	Detail string
	// NoData: three scrapes in a row are missing.
	NoData bool
	// NoHarm: there is no evidence of harm to speak of.
	NoHarm bool
	// BadPod is the one canary pod that harm is on; empty: there is none.
	BadPod string
}

// Verb is what a person asks for.
type Verb string

// The verbs, in the order in which they are heard when several are asked for at once.
const (
	NoRequest Verb = ""
	Abort     Verb = "abort"
	Pause     Verb = "pause"
	Resume    Verb = "resume"
	Promote   Verb = "promote"
	Retry     Verb = "retry"
)

// Request is a person's word. Revision is the template that it is meant for.
type Request struct {
	Verb     Verb
	Revision string
}

// ID identifies a request for Run.Handled.
func (r Request) ID() string {
	if r.Verb == NoRequest {
		return ""
	}
	return string(r.Verb) + "/" + r.Revision
}

// Refusal is a reason for which a release cannot run as things are.
type Refusal struct {
	Reason  Reason
	Message string
}
