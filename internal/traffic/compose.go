package traffic

import (
	"cmp"
	"slices"
)

// Wish is a split that one route is asked to carry. A split that names several routes makes several wishes.
type Wish struct {
	Route string
	Split Split
	// Leaving says that the split is on its way out of the route: it stands before nobody, and loses nothing else.
	Leaving bool
}

// ComposeRetries decides between policies for the same target, or the same rule of it: the older one holds, of two of the
// same age the one whose name comes first. It returns what one target is to carry, and by the name of each policy that
// lost the one that holds.
func ComposeRetries(retries []Retry) (held []Retry, lost map[string]string) {
	sorted := slices.Clone(retries)
	slices.SortFunc(sorted, func(a, b Retry) int {
		return cmp.Or(a.Created.Compare(b.Created), cmp.Compare(a.Name, b.Name), cmp.Compare(a.SectionName, b.SectionName))
	})
	lost = map[string]string{}
	for _, r := range sorted {
		at := slices.IndexFunc(held, func(h Retry) bool { return h.SectionName == r.SectionName })
		if at >= 0 {
			lost[RetryKey(r)] = held[at].Name
			continue
		}
		held = append(held, r)
	}
	return held, lost
}

// RetryKey names a policy on one target: by its name, and the rule that it is for.
func RetryKey(r Retry) string { return r.Name + "/" + r.SectionName }

// Composition is who gets what of the wishes in one namespace.
type Composition struct {
	// Intents are what each route is to carry, by its name. Every route of every wish has an entry.
	Intents map[string]Intent
	// Conflicts are the splits that lost, by name.
	Conflicts map[string]Conflict
}

// Conflict says to whom a split lost, and where.
type Conflict struct {
	Holder  string
	Route   string
	Service string
}

// Compose decides between splits that want the traffic of the same Service in the same rule: the older one has it, of two
// of the same age the one whose name comes first. A split that loses on one of its routes is carried by none of them:
// half a split is nobody's wish.
func Compose(wishes []Wish) Composition {
	c := Composition{Intents: map[string]Intent{}, Conflicts: map[string]Conflict{}}
	held := map[claim][]holding{}
	staying, leaving := apart(wishes)
	for _, group := range byAge(staying) {
		if conflict, lost := conflictOf(group, held); lost {
			c.Conflicts[group[0].Split.Name] = conflict
			continue
		}
		for _, w := range group {
			key := claim{route: w.Route, service: w.Split.Service}
			held[key] = append(held[key], holding{section: w.Split.SectionName, holder: w.Split.Name})
			intent := c.Intents[w.Route]
			intent.Splits = append(intent.Splits, w.Split)
			c.Intents[w.Route] = intent
		}
	}
	for _, w := range slices.Concat(byAge(leaving)...) {
		_, taken := conflictOf([]Wish{w}, held)
		if _, lost := c.Conflicts[w.Split.Name]; lost || taken {
			continue
		}
		intent := c.Intents[w.Route]
		intent.Splits = append(intent.Splits, w.Split)
		c.Intents[w.Route] = intent
	}
	for _, w := range wishes {
		if _, known := c.Intents[w.Route]; !known {
			c.Intents[w.Route] = Intent{}
		}
	}
	return c
}

// apart tells wishes for routes that a split leaves from the others.
func apart(wishes []Wish) (staying, leaving []Wish) {
	for _, w := range wishes {
		if w.Leaving {
			leaving = append(leaving, w)
		} else {
			staying = append(staying, w)
		}
	}
	return staying, leaving
}

type claim struct{ route, service string }

type holding struct{ section, holder string }

func conflictOf(group []Wish, held map[claim][]holding) (Conflict, bool) {
	for _, w := range group {
		for _, h := range held[claim{route: w.Route, service: w.Split.Service}] {
			if sameRules(h.section, w.Split.SectionName) {
				return Conflict{Holder: h.holder, Route: w.Route, Service: w.Split.Service}, true
			}
		}
	}
	return Conflict{}, false
}

// sameRules says whether two section names can mean the same rule; none means all rules.
func sameRules(a, b string) bool { return a == "" || b == "" || a == b }

// byAge groups wishes by split, the oldest first, in an order that does not depend on that of the input.
func byAge(wishes []Wish) [][]Wish {
	sorted := slices.Clone(wishes)
	slices.SortFunc(sorted, func(a, b Wish) int {
		return cmp.Or(
			a.Split.Created.Compare(b.Split.Created),
			cmp.Compare(a.Split.Name, b.Split.Name),
			cmp.Compare(a.Route, b.Route),
			cmp.Compare(a.Split.SectionName, b.Split.SectionName))
	})
	var groups [][]Wish
	for i, w := range sorted {
		if i == 0 || sorted[i-1].Split.Name != w.Split.Name {
			groups = append(groups, nil)
		}
		groups[len(groups)-1] = append(groups[len(groups)-1], w)
	}
	return groups
}
