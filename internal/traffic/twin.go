package traffic

import (
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"slipway.dev/slipway/api/v1alpha1"
)

// Twin says how the canary's Service and pods differ from those of the user's, for configuration that hangs on a name or on
// labels and has to be there for the canary before it gets a share.
type Twin struct {
	// Stable and Canary are the names of the Services.
	Stable, Canary string
	// StableLabels and CanaryLabels are the labels of the pods behind them.
	StableLabels, CanaryLabels map[string]string
	// Label is the one whose value differs.
	Label string
}

// CopyFor returns a copy of a user's object for the canary: with its spec, the other name, and Slipway's label. Labels and
// annotations are not copied: a tracking label of a GitOps tool would have the tool remove it. The caller adds the owner.
func (t Twin) CopyFor(obj *unstructured.Unstructured, name string) *unstructured.Unstructured {
	out := &unstructured.Unstructured{Object: map[string]any{}}
	if spec, ok := obj.DeepCopy().Object["spec"]; ok {
		out.Object["spec"] = spec
	}
	out.SetGroupVersionKind(obj.GroupVersionKind())
	out.SetName(name)
	out.SetNamespace(obj.GetNamespace())
	out.SetLabels(map[string]string{v1alpha1.ManagedByLabel: v1alpha1.ManagedBy})
	return out
}

// Given says whether the user has an object of the kind and name themselves. What they say for the canary counts.
func (t Twin) Given(objects []*unstructured.Unstructured, like *unstructured.Unstructured) bool {
	for _, obj := range objects {
		if KindOf(obj) == KindOf(like) && obj.GetName() == like.GetName() && obj.GetLabels()[v1alpha1.ManagedByLabel] != v1alpha1.ManagedBy {
			return true
		}
	}
	return false
}
