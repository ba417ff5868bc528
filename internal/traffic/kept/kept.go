// Package kept is for translators that patch objects of users: it writes down in an annotation what the user had in the
// places that are changed, and gives the user's own object back from one that was changed, with the edits that they made
// meanwhile. It is pure.
package kept

import (
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"

	"slipway.dev/slipway/api/v1alpha1"
	"slipway.dev/slipway/internal/traffic"
)

// record is the annotation.
type record struct {
	Version string         `json:"version"`
	Intent  traffic.Intent `json:"intent"`
	Places  []place        `json:"places,omitempty"`
}

const recordVersion = "v1"

// place is one field that was changed, by its path through maps. A field that was not there, or is not any more, is null,
// which no field of a Kubernetes object is.
type place struct {
	Path  []string `json:"path"`
	Own   any      `json:"own"`
	Wrote any      `json:"wrote"`
}

// Carried is what the object says that it carries.
func Carried(live *unstructured.Unstructured) traffic.Intent {
	r, _ := read(live)
	return r.Intent
}

// Own returns the object as its user would have it without Slipway: what Slipway wrote is taken back, what the user
// edited since stays. An object that carries nothing, or whose annotation was taken away, is the user's as it is.
func Own(live *unstructured.Unstructured) *unstructured.Unstructured {
	out := live.DeepCopy()
	r, ok := read(live)
	if !ok {
		return out
	}
	for _, p := range r.Places {
		put(out.Object, p.Path, merge(orAbsent(p.Own), orAbsent(p.Wrote), get(live.Object, p.Path)))
	}
	annotations := out.GetAnnotations()
	delete(annotations, v1alpha1.CarriesAnnotation)
	setAnnotations(out, annotations)
	return out
}

// Patch returns the live object changed to carry the intent. change gets the user's own object, as Own gives it, and
// alters it in place: anything but what makes the object this one. It always starts from the user's own, so that what is
// rendered does not depend on what was rendered before. With an empty intent change is not called, and the result is the
// user's own object.
func Patch(live *unstructured.Unstructured, intent traffic.Intent, change func(own *unstructured.Unstructured) error) (*unstructured.Unstructured, error) {
	own := Own(live)
	if intent.Empty() {
		return own, nil
	}
	if err := traffic.Overtaken(Carried(live), intent); err != nil {
		return nil, err
	}
	out := own.DeepCopy()
	if err := change(out); err != nil {
		return nil, err
	}
	// Also an object that needed no change says what it carries: a split that leaves everything where it was is written, too.
	r := record{Version: recordVersion, Intent: intent}
	difference(own.Object, out.Object, nil, &r.Places)
	text, err := json.Marshal(r)
	if err != nil {
		return nil, fmt.Errorf("write down what %s %s had: %w", live.GetKind(), live.GetName(), err)
	}
	annotations := out.GetAnnotations()
	if annotations == nil {
		annotations = map[string]string{}
	}
	annotations[v1alpha1.CarriesAnnotation] = string(text)
	setAnnotations(out, annotations)
	return out, nil
}

// difference finds the places in which two objects differ: fields of maps, as deep as both are maps.
func difference(own, wrote map[string]any, path []string, out *[]place) {
	for _, key := range keysOf(own, wrote) {
		at := append(slices.Clone(path), key)
		o, w := field(own, key), field(wrote, key)
		if reflect.DeepEqual(o, w) {
			continue
		}
		p, q, maps := twoMaps(o, w)
		if maps {
			difference(p, q, at, out)
			continue
		}
		*out = append(*out, place{Path: at, Own: orNil(o), Wrote: orNil(w)})
	}
}

func read(obj *unstructured.Unstructured) (record, bool) {
	text, ok := obj.GetAnnotations()[v1alpha1.CarriesAnnotation]
	if !ok || traffic.IsGenerated(obj) {
		return record{}, false
	}
	var r record
	if err := json.Unmarshal([]byte(text), &r); err != nil || r.Version != recordVersion {
		return record{}, false
	}
	for i := range r.Places {
		r.Places[i].Own, r.Places[i].Wrote = whole(r.Places[i].Own), whole(r.Places[i].Wrote)
	}
	return r, true
}

// whole turns numbers as encoding/json reads them into those of a decoded API object: whole ones are int64.
func whole(value any) any {
	switch v := value.(type) {
	case float64:
		if n := int64(v); float64(n) == v {
			return n
		}
	case map[string]any:
		for key := range v {
			v[key] = whole(v[key])
		}
	case []any:
		for i := range v {
			v[i] = whole(v[i])
		}
	}
	return value
}

func get(object map[string]any, path []string) any {
	for _, key := range path[:len(path)-1] {
		object, _ = object[key].(map[string]any)
	}
	return field(object, path[len(path)-1])
}

// put sets or removes a field.
func put(object map[string]any, path []string, value any) {
	for _, key := range path[:len(path)-1] {
		next, ok := object[key].(map[string]any)
		if !ok {
			if value == (absent{}) {
				return
			}
			next = map[string]any{}
			object[key] = next
		}
		object = next
	}
	if value == (absent{}) {
		delete(object, path[len(path)-1])
		return
	}
	object[path[len(path)-1]] = runtime.DeepCopyJSONValue(value)
}

func orAbsent(value any) any {
	if value == nil {
		return absent{}
	}
	return value
}

func orNil(value any) any {
	if value == (absent{}) {
		return nil
	}
	return value
}

func setAnnotations(obj *unstructured.Unstructured, annotations map[string]string) {
	if len(annotations) == 0 {
		annotations = nil
	}
	obj.SetAnnotations(maps.Clone(annotations))
}
