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

// Pair is what a user gives: a counter of bad requests, or of what is good, and one of all requests, those included.
type Pair struct {
	Bad, Good, Total string
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
	field, text := "bad", p.Bad
	if p.Good != "" {
		field, text = "good", p.Good
	}
	bad, err := ParseSelector(text)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", field, err)
	}
	total, err := ParseSelector(p.Total)
	if err != nil {
		return nil, fmt.Errorf("total: %w", err)
	}
	pods, err := newPods(a)
	if err != nil {
		return nil, err
	}
	return query{bad: bad, total: total, pods: pods}, nil
}

// pods are both arms, ready to be asked.
type pods struct {
	namespace      string
	canary, stable arm
}

func newPods(a Arms) (pods, error) {
	if a.Namespace == "" {
		return pods{}, errors.New("select pods: no namespace is given")
	}
	p := pods{namespace: a.Namespace}
	var err error
	if p.canary, err = newArm(a.Canary); err != nil {
		return p, fmt.Errorf("select canary pods: %w", err)
	}
	if p.stable, err = newArm(a.Stable); err != nil {
		return p, fmt.Errorf("select stable pods: %w", err)
	}
	return p, nil
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
	bad, total Selector
	pods
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
	s := q.fetch(q.bad.name, q.total.name)
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
	part, ok := q.part(l)
	return q.role(l, part, ok)
}

// fetch selects series of the arms' pods by name, with the presence of their targets.
func (p pods) fetch(names ...string) telemetry.Selector {
	return telemetry.Selector{
		Names:  append([]string{presence}, names...),
		Route:  "namespace",
		Values: []string{p.namespace},
		Match:  map[string][]string{"pod": append(append([]string{}, p.canary.patterns...), p.stable.patterns...)},
	}
}

// role is what a series of a pod means, if it is one of the metric's and of the arms'.
func (p pods) role(l telemetry.Labels, part telemetry.Part, ours bool) (telemetry.Role, bool) {
	if !ours || l["namespace"] != p.namespace || l["pod"] == "" {
		return telemetry.Role{}, false
	}
	role := p.arm(l["pod"])
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

func (p pods) arm(pod string) telemetry.Role {
	canary, stable := p.canary.has(pod), p.stable.has(pod)
	switch {
	case canary && stable:
		return telemetry.Role{Refused: "a pod is in both arms"}
	case canary:
		return telemetry.Role{Arm: telemetry.Canary, Started: p.canary.started[pod]}
	case stable:
		return telemetry.Role{Arm: telemetry.Stable, Started: p.stable.started[pod]}
	}
	return telemetry.Role{}
}
