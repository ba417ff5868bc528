package telemetry

import "fmt"

// View is what a data plane's counters count one of. A request that was tried three times is one request to its user and
// three tries to the backends, and a canary that fails can hide behind the tries that came after.
type View int

const (
	// UnknownView is no view. In an Ask it leaves the choice to the dialect, which takes the first of its views.
	UnknownView View = iota
	// AfterRetries counts a request once, with its last answer.
	AfterRetries
	// Attempts counts each try, with the answer that it got, for the arm that it was sent to.
	Attempts
)

// String is the view as messages and the documentation call it.
func (v View) String() string {
	switch v {
	case AfterRetries:
		return "after retries"
	case Attempts:
		return "each try"
	case UnknownView:
		return "unknown"
	}
	return fmt.Sprintf("View(%d)", int(v))
}
