package load

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"
)

const (
	keptWindows  = 600 // seconds
	keptFailures = 20
	keptPods     = 200 // for each version; later pods are counted as "others"
	maxSections  = 200
	maxVersions  = 100
)

// Counts of answers. Requests is the sum of the others.
type Counts struct {
	Requests            int64 `json:"requests"`
	OK                  int64 `json:"ok"`
	FailedByApplication int64 `json:"failedByApplication"`
	FailedBySwitching   int64 `json:"failedBySwitching"`
}

func (c *Counts) add(outcome Outcome) {
	c.Requests++
	switch outcome {
	case OK:
		c.OK++
	case FailedByApplication:
		c.FailedByApplication++
	case FailedBySwitching, Unknown: // what nobody classified is not a success
		c.FailedBySwitching++
	}
}

// Latency of the answers of a version. Quantiles are exact to 5%.
type Latency struct {
	P50Seconds float64 `json:"p50Seconds"`
	P90Seconds float64 `json:"p90Seconds"`
	P99Seconds float64 `json:"p99Seconds"`
	MaxSeconds float64 `json:"maxSeconds"`
}

// Version is what one version of the application answered.
type Version struct {
	Counts
	FirstAt    time.Time        `json:"firstAt"`
	LastAt     time.Time        `json:"lastAt"`
	FirstBadAt *time.Time       `json:"firstBadAt,omitempty"` // absent while there is no bad answer
	LastBadAt  *time.Time       `json:"lastBadAt,omitempty"`
	Pods       map[string]int64 `json:"pods"`
	Latency    Latency          `json:"latency"`
}

// Section is what came of the requests sent from one mark to the next.
type Section struct {
	Name      string    `json:"name"`
	StartedAt time.Time `json:"startedAt"`
	Counts
	Versions map[string]Counts `json:"versions"`
}

// Window is what was answered within one second.
type Window struct {
	StartedAt time.Time `json:"startedAt"`
	Counts
	Versions map[string]Counts `json:"versions"`
}

// Failure is one request that failed by switching.
type Failure struct {
	At    time.Time `json:"at"`
	Code  int       `json:"code,omitempty"`
	Cause string    `json:"cause,omitempty"`
}

// Switching is what is known of the failures that the application is not to blame for.
type Switching struct {
	FirstAt *time.Time `json:"firstAt,omitempty"`
	LastAt  *time.Time `json:"lastAt,omitempty"`
	Recent  []Failure  `json:"recent"` // the newest 20, oldest first
}

// Snapshot is everything that was counted up to one moment.
type Snapshot struct {
	StartedAt     time.Time          `json:"startedAt"`
	At            time.Time          `json:"at"`
	RatePerSecond int                `json:"ratePerSecond"`
	Done          bool               `json:"done"`
	Total         Counts             `json:"total"`
	Versions      map[string]Version `json:"versions"`
	Switching     Switching          `json:"switching"`
	Sections      []Section          `json:"sections"`
	Windows       []Window           `json:"windows"` // of the last ten minutes, oldest first; seconds without answers are left out
}

// tally counts answers. It is safe for concurrent use.
type tally struct {
	mu        sync.Mutex
	total     Counts
	versions  map[string]*versionTally
	switching Switching
	sections  []Section
	windows   [keptWindows]Window // by second modulo their number
}

type versionTally struct {
	seen    Version
	latency histogram
}

func newTally(start time.Time) *tally {
	return &tally{
		versions: map[string]*versionTally{},
		sections: []Section{{Name: "start", StartedAt: start, Versions: map[string]Counts{}}},
	}
}

func (t *tally) add(a Answer) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.total.add(a.Outcome)
	t.addToWindow(a)
	t.addToSection(a)
	if a.Version != "" {
		t.addToVersion(a)
	}
	if a.Outcome == FailedBySwitching {
		t.addFailure(a)
	}
}

func (t *tally) addToWindow(a Answer) {
	second := a.Ended().Truncate(time.Second)
	window := &t.windows[second.Unix()%keptWindows]
	if window.StartedAt.After(second) {
		return // its place was taken ten minutes later
	}
	if !window.StartedAt.Equal(second) {
		*window = Window{StartedAt: second, Versions: map[string]Counts{}}
	}
	window.add(a.Outcome)
	addCount(window.Versions, a)
}

