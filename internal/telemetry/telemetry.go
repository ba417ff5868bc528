// Package telemetry turns raw samples of counters into counts of requests and bad requests, for each arm of a release.
//
// It knows no data plane (dialects do, in the packages below), and must not use a client, the network, a clock or a log:
// samples in, looks out. Time is what the samples say.
package telemetry

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// Signal is what a data plane measures by itself.
type Signal int

const (
	// UnknownSignal is no signal. Every dialect refuses it.
	UnknownSignal Signal = iota
	// Errors is the share of requests that were answered with an error.
	Errors
	// Latency is the share of requests that were slower than a given time.
	Latency
)

// String is the signal's name in the API.
func (s Signal) String() string {
	switch s {
	case Errors:
		return "Errors"
	case Latency:
		return "Latency"
	case UnknownSignal:
		return "Unknown"
	}
	return fmt.Sprintf("Signal(%d)", int(s))
}

// Arm is a side of the comparison.
type Arm int

const (
	// UnknownArm is neither side. Its samples count nowhere.
	UnknownArm Arm = iota
	// Canary is the version that is tried.
	Canary
	// Stable is the version that serves.
	Stable
)

// String is the arm's name.
func (a Arm) String() string {
	switch a {
	case Canary:
		return "canary"
	case Stable:
		return "stable"
	case UnknownArm:
		return "unknown"
	}
	return fmt.Sprintf("Arm(%d)", int(a))
}

// Labels are a series' labels, its name (__name__) included.
type Labels map[string]string

// NameLabel is the label that holds a series' name.
const NameLabel = "__name__"

// Key is the same text for the same labels, and another one for others.
func (l Labels) Key() string {
	names := make([]string, 0, len(l))
	for name := range l {
		names = append(names, name)
	}
	slices.Sort(names)
	var b strings.Builder
	for _, name := range names {
		b.WriteString(name)
		b.WriteByte(0xff)
		b.WriteString(l[name])
		b.WriteByte(0xff)
	}
	return b.String()
}

// Without is the Key of the labels that are not named.
func (l Labels) Without(names ...string) string {
	rest := make(Labels, len(l))
	for name, value := range l {
		if !slices.Contains(names, name) {
			rest[name] = value
		}
	}
	return rest.Key()
}

// Sample is a counter's value at the moment of a scrape.
type Sample struct {
	UnixMillis int64
	Value      float64
}

// Series are the raw samples of one series, oldest first.
type Series struct {
	Labels  Labels
	Samples []Sample
	// Histograms are the samples of a native histogram.
	Histograms []HistogramSample
}

// PodCount is what one pod has answered in an interval. Pod is empty where pods are not known.
type PodCount struct {
	Pod      string
	Requests float64
	Bad      float64
}

// Counts are what both arms have answered in an interval. A pod without requests is not listed. Bad never exceeds
// Requests.
type Counts struct {
	Canary, Stable []PodCount
	// PodsUnknown says that there is one sum for each arm.
	PodsUnknown bool
	// Distributions are the histograms that were asked for as a whole. They are instead of Canary and Stable.
	Distributions []Distribution
	// Readings are a gauge's. They are instead of Canary and Stable.
	Readings []Reading
}

// Look is the traffic of the interval (From, To]. Metrics are in the order in which the metrics were given.
type Look struct {
	From, To time.Time
	Metrics  []Counts
}

func millis(at int64) time.Time { return time.UnixMilli(at).UTC() }
