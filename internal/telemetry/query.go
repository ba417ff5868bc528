package telemetry

import (
	"fmt"
	"time"
)

// Dialect makes queries for what one data plane measures by itself.
type Dialect interface {
	// Query says where the signal is found. A signal that the data plane does not have is an *UnsupportedError.
	Query(Ask) (Query, error)
}

// Ask is what a dialect makes a query from.
type Ask struct {
	Signal Signal
	// View is what is to be counted one of; UnknownView for what the dialect prefers.
	View View
	// Canary and Stable are the names that the data plane gives to the arms' backends. Several names are alternatives
	// that it may use at different times; their traffic is added.
	Canary, Stable []string
	// SlowerThan makes a request slow, for Latency.
	SlowerThan time.Duration
	// Whole asks for all boundaries of the histogram instead, for Latency: where it is judged is chosen later.
	Whole bool
}

// UnsupportedError says that a dialect cannot measure a signal.
type UnsupportedError struct {
	Dialect string
	Missing string
}

// Error names the dialect and what it cannot measure.
func (e *UnsupportedError) Error() string {
	return fmt.Sprintf("the metrics of %s have no signal %s", e.Dialect, e.Missing)
}

// Query says which raw series a metric is made of, and what each of them means. It is a value: its methods give the same
// answers for the same arguments.
type Query interface {
	// Key is the identity of what is fetched: a tracker keeps the state of the series while it stays the same.
	// What may change without making the fetched series incomparable (the pods of an arm) is not part of it.
	Key() string
	// Selector says what to fetch. boundaries are the values of the label le that are needed; nil means that they are
	// not known yet and all of them are fetched.
	Selector(boundaries []string) Selector
	// Role says what a fetched series means; false for one that is not this metric's.
	Role(Labels) (Role, bool)
	// SlowerThan is the boundary that makes a request slow, in the unit of the label le; zero for no histogram or for a
	// whole one.
	SlowerThan() Boundary
	// PodsUnknown says that the arms' pods cannot be told apart.
	PodsUnknown() bool
}

// Boundary is a place on a histogram's axis.
type Boundary struct {
	// Value is in the histogram's own unit.
	Value float64
	// Unit is that unit's name, such as ms.
	Unit string
	// Whole says that no boundary is chosen: the histogram is wanted with all of them.
	Whole bool
}

// Part says what a series counts.
type Part int

const (
	// Presence is 1 when its target was scraped. It counts nothing.
	Presence Part = iota
	// Requests counts good and bad requests.
	Requests
	// Bad counts bad requests only, which another series counts as requests.
	Bad
	// RequestsAndBad counts requests all of which are bad.
	RequestsAndBad
	// HistogramCount counts the requests of a histogram.
	HistogramCount
	// HistogramBucket counts the requests of a histogram up to a boundary.
	HistogramBucket
	// NativeHistogram has the buckets of a histogram in one series.
	NativeHistogram
	// GaugeValue is a value that goes up and down. Several of a pod are added up.
	GaugeValue
)

// Role is what a series means to a metric.
type Role struct {
	Part Part
	Arm  Arm
	Pod  string
	// Started is when the pod was started; zero if that is not known.
	Started time.Time
	// Target is what was scraped. Series of one target with the same timestamp are from the same scrape.
	Target string
	// BothArms says that each scrape of the target tells about both arms.
	BothArms bool
	// Subjects are the things that the target measures. Two live targets with a subject in common count the same
	// traffic twice.
	Subjects []string
	// Histogram tells the histograms of a target apart, and LE is the bucket's boundary as the label says it.
	Histogram, LE string
	// Refused says why the series cannot be counted. It is a sentence for the user.
	Refused string
}

// Metric is a metric to follow. Name is how messages call it.
type Metric struct {
	Name  string
	Query Query
}
