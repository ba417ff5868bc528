package traffic

import (
	"cmp"
	"encoding/json"
	"fmt"
	"hash/fnv"
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"

	"slipway.dev/slipway/api/v1alpha1"
)

// Generate returns an object of Slipway's own for a target: with the label and annotations that say so, and owned by
// every split and policy of the intent, so that it goes with the last of them. Nothing is copied from the target: a
// tracking label of a GitOps tool would have the tool remove it.
func Generate(seen Seen, intent Intent, kind schema.GroupVersionKind, name string, spec map[string]any) *unstructured.Unstructured {
	obj := &unstructured.Unstructured{Object: map[string]any{"spec": spec}}
	obj.SetGroupVersionKind(kind)
	obj.SetName(name)
	obj.SetNamespace(seen.Target.GetNamespace())
	obj.SetLabels(map[string]string{v1alpha1.ManagedByLabel: v1alpha1.ManagedBy})
	obj.SetAnnotations(map[string]string{
		v1alpha1.TargetAnnotation:  TargetName(seen.Target),
		v1alpha1.CarriesAnnotation: intentText(intent),
	})
	obj.SetOwnerReferences(owners(intent))
	return obj
}

// GeneratedName is a name for an object that is generated for a target, or for a rule of it. It is one also where the names
// of both are long.
func GeneratedName(target *unstructured.Unstructured, section string) string {
	name := "slipway-" + strings.ToLower(target.GetKind()) + "-" + target.GetName()
	if section != "" {
		name += "-" + section
	}
	if len(name) <= maxObjectName {
		return name
	}
	hash := fnv.New32a()
	_, _ = hash.Write([]byte(name)) // a hash takes everything
	return fmt.Sprintf("%s-%08x", strings.TrimRight(name[:maxObjectName-9], "-."), hash.Sum32())
}

const maxObjectName = 253

// IsGenerated says whether an object is Slipway's own.
func IsGenerated(obj *unstructured.Unstructured) bool {
	return obj.GetLabels()[v1alpha1.ManagedByLabel] == v1alpha1.ManagedBy && TargetOf(obj) != ""
}

// TargetOf is the target that an object was generated for, as TargetName writes it, or empty.
func TargetOf(obj *unstructured.Unstructured) string {
	return obj.GetAnnotations()[v1alpha1.TargetAnnotation]
}

// TargetName is how generated objects name a target in their namespace.
func TargetName(target *unstructured.Unstructured) string {
	return fmt.Sprintf("%s/%s", KindOf(target), target.GetName())
}

// CarriedBy is what a generated object says that it carries.
func CarriedBy(obj *unstructured.Unstructured) Intent {
	var intent Intent
	if text := obj.GetAnnotations()[v1alpha1.CarriesAnnotation]; text != "" && IsGenerated(obj) {
		if err := json.Unmarshal([]byte(text), &intent); err != nil {
			return Intent{}
		}
	}
	return intent
}

// Free returns a RefusedError when the name of an object that is to be generated is taken: by somebody's own, or by one
// that was generated for another target.
func Free(seen Seen, generated []*unstructured.Unstructured) error {
	for _, obj := range generated {
		there := seen.Find(KindOf(obj), obj.GetName())
		if there == nil || (IsGenerated(there) && TargetOf(there) == TargetName(seen.Target)) {
			continue
		}
		return Refused(Conflicted, "%s %s is not Slipway's, and it is where Slipway has to write; rename or remove it, or take out what needs it",
			obj.GetKind(), obj.GetName())
	}
	return nil
}

// Overtaken returns ErrOvertaken when what is carried follows a later record of one of the intent's splits.
func Overtaken(carried, intent Intent) error {
	for _, on := range carried.Splits {
		for _, s := range intent.Splits {
			if s.UID == on.UID && s.Sequence < on.Sequence {
				return fmt.Errorf("render split %q at sequence %d, target is at %d: %w", s.Name, s.Sequence, on.Sequence, ErrOvertaken)
			}
		}
	}
	return nil
}

// intentText is the intent as JSON; that of an intent cannot fail.
func intentText(intent Intent) string {
	text, _ := json.Marshal(intent) //nolint:errchkjson // plain strings and numbers
	return string(text)
}

func owners(intent Intent) []metav1.OwnerReference {
	var out []metav1.OwnerReference
	add := func(kind, name, uid string) {
		out = append(out, metav1.OwnerReference{APIVersion: v1alpha1.GroupVersion.String(), Kind: kind, Name: name, UID: types.UID(uid)})
	}
	for _, s := range intent.Splits {
		add("TrafficSplit", s.Name, s.UID)
	}
	for _, r := range intent.Retries {
		add("RetryPolicy", r.Name, r.UID)
	}
	slices.SortFunc(out, func(a, b metav1.OwnerReference) int {
		return cmp.Or(cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Name, b.Name), cmp.Compare(a.UID, b.UID))
	})
	return slices.Compact(out)
}

func sortByName(objects []*unstructured.Unstructured) {
	slices.SortStableFunc(objects, func(a, b *unstructured.Unstructured) int { return cmp.Compare(a.GetName(), b.GetName()) })
}