// addToSection goes by the time of sending: what was on its way at a mark belongs to what was before it.
func (t *tally) addToSection(a Answer) {
	for i := len(t.sections) - 1; i >= 0; i-- {
		if section := &t.sections[i]; i == 0 || !a.Sent.Before(section.StartedAt) {
			section.add(a.Outcome)
			addCount(section.Versions, a)
			return
		}
	}
}

func addCount(versions map[string]Counts, a Answer) {
	if a.Version == "" {
		return
	}
	if _, known := versions[a.Version]; !known && len(versions) >= maxVersions {
		return
	}
	counts := versions[a.Version]
	counts.add(a.Outcome)
	versions[a.Version] = counts
}

func (t *tally) addToVersion(a Answer) {
	version, known := t.versions[a.Version]
	if !known {
		if len(t.versions) >= maxVersions {
			return
		}
		version = &versionTally{seen: Version{FirstAt: a.Ended(), Pods: map[string]int64{}}}
		t.versions[a.Version] = version
	}
	seen := &version.seen
	seen.add(a.Outcome)
	seen.FirstAt, seen.LastAt = earlier(seen.FirstAt, a.Ended()), later(seen.LastAt, a.Ended())
	if a.Outcome != OK {
		widen(&seen.FirstBadAt, &seen.LastBadAt, a.Ended())
	}
	pod := a.Pod
	if _, known := seen.Pods[pod]; !known && len(seen.Pods) >= keptPods {
		pod = "others"
	}
	seen.Pods[pod]++
	version.latency.add(a.Latency)
}

func (t *tally) addFailure(a Answer) {
	widen(&t.switching.FirstAt, &t.switching.LastAt, a.Ended())
	t.switching.Recent = append(t.switching.Recent, Failure{At: a.Ended(), Code: a.Code, Cause: a.Cause})
	if extra := len(t.switching.Recent) - keptFailures; extra > 0 {
		t.switching.Recent = slices.Delete(t.switching.Recent, 0, extra)
	}
}

// mark begins a section.
func (t *tally) mark(name string, now time.Time) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if name == "" {
		return errors.New("mark: a section needs a name")
	}
	if len(t.sections) >= maxSections {
		return fmt.Errorf("mark %q: there are %d sections already", name, maxSections)
	}
	t.sections = append(t.sections, Section{Name: name, StartedAt: now, Versions: map[string]Counts{}})
	return nil
}

// snapshot copies everything, so that the reader may keep it.
func (t *tally) snapshot() Snapshot {
	t.mu.Lock()
	defer t.mu.Unlock()
	s := Snapshot{
		Total:     t.total,
		Versions:  map[string]Version{},
		Switching: Switching{FirstAt: t.switching.FirstAt, LastAt: t.switching.LastAt, Recent: append([]Failure{}, t.switching.Recent...)},
		Sections:  make([]Section, 0, len(t.sections)),
		Windows:   []Window{},
	}
	for name, version := range t.versions {
		copied := version.seen
		copied.Pods, copied.Latency = maps.Clone(copied.Pods), version.latency.summary()
		s.Versions[name] = copied
	}
	for _, section := range t.sections {
		section.Versions = maps.Clone(section.Versions)
		s.Sections = append(s.Sections, section)
	}
	for _, window := range t.windows {
		if !window.StartedAt.IsZero() {
			window.Versions = maps.Clone(window.Versions)
			s.Windows = append(s.Windows, window)
		}
	}
	slices.SortFunc(s.Windows, func(a, b Window) int { return a.StartedAt.Compare(b.StartedAt) })
	return s
}

// widen never changes a time that a snapshot points to: it puts a new one in its place.
func widen(first, last **time.Time, at time.Time) {
	if *first == nil || at.Before(**first) {
		*first = &at
	}
	if *last == nil || at.After(**last) {
		*last = &at
	}
}

func earlier(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}
