package gatewayapi

import (
	"slices"
)

// ownRefs returns the user's own backendRefs of a live rule: what the user would see there if there were no split.
// The rule is the user's own list in one of four forms: as it was rendered; rendered and then edited; written anew
// without the split (a re-apply from Git); or never touched by a split.
func ownRefs(live []backendRef, at ruleID, was record, namespace string) []backendRef {
	if was.lost {
		return guessOwn(live, at, was, namespace)
	}
	recorded := recordedRule(live, at, was, namespace)
	if recorded == nil {
		// No list of the user's is known here. What splits add is still not the user's.
		return guessOwn(live, at, was, namespace)
	}
	splits := forRule(was.divided, at)
	expected := expectedWeights(*recorded, splits)
	rest := withoutAdded(live, *recorded, splits, namespace)
	if len(rest) == len(live) && !sameWeights(rest, *recorded, expected, namespace) {
		return live
	}
	return withOwnWeights(rest, *recorded, rendering{expected, splits, namespace})
}

// ruleID is how a rule is known: by its name, or by where it stands.
type ruleID struct {
	index int
	name  string
}

// recordedRule finds the user's own list for a live rule. A rule without a name is known by its index, unless what was
// rendered there is now found elsewhere because rules were put in or taken out before it.
func recordedRule(live []backendRef, at ruleID, was record, namespace string) *ownRule {
	var here *ownRule
	for i, rule := range was.rules {
		if at.name != "" && rule.name == at.name {
			return &was.rules[i]
		}
		if at.name == "" && rule.name == "" && rule.index == at.index {
			here = &was.rules[i]
		}
	}
	if at.name != "" || (here != nil && asRendered(live, *here, was, namespace)) {
		return here
	}
	for i, rule := range was.rules {
		if rule.name == "" && asRendered(live, rule, was, namespace) {
			return &was.rules[i]
		}
	}
	return here
}

// asRendered says whether the names and weights of a live list are what was rendered for the recorded rule.
func asRendered(live []backendRef, rule ownRule, was record, namespace string) bool {
	expected := expectedWeights(rule, forRule(was.divided, ruleID{rule.index, rule.name}))
	return sameWeights(live[:min(len(live), len(rule.refs))], rule, expected, namespace) && len(live) == len(rule.refs)+expected.count()
}

// expectedWeights are the weights that were rendered for a recorded rule.
func expectedWeights(rule ownRule, splits []divided) weights {
	own := make([]int64, len(rule.refs))
	portions := make([]*portion, len(rule.refs))
	for i, ref := range rule.refs {
		own[i] = ref.weight
		if effective(ref.weight) > 0 {
			portions[i] = portionBy(splits, ref.name)
		}
	}
	return apportion(own, portions)
}

func (w weights) count() int {
	n := 0
	for _, added := range w.added {
		n += len(added)
	}
	return n
}

// sameWeights says whether a list has the recorded names with the rendered weights.
func sameWeights(refs []backendRef, rule ownRule, expected weights, namespace string) bool {
	if len(refs) != len(rule.refs) {
		return false
	}
	for i, ref := range refs {
		if ref.key(namespace) != rule.refs[i].name || effective(ref.weight()) != int64(expected.own[i]) {
			return false
		}
	}
	return true
}

// withoutAdded takes the backendRefs out that splits had added. The user may have a backend of the same name; added ones
// stand last.
func withoutAdded(live []backendRef, rule ownRule, splits []divided, namespace string) []backendRef {
	var surplus map[string]int
	for _, s := range splits {
		for _, b := range s.portion.added {
			if surplus == nil {
				surplus = map[string]int{}
			}
			surplus[b.Name] = countIn(live, b.Name, namespace) - countOwn(rule, b.Name)
		}
	}
	rest := make([]backendRef, 0, len(live))
	for _, ref := range slices.Backward(live) {
		if surplus[ref.name()] > 0 && ref.isService(ref.name(), namespace) {
			surplus[ref.name()]--
			continue
		}
		rest = append(rest, ref)
	}
	slices.Reverse(rest)
	return rest
}

func countIn(live []backendRef, name, namespace string) int {
	n := 0
	for _, ref := range live {
		if ref.isService(name, namespace) {
			n++
		}
	}
	return n
}

func countOwn(rule ownRule, name string) int {
	n := 0
	for _, ref := range rule.refs {
		if ref.name == name {
			n++
		}
	}
	return n
}

// rendering is what was rendered for a recorded rule.
type rendering struct {
	expected  weights
	splits    []divided
	namespace string
}

// withOwnWeights turns the rendered weights of a list that somebody may have edited back into the user's own. As long as
// nobody changed the weight of a backend that no split divides, and none was added, those are the recorded ones. Where
// somebody did, they saw the rendered weights while they did it: then all own weights are in that scale, and a divided
// Service has the sum of its parts. A changed weight of a divided Service is not the user's to change.
func withOwnWeights(rest []backendRef, rule ownRule, was rendering) []backendRef {
	places := make([]int, len(rest))
	taken := make([]bool, len(rule.refs))
	rescaled := false
	for i, ref := range rest {
		key := ref.key(was.namespace)
		places[i] = place(key, rule, taken)
		unchanged := places[i] >= 0 && effective(ref.weight()) == int64(was.expected.own[places[i]])
		rescaled = rescaled || (portionBy(was.splits, key) == nil && !unchanged)
	}
	out := make([]backendRef, len(rest))
	for i, ref := range rest {
		at := places[i]
		switch {
		case at < 0 || (rescaled && portionBy(was.splits, ref.key(was.namespace)) == nil):
			out[i] = ref
		case rescaled:
			out[i] = ref.weighing(was.expected.group(at))
		default:
			out[i] = ref.weighing(rule.refs[at].weight)
		}
	}
	return out
}

// place is where the recorded list has the backend, or -1.
func place(key string, rule ownRule, taken []bool) int {
	for i, own := range rule.refs {
		if !taken[i] && own.name == key {
			taken[i] = true
			return i
		}
	}
	return -1
}

// group is the weight of an own backendRef together with its copies.
func (w weights) group(i int) int64 {
	total := int64(w.own[i])
	for _, added := range w.added[i] {
		total += int64(added)
	}
	return min(total, maxWeight)
}
