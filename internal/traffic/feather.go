package traffic

import (
	"cmp"
	"slices"
)

// FeatherTotal is the sum of weights beside which a weight of FeatherWeight is a feather: enough for a data plane to
// know the backend, too little to matter.
const (
	FeatherTotal  int64 = 1_000_000
	FeatherWeight int32 = 1
)

// Feather returns the backends that a route is to carry next on the way from now to want. A backend makes a cluster come
// or go in a proxy, and not at the moment at which routes change; so one enters at a feather and gets its share when
// that is applied, and one leaves by a feather and is taken out when that is applied. applied says that now is.
//
//	absent ──▶ feather ──applied──▶ share
//	absent ◀──applied── feather ◀──at once── share
//
// What takes users off a backend is in the first write and waits for nothing, as long as one of the wanted backends is
// known to the data plane; otherwise those that carry the traffic now go on until one is. done means that next is what
// is wanted and no step follows.
//
// The order of next is that in which backends entered. It carries knowledge: whatever stands before a backend that has a
// share was applied before that one got it, so it is known to the data plane even while it is at a feather.
func Feather(now, want []Backend, applied bool) (next []Backend, done bool) {
	return FeatherKnowing(now, want, applied, nil)
}

// FeatherKnowing is Feather for a caller that remembers which backends of now have been applied since they entered,
// though now as a whole is not. To one of these, users can be moved at once.
func FeatherKnowing(now, want []Backend, applied bool, known []string) (next []Backend, done bool) {
	present := positive(now)
	if len(present) == 0 {
		next = goal(positive(want))
		return next, true
	}
	if !applied {
		known = slices.Concat(known, names(present[:knownUpTo(present)]))
	} else {
		known = names(present)
	}
	parts := plan(present, positive(want), applied, known)
	next = weigh(parts)
	return next, slices.Equal(byName(next), byName(goal(positive(want))))
}

// part is one backend of the next list: its weight among those that carry the traffic, or zero for a feather.
type part struct {
	name  string
	share int32
}

func plan(present, want []Backend, applied bool, known []string) []part {
	total := sum(present)
	var parts []part
	carriers := 0
	for _, b := range present {
		wanted := weightOf(want, b.Name)
		switch {
		case wanted > 0 && slices.Contains(known, b.Name):
			parts = append(parts, part{b.Name, wanted})
			carriers++
		case wanted > 0, !applied, !atFeather(b.Weight, total):
			parts = append(parts, part{b.Name, 0})
		}
	}
	for _, b := range want {
		if weightOf(present, b.Name) == 0 {
			parts = append(parts, part{b.Name, 0})
		}
	}
	if carriers == 0 {
		carryOn(parts, present, total)
	}
	return parts
}

// carryOn lets those that have a share now keep it, because nothing that is wanted is known to the data plane yet.
func carryOn(parts []part, present []Backend, total int64) {
	for i, p := range parts {
		if w := weightOf(present, p.name); w > 0 && !atFeather(w, total) {
			parts[i].share = w
		}
	}
}

// knownUpTo is how many of the present backends were applied at some time: all up to the last one with a share.
func knownUpTo(present []Backend) int {
	total := sum(present)
	for i, p := range slices.Backward(present) {
		if !atFeather(p.Weight, total) {
			return i + 1
		}
	}
	return 0
}

// weigh gives the feathers their weight and the others the rest of FeatherTotal. Without feathers weights stay as they
// were written, for people to recognise.
func weigh(parts []part) []Backend {
	var carriers []Backend
	for _, p := range parts {
		if p.share > 0 {
			carriers = append(carriers, Backend{p.name, p.share})
		}
	}
	weights := goal(carriers)
	if feathers := len(parts) - len(carriers); feathers > 0 {
		weights = scale(carriers, FeatherTotal-int64(feathers))
	}
	out := make([]Backend, 0, len(parts))
	for _, p := range parts {
		out = append(out, Backend{p.name, max(weightOf(weights, p.name), FeatherWeight)})
	}
	return out
}

// goal is the list that ends the way to want: want itself, unless some weight in it is at most a feather.
func goal(want []Backend) []Backend {
	total := sum(want)
	if !slices.ContainsFunc(want, func(b Backend) bool { return atFeather(b.Weight, total) }) {
		return slices.Clone(want)
	}
	return scale(want, FeatherTotal)
}

// scale divides to in proportion of the weights, by largest remainders; nobody gets less than a feather.
func scale(backends []Backend, to int64) []Backend {
	total := sum(backends)
	type rest struct {
		index     int
		remainder int64
	}
	out := slices.Clone(backends)
	rests := make([]rest, 0, len(out))
	left := to
	for i, b := range backends {
		exact := int64(b.Weight) * to
		out[i].Weight = max(int32(exact/total), FeatherWeight) //nolint:gosec // a part of to, which is a weight
		left -= int64(out[i].Weight)
		rests = append(rests, rest{i, exact % total})
	}
	slices.SortStableFunc(rests, func(a, b rest) int { return cmp.Compare(b.remainder, a.remainder) })
	for i := 0; left > 0; i++ {
		out[rests[i%len(rests)].index].Weight++
		left--
	}
	if left < 0 {
		out[heaviest(out)].Weight += int32(left) //nolint:gosec // at most a feather for each backend
	}
	return out
}

func heaviest(backends []Backend) int {
	best := 0
	for i, b := range backends {
		if b.Weight > backends[best].Weight {
			best = i
		}
	}
	return best
}

func atFeather(weight int32, total int64) bool { return int64(weight)*FeatherTotal <= total }

func names(backends []Backend) []string {
	out := make([]string, 0, len(backends))
	for _, b := range backends {
		out = append(out, b.Name)
	}
	return out
}

func positive(backends []Backend) []Backend {
	var out []Backend
	for _, b := range backends {
		if b.Weight > 0 {
			out = append(out, b)
		}
	}
	return out
}

func sum(backends []Backend) int64 {
	var total int64
	for _, b := range backends {
		total += int64(b.Weight)
	}
	return total
}

func weightOf(backends []Backend, name string) int32 {
	for _, b := range backends {
		if b.Name == name {
			return b.Weight
		}
	}
	return 0
}

func byName(backends []Backend) []Backend {
	sorted := slices.Clone(backends)
	slices.SortFunc(sorted, func(a, b Backend) int { return cmp.Compare(a.Name, b.Name) })
	return sorted
}
