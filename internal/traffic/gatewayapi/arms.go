package gatewayapi

import (
	"fmt"
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/labels"

	"slipway.dev/slipway/internal/traffic"
)

// ClassFacts is what serves a route, by what its parents' classes say.
type ClassFacts struct {
	Parents []ParentFacts
	// ServiceLabels are the labels of Services by name, for data planes that treat Services by label.
	ServiceLabels map[string]map[string]string
}

// ParentFacts is one parent of a route.
type ParentFacts struct {
	// Parent names the parent as messages do.
	Parent string
	// Controller is the controllerName of the data plane; empty when the parent or its class does not exist.
	Controller string
	// MergeBackends is set when Envoy Gateway makes one cluster of each backend; the selector says of which, nil of all.
	MergeBackends bool
	Selector      *metav1.LabelSelector
}

// Controllers are the controllerNames of all parents, sorted, each once.
func (f ClassFacts) Controllers() []string {
	var out []string
	for _, p := range f.Parents {
		if p.Controller != "" {
			out = append(out, p.Controller)
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// Arms says in which Envoy clusters the traffic of each backend of a split is counted.
type Arms struct {
	// Clusters are the values of envoy_cluster_name for each backend, sorted. A backend may have several: one for each
	// rule, and the one that the data plane falls back to. Nil when the arms cannot be told apart.
	Clusters map[string][]string
	// Why says why they cannot be told apart and what to do about it; empty when they can.
	Why string
}

const threeWays = "set spec.mergeBackends in the EnvoyProxy of its class or Gateway; or put a filter on the backendRef of Service %s and leave " +
	"it there, so that the canary's backendRef has it too; or measure the application by pod, with counts in analysis.metrics"

// ArmsOf says in which clusters of Envoy Gateway the backends of a split are counted on a route.
func ArmsOf(route *unstructured.Unstructured, split traffic.Split, facts ClassFacts) Arms {
	if why := foreign(facts); why != "" {
		return Arms{Why: why}
	}
	names := armNames(route, split)
	clusters := map[string][]string{}
	found := false
	for i, rule := range rulesOf(route) {
		refs := refsOf(rule)
		if !sendsTo(route, refs, ruleID{i, text(rule, "name")}, split) {
			continue
		}
		found = true
		filtered := slices.ContainsFunc(refs, hasFilters)
		if !filtered && !mergesAll(facts, names) {
			return Arms{Why: fmt.Sprintf("Envoy Gateway counts all backends of rule %d of HTTPRoute %s together: "+threeWays, i, route.GetName(), split.Service)}
		}
		addClusters(clusters, route, i, refs, names)
	}
	if !found {
		return Arms{Why: fmt.Sprintf("no rule of HTTPRoute %s sends to Service %s", route.GetName(), split.Service)}
	}
	for name := range clusters {
		slices.Sort(clusters[name])
		clusters[name] = slices.Compact(clusters[name])
	}
	return Arms{Clusters: clusters}
}

// foreign says why clusters are not known when something other than Envoy Gateway serves the route.
func foreign(facts ClassFacts) string {
	controllers := facts.Controllers()
	switch {
	case len(controllers) == 0:
		return "no data plane serves the route"
	case len(controllers) > 1 || controllers[0] != EnvoyGateway:
		return fmt.Sprintf("the clusters of data plane %s are not known: measure the application by pod, with counts in analysis.metrics",
			strings.Join(controllers, ", "))
	}
	return ""
}

func armNames(route *unstructured.Unstructured, split traffic.Split) []string {
	names := []string{split.Service}
	for _, s := range append(Carried(route), split) {
		if s.Service != split.Service {
			continue
		}
		for _, b := range s.Backends {
			names = append(names, b.Name)
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

func sendsTo(route *unstructured.Unstructured, refs []backendRef, at ruleID, split traffic.Split) bool {
	if split.SectionName != "" && split.SectionName != at.name {
		return false
	}
	return slices.ContainsFunc(refs, func(r backendRef) bool { return r.isService(split.Service, route.GetNamespace()) })
}

func hasFilters(ref backendRef) bool {
	filters, _ := ref["filters"].([]any)
	return len(filters) > 0
}

// mergesAll says whether every parent makes a cluster of each of the Services. Where the selector leaves one of them
// out, the rule's backends share a cluster.
func mergesAll(facts ClassFacts, services []string) bool {
	for _, p := range facts.Parents {
		if p.Controller == "" {
			continue
		}
		if !p.MergeBackends {
			return false
		}
		selector, err := metav1.LabelSelectorAsSelector(p.Selector)
		if err != nil {
			return false
		}
		for _, name := range services {
			if p.Selector != nil && !selector.Matches(labels.Set(facts.ServiceLabels[name])) {
				return false
			}
		}
	}
	return true
}

// addClusters names the clusters of one rule. A merged backend has a cluster of its own name, and falls back to the one
// of its place in the rule, for instance while it has no endpoints; with a filter of its own it always has the latter.
// What is not in the rule yet will be at its end, as a copy of a backendRef that is.
func addClusters(clusters map[string][]string, route *unstructured.Unstructured, rule int, refs []backendRef, names []string) {
	namespace := route.GetNamespace()
	next := len(refs)
	seen := map[string]bool{}
	port, copiesFiltered := any(nil), false
	for j, ref := range refs {
		if !slices.Contains(names, ref.name()) || !ref.isService(ref.name(), namespace) {
			continue
		}
		seen[ref.name()], port, copiesFiltered = true, ref["port"], hasFilters(ref)
		addCluster(clusters, ref.name(), clusterPlace{route, rule, j, ref["port"]}, hasFilters(ref))
	}
	for _, name := range names {
		if !seen[name] {
			addCluster(clusters, name, clusterPlace{route, rule, next, port}, copiesFiltered)
			next++
		}
	}
}

type clusterPlace struct {
	route   *unstructured.Unstructured
	rule    int
	backend int
	port    any
}

func addCluster(clusters map[string][]string, name string, at clusterPlace, filtered bool) {
	namespace := at.route.GetNamespace()
	clusters[name] = append(clusters[name], fmt.Sprintf("httproute/%s/%s/rule/%d/backend/%d", namespace, at.route.GetName(), at.rule, at.backend))
	if !filtered {
		clusters[name] = append(clusters[name], fmt.Sprintf("service/%s/%s/%v/http", namespace, name, at.port))
	}
}
