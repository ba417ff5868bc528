package release

import "time"

// Stage is where a release stands. The zero value is Idle: nothing is released, stable serves.
type Stage string

// The stages, in the order of a good release, then those of a bad one.
const (
	Idle               Stage = ""
	LettingThrough     Stage = "LettingThrough"
	Checking           Stage = "Checking"
	Preparing          Stage = "Preparing"
	Shifting           Stage = "Shifting"
	Judging            Stage = "Judging"
	PromotionPreparing Stage = "PromotionPreparing"
	PromotionEntering  Stage = "PromotionEntering"
	PromotionRolling   Stage = "PromotionRolling"
	PromotionFinishing Stage = "PromotionFinishing"
	RollingBack        Stage = "RollingBack"
	RolledBack         Stage = "RolledBack"
	Evacuating         Stage = "Evacuating"
	PuttingBack        Stage = "PuttingBack"
	Returning          Stage = "Returning"
	Reholding          Stage = "Reholding"
	Deleting           Stage = "Deleting"
)

// Stages lists every stage; exhaustive switches and tests go by it.
func Stages() []Stage {
	return []Stage{
		Idle, LettingThrough, Checking, Preparing, Shifting, Judging, PromotionPreparing,
		PromotionEntering, PromotionRolling, PromotionFinishing, RollingBack, RolledBack, Evacuating,
		PuttingBack, Returning, Reholding, Deleting,
	}
}

// Outcome says why a canary is being taken away, and with that what follows.
type Outcome string

const (
	// Undecided is the outcome of a release that is not being taken away.
	Undecided Outcome = ""
	// Rejected says that harm was proven, or the canary cannot run. The template stays rejected.
	Rejected Outcome = "Rejected"
	// Superseded says that a newer template is held. It is released next, from the first step.
	Superseded Outcome = "Superseded"
	// Withdrawn says that stable's template is held again, or the target is gone. Nothing is left to release.
	Withdrawn Outcome = "Withdrawn"
)

// Million is the whole of the traffic: shares are in millionths.
const Million int32 = 1_000_000

// Feather is the share of a backend that must be known to the data plane without mattering.
const Feather int32 = 1

// Shares are the parts of the traffic in millionths; they sum to Million. A backend with 0 is not in the route.
type Shares struct {
	Stable int32 `json:"stable,omitempty"`
	Canary int32 `json:"canary,omitempty"`
	Hold   int32 `json:"hold,omitempty"`
}

// Target is what is wanted of the user's Deployment.
type Target string

const (
	// Keep leaves the Deployment as it is. The zero value: stable is never touched without a reason.
	Keep Target = ""
	// LetGo lifts the hold, so that the Deployment controller rolls out what is in it.
	LetGo Target = "LetGo"
	// Freeze stops the rollout of the candidate where it is, by the hold: no old pod goes while users come to them.
	Freeze Target = "Freeze"
	// PutBack has stable's template in the Deployment, not paused.
	PutBack Target = "PutBack"
	// Rehold has the candidate's template in the Deployment, paused and marked.
	Rehold Target = "Rehold"
)

// Want is the whole state of the world that a run asks for.
type Want struct {
	// Split says that the route carries Shares; without it the route is the user's own.
	Split  bool   `json:"split,omitempty"`
	Shares Shares `json:"shares,omitzero"`
	// Twin says that the canary's Deployment and Service exist, of template TwinRevision. An empty TwinRevision, after the
	// loss of a record, leaves what there is as it is.
	Twin         bool   `json:"twin,omitempty"`
	TwinRevision string `json:"twinRevision,omitempty"`
	// TwinPercent is the share that the twin is sized for; 0 scales it to no pods.
	TwinPercent int32 `json:"twinPercent,omitempty"`
	// HoldService says that the Service exists that selects only old pods.
	HoldService bool `json:"holdService,omitempty"`
	// Rejected is a template that must be on record as rejected.
	Rejected string `json:"rejected,omitempty"`
	Target   Target `json:"target,omitempty"`
	// Forget says that nothing is left to do for an object that is being deleted.
	Forget bool `json:"forget,omitempty"`
}

// Stable is the identity of what serves: the ReplicaSet by UID, and the short name of its template for people.
type Stable struct {
	UID      string `json:"uid,omitempty"`
	Revision string `json:"revision,omitempty"`
}

