package gitops

import (
	"context"
	"fmt"
	"strings"

	fluxstatus "github.com/fluxcd/cli-utils/pkg/kstatus/status"
	"github.com/fluxcd/pkg/ssa"
	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/cli-utils/pkg/kstatus/status"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// Flux applies and compares as its kustomize-controller does.
type Flux struct {
	manager *ssa.ResourceManager
	name    string
}

// NewFlux is a Kustomization of that name.
func NewFlux(c client.Client, name string) *Flux {
	owner := ssa.Owner{Field: "kustomize-controller", Group: "kustomize.toolkit.fluxcd.io"}
	return &Flux{manager: ssa.NewResourceManager(c, nil, owner), name: name}
}

// Mine says whether an object has the labels by which Flux knows its own.
func (f *Flux) Mine(object client.Object) bool {
	return hasKey("kustomize.toolkit.fluxcd.io/", object.GetLabels(), object.GetAnnotations())
}

// Apply gives the objects as they are in Git to the cluster.
func (f *Flux) Apply(ctx context.Context, objects []*unstructured.Unstructured) error {
	options := ssa.DefaultApplyOptions()
	options.Cleanup = ssa.ApplyCleanupOptions{
		Annotations: []string{corev1.LastAppliedConfigAnnotation},
		FieldManagers: []ssa.FieldManager{
			{Name: "kubectl", OperationType: metav1.ManagedFieldsOperationApply},
			{Name: "kubectl", OperationType: metav1.ManagedFieldsOperationUpdate},
			{Name: "kustomize-controller", OperationType: metav1.ManagedFieldsOperationUpdate},
		},
	}
	_, err := f.manager.ApplyAll(ctx, f.labelled(objects), options)
	return err
}

// Drift is the difference of an object in Git to what is in the cluster; empty when there is none.
func (f *Flux) Drift(ctx context.Context, object *unstructured.Unstructured) (string, error) {
	change, live, merged, err := f.manager.Diff(ctx, f.labelled([]*unstructured.Unstructured{object})[0], ssa.DefaultDiffOptions())
	if err != nil || change.Action == ssa.UnchangedAction {
		return "", err
	}
	if live == nil || merged == nil {
		return string(change.Action), nil
	}
	return cmp.Diff(live.Object, merged.Object), nil
}

func (f *Flux) labelled(objects []*unstructured.Unstructured) []*unstructured.Unstructured {
	copies := make([]*unstructured.Unstructured, 0, len(objects))
	for _, object := range objects {
		copies = append(copies, object.DeepCopy())
	}
	f.manager.SetOwnerLabels(copies, f.name, "flux-system")
	return copies
}

// Health is kstatus's word for an object, which Flux's own copy of kstatus must share.
func (f *Flux) Health(object *unstructured.Unstructured) (string, error) {
	ours, err := status.Compute(object)
	if err != nil {
		return "", err
	}
	theirs, err := fluxstatus.Compute(object)
	if err != nil {
		return "", err
	}
	if string(ours.Status) != string(theirs.Status) {
		return "", fmt.Errorf("kstatus says %s (%s), Flux's kstatus %s (%s)", ours.Status, ours.Message, theirs.Status, theirs.Message)
	}
	return string(ours.Status), nil
}

func hasKey(prefix string, maps ...map[string]string) bool {
	for _, m := range maps {
		for key := range m {
			if strings.HasPrefix(key, prefix) {
				return true
			}
		}
	}
	return false
}
