package main

import (
	"time"

	"k8s.io/apimachinery/pkg/api/meta"

	"slipway.dev/slipway/api/v1alpha1"
)

// Outcome is how a release ended.
type Outcome string

const (
	// Running is the outcome of a release that has not ended: the zero value, so that nothing passes by having no outcome.
	Running Outcome = ""
	// Promoted says that the version is the stable one now.
	Promoted Outcome = "Promoted"
	// RolledBack says that users were taken off the version.
	RolledBack Outcome = "RolledBack"
)

const (
	stageIdle       = "Idle"
	stageRolledBack = "RolledBack"
	// stagePushed is not the operator's: it is the user's change, from which on it acts.
	stagePushed = "Pushed"
)

// Entry is one line of the timeline: from then on a release was in this stage.
type Entry struct {
	AtSeconds float64 `json:"atSeconds"` // since every request was answered
	Version   string  `json:"version"`
	Stage     string  `json:"stage"`
	Step      string  `json:"step,omitempty"`
	Weight    string  `json:"weight,omitempty"`
	Reason    string  `json:"reason,omitempty"`
}

// journal keeps what the operator wrote into status, in the order in which it was seen.
type journal struct {
	started  time.Time
	entries  []Entry
	version  string
	revision string // what was released or stable when the present version was pushed
}

// push begins the story of a version.
func (j *journal) push(at time.Time, version string, before v1alpha1.CanaryReleaseStatus) {
	j.version, j.revision = version, before.Revision
	j.entries = append(j.entries, Entry{AtSeconds: j.seconds(at), Version: version, Stage: stagePushed})
}

// see adds a line if the status is about the pushed version and says something new.
func (j *journal) see(at time.Time, status v1alpha1.CanaryReleaseStatus) {
	if !j.begun(status) {
		return
	}
	now := Entry{
		AtSeconds: j.seconds(at), Version: j.version, Stage: status.Stage, Step: status.Step, Weight: status.Weight,
		Reason: readyReason(status),
	}
	if n := len(j.entries); n > 0 {
		last := j.entries[n-1]
		if last.Version == now.Version && last.Stage == now.Stage && last.Step == now.Step && last.Weight == now.Weight {
			return
		}
	}
	j.entries = append(j.entries, now)
}

// begun says whether the operator speaks of the pushed version. Before it does, it speaks of the one before.
func (j *journal) begun(status v1alpha1.CanaryReleaseStatus) bool {
	return status.Revision != j.revision
}

// outcome says how the release of the pushed version ended.
func (j *journal) outcome(status v1alpha1.CanaryReleaseStatus) Outcome {
	switch {
	case !j.begun(status):
		return Running
	case status.Stage == stageRolledBack:
		return RolledBack
	case status.Stage == stageIdle && status.Revision == status.StableRevision:
		return Promoted
	}
	return Running
}

func (j *journal) seconds(at time.Time) float64 { return seconds(at.Sub(j.started)) }

// seconds to a tenth: finer than that the journal does not know.
func seconds(d time.Duration) float64 { return d.Round(100 * time.Millisecond).Seconds() }

func readyReason(status v1alpha1.CanaryReleaseStatus) string {
	if ready := meta.FindStatusCondition(status.Conditions, v1alpha1.ConditionReady); ready != nil {
		return ready.Reason
	}
	return ""
}

func readyMessage(status v1alpha1.CanaryReleaseStatus) string {
	if ready := meta.FindStatusCondition(status.Conditions, v1alpha1.ConditionReady); ready != nil {
		return ready.Message
	}
	return ""
}
