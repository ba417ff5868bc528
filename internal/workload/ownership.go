package workload

import (
	"encoding/json"
	"fmt"

	appsv1 "k8s.io/api/apps/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/structured-merge-diff/v6/fieldpath"

	"slipway.dev/slipway/api/v1alpha1"
)

// ManagedFieldsAnnotation on a ControllerRevision holds, as JSON, who owned the fields of its template when it was
// recorded. It is an annotation because a ControllerRevision's data cannot be changed, and owners do.
const ManagedFieldsAnnotation = "slipway.dev/managed-fields"

// managedFieldsLimit keeps the record well below the 256 KiB that all annotations of an object may have.
const managedFieldsLimit = 200 << 10

// templatePath is where the fields stand whose owners are recorded. All others keep the owners that they have.
var templatePath = fieldpath.MakePathOrDie("spec", "template")

// RecordManagedFields returns rev with a record of who owns the fields of d's template.
func RecordManagedFields(rev *appsv1.ControllerRevision, d *appsv1.Deployment) (*appsv1.ControllerRevision, error) {
	text, err := json.Marshal(ownEntries(d.ManagedFields))
	if err != nil {
		return nil, fmt.Errorf("record managed fields of Deployment %q: %w", d.Name, err)
	}
	if len(text) > managedFieldsLimit {
		return nil, fmt.Errorf("record managed fields of Deployment %q: %d bytes are over the limit of %d", d.Name, len(text), managedFieldsLimit)
	}
	out := rev.DeepCopy()
	if out.Annotations == nil {
		out.Annotations = map[string]string{}
	}
	out.Annotations[ManagedFieldsAnnotation] = string(text)
	return out, nil
}

// RecordedManagedFields reads what RecordManagedFields wrote; nil when nothing was recorded.
func RecordedManagedFields(rev *appsv1.ControllerRevision) ([]metav1.ManagedFieldsEntry, error) {
	text, ok := rev.Annotations[ManagedFieldsAnnotation]
	if !ok {
		return nil, nil
	}
	var entries []metav1.ManagedFieldsEntry
	if err := json.Unmarshal([]byte(text), &entries); err != nil {
		return nil, fmt.Errorf("read managed fields in ControllerRevision %q: %w", rev.Name, err)
	}
	return entries, nil
}

// RestoreOwnership returns d with the owners of its template's fields as they were recorded, and with none of these
// fields owned by the operator. It must be a write of its own, after the one that changed the template: a write that
// changes fields takes them from their owners, whatever managedFields it carries. With nothing recorded the operator's
// ownership of the template still goes.
func RestoreOwnership(d *appsv1.Deployment, recorded []metav1.ManagedFieldsEntry) (*appsv1.Deployment, error) {
	out := d.DeepCopy()
	entries, err := withoutOperator(out.ManagedFields)
	if err != nil {
		return nil, fmt.Errorf("restore managed fields of Deployment %q: %w", d.Name, err)
	}
	for _, was := range ownEntries(recorded) {
		if entries, err = giveBack(entries, was); err != nil {
			return nil, fmt.Errorf("restore managed fields of Deployment %q: %w", d.Name, err)
		}
	}
	out.ManagedFields = entries
	return out, nil
}

// OperatorOwnsTemplate says that fields of d's template are still to be given back: the operator wrote them, and died before
// RestoreOwnership was stored.
func OperatorOwnsTemplate(d *appsv1.Deployment) bool {
	for _, e := range d.ManagedFields {
		if e.Subresource != "" || e.Manager != v1alpha1.FieldManager {
			continue
		}
		set, err := fieldsOf(e)
		if err != nil || !templateFields(set).Empty() {
			return true
		}
	}
	return false
}

// ownEntries leaves out the operator's entry and those of subresources, which have no say over the template.
func ownEntries(entries []metav1.ManagedFieldsEntry) []metav1.ManagedFieldsEntry {
	var out []metav1.ManagedFieldsEntry
	for _, e := range entries {
		if e.Subresource == "" && e.Manager != v1alpha1.FieldManager {
			out = append(out, *e.DeepCopy())
		}
	}
	return out
}

func withoutOperator(entries []metav1.ManagedFieldsEntry) ([]metav1.ManagedFieldsEntry, error) {
	var out []metav1.ManagedFieldsEntry
	for _, e := range entries {
		if e.Subresource != "" || e.Manager != v1alpha1.FieldManager {
			out = append(out, e)
			continue
		}
		set, err := fieldsOf(e)
		if err != nil {
			return nil, err
		}
		rest := set.Difference(templateFields(set))
		if rest.Empty() {
			continue
		}
		if e, err = withFields(e, rest); err != nil {
			return nil, err
		}
		out = append(out, e)
	}
	return out, nil
}

// giveBack adds the template's fields of was to the entry of the same manager. The manager may have written since: what
// it owns now it keeps.
func giveBack(entries []metav1.ManagedFieldsEntry, was metav1.ManagedFieldsEntry) ([]metav1.ManagedFieldsEntry, error) {
	set, err := fieldsOf(was)
	if err != nil {
		return nil, err
	}
	back := templateFields(set)
	if back.Empty() {
		return entries, nil
	}
	for i, e := range entries {
		if !sameManager(e, was) {
			continue
		}
		now, err := fieldsOf(e)
		if err != nil {
			return nil, err
		}
		entries[i], err = withFields(e, now.Union(back))
		return entries, err
	}
	entry, err := withFields(was, back)
	return append(entries, entry), err
}

func sameManager(a, b metav1.ManagedFieldsEntry) bool {
	return a.Manager == b.Manager && a.Operation == b.Operation && a.Subresource == b.Subresource && a.APIVersion == b.APIVersion
}

// templateFields are the members of set at or below spec.template.
func templateFields(set *fieldpath.Set) *fieldpath.Set {
	out := fieldpath.NewSet()
	set.Iterate(func(p fieldpath.Path) {
		if len(p) >= len(templatePath) && p[:len(templatePath)].Equals(templatePath) {
			out.Insert(p.Copy())
		}
	})
	return out
}

func fieldsOf(e metav1.ManagedFieldsEntry) (*fieldpath.Set, error) {
	set := fieldpath.NewSet()
	if e.FieldsV1 == nil {
		return set, nil
	}
	if err := set.FromJSON(e.FieldsV1.GetRawReader()); err != nil {
		return nil, fmt.Errorf("read the fields of manager %q: %w", e.Manager, err)
	}
	return set, nil
}

func withFields(e metav1.ManagedFieldsEntry, set *fieldpath.Set) (metav1.ManagedFieldsEntry, error) {
	raw, err := set.ToJSON()
	if err != nil {
		return e, fmt.Errorf("write the fields of manager %q: %w", e.Manager, err)
	}
	e.FieldsV1 = metav1.NewFieldsV1(string(raw))
	return e, nil
}
