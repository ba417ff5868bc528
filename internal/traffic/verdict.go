package traffic

import "time"

// State is an answer of three values. Its zero value is the careful one.
type State int

// The states of a split on a route.
const (
	Unknown State = iota
	True
	False
)

// String is the state as a condition's status writes it.
func (s State) String() string {
	switch s {
	case True:
		return "True"
	case False:
		return "False"
	case Unknown:
		return "Unknown"
	}
	return "Unknown"
}

// Verdict says whether a route carries a split.
type Verdict struct {
	State State
	// Cause is the kind of the first thing that is missing; empty when State is True.
	Cause Cause
	// Message says in one sentence what is waited for; empty when State is True.
	Message string
	// Good means that only the settle time is left to wait for, or nothing.
	Good bool
	// Wake is how long the settle time still lasts; zero when it is not what is waited for.
	Wake time.Duration
}

// Cause is the kind of thing that keeps a split from being applied.
type Cause string

// The causes.
const (
	// NotWritten means that the route does not carry the split's present record yet.
	NotWritten Cause = "NotWritten"
	// WrittenOver means that somebody else changed the backends of the route.
	WrittenOver Cause = "WrittenOver"
	// DataPlanePending means that the data plane has not answered for the newest generation of the route.
	DataPlanePending Cause = "DataPlanePending"
	// DataPlaneRefused means that the data plane refuses the route or part of it.
	DataPlaneRefused Cause = "DataPlaneRefused"
	// NoReadyEndpoints means that a backend with weight has no endpoint that is ready.
	NoReadyEndpoints Cause = "NoReadyEndpoints"
	// Settling means that everything is in order, for less than the settle time.
	Settling Cause = "Settling"
)
