package main

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// Ended is how the release of one version went.
type Ended struct {
	Version string  `json:"version"`
	Outcome Outcome `json:"outcome"`
	Reason  string  `json:"reason"`
	Message string  `json:"message"`
	// TookSeconds is from the user's change to the end of the release.
	TookSeconds float64 `json:"tookSeconds"`
}

// Harm is what users had of the bad version.
type Harm struct {
	Answered  int64 `json:"answered"`
	UsersHurt int64 `json:"usersHurt"`
	// HadUsersSeconds is from its first answer to its last.
	HadUsersSeconds float64 `json:"hadUsersSeconds"`
	// HurtUsersSeconds is from its first bad answer to its last.
	HurtUsersSeconds float64 `json:"hurtUsersSeconds"`
}

// Phase is a part of the demo and how long it took.
type Phase struct {
	Name    string  `json:"name"`
	Seconds float64 `json:"seconds"`
}

// Summary is what the demo ends with, in the terminal and as JSON.
type Summary struct {
	Passed        bool              `json:"passed"`
	Faults        []string          `json:"faults"`
	StartedAt     time.Time         `json:"startedAt"`
	Phases        []Phase           `json:"phases"`
	Timeline      []Entry           `json:"timeline"`
	RatePerSecond int64             `json:"ratePerSecond"`
	Requests      counts            `json:"requests"`
	Versions      map[string]counts `json:"versions"`
	Good          Ended             `json:"good"`
	Bad           Ended             `json:"bad"`
	Harm          Harm              `json:"harm"`
	RouteRestored bool              `json:"routeRestored"`
	Switching     []failure         `json:"failuresBySwitching"`
}

// count takes over what users saw.
func (s *Summary) count(load stats) {
	all := load.since(steadySection)
	s.RatePerSecond, s.Requests, s.Versions = load.RatePerSecond, all.counts, all.Versions
	s.Switching = []failure{}
	if s.Requests.FailedBySwitching > 0 {
		s.Switching = load.Switching.Recent
	}
	s.Harm = harmOf(load.Versions[s.Bad.Version])
}

func harmOf(bad versionStats) Harm {
	harm := Harm{Answered: bad.Requests, UsersHurt: bad.FailedByApplication, HadUsersSeconds: seconds(bad.LastAt.Sub(bad.FirstAt))}
	if bad.FirstBadAt != nil && bad.LastBadAt != nil {
		harm.HurtUsersSeconds = seconds(bad.LastBadAt.Sub(*bad.FirstBadAt))
	}
	return harm
}

func joined(failures []failure) string {
	parts := make([]string, 0, len(failures))
	for _, f := range failures {
		parts = append(parts, fmt.Sprintf("%s code %d %s", f.At.UTC().Format(time.TimeOnly), f.Code, f.Cause))
	}
	return strings.Join(parts, "; ")
}

// harmReasons are the reasons by which a version that answers with errors may be rolled back.
var harmReasons = []string{"HarmProven", "LimitExceeded"}

// judge finds what did not go as it should.
func (s *Summary) judge() {
	s.Faults = []string{}
	fault := func(wrong bool, format string, args ...any) {
		if wrong {
			s.Faults = append(s.Faults, fmt.Sprintf(format, args...))
		}
	}
	fault(s.Good.Outcome != Promoted || s.Good.Reason != "Promoted",
		"%s is good and was not promoted by evidence: outcome %q, reason %q: %s", s.Good.Version, s.Good.Outcome, s.Good.Reason, s.Good.Message)
	fault(s.Bad.Outcome != RolledBack || !slices.Contains(harmReasons, s.Bad.Reason),
		"%s is bad and was not rolled back for harm: outcome %q, reason %q: %s", s.Bad.Version, s.Bad.Outcome, s.Bad.Reason, s.Bad.Message)
	fault(s.Requests.Requests == 0, "no request was counted")
	fault(s.Requests.FailedBySwitching > 0, "%d of %d requests failed by switching, the last of them: %s", s.Requests.FailedBySwitching, s.Requests.Requests, joined(s.Switching))
	for _, version := range slices.Sorted(maps.Keys(s.Versions)) {
		failed := s.Versions[version].FailedByApplication
		fault(version != s.Bad.Version && failed > 0, "%d requests failed in %s, which is a good version", failed, version)
	}
	fault(!s.RouteRestored, "the route is not what its user wrote")
	s.Passed = len(s.Faults) == 0
}

// text is the summary for people.
func (s *Summary) text() string {
	var b strings.Builder
	say := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	say("What happened (seconds since every request was answered)")
	for _, e := range s.Timeline {
		line := fmt.Sprintf("  %7.1f  %-3s %-19s %-5s %-5s %s", e.AtSeconds, e.Version, e.Stage, e.Step, e.Weight, e.Reason)
		say("%s", strings.TrimRight(line, " "))
	}
	say("\nWhat users saw")
	say("  %d requests at %d per second: %d failed by the application, %d by switching",
		s.Requests.Requests, s.RatePerSecond, s.Requests.FailedByApplication, s.Requests.FailedBySwitching)
	for _, version := range slices.Sorted(maps.Keys(s.Versions)) {
		say("  %s: %s", version, arm{version, s.Versions[version]}.text())
	}
	say("\nThe good version %s: %s after %.0f s", s.Good.Version, s.Good.Outcome, s.Good.TookSeconds)
	say("  %s", strings.Join(wrap(s.Good.Message, 2*lineWidth), "\n  "))
	say("The bad version %s: %s after %.0f s, %s", s.Bad.Version, s.Bad.Outcome, s.Bad.TookSeconds, s.Bad.Reason)
	say("  %s", strings.Join(wrap(s.Bad.Message, 2*lineWidth), "\n  "))
	say("  It had users for %.1f s, with %.1f s from the first bad answer to the last, and hurt %d users of %d that it answered.",
		s.Harm.HadUsersSeconds, s.Harm.HurtUsersSeconds, s.Harm.UsersHurt, s.Harm.Answered)
	say("The route is %s.", map[bool]string{true: "what its user wrote", false: "NOT what its user wrote"}[s.RouteRestored])
	say("\nHow long it took")
	for _, p := range s.Phases {
		say("  %6.1f s  %s", p.Seconds, p.Name)
	}
	if s.Passed {
		say("\nBoth went as they should.")
		return b.String()
	}
	say("\nNot as it should be:")
	for _, f := range s.Faults {
		say("  - %s", f)
	}
	return b.String()
}

func (s *Summary) write(path string) error {
	text, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return fmt.Errorf("write the summary: %w", err)
	}
	if err := os.WriteFile(path, append(text, '\n'), 0o644); err != nil {
		return fmt.Errorf("write the summary: %w", err)
	}
	return nil
}
