package consul

import (
	"slices"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"slipway.dev/slipway/internal/traffic"
	"slipway.dev/slipway/internal/traffic/kept"
)

// Render returns the splitter, router and resolver of the Service as they are to be.
func (r Router) Render(seen traffic.Seen, intent traffic.Intent) (traffic.Rendering, error) {
	if err := traffic.Require(r, seen, intent); err != nil {
		return traffic.Rendering{}, err
	}
	if err := traffic.Overtaken(r.Carried(seen), intent); err != nil {
		return traffic.Rendering{}, err
	}
	if err := inTheWay(seen, intent); err != nil {
		return traffic.Rendering{}, err
	}
	w := writer{seen: seen, subset: stableSubset(seen)}
	for _, part := range []struct {
		kind   schema.GroupVersionKind
		intent traffic.Intent
		change func(*unstructured.Unstructured, traffic.Intent) error
	}{
		{SplitterKind, traffic.Intent{Splits: intent.Splits}, w.split},
		{RouterKind, traffic.Intent{Splits: matching(intent.Splits), Retries: intent.Retries}, w.route},
		{ResolverKind, traffic.Intent{Splits: w.pastSplitter(intent.Splits)}, w.resolve},
	} {
		if err := w.write(part.kind, part.intent, part.change); err != nil {
			return traffic.Rendering{}, err
		}
	}
	return w.out, traffic.Free(seen, w.out.Generated)
}

// Restore returns the objects as their users wrote them, and generates nothing.
func (r Router) Restore(seen traffic.Seen) (traffic.Rendering, error) {
	return r.Render(seen, traffic.Intent{})
}

// writer gathers a rendering.
type writer struct {
	seen traffic.Seen
	// subset is a subset of the Service that has all of it.
	subset string
	out    traffic.Rendering
}

// write patches the user's object of a kind, or generates one where there is none and something is to be said.
func (w *writer) write(kind schema.GroupVersionKind, intent traffic.Intent, change func(*unstructured.Unstructured, traffic.Intent) error) error {
	if own := ownOf(w.seen, kind); own != nil {
		if intent.Empty() && kept.Carried(own).Empty() {
			return nil
		}
		patched, err := kept.Patch(own, intent, func(obj *unstructured.Unstructured) error { return change(obj, intent) })
		if err == nil {
			w.out.Patched = append(w.out.Patched, patched)
		}
		return err
	}
	if intent.Empty() {
		return nil
	}
	obj := &unstructured.Unstructured{Object: map[string]any{"spec": map[string]any{}}}
	if err := change(obj, intent); err != nil {
		return err
	}
	spec, _ := obj.Object["spec"].(map[string]any)
	w.out.Generated = append(w.out.Generated, traffic.Generate(w.seen, intent, kind, w.seen.Target.GetName(), spec))
	return nil
}

// split divides the shares that go to the split's Service. The sum stays 100.
func (w *writer) split(obj *unstructured.Unstructured, intent traffic.Intent) error {
	entries := listOf(obj, "splits")
	if len(entries) == 0 && ownOf(w.seen, SplitterKind) == nil {
		entries = []any{map[string]any{"service": w.seen.Target.GetName(), "weight": int64(parts)}}
	}
	for _, s := range intent.Splits {
		var err error
		if entries, err = w.divide(entries, s); err != nil {
			return err
		}
	}
	return setList(obj, "splits", entries)
}

