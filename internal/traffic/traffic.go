// Package traffic is the contract between what Slipway wants of a route and the translators that say it in the words of
// one route API. It is pure: no client, no clock, no log, no network. Objects and facts come in, objects and verdicts go
// out.
package traffic

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// ErrOvertaken means that the route follows a later record of the same split. The record at hand is old: read again.
var ErrOvertaken = errors.New("route follows a later record of the split")

// Backend is a Service and its proportion of the traffic. Weights need not sum to anything.
type Backend struct {
	Name   string
	Weight int32
}

// Split is one split as one route is to carry it.
type Split struct {
	// Name is the name of the TrafficSplit, in the namespace of the route.
	Name string
	// UID and Sequence are the identity of the record that Backends come from. A route never goes back in Sequence.
	UID      string
	Sequence int64
	// Created decides between two splits that want the same: the older one has it.
	Created time.Time
	// Service is the Service whose traffic is split.
	Service string
	// SectionName is the only rule that is changed; empty means every rule that sends to the Service.
	SectionName string
	// Backends are the shares of the Service's traffic, in the order in which they entered. A Service that is not among
	// them gets nothing.
	Backends []Backend
}

// Intent is the whole wanted state of one route: the splits that it is to carry, and no others.
type Intent struct {
	Splits []Split
}

// Capability is something that a route API can say, or that a data plane does.
type Capability string

// WeightedBackends is the division of a rule's traffic by the weights of its backends.
const WeightedBackends Capability = "WeightedBackends"

// Observed is what a translator is told about the cluster.
type Observed struct {
	// Controllers are the controllerNames of the data planes that serve the route, sorted.
	Controllers []string
	// ReadyEndpoints is the number of ready endpoints of each Service, by name.
	ReadyEndpoints map[string]int
	// Leaving names the backends that are on their way out: nobody waits for their endpoints.
	Leaving []string
	// Now is the time of the observation.
	Now time.Time
	// GoodSince is since when everything but the settle time has been in order; zero: it was not, when last looked at.
	GoodSince time.Time
}

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

// Router translates intents into one route API. Every method is a function of its arguments; routes are not modified.
type Router interface {
	// Name is the name of the route API, for messages.
	Name() string
	// Capabilities are what the route API can say, sorted.
	Capabilities() []Capability
	// Offers are what all the data planes that serve the route do, sorted. A data plane that is not known, and a route
	// that none serves, is an error.
	Offers(observed Observed) ([]Capability, error)
	// Render returns the route as it is to be in order to carry exactly the intent. It fails with ErrOvertaken when the
	// route follows a later record of one of the splits.
	Render(route *unstructured.Unstructured, intent Intent) (*unstructured.Unstructured, error)
	// Applied says whether the route carries the split and the data plane does it.
	Applied(route *unstructured.Unstructured, split Split, observed Observed) Verdict
	// Restore returns the route as its user wrote it.
	Restore(route *unstructured.Unstructured) (*unstructured.Unstructured, error)
}

// UnsupportedError says what a data plane cannot do. The user has to change the resource or the data plane.
type UnsupportedError struct {
	// Router is the route API or data plane that lacks something, as it calls itself.
	Router string
	// Missing are the names of what it lacks, sorted.
	Missing []string
}

// Error names the data plane and everything that it lacks.
func (e *UnsupportedError) Error() string {
	return fmt.Sprintf("%s does not support %s", e.Router, strings.Join(e.Missing, ", "))
}

// Unsupported returns an UnsupportedError with the missing names sorted and each once.
func Unsupported(router string, missing ...string) *UnsupportedError {
	names := slices.Clone(missing)
	slices.Sort(names)
	return &UnsupportedError{Router: router, Missing: slices.Compact(names)}
}

// Require returns an error unless the router can say, and the observed data planes do, everything that is needed.
func Require(r Router, observed Observed, needs ...Capability) error {
	offers, err := r.Offers(observed)
	if err != nil {
		return err
	}
	able := r.Capabilities()
	var missing []string
	for _, need := range needs {
		if !slices.Contains(able, need) || !slices.Contains(offers, need) {
			missing = append(missing, string(need))
		}
	}
	if len(missing) == 0 {
		return nil
	}
	return Unsupported(strings.Join(append([]string{r.Name()}, observed.Controllers...), " on "), missing...)
}
