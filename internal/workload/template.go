package workload

import (
	"crypto/sha256"
	"encoding/json"
	"reflect"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// RestartedAtAnnotation is what kubectl rollout restart changes in a template.
const RestartedAtAnnotation = "kubectl.kubernetes.io/restartedAt"

// revisionAlphabet has no vowels and nothing that looks like another character, so that a name can be read out and
// spells no word.
const revisionAlphabet = "bcdfghjklmnpqrstvwxz2456789"

// revisionLength characters of 27 make an accidental clash among the few dozen templates of one release a matter of one
// in billions. A clash would mix up names only: templates are always compared as a whole.
const revisionLength = 10

// Revision is the short name of a template, for people and for their commands. It is the same in every process and for
// every template that SameTemplate cannot tell from t. It says nothing about equality after a cluster upgrade, which may
// add defaults: compare with SameTemplate.
func Revision(t corev1.PodTemplateSpec) string {
	canonical := withoutHash(t)
	canonical.CreationTimestamp = metav1.Time{}
	canonicalQuantities(reflect.ValueOf(canonical))
	text, err := canonicalJSON(canonical)
	if err != nil {
		// Every field of a template marshals; a name that cannot be made is no name.
		return ""
	}
	sum := sha256.Sum256(text)
	name := make([]byte, revisionLength)
	for i := range name {
		name[i] = revisionAlphabet[int(sum[i])%len(revisionAlphabet)]
	}
	return string(name)
}

// canonicalJSON has sorted keys and no nulls: whether a null is written for what is absent is up to the version of the
// library.
func canonicalJSON(t *corev1.PodTemplateSpec) ([]byte, error) {
	text, err := json.Marshal(t)
	if err != nil {
		return nil, err
	}
	var tree any
	if err := json.Unmarshal(text, &tree); err != nil {
		return nil, err
	}
	return json.Marshal(withoutNulls(tree))
}

func withoutNulls(node any) any {
	switch n := node.(type) {
	case map[string]any:
		for key, value := range n {
			if value == nil {
				delete(n, key)
				continue
			}
			n[key] = withoutNulls(value)
		}
	case []any:
		for i := range n {
			n[i] = withoutNulls(n[i])
		}
	}
	return node
}

// SameTemplate compares as the Deployment controller does before it makes a ReplicaSet: by meaning (1000m is 1, an empty
// list is no list) and without the pod-template-hash label.
func SameTemplate(a, b corev1.PodTemplateSpec) bool {
	return equality.Semantic.DeepEqual(withoutHash(a), withoutHash(b))
}

// OnlyRestarted says that a and b differ, and in nothing but the annotation that kubectl rollout restart sets.
func OnlyRestarted(a, b corev1.PodTemplateSpec) bool {
	if SameTemplate(a, b) {
		return false
	}
	x, y := withoutHash(a), withoutHash(b)
	delete(x.Annotations, RestartedAtAnnotation)
	delete(y.Annotations, RestartedAtAnnotation)
	return equality.Semantic.DeepEqual(x, y)
}

// withoutHash is a copy of t without the label by which the Deployment controller tells ReplicaSets apart.
func withoutHash(t corev1.PodTemplateSpec) *corev1.PodTemplateSpec {
	out := t.DeepCopy()
	delete(out.Labels, appsv1.DefaultDeploymentUniqueLabelKey)
	return out
}

var quantityType = reflect.TypeFor[resource.Quantity]()

// canonicalQuantities writes every quantity below v in one form, because 1Gi and 1073741824 are the same template.
func canonicalQuantities(v reflect.Value) {
	kind := v.Kind()
	if kind == reflect.Pointer && !v.IsNil() {
		canonicalQuantities(v.Elem())
	}
	if kind == reflect.Struct {
		canonicalStruct(v)
	}
	if kind == reflect.Slice {
		for i := range v.Len() {
			canonicalQuantities(v.Index(i))
		}
	}
	if kind == reflect.Map {
		canonicalMap(v)
	}
}

func canonicalStruct(v reflect.Value) {
	if v.Type() == quantityType {
		if v.CanSet() {
			v.Set(reflect.ValueOf(canonicalQuantity(v.Interface())))
		}
		return
	}
	for i := range v.NumField() {
		if v.Type().Field(i).IsExported() {
			canonicalQuantities(v.Field(i))
		}
	}
}

// canonicalMap replaces the quantities of a resource list. No other map of a template has quantities in it.
func canonicalMap(v reflect.Value) {
	if v.Type().Elem() != quantityType {
		return
	}
	for _, key := range v.MapKeys() {
		v.SetMapIndex(key, reflect.ValueOf(canonicalQuantity(v.MapIndex(key).Interface())))
	}
}

func canonicalQuantity(value any) resource.Quantity {
	q, _ := value.(resource.Quantity)
	return *resource.NewDecimalQuantity(*q.AsDec(), resource.DecimalSI)
}
