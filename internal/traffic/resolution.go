package traffic

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
)

// checkResolution refuses a split that the data plane would round to something else than what was asked for: a weight
// that becomes nothing, or one that changes by more than a tenth.
func checkResolution(intent Intent, offer Offer) error {
	for _, s := range intent.Splits {
		if err := CheckWeights("backends", s.Backends, offer); err != nil {
			return err
		}
		if s.Affinity == nil {
			continue
		}
		for _, k := range s.Affinity.Known {
			if err := CheckWeights("affinity", k.Backends, offer); err != nil {
				return err
			}
		}
	}
	return nil
}

// CheckWeights returns a RefusedError if the data plane cannot divide traffic in these proportions.
func CheckWeights(field string, backends []Backend, offer Offer) error {
	present := positive(backends)
	if offer.Parts <= 0 || offer.Parts >= FeatherTotal || len(present) == 0 {
		return nil
	}
	total := sum(present)
	for i, b := range Parts(present, offer.Parts) {
		exact := int64(present[i].Weight) * offer.Parts
		off := max(int64(b.Weight)*total-exact, exact-int64(b.Weight)*total)
		if b.Weight > 0 && off*10 <= exact {
			continue
		}
		return Refused(WeightResolution, "%s: %s divides traffic into %d parts, so that %s would get %s instead of %s; use weights that are multiples of %s",
			field, offer.Plane, offer.Parts, b.Name, percentText(int64(b.Weight), offer.Parts), percentText(int64(present[i].Weight), total), percentText(1, offer.Parts))
	}
	return nil
}

// Parts divides a whole of that many parts among backends in proportion of their weights, by largest remainders, so that
// the sum is exact. A backend may get none; see CheckWeights. Those with weight zero get none and stay in the list.
func Parts(backends []Backend, parts int64) []Backend {
	total := sum(backends)
	out := slices.Clone(backends)
	if total == 0 {
		return out
	}
	order := make([]int, len(out))
	left := parts
	for i, b := range backends {
		order[i] = i
		out[i].Weight = int32(int64(b.Weight) * parts / total) //nolint:gosec // a part of parts, which is at most a million
		left -= int64(out[i].Weight)
	}
	slices.SortStableFunc(order, func(a, b int) int {
		return cmp.Compare(int64(backends[b].Weight)*parts%total, int64(backends[a].Weight)*parts%total)
	})
	for i := range left {
		out[order[i]].Weight++
	}
	return out
}

// percentText writes a share of a whole with as many decimals as it needs, at most four.
func percentText(of, whole int64) string {
	text := strconv.FormatFloat(float64(of)*100/float64(whole), 'f', 4, 64)
	for text[len(text)-1] == '0' {
		text = text[:len(text)-1]
	}
	if text[len(text)-1] == '.' {
		text = text[:len(text)-1]
	}
	return fmt.Sprintf("%s%%", text)
}
