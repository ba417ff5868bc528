package consul

import (
	"cmp"
	"fmt"
	"slices"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"slipway.dev/slipway/internal/traffic"
)

// Copies are what Consul has to know of the canary before it gets a share, from what it knows of the Service: its
// ServiceDefaults, without which the splitter is refused, and the ServiceIntentions that let callers in. What the user
// says for the canary themselves is not among them.
func Copies(objects []*unstructured.Unstructured, twin traffic.Twin) []*unstructured.Unstructured {
	var out []*unstructured.Unstructured
	for _, obj := range objects {
		var copied *unstructured.Unstructured
		switch {
		case traffic.KindOf(obj) == DefaultsKind.GroupKind() && obj.GetName() == twin.Stable:
			copied = twin.CopyFor(obj, twin.Canary)
		case traffic.KindOf(obj) == IntentionsKind.GroupKind() && destinationOf(obj) == twin.Stable:
			copied = twin.CopyFor(obj, twin.Canary)
			_ = unstructured.SetNestedField(copied.Object, twin.Canary, "spec", "destination", "name") // destinationOf has found the map
		default:
			continue
		}
		if !twin.Given(objects, copied) && !intends(objects, copied) {
			out = append(out, copied)
		}
	}
	slices.SortFunc(out, func(a, b *unstructured.Unstructured) int {
		return cmp.Or(cmp.Compare(a.GetKind(), b.GetKind()), cmp.Compare(a.GetName(), b.GetName()))
	})
	return out
}

// intends says whether there are intentions of the user's for the same destination under another name: Consul takes one.
func intends(objects []*unstructured.Unstructured, copied *unstructured.Unstructured) bool {
	if copied.GetKind() != IntentionsKind.Kind {
		return false
	}
	return slices.ContainsFunc(objects, func(obj *unstructured.Unstructured) bool {
		return obj.GetKind() == IntentionsKind.Kind && obj.GetName() != copied.GetName() && destinationOf(obj) == destinationOf(copied)
	})
}

func destinationOf(intentions *unstructured.Unstructured) string {
	name, _, _ := unstructured.NestedString(intentions.Object, "spec", "destination", "name")
	return name
}

// Uncovered are the user's objects that name the Service and would not hold for the canary: intentions that let the
// Service call others, and limits that callers have for it. There is one of each kind for each of the others, so that no
// copy could say it; the canary's name has to be added there.
func Uncovered(objects []*unstructured.Unstructured, twin traffic.Twin) []string {
	var out []string
	for _, obj := range objects {
		switch traffic.KindOf(obj) {
		case IntentionsKind.GroupKind():
			if names := namesIn(obj, "spec", "sources"); slices.Contains(names, twin.Stable) && !slices.Contains(names, twin.Canary) && destinationOf(obj) != twin.Stable {
				out = append(out, fmt.Sprintf("ServiceIntentions %s (sources: %s)", obj.GetName(), twin.Stable))
			}
		case DefaultsKind.GroupKind():
			if names := namesIn(obj, "spec", "upstreamConfig", "overrides"); slices.Contains(names, twin.Stable) && !slices.Contains(names, twin.Canary) {
				out = append(out, fmt.Sprintf("ServiceDefaults %s (upstreamConfig.overrides: %s)", obj.GetName(), twin.Stable))
			}
		}
	}
	slices.Sort(out)
	return out
}

// namesIn are the names in a list of maps.
func namesIn(obj *unstructured.Unstructured, path ...string) []string {
	list, _, _ := unstructured.NestedSlice(obj.Object, path...)
	var out []string
	for _, item := range list {
		entry, _ := item.(map[string]any)
		out = append(out, text(entry, "name"))
	}
	return out
}
