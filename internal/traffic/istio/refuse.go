package istio

import (
	"slices"
	"strings"

	"slipway.dev/slipway/internal/traffic"
)

// checkSplits refuses what the rule cannot say of the splits of its destinations.
func (e editor) checkSplits(own []map[string]any, at []*traffic.Split) error {
	for i, s := range at {
		if s == nil {
			continue
		}
		if err := e.checkProtocol(*s); err != nil {
			return err
		}
		if subset := text(mapOf(own[i], "destination"), "subset"); subset != "" {
			return traffic.Refused(traffic.Conflicted, "%s sends to subset %q of Service %s, and the canary is a Service of its own that has no such subset; leave subset out, or give the subset a Service",
				e.where(), subset, s.Service)
		}
		if s.Affinity == nil {
			continue
		}
		weights := ownWeights(own)
		for j := range own {
			if at[j] != s && weights[j] > 0 {
				return traffic.Refused(traffic.Conflicted, "affinity: %s also sends to %s, which would lose its users one by one; give Service %s a rule of its own, or take affinity out",
					e.where(), text(mapOf(own[j], "destination"), "host"), s.Service)
			}
		}
	}
	return nil
}

// checkProtocol refuses what only HTTP has, where a rule is for connections.
func (e editor) checkProtocol(s traffic.Split) error {
	if e.protocol == "http" {
		return nil
	}
	var missing []string
	for _, c := range traffic.Needs(traffic.Intent{Splits: []traffic.Split{s}}) {
		if c != traffic.WeightedBackends && c != traffic.SplitOfRule {
			missing = append(missing, string(c))
		}
	}
	if s.SectionName != "" || len(missing) == 0 {
		return nil
	}
	err := traffic.Unsupported("Istio for "+e.where(), missing...)
	err.Why = map[string]string{missing[0]: "connections have no headers and cannot be copied; name an HTTP rule by sectionName, or take it out"}
	return err
}

// filtered refuses to derive rules from one that somebody's EnvoyFilter is for by its name: it would not cover them.
func (e editor) filtered(name string) error {
	if name == "" {
		return nil
	}
	for _, f := range e.filters {
		if slices.ContainsFunc(listOf(specOf(f), "configPatches"), func(patch map[string]any) bool {
			route := mapOf(mapOf(mapOf(mapOf(patch, "match"), "routeConfiguration"), "vhost"), "route")
			of := text(route, "name")
			return of == name || strings.HasPrefix(of, name+".")
		}) {
			return traffic.Refused(traffic.PolicyTargetsRule, "EnvoyFilter %s is for the rule %q by its name, and would not cover the rules that matches and affinity need beside it; "+
				"have it match the virtual host, or take matches and affinity out", f.GetName(), name)
		}
	}
	return nil
}
