package istio

import (
	"slices"

	"slipway.dev/slipway/internal/traffic"
)

// maxTotal is what the weights of one rule may be in sum. Envoy takes four times as much; Istio adds them up in 32 bits.
const maxTotal = 1_000_000_000

// divided is what a split makes of the share of its Service: those of its backends that get something. One that gets
// everything has the weight 1, so that the weights which the user wrote stay as they are.
func divided(s traffic.Split) []traffic.Backend {
	var out []traffic.Backend
	for _, b := range s.Backends {
		if b.Weight > 0 {
			out = append(out, b)
		}
	}
	if len(out) == 1 {
		out[0].Weight = 1
	}
	return out
}

func totalOf(backends []traffic.Backend) int64 {
	var total int64
	for _, b := range backends {
		total += int64(b.Weight)
	}
	return total
}

// ownWeights are the weights of a rule's destinations as Istio reads them: one that is alone has everything.
func ownWeights(route []map[string]any) []int64 {
	if len(route) == 1 {
		return []int64{1}
	}
	out := make([]int64, 0, len(route))
	for _, destination := range route {
		out = append(out, number(destination["weight"]))
	}
	return out
}

// portion is one destination of a rule as it will be: a copy of the user's own at that index, sent to the backend.
type portion struct {
	index   int
	backend string
	weight  int64
}

// apportion divides the own weights: splits has one, or nil, for each. All are multiplied by the same number, so that the
// shares of the whole rule stay what they were. If they became too large they are scaled down, and none becomes zero.
func apportion(own []int64, splits []*traffic.Split) []portion {
	var out []portion
	var exact []float64
	factor := commonMultiple(splits)
	total := 0.0
	add := func(index int, backend string, weight float64) {
		out = append(out, portion{index: index, backend: backend})
		exact = append(exact, weight)
		total += weight
	}
	for i, w := range own {
		if splits[i] == nil {
			add(i, "", float64(w)*factor)
			continue
		}
		parts := divided(*splits[i])
		for _, b := range parts {
			add(i, b.Name, float64(w)*factor*float64(b.Weight)/float64(totalOf(parts)))
		}
	}
	scale := min(1, maxTotal/max(1, total))
	for i, weight := range exact {
		if weight > 0 {
			out[i].weight = max(1, int64(weight*scale+0.5))
		}
	}
	return out
}

// commonMultiple is a multiple of the totals of all the splits, which keeps whole numbers whole.
func commonMultiple(splits []*traffic.Split) float64 {
	factor := 1.0
	var seen []*traffic.Split
	for _, s := range splits {
		if s == nil || slices.Contains(seen, s) {
			continue
		}
		seen = append(seen, s)
		factor *= float64(totalOf(divided(*s)))
	}
	return factor
}
