// Package counters makes queries for data planes whose counters carry the name of the backend in their labels. It must
// not know any of them: a Schema says in which labels what stands.
package counters

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"slipway.dev/slipway/internal/telemetry"
)

// Schema says how a data plane labels its metrics. It is plain data.
type Schema struct {
	// Plane and View are for messages and for the identity of a query.
	Plane string
	View  telemetry.View
	// Requests are the counters of requests, Histograms the histograms of their times without _count and _bucket. Those
	// of several names are added up.
	Requests, Histograms []string
	// Unit and UnitName are those of a histogram's boundaries.
	Unit     time.Duration
	UnitName string
	// Backend are the labels whose values, joined by slashes, are the name of a backend. Series are fetched by the last.
	Backend []string
	// Pattern, where a name is only a part of the label's value, is an RE2 pattern of the whole value with %s for the name.
	Pattern string
	// Where are labels and the values that a series may have; an empty value stands for no such label.
	Where map[string][]string
	// Bad says which series count bad requests, Ignored which count no requests at all.
	Bad, Ignored []Condition
	// PerPod says that what is scraped is a pod of one arm; otherwise it is a proxy, or an agent, that tells about both.
	PerPod bool
}

// Condition holds for a series whose label begins with Prefix or is one of Values. With neither, it holds for any value
// but an empty one.
type Condition struct {
	Label  string
	Prefix string
	Values []string
}

func (c Condition) holds(l telemetry.Labels) bool {
	v := l[c.Label]
	switch {
	case v == "":
		return false
	case c.Prefix == "" && len(c.Values) == 0:
		return true
	}
	return c.Prefix != "" && strings.HasPrefix(v, c.Prefix) || slices.Contains(c.Values, v)
}

func anyHolds(conditions []Condition, l telemetry.Labels) bool {
	return slices.ContainsFunc(conditions, func(c Condition) bool { return c.holds(l) })
}

// Query makes the query for a signal.
func (s Schema) Query(a telemetry.Ask) (telemetry.Query, error) {
	arms, err := s.assign(a)
	if err != nil {
		return nil, fmt.Errorf("query %s for signal %s: %w", s.Plane, a.Signal, err)
	}
	switch {
	case a.Signal == telemetry.Errors && len(s.Requests) > 0:
		return errorsQuery{schema: s, arms: arms}, nil
	case a.Signal == telemetry.Latency && len(s.Histograms) > 0:
		if a.SlowerThan <= 0 {
			return nil, fmt.Errorf("query %s for signal %s: slowerThan is %s, but must be more than 0", s.Plane, a.Signal, a.SlowerThan)
		}
		return latencyQuery{schema: s, arms: arms, slowerThan: a.SlowerThan}, nil
	}
	return nil, &telemetry.UnsupportedError{Dialect: s.Plane, Missing: a.Signal.String()}
}

// arms are the backends' names, sorted, and what they stand for.
type arms []arm

type arm struct {
	name string
	arm  telemetry.Arm
	// pattern is nil where names are whole values.
	pattern *regexp.Regexp
}

func (s Schema) assign(a telemetry.Ask) (arms, error) {
	if len(a.Canary) == 0 || len(a.Stable) == 0 {
		return nil, errors.New("each arm needs the name of at least one backend")
	}
	of := map[string]telemetry.Arm{}
	for _, name := range a.Canary {
		of[name] = telemetry.Canary
	}
	for _, name := range a.Stable {
		if of[name] == telemetry.Canary {
			return nil, fmt.Errorf("backend %q serves both arms, so that they cannot be told apart", name)
		}
		of[name] = telemetry.Stable
	}
	var all arms
	for name, side := range of {
		if strings.Count(name, "/") != len(s.Backend)-1 || slices.Contains(strings.Split(name, "/"), "") {
			return nil, fmt.Errorf("backend %q is not named by %s", name, strings.Join(s.Backend, "/"))
		}
		one := arm{name: name, arm: side}
		if s.Pattern != "" {
			one.pattern = regexp.MustCompile("^(?s:" + s.pattern(name) + ")$")
		}
		all = append(all, one)
	}
	slices.SortFunc(all, func(a, b arm) int { return strings.Compare(a.name, b.name) })
	return all, nil
}

func (s Schema) pattern(name string) string {
	return strings.ReplaceAll(s.Pattern, "%s", regexp.QuoteMeta(name))
}

func (a arms) key() string {
	var b strings.Builder
	for _, one := range a {
		fmt.Fprintf(&b, "%s=%s\n", one.name, one.arm)
	}
	return b.String()
}

// of says to which arm a series belongs. With patterns, a series can match both; then nobody can say.
func (a arms) of(name string) (found telemetry.Arm, both bool) {
	for _, one := range a {
		if one.name != name && (one.pattern == nil || !one.pattern.MatchString(name)) {
			continue
		}
		if found != telemetry.UnknownArm && found != one.arm {
			return telemetry.UnknownArm, true
		}
		found = one.arm
	}
	return found, false
}

// selector fetches the series of the arms.
func (s Schema) selector(names []string, all arms) telemetry.Selector {
	sel := telemetry.Selector{Names: names, Match: map[string][]string{}}
	for label, values := range s.Where {
		for _, v := range values {
			sel.Match[label] = append(sel.Match[label], regexp.QuoteMeta(v))
		}
	}
	last := len(s.Backend) - 1
	sel.Route = s.Backend[last]
	for _, one := range all {
		parts := strings.Split(one.name, "/")
		for i, label := range s.Backend[:last] {
			sel.Match[label] = append(sel.Match[label], regexp.QuoteMeta(parts[i]))
		}
		if s.Pattern != "" {
			sel.Match[sel.Route] = append(sel.Match[sel.Route], s.pattern(one.name))
		} else {
			sel.Values = append(sel.Values, parts[last])
		}
	}
	if s.Pattern != "" {
		// No label has a value that is known before, so that the metric's name is all that an answer can be told by.
		sel.Route, sel.Values = telemetry.NameLabel, names
	}
	return sel
}

// role is what all series have in common; false for one that is not of the arms.
func (s Schema) role(l telemetry.Labels, all arms) (telemetry.Role, bool) {
	for label, values := range s.Where {
		if !slices.Contains(values, l[label]) {
			return telemetry.Role{}, false
		}
	}
	if anyHolds(s.Ignored, l) {
		return telemetry.Role{}, false
	}
	parts := make([]string, len(s.Backend))
	for i, label := range s.Backend {
		parts[i] = l[label]
	}
	side, both := all.of(strings.Join(parts, "/"))
	role := telemetry.Role{Arm: side, BothArms: !s.PerPod, Target: target(l), Subjects: telemetry.ScrapedSubjects(l)}
	if both {
		role.Refused = "a series counts for both arms: " + strings.Join(parts, "/")
	}
	if s.PerPod {
		role.Pod = pod(l)
	}
	return role, both || side != telemetry.UnknownArm
}

// scraped are the labels that a scrape sets, and those by which replicas of Prometheus tell their samples apart. Whatever
// else is on a series comes from the data plane, which may be told to add more.
var scraped = []string{"job", "instance", "namespace", "pod", "cluster", "prometheus", "prometheus_replica", "replica"}

func target(l telemetry.Labels) string {
	var b strings.Builder
	for _, label := range scraped {
		b.WriteString(l[label])
		b.WriteByte(0xff)
	}
	return b.String()
}

// pod names the pod; its address where no label does.
func pod(l telemetry.Labels) string {
	if l["pod"] != "" {
		return l["pod"]
	}
	return l["instance"]
}