// Run is what must survive a crash and cannot be observed. Losing it is safe: see Repair.
type Run struct {
	Sequence int64  `json:"sequence,omitempty"`
	Stage    Stage  `json:"stage,omitempty"`
	Step     int    `json:"step,omitempty"`
	Stable   Stable `json:"stable,omitzero"`
	// Revision is the template that is being released, or was last; on the way back from a promotion the one to hold again.
	Revision string `json:"revision,omitempty"`
	// Canary is the template that the twin runs: Revision, until a newer one takes that name.
	Canary string `json:"canary,omitempty"`
	// Checked says that nothing stands against the release, so that writing may begin.
	Checked bool `json:"checked,omitempty"`
	// Outcome, Cause and CauseDetail say why the canary is being taken away.
	Outcome     Outcome `json:"outcome,omitempty"`
	Cause       Reason  `json:"cause,omitempty"`
	CauseDetail string  `json:"causeDetail,omitempty"`
	// Started is when the release began, Since when the stage (or step) did.
	Started time.Time `json:"started,omitzero"`
	Since   time.Time `json:"since,omitzero"`
	// AppliedAt is when this step's share was first seen applied. Traffic before it mixes two shares.
	AppliedAt time.Time `json:"appliedAt,omitzero"`
	// Paused says that a person stopped the release; Resumed that one let it past the hold of this step.
	Paused  bool `json:"paused,omitempty"`
	Resumed bool `json:"resumed,omitempty"`
	// LookingSince is since when evidence is looked for, for Plan.MaxDuration. It starts anew after the release was stopped.
	LookingSince time.Time `json:"lookingSince,omitzero"`
	// Unprotected says that stable had no available pod when its promotion began, so that no way back was made.
	Unprotected bool `json:"unprotected,omitempty"`
	// Rolled is what a promotion has rolled out. It is stable when the last evidence of the promotion has been heard.
	Rolled Stable `json:"rolled,omitzero"`
	// Evacuated says that the old pods' Service carries everything while stable's template is put back.
	Evacuated bool `json:"evacuated,omitempty"`
	// Reverted says that stable's template came into the Deployment meanwhile, so that nothing is to be held again.
	Reverted bool `json:"reverted,omitempty"`
	// TwinGone says that the canary need not be kept (any longer) for people to look at.
	TwinGone bool `json:"twinGone,omitempty"`
	// Cleared says that the route is the user's own again, for an object that is being deleted; Final what is left to do
	// with the Deployment then.
	Cleared bool   `json:"cleared,omitempty"`
	Final   Target `json:"final,omitempty"`
	// Retried is a rejected template that a person wants to be tried again.
	Retried string `json:"retried,omitempty"`
	// Handled is the last request that was dealt with; it is not dealt with again.
	Handled string `json:"handled,omitempty"`
	Want    Want   `json:"want,omitzero"`
}

// Plan is what the user asked for.
type Plan struct {
	Steps           []Step
	KeepFailedFor   time.Duration
	MinStepDuration time.Duration
	MaxDuration     time.Duration
	// Drain is how long requests in flight have after their backend has left the route.
	Drain          time.Duration
	OnInconclusive Inconclusive
	OnNoData       NoDataAction
	OneBadPod      OneBadPodAction
	Mode           Mode
	// OnDelete is what becomes of a Deployment that is held when its release is deleted: LetGo, otherwise PutBack.
	OnDelete  Target
	Suspended bool
	Deleting  bool
}

// Step is one share of the traffic.
type Step struct {
	WeightPercent int32
	Hold          bool
	// LeaveAfter is how long the step lasts where evidence is only observed; 0: until a person says so.
	LeaveAfter time.Duration
}

// Mode is what follows from the evidence.
type Mode string

const (
	// Enforce goes on and back by the evidence. The zero value: nobody goes on without it, and harm is rolled back.
	Enforce Mode = ""
	// Observe never goes on or back by it.
	Observe Mode = "Observe"
	// CompareStable releases nothing.
	CompareStable Mode = "CompareStable"
)

// OneBadPodAction says what to do when harm is on one canary pod alone. The zero value holds.
type OneBadPodAction string

// The ways to go on with one bad pod.
const (
	OneBadPodHold     OneBadPodAction = ""
	OneBadPodReplace  OneBadPodAction = "ReplacePod"
	OneBadPodRollback OneBadPodAction = "Rollback"
)

// Inconclusive says what to do when MaxDuration ends without a verdict.
type Inconclusive string

// The ways to go on without a verdict. The zero value holds.
const (
	InconclusiveHold            Inconclusive = ""
	InconclusiveExtend          Inconclusive = "Extend"
	InconclusiveRollback        Inconclusive = "Rollback"
	InconclusivePromoteIfNoHarm Inconclusive = "PromoteIfNoHarm"
)

// NoDataAction says what to do when metrics stay away. The zero value holds.
type NoDataAction string

// The ways to go on without data.
const (
	NoDataHold     NoDataAction = ""
	NoDataRollback NoDataAction = "Rollback"
)
