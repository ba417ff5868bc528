package contracttest

import (
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"slipway.dev/slipway/api/v1alpha1"
	"slipway.dev/slipway/internal/traffic"
	"slipway.dev/slipway/internal/traffic/kept"
)

// toy is the smallest translator that does everything a translator has to: it patches the backends of a Thing of the
// user's, in whole percent, and generates a ThingPolicy for retries.
type toy struct{}

var (
	thingKind  = schema.GroupVersionKind{Group: "toy.example.com", Version: "v1", Kind: "Thing"}
	policyKind = schema.GroupVersionKind{Group: "toy.example.com", Version: "v1", Kind: "ThingPolicy"}
)

func (toy) DataPlane() v1alpha1.DataPlane      { return "Toy" }
func (toy) Takes(target schema.GroupKind) bool { return target == thingKind.GroupKind() }
func (toy) Reads(schema.GroupKind) []schema.GroupVersionKind {
	return []schema.GroupVersionKind{policyKind}
}
func (toy) Serves(traffic.Seen) (string, bool) { return "toys are installed", true }
func (toy) Capabilities(schema.GroupKind) []traffic.Capability {
	return []traffic.Capability{traffic.Retries, traffic.WeightedBackends}
}

func (t toy) Offers(traffic.Seen) (traffic.Offer, error) {
	return traffic.Offer{Plane: "Toy", Capabilities: t.Capabilities(thingKind.GroupKind()), Parts: 100}, nil
}

func (toy) Carried(seen traffic.Seen) traffic.Intent {
	carried := traffic.Intent{Splits: kept.Carried(seen.Target).Splits}
	for _, obj := range seen.Of(policyKind.GroupKind()) {
		carried.Retries = append(carried.Retries, traffic.CarriedBy(obj).Retries...)
	}
	return carried
}

func (t toy) Render(seen traffic.Seen, intent traffic.Intent) (traffic.Rendering, error) {
	if err := traffic.Require(t, seen, intent); err != nil {
		return traffic.Rendering{}, err
	}
	thing, err := kept.Patch(seen.Target, traffic.Intent{Splits: intent.Splits}, func(own *unstructured.Unstructured) error {
		return splitThing(own, intent.Splits[0])
	})
	if err != nil {
		return traffic.Rendering{}, err
	}
	out := traffic.Rendering{Patched: []*unstructured.Unstructured{thing}}
	for _, r := range intent.Retries {
		out.Generated = append(out.Generated, traffic.Generate(seen, traffic.Intent{Retries: intent.Retries}, policyKind,
			seen.Target.GetName(), map[string]any{"retries": int64(*r.Retries)}))
	}
	return out, traffic.Free(seen, out.Generated)
}

func splitThing(own *unstructured.Unstructured, split traffic.Split) error {
	backends, _, err := unstructured.NestedSlice(own.Object, "spec", "backends")
	if err != nil {
		return err
	}
	var out []any
	for _, item := range backends {
		b := item.(map[string]any)
		if b["name"] != split.Service {
			out = append(out, b)
			continue
		}
		for _, part := range traffic.Parts(split.Backends, 100) {
			if part.Weight > 0 {
				mine := (&unstructured.Unstructured{Object: b}).DeepCopy().Object
				mine["name"], mine["weight"] = part.Name, int64(part.Weight)
				out = append(out, mine)
			}
		}
	}
	return unstructured.SetNestedSlice(own.Object, out, "spec", "backends")
}

func (t toy) Applied(seen traffic.Seen, intent traffic.Intent) traffic.Verdict {
	return traffic.Written(t, seen, intent)
}

func (t toy) Restore(seen traffic.Seen) (traffic.Rendering, error) {
	return t.Render(seen, traffic.Intent{})
}

func toySuite() Suite {
	return Suite{Router: toy{}, Kind: thingKind.GroupKind(), Dir: "testdata/toy", Divisions: func(r traffic.Rendering) [][]traffic.Backend {
		list, _, _ := unstructured.NestedSlice(r.Patched[0].Object, "spec", "backends")
		var out []traffic.Backend
		for _, item := range list {
			b := item.(map[string]any)
			out = append(out, traffic.Backend{Name: b["name"].(string), Weight: int32(b["weight"].(int64))})
		}
		return [][]traffic.Backend{out}
	}}
}

func TestToy(t *testing.T) { Run(t, toySuite()) }

func TestTeeth(t *testing.T) { Teeth(t, toySuite()) }
