package main

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"slipway.dev/slipway/api/v1alpha1"
)

// lineWidth is where messages are broken: a terminal of the usual width shows a whole line.
const lineWidth = 78

// scene is all that the live view shows. It is drawn by lines and line, which read nothing else.
type scene struct {
	now       time.Time
	started   time.Time
	version   string
	steps     []int32 // weights in percent
	begun     bool    // the operator speaks of this version
	status    v1alpha1.CanaryReleaseStatus
	load      stats
	perSecond float64
}

func (s *scene) see(status v1alpha1.CanaryReleaseStatus, begun bool) {
	s.status, s.begun = status, begun
}

// count takes over new counts; the rate is over the time between the two.
func (s *scene) count(have stats) {
	if between := have.At.Sub(s.load.At).Seconds(); !s.load.At.IsZero() && between > 0 {
		s.perSecond = float64(have.Total.Requests-s.load.Total.Requests) / between
	}
	s.load = have
}

// lines is the view on a terminal.
func (s *scene) lines() []string {
	all := s.load.since(steadySection)
	out := []string{
		"",
		fmt.Sprintf("  %-9s %s   after %s", "release", s.version, s.now.Sub(s.started).Truncate(time.Second)),
		fmt.Sprintf("  %-9s %s   weight %s   reason %s", "stage", s.stage(), cmp.Or(s.status.Weight, "0%"), s.reason()),
		fmt.Sprintf("  %-9s %s", "steps", s.progress()),
		fmt.Sprintf("  %-9s %.0f/s, %d so far; failed by the application: %d, by switching: %d",
			"requests", s.perSecond, all.Requests, all.FailedByApplication, all.FailedBySwitching),
	}
	for _, arm := range s.arms() {
		out = append(out, fmt.Sprintf("  %-9s %s", arm.name, arm.text()))
	}
	out = append(out, fmt.Sprintf("  %-9s %s", "evidence", s.evidence()))
	for i, part := range wrap(readyMessage(s.status), lineWidth) {
		out = append(out, fmt.Sprintf("  %-9s %s", map[bool]string{true: "message"}[i == 0], part))
	}
	return append(out, "")
}

// line is the view where nothing can be drawn over, such as the log of a build.
func (s *scene) line() string {
	parts := []string{fmt.Sprintf("%5.0fs %s %s %s weight %s, %s", s.now.Sub(s.started).Seconds(), s.version, s.stage(), s.status.Step, cmp.Or(s.status.Weight, "0%"), s.reason())}
	parts = append(parts, fmt.Sprintf("%.0f/s", s.perSecond))
	for _, arm := range s.arms() {
		parts = append(parts, arm.name+" "+arm.text())
	}
	return strings.Join(append(parts, s.evidence(), readyMessage(s.status)), " | ")
}

func (s *scene) stage() string {
	if !s.begun {
		return stagePushed
	}
	return s.status.Stage
}

func (s *scene) reason() string {
	if !s.begun {
		return "none: the operator has not seen it yet"
	}
	return readyReason(s.status)
}

func (s *scene) evidence() string {
	if !s.begun {
		return "none yet"
	}
	return cmp.Or(s.status.Evidence, "none yet")
}

// progress is the steps, those that are behind us, the present one and those that are to come.
func (s *scene) progress() string {
	present, _, _ := strings.Cut(s.status.Step, "/")
	at, err := strconv.Atoi(present)
	if err != nil {
		at = 0
	}
	parts := make([]string, 0, len(s.steps))
	for i, weight := range s.steps {
		text := fmt.Sprintf("%d%%", weight)
		switch {
		case i+1 < at:
			text += " done"
		case i+1 == at:
			text = "[" + text + "]"
		}
		parts = append(parts, text)
	}
	return strings.Join(parts, "   ")
}

// arm is what one version answered since this release began.
type arm struct {
	name string
	counts
}

func (a arm) text() string {
	share := 0.0
	if a.Requests > 0 {
		share = 100 * float64(a.FailedByApplication) / float64(a.Requests)
	}
	return fmt.Sprintf("%d answered, %d failed (%.2f%%)", a.Requests, a.FailedByApplication, share)
}

func (s *scene) arms() []arm {
	versions := s.load.since(s.version).Versions
	arms := make([]arm, 0, len(versions))
	for _, name := range slices.Sorted(maps.Keys(versions)) {
		arms = append(arms, arm{name, versions[name]})
	}
	return arms
}

// wrap breaks a text between words.
func wrap(text string, width int) []string {
	var lines []string
	line := ""
	for word := range strings.FieldsSeq(text) {
		if line != "" && len(line)+1+len(word) > width {
			lines, line = append(lines, line), ""
		}
		line = strings.TrimPrefix(line+" "+word, " ")
	}
	return append(lines, line)
}
