package gatewayapi

import (
	"slices"

	"slipway.dev/slipway/internal/traffic"
)

// maxWeight is Gateway API's limit for the weight of a backendRef.
const maxWeight = 1_000_000

// portion is what one of the user's own backendRefs is divided into: the own share of its Service first.
type portion struct {
	// kept is the proportion that stays with the user's own backendRef; added are those of its copies.
	kept  int32
	added []traffic.Backend
}

// total is the sum of all proportions.
func (p portion) total() float64 {
	total := float64(p.kept)
	for _, b := range p.added {
		total += float64(b.Weight)
	}
	return total
}

// portionOf is what a split makes of its Service's share. One that is left alone gets the weight 1, so that a split
// that sends everything to one backend writes the weights that the user wrote.
func portionOf(split traffic.Split) portion {
	var p portion
	for _, b := range split.Backends {
		switch {
		case b.Weight <= 0:
		case b.Name == split.Service:
			p.kept = b.Weight
		default:
			p.added = append(p.added, b)
		}
	}
	switch {
	case len(p.added) == 0:
		p.kept = 1
	case len(p.added) == 1 && p.kept == 0:
		p.added = []traffic.Backend{{Name: p.added[0].Name, Weight: 1}}
	}
	return p
}

// divided is a split with what it makes of its Service's share.
type divided struct {
	traffic.Split
	portion *portion
}

func divide(splits []traffic.Split) []divided {
	out := make([]divided, 0, len(splits))
	for _, s := range splits {
		p := portionOf(s)
		out = append(out, divided{s, &p})
	}
	return out
}

// forRule are the splits that apply to a rule of that identity.
func forRule(splits []divided, at ruleID) []divided {
	other := func(s divided) bool { return s.SectionName != "" && s.SectionName != at.name }
	if !slices.ContainsFunc(splits, other) {
		return splits
	}
	return slices.DeleteFunc(slices.Clone(splits), other)
}

// portionBy is what is made of the share of a Service, or nil.
func portionBy(splits []divided, service string) *portion {
	for _, s := range splits {
		if s.Service == service {
			return s.portion
		}
	}
	return nil
}

// weights are the weights of a rule's backendRefs: the user's own, and for each own one those of its copies.
type weights struct {
	own   []int32
	added [][]int32
}

// apportion divides the user's own weights: portions has an entry, or nil, for each. All are multiplied by the same
// number, so that shares of the whole rule stay what they were; if that goes over the limit, all are scaled down, and a
// weight that is not zero does not become zero. The admission policy computes the same with the same floating point
// operations in the same order.
func apportion(own []int64, portions []*portion) weights {
	base := commonBase(portions)
	largest := 0.0
	exactOwn := make([]float64, len(own))
	exactAdded := make([][]float64, len(own))
	for i, w := range own {
		exactOwn[i] = float64(effective(w)) * base
		if p := portions[i]; p != nil {
			each := base / p.total()
			exactOwn[i] = float64(effective(w)*int64(p.kept)) * each
			for _, b := range p.added {
				exactAdded[i] = append(exactAdded[i], float64(effective(w)*int64(b.Weight))*each)
				largest = max(largest, exactAdded[i][len(exactAdded[i])-1])
			}
		}
		largest = max(largest, exactOwn[i])
	}
	factor := 1.0
	if largest > maxWeight {
		factor = maxWeight / largest
	}
	out := weights{own: make([]int32, len(own)), added: make([][]int32, len(own))}
	for i := range own {
		out.own[i] = rounded(exactOwn[i], factor)
		for _, exact := range exactAdded[i] {
			out.added[i] = append(out.added[i], rounded(exact, factor))
		}
	}
	return out
}

// commonBase is what undivided weights are multiplied with: the total of the only split of the rule, which keeps whole
// numbers whole, or the limit where there are several.
func commonBase(portions []*portion) float64 {
	var only *portion
	for _, p := range portions {
		if p == nil {
			continue
		}
		if only != nil && only != p {
			return maxWeight
		}
		only = p
	}
	if only == nil {
		return 1
	}
	return only.total()
}

// rounded keeps its product apart from the sum: a fused multiplication would round differently on other processors.
func rounded(exact, factor float64) int32 {
	if exact == 0 {
		return 0
	}
	product := float64(exact * factor)
	return max(1, int32(product+0.5))
}

// effective is the weight that an absent one means.
func effective(weight int64) int64 {
	if weight == noWeight {
		return 1
	}
	return weight
}
