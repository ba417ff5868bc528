package retrylint

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// CallsAnnotation on a Service names the Services that its pods call, separated by commas: <name>, in the same namespace,
// or <namespace>/<name>.
const CallsAnnotation = "slipway.dev/calls"

// maxPaths bounds what one look at a cluster costs.
const maxPaths = 10_000

// Service is a Service by namespace and name.
type Service struct{ Namespace, Name string }

// String is <namespace>/<name>.
func (s Service) String() string { return s.Namespace + "/" + s.Name }

func (s Service) compare(o Service) int { return strings.Compare(s.String(), o.String()) }

// namePattern is what Kubernetes takes for the names of Services and namespaces.
var namePattern = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$`)

// ParseCalls reads the annotation of a Service.
func ParseCalls(of Service, value string) ([]Service, error) {
	var calls []Service
	for word := range strings.SplitSeq(value, ",") {
		word = strings.TrimSpace(word)
		if word == "" && strings.TrimSpace(value) == "" {
			continue
		}
		called := Service{Namespace: of.Namespace, Name: word}
		if namespace, name, ok := strings.Cut(word, "/"); ok {
			called = Service{Namespace: namespace, Name: name}
		}
		if !namePattern.MatchString(called.Name) || !namePattern.MatchString(called.Namespace) {
			return nil, fmt.Errorf("annotation %s of Service %s: %q is no Service: write <name> or <namespace>/<name>, separated by commas", CallsAnnotation, of, word)
		}
		if called == of {
			return nil, fmt.Errorf("annotation %s of Service %s names the Service itself", CallsAnnotation, of)
		}
		calls = append(calls, called)
	}
	slices.SortFunc(calls, Service.compare)
	return slices.Compact(calls), nil
}

// Call is a way from one Service to another, or, with the zero value in From, from a gateway.
type Call struct {
	From Service
	// Gateway is the gateway's name; empty for a call between Services.
	Gateway string
	To      Service
}

func (c Call) name() string {
	if c.Gateway != "" {
		return fmt.Sprintf("gateway %s to %s", c.Gateway, c.To)
	}
	return fmt.Sprintf("calls of %s to %s", c.From, c.To)
}

// Graph is who calls whom.
type Graph struct {
	calls    map[Service][]Service
	gateways []Call
	policies map[Call]Policy
	present  map[Service]bool
}

// Node is a Service with its annotation.
type Node struct {
	Service Service
	// Calls is the value of the annotation; empty for none.
	Calls string
}

// Entry is a route of a gateway to a Service.
type Entry struct {
	Gateway string
	To      Service
}

// Known is what a proxy does with the calls of a way.
type Known struct {
	Call   Call
	Policy Policy
}

// Build makes the graph of the annotations of Services, the routes of gateways and the policies that are in force, those
// that a data plane has by itself included. A way without a policy among known counts 1. Every annotation that cannot be
// read is in the error; the graph has the others.
func Build(nodes []Node, entries []Entry, known []Known) (Graph, error) {
	g := Graph{calls: map[Service][]Service{}, policies: map[Call]Policy{}, present: map[Service]bool{}}
	var problems []error
	for _, n := range nodes {
		g.present[n.Service] = true
		calls, err := ParseCalls(n.Service, n.Calls)
		if err != nil {
			problems = append(problems, err)
		}
		if len(calls) > 0 {
			g.calls[n.Service] = calls
		}
	}
	for _, e := range entries {
		g.gateways = append(g.gateways, Call{Gateway: e.Gateway, To: e.To})
	}
	slices.SortFunc(g.gateways, func(a, b Call) int { return strings.Compare(a.name(), b.name()) })
	g.gateways = slices.Compact(g.gateways)
	for _, k := range known {
		g.policies[k.Call] = k.Policy
	}
	slices.SortFunc(problems, func(a, b error) int { return strings.Compare(a.Error(), b.Error()) })
	return g, errors.Join(problems...)
}

// Missing are the Services that annotations name and that do not exist, sorted.
func (g Graph) Missing() []Service {
	var missing []Service
	for _, calls := range g.calls {
		for _, called := range calls {
			if !g.present[called] {
				missing = append(missing, called)
			}
		}
	}
	slices.SortFunc(missing, Service.compare)
	return slices.Compact(missing)
}

// CycleError names Services that call each other in a circle.
type CycleError struct{ Services []Service }

// Error names them in the order in which they call.
func (e *CycleError) Error() string {
	return fmt.Sprintf("annotations %s form a circle: %s: take one of the calls out; what comes back asynchronously is no call", CallsAnnotation, arrows(e.Services))
}

// LongPathError says that a path has more hops than are looked at.
type LongPathError struct{ Path string }

// Error names the path.
func (e *LongPathError) Error() string {
	return fmt.Sprintf("a path has more than %d hops: %s: only shorter ones are looked at", MaxHops, e.Path)
}

// ErrTooManyPaths says that the annotations make more paths than are looked at.
var ErrTooManyPaths = fmt.Errorf("annotations %s make more than %d paths: name only calls that a request waits for", CallsAnnotation, maxPaths)

func arrows(services []Service) string {
	names := make([]string, len(services))
	for i, s := range services {
		names[i] = s.String()
	}
	return strings.Join(names, " → ")
}

// Path is a way of requests from where they come in to a Service at which something fails.
type Path struct {
	Hops []Hop
	// End is that Service.
	End Service
}

// Paths are all ways from a gateway, or from a Service that nobody calls, to each Service that is called. They are in
// the order of their names.
func (g Graph) Paths() ([]Path, error) {
	if cycle := g.cycle(); cycle != nil {
		return nil, &CycleError{Services: cycle}
	}
	w := walk{graph: g}
	for _, entry := range g.gateways {
		if err := w.step(entry, nil); err != nil {
			return nil, err
		}
	}
	for _, root := range g.roots() {
		for _, called := range g.calls[root] {
			if err := w.step(Call{From: root, To: called}, nil); err != nil {
				return nil, err
			}
		}
	}
	return w.paths, nil
}

// roots are the Services that call others and that neither a Service nor a gateway calls.
func (g Graph) roots() []Service {
	called := map[Service]bool{}
	for _, calls := range g.calls {
		for _, c := range calls {
			called[c] = true
		}
	}
	for _, entry := range g.gateways {
		called[entry.To] = true
	}
	var roots []Service
	for s := range g.calls {
		if !called[s] {
			roots = append(roots, s)
		}
	}
	slices.SortFunc(roots, Service.compare)
	return roots
}

type walk struct {
	graph Graph
	paths []Path
}

// step goes one call further and notes each way that ends where something is called.
func (w *walk) step(call Call, before []Hop) error {
	policy, known := w.graph.policies[call]
	hops := append(slices.Clone(before), Hop{Name: call.name(), Known: known, Policy: policy})
	if len(hops) > MaxHops {
		return &LongPathError{Path: hopNames(hops)}
	}
	if len(w.paths) >= maxPaths {
		return ErrTooManyPaths
	}
	w.paths = append(w.paths, Path{Hops: hops, End: call.To})
	for _, called := range w.graph.calls[call.To] {
		if err := w.step(Call{From: call.To, To: called}, hops); err != nil {
			return err
		}
	}
	return nil
}

func hopNames(hops []Hop) string {
	names := make([]string, len(hops))
	for i, h := range hops {
		names[i] = h.Name
	}
	return strings.Join(names, ", ")
}

// cycle is a circle of calls, beginning and ending with its first Service by name; nil for none. It is the same for the
// same graph.
func (g Graph) cycle() []Service {
	state := map[Service]int{} // 1: on the way, 2: done
	var way, found []Service
	var visit func(Service) bool
	visit = func(s Service) bool {
		state[s] = 1
		way = append(way, s)
		for _, called := range g.calls[s] {
			if state[called] == 1 {
				found = slices.Clone(way[slices.Index(way, called):])
				return true
			}
			if state[called] == 0 && visit(called) {
				return true
			}
		}
		state[s], way = 2, way[:len(way)-1]
		return false
	}
	all := make([]Service, 0, len(g.calls))
	for s := range g.calls {
		all = append(all, s)
	}
	slices.SortFunc(all, Service.compare)
	for _, s := range all {
		if state[s] == 0 && visit(s) {
			first := slices.Index(found, slices.MinFunc(found, Service.compare))
			found = append(slices.Clone(found[first:]), found[:first]...)
			return append(found, found[0])
		}
	}
	return nil
}
