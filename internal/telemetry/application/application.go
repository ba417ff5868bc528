// Package application is the dialect of counters that an application exposes itself: its users give a selector of bad
// requests and one of all requests. The labels namespace and pod, which the scrape sets, tell the arms apart; a user
// cannot select anything outside the own pods. The package must not know how pods are found: the caller gives them.
package application

import (
	"errors"
	"fmt"
	"regexp"
	"time"

	"slipway.dev/slipway/internal/telemetry"
)

// presence is the series that Prometheus writes at each scrape of a target.
const presence = "up"

// Pair is what a user gives: a counter of bad requests, and one of all requests, the bad ones included.
type Pair struct {
	Bad, Total string
}

// Arms are the pods of both arms, in one namespace.
type Arms struct {
	Namespace      string
	Canary, Stable Pods
}

// Pods are the pods of an arm: those that are listed, and those whose name matches the pattern.
type Pods struct {
	Listed []Pod
	// Pattern is an RE2 pattern that matches whole names; empty for none.
	Pattern string
}

// Pod is a pod.
type Pod struct {
	Name string
	// Started is when its containers were started; zero if that is not known.
	Started time.Time
}

// Query makes a query for a pair of counters. Errors name the field of the pair.
func Query(p Pair, a Arms) (telemetry.Query, error) {
	bad, err := ParseSelector(p.Bad)
	if err != nil {
		return nil, fmt.Errorf("bad: %w", err)
	}
	total, err := ParseSelector(p.Total)
	if err != nil {
		return nil, fmt.Errorf("total: %w", err)
	}
	if a.Namespace == "" {
		return nil, errors.New("select pods: no namespace is given")
	}
	q := query{bad: bad, total: total, namespace: a.Namespace}
	if q.canary, err = newArm(a.Canary); err != nil {
		return nil, fmt.Errorf("select canary pods: %w", err)
	}
	if q.stable, err = newArm(a.Stable); err != nil {
		return nil, fmt.Errorf("select stable pods: %w", err)
	}
	return q, nil
}

// arm is Pods, ready to be asked.
type arm struct {
	started  map[string]time.Time
	pattern  *regexp.Regexp
	patterns []string
}

func newArm(p Pods) (arm, error) {
	a := arm{started: make(map[string]time.Time, len(p.Listed))}
	for _, pod := range p.Listed {
		if pod.Name == "" {
			return arm{}, errors.New("a pod has no name")
		}
		a.started[pod.Name] = pod.Started
		if p.Pattern == "" {
			a.patterns = append(a.patterns, regexp.QuoteMeta(pod.Name))
		}
	}
	if p.Pattern == "" {
		return a, nil
	}
	pattern, err := compile(p.Pattern)
	if err != nil {
		return arm{}, fmt.Errorf("pattern %q: %w", p.Pattern, err)
	}
	a.pattern = pattern
	a.patterns = append(a.patterns, "(?:"+p.Pattern+")")
	for name := range a.started {
		if !pattern.MatchString(name) {
			a.patterns = append(a.patterns, regexp.QuoteMeta(name))
		}
	}
	return a, nil
}

func (a arm) has(pod string) bool {
	_, ok := a.started[pod]
	return ok || a.pattern != nil && a.pattern.MatchString(pod)
}

// query counts two counters of an application's pods.
type query struct {
	bad, total     Selector
	namespace      string
	canary, stable arm
}

// Key leaves the pods out: each is a target of its own, so their coming and going changes nothing for the others.
func (q query) Key() string {
	return "application\n" + q.namespace + "\n" + q.bad.String() + "\n" + q.total.String()
}

func (q query) SlowerThan() telemetry.Boundary { return telemetry.Boundary{} }
func (q query) PodsUnknown() bool              { return false }

// Selector fetches the counters by name, with those conditions that both selectors share; Role applies the others. So
// releases with different selectors fit into one query.
func (q query) Selector([]string) telemetry.Selector {
	s := telemetry.Selector{
		Names:  []string{presence, q.bad.name, q.total.name},
		Route:  "namespace",
		Values: []string{q.namespace},
		Match:  map[string][]string{"pod": append(append([]string{}, q.canary.patterns...), q.stable.patterns...)},
	}
	for _, m := range q.bad.matchers {
		b, inBad := q.bad.equal(m.label)
		t, inTotal := q.total.equal(m.label)
		if inBad && inTotal {
			// The series of presence does not have the label.
			s.Match[m.label] = []string{"", regexp.QuoteMeta(b), regexp.QuoteMeta(t)}
		}
	}
	return s
}

func (q query) Role(l telemetry.Labels) (telemetry.Role, bool) {
	if l["namespace"] != q.namespace || l["pod"] == "" {
		return telemetry.Role{}, false
	}
	part, ok := q.part(l)
	if !ok {
		return telemetry.Role{}, false
	}
	role := q.arm(l["pod"])
	role.Part = part
	role.Pod = l["pod"]
	role.Target = l["job"] + "\xff" + l["instance"] + "\xff" + l["pod"]
	role.Subjects = []string{"pod " + l["namespace"] + "/" + l["pod"]}
	return role, role.Arm != telemetry.UnknownArm || role.Refused != ""
}

func (q query) part(l telemetry.Labels) (telemetry.Part, bool) {
	if l[telemetry.NameLabel] == presence {
		return telemetry.Presence, true
	}
	bad, total := q.bad.matches(l), q.total.matches(l)
	switch {
	case bad && total:
		return telemetry.RequestsAndBad, true
	case bad:
		return telemetry.Bad, true
	}
	return telemetry.Requests, total
}

func (q query) arm(pod string) telemetry.Role {
	canary, stable := q.canary.has(pod), q.stable.has(pod)
	switch {
	case canary && stable:
		return telemetry.Role{Refused: "a pod is in both arms"}
	case canary:
		return telemetry.Role{Arm: telemetry.Canary, Started: q.canary.started[pod]}
	case stable:
		return telemetry.Role{Arm: telemetry.Stable, Started: q.stable.started[pod]}
	}
	return telemetry.Role{}
}
