package gatewayapi

import (
	"slices"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"slipway.dev/slipway/api/v1alpha1"
	"slipway.dev/slipway/internal/traffic"
)

// recordOf reads the annotation of a route. If it is gone or cannot be read although splits of the intent have been on
// routes before, somebody took it away, and the record is lost: then the user's own lists are guessed.
func recordOf(route *unstructured.Unstructured, intent traffic.Intent) record {
	if text, ok := route.GetAnnotations()[v1alpha1.SplitAnnotation]; ok {
		if r, err := parseRecord(text); err == nil {
			r.divided = divide(r.splits)
			return r
		}
	}
	lost := record{lost: true}
	for _, s := range intent.Splits {
		// The first record of a split has sequence 1: before that no route has carried it.
		if s.Sequence > 1 {
			lost.splits = append(lost.splits, s)
		}
	}
	lost.divided = divide(lost.splits)
	return lost
}

// guessOwn takes backends that a split would have added, and that have the split's Service beside them, for added ones,
// and gives their weights back to the Service.
func guessOwn(live []backendRef, at ruleID, lost record, namespace string) []backendRef {
	splits := slices.DeleteFunc(slices.Clone(forRule(lost.divided, at)), func(s divided) bool {
		return !slices.ContainsFunc(live, func(r backendRef) bool { return r.isService(s.Service, namespace) && effective(r.weight()) > 0 })
	})
	rest := withoutAdded(live, ownRule{}, splits, namespace)
	if len(rest) == len(live) {
		return live
	}
	out := make([]backendRef, len(rest))
	for i, ref := range rest {
		out[i] = ref
		for _, s := range splits {
			if ref.isService(s.Service, namespace) {
				out[i] = ref.weighing(min(maxWeight, effective(ref.weight())+addedWeight(live, s, namespace)))
			}
		}
	}
	return out
}

func addedWeight(live []backendRef, s divided, namespace string) int64 {
	var total int64
	for _, b := range s.portion.added {
		for _, ref := range live {
			if ref.isService(b.Name, namespace) {
				total += effective(ref.weight())
			}
		}
	}
	return total
}
