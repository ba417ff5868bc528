package workload

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"slipway.dev/slipway/api/v1alpha1"
)

func TestHeldAndPausedByUser(t *testing.T) {
	tests := map[string]struct {
		paused         bool
		mark           string
		held, byTheirs bool
	}{
		"neither":                               {},
		"paused and marked is held":             {paused: true, mark: "release", held: true},
		"paused without the mark is the user's": {paused: true, byTheirs: true},
		"marked and not paused is not held":     {mark: "release"},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			d := testDeployment()
			d.Spec.Paused = tc.paused
			if tc.mark != "" {
				d.Annotations[v1alpha1.HeldAnnotation] = tc.mark
			}
			if Held(d) != tc.held || PausedByUser(d) != tc.byTheirs || HeldBy(d) != tc.mark {
				t.Errorf("Held %v, PausedByUser %v, HeldBy %q; want %v, %v, %q", Held(d), PausedByUser(d), HeldBy(d), tc.held, tc.byTheirs, tc.mark)
			}
		})
	}
}

// Each write changes the template, the pause and the mark, and nothing else; and never what it was given.
func TestWritesOfTheTarget(t *testing.T) {
	held, free := heldDeployment("shop:v2"), testDeployment()
	hashed := testTemplate("shop:v1")
	hashed.Labels[appsv1.DefaultDeploymentUniqueLabelKey] = "x"
	released := testDeployment()
	released.Spec.Template = testTemplate("shop:v2")
	bare := testDeployment()
	bare.Annotations = nil
	bareHeld := bare.DeepCopy()
	bareHeld.Annotations = map[string]string{v1alpha1.HeldAnnotation: "release"}
	bareHeld.Spec.Paused, bareHeld.Spec.Template = true, testTemplate("shop:v2")

	tests := map[string]struct {
		from, want *appsv1.Deployment
		write      func(*appsv1.Deployment) *appsv1.Deployment
	}{
		"release keeps the held template":             {from: held, want: released, write: Release},
		"release of what is not held changes nothing": {from: free, want: free, write: Release},
		"put back takes stable's template without its hash": {
			from: held, want: free, write: func(d *appsv1.Deployment) *appsv1.Deployment { return PutBack(d, hashed) },
		},
		"rehold brings pause, mark and template": {
			from: free, want: held, write: func(d *appsv1.Deployment) *appsv1.Deployment { return Rehold(d, testTemplate("shop:v2"), "release") },
		},
		"rehold of a Deployment without annotations": {
			from: bare, want: bareHeld, write: func(d *appsv1.Deployment) *appsv1.Deployment { return Rehold(d, testTemplate("shop:v2"), "release") },
		},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			before := tc.from.DeepCopy()
			if diff := cmp.Diff(tc.want, tc.write(tc.from)); diff != "" {
				t.Errorf("write (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(before, tc.from); diff != "" {
				t.Errorf("what it was given changed (-before +after):\n%s", diff)
			}
		})
	}
}

func entry(manager string, operation metav1.ManagedFieldsOperationType, fields string) metav1.ManagedFieldsEntry {
	return metav1.ManagedFieldsEntry{
		Manager: manager, Operation: operation, APIVersion: "apps/v1", FieldsType: "FieldsV1", FieldsV1: metav1.NewFieldsV1(fields),
	}
}

func TestOperatorOwnsTheTemplateUntilItIsGivenBack(t *testing.T) {
	const template = `{"f:spec":{"f:template":{"f:spec":{"f:hostname":{}}}}}`
	update := metav1.ManagedFieldsOperationUpdate
	d := &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{ManagedFields: []metav1.ManagedFieldsEntry{
		entry("git", metav1.ManagedFieldsOperationApply, template), entry("slipway", update, `{"f:spec":{"f:paused":{}}}`),
	}}}
	if OperatorOwnsTemplate(d) {
		t.Error("the template is git's, and the pause is none of it")
	}
	d.ManagedFields = append(d.ManagedFields, entry("slipway", update, template))
	if !OperatorOwnsTemplate(d) {
		t.Error("the operator owns a field of the template")
	}
	restored, err := RestoreOwnership(d, nil)
	if err != nil || OperatorOwnsTemplate(restored) {
		t.Errorf("given back, and still owned: %v, %v", restored.ManagedFields, err)
	}
}

