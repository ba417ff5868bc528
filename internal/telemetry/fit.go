package telemetry

import (
	"fmt"
	"slices"
	"strings"
)

// Problem is the kind of thing that stands against judging a release by a data plane's metrics.
type Problem string

// The problems.
const (
	// ArmsNotDisjoint means that a series would count for both arms, or for neither.
	ArmsNotDisjoint Problem = "ArmsNotDisjoint"
	// SignalNotMeasured means that the data plane does not measure a signal.
	SignalNotMeasured Problem = "SignalNotMeasured"
	// RetriesLeaveArm means that a try that failed on one arm may be repeated on the other.
	RetriesLeaveArm Problem = "RetriesLeaveArm"
	// AttemptsNotVisible means that requests are retried, and only their last answers are counted.
	AttemptsNotVisible Problem = "AttemptsNotVisible"
	// MirrorsNotVisible means that copies of requests are counted like live ones.
	MirrorsNotVisible Problem = "MirrorsNotVisible"
)

// Finding is a problem with what to do about it.
type Finding struct {
	Problem Problem
	// Refuses says that no release may be judged like this. Otherwise it is something to know.
	Refuses bool
	// Message is a sentence; it is the same for the same setup.
	Message string
}

// Setup is how a release would be measured on one route or mesh Service.
type Setup struct {
	Facts Facts
	// Canary and Stable are the names of the arms' backends.
	Canary, Stable []string
	// Signals are what the release is judged by.
	Signals []Signal
	// Retries says that a request may be tried more than once on the way, by a policy or by what the plane does unasked.
	Retries bool
	// RetriesChooseAnew says that this configuration chooses the backend anew for each try, although the plane can do
	// otherwise.
	RetriesChooseAnew bool
	// CanaryMirrored says that the canary gets copies of requests, CanaryLive that it gets live ones too.
	CanaryMirrored, CanaryLive bool
}

// Views are the views to ask for, by signal: of each try where requests are retried, for a retry would hide what a bad
// canary does.
func (s Setup) Views() map[Signal]View {
	views := map[Signal]View{}
	for _, signal := range s.Signals {
		has := s.Facts.Views(signal)
		switch {
		case s.Retries && slices.Contains(has, Attempts):
			views[signal] = Attempts
		case len(has) > 0:
			views[signal] = has[0]
		}
	}
	return views
}

// Fit says what stands against the setup, sorted. It is asked before a release starts and whenever a policy changes.
func Fit(s Setup) []Finding {
	findings := slices.Concat(s.arms(), s.measured(), s.retries(), s.mirrors())
	slices.SortFunc(findings, func(a, b Finding) int {
		if a.Refuses != b.Refuses {
			if a.Refuses {
				return -1
			}
			return 1
		}
		return strings.Compare(a.Message, b.Message)
	})
	return findings
}

// Refused are the findings that stand against a release.
func Refused(findings []Finding) []Finding {
	return slices.DeleteFunc(slices.Clone(findings), func(f Finding) bool { return !f.Refuses })
}

func (s Setup) finding(p Problem, refuses bool, format string, args ...any) []Finding {
	return []Finding{{Problem: p, Refuses: refuses, Message: s.Facts.Plane + ": " + fmt.Sprintf(format, args...)}}
}

func (s Setup) arms() []Finding {
	if len(s.Canary) == 0 || len(s.Stable) == 0 {
		return s.finding(ArmsNotDisjoint, true, "one of the arms has no series of its own (labels %s)", strings.Join(s.Facts.Arms, ", "))
	}
	var shared []string
	for _, name := range s.Canary {
		if slices.Contains(s.Stable, name) {
			shared = append(shared, name)
		}
	}
	slices.Sort(shared)
	if len(shared) == 0 {
		return nil
	}
	return s.finding(ArmsNotDisjoint, true, "%s counts for both arms: give each a Service of its own, or measure the application by pod, with counts in analysis.metrics",
		strings.Join(slices.Compact(shared), ", "))
}

func (s Setup) measured() []Finding {
	var findings []Finding
	for _, signal := range s.Signals {
		if len(s.Facts.Views(signal)) == 0 {
			findings = append(findings, s.finding(SignalNotMeasured, true, "there is no signal %s: take the metric out, or measure the application by pod, with counts in analysis.metrics", signal)...)
		}
	}
	return findings
}

// retries are dangerous where only last answers are counted. Where each try counts for the arm that it was sent to, one
// that leaves its arm hides nothing; the arms' shares are a little off then, which is worth knowing.
func (s Setup) retries() []Finding {
	if !s.Retries {
		return nil
	}
	var findings []Finding
	for _, signal := range s.Signals {
		if hidden := s.hidden(signal); hidden != "" {
			findings = append(findings, s.finding(AttemptsNotVisible, true,
				"requests are retried and %s, so that a retry would hide a bad canary: switch retries off for the release, or measure the application by pod, with counts in analysis.metrics", hidden)...)
		}
	}
	if !s.Facts.RetriesStay || s.RetriesChooseAnew {
		lost := slices.ContainsFunc(s.Signals, func(signal Signal) bool { return s.Views()[signal] == AfterRetries })
		way := "each try counts for the arm that answered it, but the arms' shares will be off by what is retried"
		if lost {
			way = "the last answer counts for another arm than the failure: switch retries off for the release"
		}
		findings = append(findings, s.finding(RetriesLeaveArm, lost, "a retry may go to the other arm; %s", way)...)
	}
	if !s.Facts.Unreachable {
		findings = append(findings, s.finding(AttemptsNotVisible, false,
			"a try that reaches no pod is not counted, so that a canary that cannot be connected to shows only as traffic that is missing")...)
	}
	return findings
}

// hidden says what of a signal is not seen when requests are retried; empty when all of it is.
func (s Setup) hidden(signal Signal) string {
	for _, c := range s.Facts.Counted {
		if c.Signal == signal && (c.View == Attempts || c.CoversTries) {
			return ""
		}
	}
	if len(s.Facts.Views(signal)) == 0 {
		return "" // said by measured
	}
	return fmt.Sprintf("signal %s counts last answers only", signal)
}

func (s Setup) mirrors() []Finding {
	switch {
	case !s.CanaryMirrored || s.Facts.Mirrors == MirrorsApart:
		return nil
	case s.Facts.Mirrors == MirrorsNever:
		return s.finding(MirrorsNotVisible, true, "it cannot copy requests, so that there is nothing to judge")
	case s.CanaryLive:
		return s.finding(MirrorsNotVisible, true, "copies of requests are counted like live ones, and the canary gets both: mirror in a step of its own, with weight 0")
	}
	return s.finding(MirrorsNotVisible, false, "what is counted for the canary are copies of requests: nobody waits for their answers")
}
