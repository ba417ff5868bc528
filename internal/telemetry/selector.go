package telemetry

import (
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// Selector says which series to fetch: those with one of the names, one of the values in the label Route, and in each
// label of Match one of the patterns. Selectors of many releases are merged into one; what a merged selector fetches
// beyond the sum of its parts is told apart by Query.Role.
type Selector struct {
	Names []string
	// Route is the label by which a fetched series finds the releases that it is for.
	Route  string
	Values []string
	// Match has, for each label, RE2 patterns of which one must match the whole value. A literal must be quoted.
	Match map[string][]string
}

// Class is the same for selectors that can be merged.
func (s Selector) Class() string {
	return s.Route + "\xff" + strings.Join(slices.Sorted(maps.Keys(s.Match)), "\xff")
}

// Merge returns a selector that fetches at least what both fetch. Both must be of the same class.
func (s Selector) Merge(o Selector) Selector {
	m := Selector{Names: union(s.Names, o.Names), Route: s.Route, Values: union(s.Values, o.Values)}
	if len(s.Match) > 0 {
		m.Match = make(map[string][]string, len(s.Match))
	}
	for label := range s.Match {
		m.Match[label] = union(s.Match[label], o.Match[label])
	}
	return m
}

// String is the selector in PromQL. It is the same for the same sets, whatever their order.
func (s Selector) String() string {
	parts := []string{matcher(NameLabel, quoteAll(s.Names)), matcher(s.Route, quoteAll(s.Values))}
	for _, label := range slices.Sorted(maps.Keys(s.Match)) {
		parts = append(parts, matcher(label, s.Match[label]))
	}
	return "{" + strings.Join(parts, ",") + "}"
}

func matcher(label string, patterns []string) string {
	return label + "=~" + strconv.Quote(strings.Join(union(patterns, nil), "|"))
}

func quoteAll(literals []string) []string {
	quoted := make([]string, len(literals))
	for i, l := range literals {
		quoted[i] = regexp.QuoteMeta(l)
	}
	return quoted
}

func union(a, b []string) []string {
	all := slices.Concat(a, b)
	slices.Sort(all)
	return slices.Compact(all)
}