// divide replaces the entries of the split's Service by those of its backends. Each is a copy: headers that the user has
// set for the Service are set for the canary.
func (w *writer) divide(entries []any, s traffic.Split) ([]any, error) {
	var shares []traffic.Backend
	var written []map[string]any
	found := false
	for _, item := range entries {
		entry, _ := item.(map[string]any)
		weight := weightOf(entry)
		if !w.isWhole(entry, s.Service) || weight == 0 {
			shares = append(shares, traffic.Backend{Name: text(entry, "service"), Weight: weight * int32(total(s.Backends))}) //nolint:gosec // checked in inTheWay
			written = append(written, entry)
			continue
		}
		found = true
		for _, b := range s.Backends {
			if b.Weight == 0 {
				continue
			}
			to := (&unstructured.Unstructured{Object: entry}).DeepCopy().Object
			to["service"] = b.Name
			shares = append(shares, traffic.Backend{Name: b.Name, Weight: weight * b.Weight})
			written = append(written, to)
		}
	}
	if !found {
		return nil, traffic.Refused(traffic.Conflicted, "serviceRef: ServiceSplitter %s sends nothing to all of Service %s; name a Service that it sends to without a subset, or remove it",
			w.seen.Target.GetName(), s.Service)
	}
	return weigh(written, shares)
}

// weigh writes whole percent that are 100 in sum.
func weigh(entries []map[string]any, shares []traffic.Backend) ([]any, error) {
	if err := traffic.CheckWeights("backends", shares, traffic.Offer{Plane: "Consul", Parts: parts}); err != nil {
		return nil, err
	}
	out := make([]any, 0, len(entries))
	for i, share := range traffic.Parts(shares, parts) {
		if weightOf(entries[i]) != share.Weight {
			entries[i]["weight"] = int64(share.Weight)
		}
		out = append(out, entries[i])
	}
	return out, nil
}

// isWhole says whether an entry of a splitter or a destination of a router is the Service, with all of its instances.
func (w *writer) isWhole(to map[string]any, service string) bool {
	name := text(to, "service")
	if name == "" {
		name = w.seen.Target.GetName()
	}
	return name == service && text(to, "serviceSubset") == "" && text(to, "namespace") == "" && text(to, "partition") == ""
}

// resolve adds a subset that has all of the Service, for matches that are to reach it past its splitter.
func (w *writer) resolve(obj *unstructured.Unstructured, _ traffic.Intent) error {
	return unstructured.SetNestedMap(obj.Object, map[string]any{}, "spec", "subsets", w.subset)
}

// allSubset is the name of that subset where the Service has no default one.
const allSubset = "slipway-all"

// stableSubset is a subset of the Service that is what the Service is without its splitter.
func stableSubset(seen traffic.Seen) string {
	if own := ownOf(seen, ResolverKind); own != nil {
		if name, _, _ := unstructured.NestedString(own.Object, "spec", "defaultSubset"); name != "" {
			return name
		}
	}
	return allSubset
}

// pastSplitter are the splits with a match that sends to the Service itself, if the subset for it has to be made.
func (w *writer) pastSplitter(splits []traffic.Split) []traffic.Split {
	if w.subset != allSubset {
		return nil
	}
	return slices.DeleteFunc(slices.Clone(splits), func(s traffic.Split) bool {
		return !slices.ContainsFunc(traffic.Taking(s), func(m traffic.Match) bool { return m.Backend == w.seen.Target.GetName() })
	})
}

// matching are the splits that a router has to carry.
func matching(splits []traffic.Split) []traffic.Split {
	return slices.DeleteFunc(slices.Clone(splits), func(s traffic.Split) bool { return len(traffic.Taking(s)) == 0 })
}

func listOf(obj *unstructured.Unstructured, field string) []any {
	spec, _ := obj.Object["spec"].(map[string]any)
	list, _ := spec[field].([]any)
	return list
}

func setList(obj *unstructured.Unstructured, field string, list []any) error {
	return unstructured.SetNestedSlice(obj.Object, list, "spec", field)
}

func text(m map[string]any, field string) string {
	s, _ := m[field].(string)
	return s
}

// weightOf is the weight of a splitter's entry in whole percent; see fractions.
func weightOf(entry map[string]any) int32 {
	switch w := entry["weight"].(type) {
	case int64:
		return int32(w) //nolint:gosec // at most 100
	case float64:
		return int32(w)
	}
	return 0
}

func total(backends []traffic.Backend) int64 {
	var sum int64
	for _, b := range backends {
		sum += int64(b.Weight)
	}
	return sum
}
