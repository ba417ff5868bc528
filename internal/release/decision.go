package release

import "time"

// Decision is what follows from the facts.
type Decision struct {
	// Next is to be stored first; its Sequence grows exactly when Want changes, or when objects carry a higher one.
	Next Run
	// Want is Next.Want: the whole state of the world, to be projected once Next is stored.
	Want Want
	// Wake is when to look again without an event; 0: no need.
	Wake time.Duration
	// Reason and Detail say why the release is where it is.
	Reason Reason
	Detail string
	// ReplacePod is a canary pod that is to be deleted, so that another one comes.
	ReplacePod string
	// Observed is the reason for what would follow from evidence that is only observed; empty: nothing would.
	Observed string
	// Answer says what became of a person's request; empty: there was none, or none that is new.
	Answer string
	// RequestDone says that the request was dealt with and can be taken away.
	RequestDone bool
}

// Reason is why a release is where it is: condition reason, event reason and metric label.
type Reason string

// The closed set of reasons. What each means for people is with the constants of the API package.
const (
	StableServes         Reason = "Stable"
	Adopting             Reason = "Adopting"
	LetThrough           Reason = "LetThrough"
	PreparingCanary      Reason = "Preparing"
	ShiftingTraffic      Reason = "Shifting"
	JudgingStep          Reason = "Judging"
	WaitingForPerson     Reason = "WaitingForPerson"
	Promoting            Reason = "Promoting"
	Promoted             Reason = "Promoted"
	RollingBackCanary    Reason = "RollingBack"
	RolledBackCanary     Reason = "RolledBack"
	Suspended            Reason = "Suspended"
	PausedByPerson       Reason = "Paused"
	PausedByUser         Reason = "PausedByUser"
	Refused              Reason = "Refused"
	NoData               Reason = "NoData"
	NotEnoughTraffic     Reason = "NotEnoughTraffic"
	HarmProven           Reason = "HarmProven"
	LimitExceeded        Reason = "LimitExceeded"
	WithinTolerance      Reason = "WithinTolerance"
	OneBadPod            Reason = "OneBadPod"
	ShareNotAsWanted     Reason = "ShareNotAsWanted"
	InconclusiveEvidence Reason = "Inconclusive"
	CanaryCrashLooping   Reason = "CanaryCrashLooping"
	CanaryNotReady       Reason = "CanaryNotReady"
	CanaryNotScheduled   Reason = "CanaryNotScheduled"
	NoReadyCanary        Reason = "NoReadyCanary"
	TargetNotFound       Reason = "TargetNotFound"
	AbortedByPerson      Reason = "AbortedByPerson"
	NewerChange          Reason = "Superseded"
	ChangeWithdrawn      Reason = "Withdrawn"
	RecordLost           Reason = "RecordLost"
	BeingDeleted         Reason = "Deleting"
)
