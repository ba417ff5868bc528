// Package store is the only code that writes to the API server. It has two kinds of writes: Record puts a decision into
// the status of the object that it is about, and Project changes the world to follow it. Both are compare-and-swap on the
// resourceVersion that the decision was made on. A caller records first and projects only when that has succeeded.
//
// The package decides nothing, retries nothing and reads nothing: a conflict goes back to the caller, who reads again.
package store

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	jsonpatch "gopkg.in/evanphx/json-patch.v4"
	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"slipway.dev/slipway/api/v1alpha1"
)

// ErrStale means that the object already follows a later record. The caller's record is old: read again.
var ErrStale = errors.New("object follows a later record")

// Store writes. The zero value is not usable; see New.
type Store struct {
	writer client.Client
}

// New returns a Store that writes through c.
func New(c client.Client) *Store { return &Store{writer: c} }

// Record stores the status of after, an object that was read as before, unless they are equal. It reports whether it
// wrote. The write fails with a conflict when the object has changed since it was read. On success after carries the new
// resourceVersion.
func (s *Store) Record(ctx context.Context, before, after client.Object) (bool, error) {
	patch, err := mergePatch(before, after)
	if err != nil {
		return false, describe("record status of", after, err)
	}
	if patch == nil {
		return false, nil
	}
	err = s.writer.Status().Patch(ctx, after, client.RawPatch(types.MergePatchType, patch), client.FieldOwner(v1alpha1.FieldManager))
	return err == nil, describe("record status of", after, err)
}

// Create creates an object that must not exist yet, with the record's stamp.
func (s *Store) Create(ctx context.Context, obj client.Object, stamp Stamp) error {
	annotate(obj, stamp)
	return describe("create", obj, s.writer.Create(ctx, obj, client.FieldOwner(v1alpha1.FieldManager)))
}

// Try asks the API server whether it would take an object, and creates nothing.
func (s *Store) Try(ctx context.Context, obj client.Object) error {
	return describe("try", obj, s.writer.Create(ctx, obj, client.DryRunAll, client.FieldOwner(v1alpha1.FieldManager)))
}

// Project changes an object that was read as before into after, with the record's stamp, unless they are equal. It
// reports whether it wrote. It fails with ErrStale when before follows a later record, and with a conflict when the
// object has changed since it was read.
func (s *Store) Project(ctx context.Context, before, after client.Object, stamp Stamp) (bool, error) {
	if stamp.overtakenBy(before) {
		return false, describe("project", after, ErrStale)
	}
	if equality.Semantic.DeepEqual(before, after) {
		return false, nil
	}
	annotate(after, stamp)
	return s.ProjectUnstamped(ctx, before, after)
}

// ProjectUnstamped is Project for objects that belong to others and carry the operator's stamps in a form of their own,
// or none because the write itself can be made only once.
func (s *Store) ProjectUnstamped(ctx context.Context, before, after client.Object) (bool, error) {
	patch, err := mergePatch(before, after)
	if err != nil {
		return false, describe("project", after, err)
	}
	if patch == nil {
		return false, nil
	}
	err = s.writer.Patch(ctx, after, client.RawPatch(types.MergePatchType, patch), client.FieldOwner(v1alpha1.FieldManager))
	return err == nil, describe("project", after, err)
}

// Apply makes an object of the operator's own what it is to be, by server-side apply: fields that it had and has no more go.
// before is the object as it was read, or nil when it is not there yet; then one that somebody made meanwhile is a conflict
// where it says something else. With before, a change since then is.
func (s *Store) Apply(ctx context.Context, before, after client.Object) error {
	options := []client.ApplyOption{client.FieldOwner(v1alpha1.FieldManager)}
	if before != nil {
		after.SetResourceVersion(before.GetResourceVersion())
		options = append(options, client.ForceOwnership)
	}
	obj, ok := after.(*unstructured.Unstructured)
	if !ok {
		return describe("apply", after, errors.New("only untyped objects are applied"))
	}
	return describe("apply", after, s.writer.Apply(ctx, client.ApplyConfigurationFromUnstructured(obj), options...))
}

// Delete deletes exactly the object that was read, and what it owns, in the background. One that is gone is no error.
func (s *Store) Delete(ctx context.Context, obj client.Object) error {
	uid, version := obj.GetUID(), obj.GetResourceVersion()
	err := s.writer.Delete(ctx, obj,
		client.Preconditions{UID: &uid, ResourceVersion: &version},
		client.PropagationPolicy(metav1.DeletePropagationBackground))
	return describe("delete", obj, client.IgnoreNotFound(err))
}

// IsConflict reports that somebody else wrote first: read again, quietly.
func IsConflict(err error) bool {
	return apierrors.IsConflict(err) || apierrors.IsAlreadyExists(err) || errors.Is(err, ErrStale)
}

func annotate(obj client.Object, stamp Stamp) {
	annotations := obj.GetAnnotations()
	if annotations == nil {
		annotations = map[string]string{}
	}
	annotations[v1alpha1.StampAnnotation] = stamp.String()
	obj.SetAnnotations(annotations)
}

// mergePatch is the JSON merge patch from before to after with before's resourceVersion in it, or nil when they are
// equal. A merge patch leaves fields alone that neither knows.
func mergePatch(before, after client.Object) ([]byte, error) {
	if before.GetResourceVersion() == "" {
		return nil, errors.New("object was never read: it has no resourceVersion")
	}
	old, err := json.Marshal(before)
	if err != nil {
		return nil, err
	}
	changed, err := json.Marshal(after)
	if err != nil {
		return nil, err
	}
	patch, err := jsonpatch.CreateMergePatch(old, changed)
	if err != nil || string(patch) == "{}" {
		return nil, err
	}
	return withResourceVersion(patch, before.GetResourceVersion())
}

func withResourceVersion(patch []byte, version string) ([]byte, error) {
	var tree map[string]any
	if err := json.Unmarshal(patch, &tree); err != nil {
		return nil, err
	}
	metadata, _ := tree["metadata"].(map[string]any)
	if metadata == nil {
		metadata = map[string]any{}
	}
	metadata["resourceVersion"] = version
	tree["metadata"] = metadata
	return json.Marshal(tree)
}

func describe(verb string, obj client.Object, err error) error {
	if err == nil {
		return nil
	}
	kind := obj.GetObjectKind().GroupVersionKind().Kind
	if kind == "" {
		kind = fmt.Sprintf("%T", obj)
	}
	return fmt.Errorf("%s %s %s: %w", verb, kind, client.ObjectKeyFromObject(obj), err)
}