func TestRestoreOwnership(t *testing.T) {
	const (
		template = `{"f:spec":{"f:template":{"f:spec":{"f:hostname":{}}}}}`
		replicas = `{"f:spec":{"f:replicas":{}}}`
		both     = `{"f:spec":{"f:replicas":{},"f:template":{"f:spec":{"f:hostname":{}}}}}`
		pause    = `{"f:spec":{"f:paused":{}}}`
		pauseToo = `{"f:spec":{"f:paused":{},"f:template":{"f:spec":{"f:hostname":{}}}}}`
	)
	apply, update := metav1.ManagedFieldsOperationApply, metav1.ManagedFieldsOperationUpdate
	status := entry("kube-controller-manager", update, template)
	status.Subresource = "status"
	tests := map[string]struct {
		live, recorded, want []metav1.ManagedFieldsEntry
	}{
		"the operator's fields of the template go back to their owner": {
			live:     []metav1.ManagedFieldsEntry{entry("git", apply, replicas), entry("slipway", update, template)},
			recorded: []metav1.ManagedFieldsEntry{entry("git", apply, both)},
			want:     []metav1.ManagedFieldsEntry{entry("git", apply, both)},
		},
		"an owner that lost everything comes back, with the template only": {
			live:     []metav1.ManagedFieldsEntry{entry("slipway", update, template)},
			recorded: []metav1.ManagedFieldsEntry{entry("git", apply, both)},
			want:     []metav1.ManagedFieldsEntry{entry("git", apply, template)},
		},
		"the operator keeps what is not of the template": {
			live:     []metav1.ManagedFieldsEntry{entry("slipway", update, pauseToo)},
			recorded: []metav1.ManagedFieldsEntry{entry("git", apply, template)},
			want:     []metav1.ManagedFieldsEntry{entry("slipway", update, pause), entry("git", apply, template)},
		},
		"who came since keeps what is theirs": {
			live:     []metav1.ManagedFieldsEntry{entry("kubectl-scale", update, replicas), entry("slipway", update, template)},
			recorded: []metav1.ManagedFieldsEntry{entry("git", apply, template)},
			want:     []metav1.ManagedFieldsEntry{entry("kubectl-scale", update, replicas), entry("git", apply, template)},
		},
		"entries of subresources stay and are not brought back": {
			live:     []metav1.ManagedFieldsEntry{status},
			recorded: []metav1.ManagedFieldsEntry{status, entry("slipway", update, template)},
			want:     []metav1.ManagedFieldsEntry{status},
		},
		"with nothing recorded the operator still lets go": {
			live: []metav1.ManagedFieldsEntry{entry("slipway", update, pauseToo)},
			want: []metav1.ManagedFieldsEntry{entry("slipway", update, pause)},
		},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			d := testDeployment()
			d.ManagedFields = tc.live
			before := d.DeepCopy()
			got, err := RestoreOwnership(d, tc.recorded)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tc.want, got.ManagedFields); diff != "" {
				t.Errorf("managed fields (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(before, d); diff != "" {
				t.Errorf("what it was given changed:\n%s", diff)
			}
		})
	}
}

func TestOwnersThatCannotBeReadAreAnError(t *testing.T) {
	broken := []metav1.ManagedFieldsEntry{entry("git", metav1.ManagedFieldsOperationApply, `{"f:spec":7}`)}
	if got, err := RestoreOwnership(testDeployment(), broken); err == nil {
		t.Errorf("a broken record gives %v", got.ManagedFields)
	}
	d := testDeployment()
	d.ManagedFields = []metav1.ManagedFieldsEntry{entry("slipway", metav1.ManagedFieldsOperationUpdate, `[]`)}
	if got, err := RestoreOwnership(d, nil); err == nil {
		t.Errorf("a broken entry of the operator gives %v", got.ManagedFields)
	}
}

func TestManagedFieldsSurviveTheirRecord(t *testing.T) {
	d := testDeployment()
	git := entry("git", metav1.ManagedFieldsOperationApply, `{"f:spec":{"f:replicas":{}}}`)
	d.ManagedFields = []metav1.ManagedFieldsEntry{git, entry("slipway", metav1.ManagedFieldsOperationUpdate, `{}`)}
	rev := record(t, testRelease(), RevisionCandidate, "shop:v2", 1)
	recorded, err := RecordManagedFields(&rev, d)
	if err != nil {
		t.Fatal(err)
	}
	got, err := RecordedManagedFields(recorded)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]metav1.ManagedFieldsEntry{git}, got); diff != "" {
		t.Errorf("managed fields (-want +got):\n%s", diff)
	}
	if none, err := RecordedManagedFields(&rev); none != nil || err != nil {
		t.Errorf("nothing was recorded, and it reads %v, %v", none, err)
	}
	rev.Annotations = m(ManagedFieldsAnnotation, "{")
	if _, err := RecordedManagedFields(&rev); err == nil {
		t.Error("a broken record is no error")
	}
	d.ManagedFields = []metav1.ManagedFieldsEntry{entry("git", "Apply", `{"f:spec":"`+string(make([]byte, managedFieldsLimit))+`"}`)}
	if _, err := RecordManagedFields(&rev, d); err == nil {
		t.Error("a record that is too long for an annotation is no error")
	}
}
