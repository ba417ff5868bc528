// Package load sends requests at a constant rate, whether or not answers come, and counts what users would
// have seen. It must not retry: a failure that a retry hides is the failure that the tests look for.
package load

import (
	"net/http"
	"time"

	vegeta "github.com/tsenart/vegeta/v12/lib"
)

// Headers by which the shop says, on every answer of its own, who answered.
const (
	VersionHeader = "X-Shop-Version"
	PodHeader     = "X-Shop-Pod"
)

// Outcome is what became of one request.
type Outcome int

const (
	// Unknown is the outcome of a request that nobody classified.
	Unknown Outcome = iota
	// OK is an answer below 400, or a client error that the application itself gave.
	OK
	// FailedByApplication is a server error that carries the version header: the version is bad.
	FailedByApplication
	// FailedBySwitching is everything between us and the application: an error without the version header, a
	// refused or broken connection, a timeout. A good canary controller causes none.
	FailedBySwitching
)

// Answer is what came of one request.
type Answer struct {
	Sent    time.Time
	Latency time.Duration
	Outcome Outcome
	Version string // empty when the application did not answer
	Pod     string
	Code    int    // zero when there was no answer, or one that broke off
	Cause   string // of a failure by switching
}

// Ended is when the answer was there, or was given up.
func (a Answer) Ended() time.Time { return a.Sent.Add(a.Latency) }

func classify(result *vegeta.Result) Answer {
	answer := Answer{
		Sent:    result.Timestamp,
		Latency: result.Latency,
		Version: result.Headers.Get(VersionHeader),
		Pod:     result.Headers.Get(PodHeader),
		Code:    int(result.Code),
	}
	fromApplication := answer.Version != ""
	switch {
	case answer.Code == 0, !fromApplication && answer.Code >= http.StatusBadRequest:
		answer.Outcome, answer.Cause = FailedBySwitching, result.Error
	case answer.Code >= http.StatusInternalServerError:
		answer.Outcome = FailedByApplication
	default:
		answer.Outcome = OK
	}
	return answer
}
