package gatewayapi

import (
	"fmt"
	"strconv"
	"strings"

	"slipway.dev/slipway/internal/traffic"
)

// The annotation on a route is text in lines, because the admission policy that guards the route reads and writes it in
// CEL, which has no JSON:
//
//	v1
//	split <name> <uid>/<sequence> <service> <section, or *> <backend>:<weight>,...
//	rule <index> <rule's name, or *> <backend>:<weight>,...
//
// A split line is what the route carries of one split. A rule line is there for each rule that carries any, and lists
// the user's own backendRefs of that rule with the weights that the user gave them. Those backendRefs stand first in the
// rule, in the user's order, and only their weights differ; everything else of them is kept where it is, so there is no
// second copy that could grow old.
const recordVersion = "v1"

// anyName stands for a section or rule name that is absent.
const anyName = "*"

// noWeight stands for a weight that the user did not write. An API server fills it in; other sources of routes may not.
const noWeight int64 = -1

type record struct {
	splits []traffic.Split
	rules  []ownRule
	// lost means that there was no record to read, and splits are only those that may have been rendered.
	lost bool
	// divided are the splits with their portions; see divide.
	divided []divided
}

// ownRule is the user's own list of backends of one rule.
type ownRule struct {
	index int
	name  string
	refs  []ownRef
}

type ownRef struct {
	name   string
	weight int64
}

func (r record) String() string {
	lines := []string{recordVersion}
	for _, s := range r.splits {
		lines = append(lines, strings.Join([]string{
			"split", s.Name, s.UID + "/" + strconv.FormatInt(s.Sequence, 10), s.Service, orAny(s.SectionName), formatShares(s.Backends),
		}, " "))
	}
	for _, rule := range r.rules {
		lines = append(lines, strings.Join([]string{"rule", strconv.Itoa(rule.index), orAny(rule.name), formatOwn(rule.refs)}, " "))
	}
	return strings.Join(lines, "\n")
}

func parseRecord(text string) (record, error) {
	lines := strings.Split(strings.TrimRight(text, "\n"), "\n")
	if lines[0] != recordVersion {
		return record{}, fmt.Errorf("parse record: version %q is not %q", lines[0], recordVersion)
	}
	var r record
	for _, line := range lines[1:] {
		if err := r.parseLine(strings.Split(line, " ")); err != nil {
			return record{}, fmt.Errorf("parse record: line %q: %w", line, err)
		}
	}
	return r, nil
}

func (r *record) parseLine(words []string) error {
	switch {
	case words[0] == "split" && len(words) == 6:
		split, err := parseSplit(words)
		r.splits = append(r.splits, split)
		return err
	case words[0] == "rule" && len(words) == 4:
		rule, err := parseRule(words)
		r.rules = append(r.rules, rule)
		return err
	}
	return fmt.Errorf("not a split and not a rule")
}

func parseSplit(words []string) (traffic.Split, error) {
	uid, sequence, ok := strings.Cut(words[2], "/")
	n, err := strconv.ParseInt(sequence, 10, 64)
	if !ok || uid == "" || err != nil || n < 0 {
		return traffic.Split{}, fmt.Errorf("%q is not <uid>/<sequence>", words[2])
	}
	split := traffic.Split{Name: words[1], UID: uid, Sequence: n, Service: words[3], SectionName: fromAny(words[4])}
	pairs, err := parsePairs(words[5])
	for _, p := range pairs {
		if p.weight < 0 || p.weight > maxWeight {
			return split, fmt.Errorf("weight of %q is not from 0 to %d", p.name, maxWeight)
		}
		split.Backends = append(split.Backends, traffic.Backend{Name: p.name, Weight: int32(p.weight)})
	}
	return split, err
}

func parseRule(words []string) (ownRule, error) {
	index, err := strconv.Atoi(words[1])
	if err != nil {
		return ownRule{}, fmt.Errorf("%q is not the index of a rule", words[1])
	}
	refs, err := parsePairs(words[3])
	return ownRule{index: index, name: fromAny(words[2]), refs: refs}, err
}

func parsePairs(text string) ([]ownRef, error) {
	var out []ownRef
	for pair := range strings.SplitSeq(text, ",") {
		name, weight, ok := strings.Cut(pair, ":")
		if !ok {
			return nil, fmt.Errorf("%q is not <backend>:<weight>", pair)
		}
		if weight == "-" {
			out = append(out, ownRef{name, noWeight})
			continue
		}
		w, err := strconv.ParseInt(weight, 10, 64)
		if err != nil || w < 0 {
			return nil, fmt.Errorf("%q is not a weight", weight)
		}
		out = append(out, ownRef{name, w})
	}
	return out, nil
}

func formatShares(backends []traffic.Backend) string {
	pairs := make([]string, 0, len(backends))
	for _, b := range backends {
		pairs = append(pairs, b.Name+":"+strconv.FormatInt(int64(b.Weight), 10))
	}
	return strings.Join(pairs, ",")
}

func formatOwn(refs []ownRef) string {
	pairs := make([]string, 0, len(refs))
	for _, r := range refs {
		weight := "-"
		if r.weight != noWeight {
			weight = strconv.FormatInt(r.weight, 10)
		}
		pairs = append(pairs, r.name+":"+weight)
	}
	return strings.Join(pairs, ",")
}

func orAny(name string) string {
	if name == "" {
		return anyName
	}
	return name
}

func fromAny(name string) string {
	if name == anyName {
		return ""
	}
	return name
}
