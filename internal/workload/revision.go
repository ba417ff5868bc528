package workload

import (
	"encoding/json"
	"fmt"
	"sort"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"slipway.dev/slipway/api/v1alpha1"
)

// RevisionKind says what became of a template. It is the value of the label slipway.dev/revision-kind.
type RevisionKind string

const (
	// RevisionStable is a template that was adopted or promoted; that with the highest number is the present stable.
	RevisionStable RevisionKind = "stable"
	// RevisionCandidate is the template that is held now.
	RevisionCandidate RevisionKind = "candidate"
	// RevisionRejected is a template that was rolled back. It stays rejected until a person asks for a retry.
	RevisionRejected RevisionKind = "rejected"
)

// RejectedLimit is how many rejected templates are remembered for a release. The oldest are forgotten first.
const RejectedLimit = 20

// revisionData is what stands in a ControllerRevision's data, in the form in which StatefulSets and DaemonSets keep theirs.
type revisionData struct {
	Spec revisionSpec `json:"spec"`
}

type revisionSpec struct {
	Template *corev1.PodTemplateSpec `json:"template"`
}

// NewRevision makes the record of a template. Its name follows from the release, the kind and the template, so that a
// second record of the same is refused by the API server as existing already. number orders the records of a kind; see
// NextNumber.
func NewRevision(cr *v1alpha1.CanaryRelease, kind RevisionKind, template corev1.PodTemplateSpec, number int64) (*appsv1.ControllerRevision, error) {
	data, err := json.Marshal(revisionData{Spec: revisionSpec{Template: withoutHash(template)}})
	if err != nil {
		return nil, fmt.Errorf("record %s template of CanaryRelease %q: %w", kind, cr.Name, err)
	}
	return &appsv1.ControllerRevision{
		TypeMeta: metav1.TypeMeta{APIVersion: appsv1.SchemeGroupVersion.String(), Kind: "ControllerRevision"},
		ObjectMeta: metav1.ObjectMeta{
			Name:            RevisionName(cr, kind, template),
			Namespace:       cr.Namespace,
			Labels:          map[string]string{v1alpha1.ReleaseLabel: cr.Name, v1alpha1.KindLabel: string(kind)},
			OwnerReferences: []metav1.OwnerReference{ownedBy(cr)},
		},
		Data:     runtime.RawExtension{Raw: data},
		Revision: number,
	}, nil
}

// RevisionName is the name of the record that NewRevision makes.
func RevisionName(cr *v1alpha1.CanaryRelease, kind RevisionKind, template corev1.PodTemplateSpec) string {
	return cr.Name + "-" + string(kind) + "-" + Revision(template)
}

// ReadTemplate reads the template of a record. A record without one is an error, never an empty template.
func ReadTemplate(rev *appsv1.ControllerRevision) (corev1.PodTemplateSpec, error) {
	var data revisionData
	if err := json.Unmarshal(rev.Data.Raw, &data); err != nil {
		return corev1.PodTemplateSpec{}, fmt.Errorf("read template in ControllerRevision %q: %w", rev.Name, err)
	}
	if data.Spec.Template == nil || len(data.Spec.Template.Spec.Containers) == 0 {
		return corev1.PodTemplateSpec{}, fmt.Errorf("read template in ControllerRevision %q: it has none", rev.Name)
	}
	return *data.Spec.Template, nil
}

// RevisionsOf are the records of cr, of one kind, the newest first. Records that another object controls are left out,
// whatever their labels say.
func RevisionsOf(cr *v1alpha1.CanaryRelease, all []appsv1.ControllerRevision, kind RevisionKind) []appsv1.ControllerRevision {
	var out []appsv1.ControllerRevision
	for i := range all {
		if metav1.IsControlledBy(&all[i], cr) && all[i].Labels[v1alpha1.KindLabel] == string(kind) {
			out = append(out, *all[i].DeepCopy())
		}
	}
	sort.SliceStable(out, func(i, j int) bool {
		if out[i].Revision != out[j].Revision {
			return out[i].Revision > out[j].Revision
		}
		return out[i].Name < out[j].Name
	})
	return out
}

// FindTemplate is the record of kind among revs that holds the same template, compared as SameTemplate does; nil when
// there is none. A record that cannot be read is no match.
func FindTemplate(revs []appsv1.ControllerRevision, kind RevisionKind, template corev1.PodTemplateSpec) *appsv1.ControllerRevision {
	for i := range revs {
		if revs[i].Labels[v1alpha1.KindLabel] != string(kind) {
			continue
		}
		held, err := ReadTemplate(&revs[i])
		if err == nil && SameTemplate(held, template) {
			return revs[i].DeepCopy()
		}
	}
	return nil
}

// PresentStable is the record of the template that is stable now, or nil.
func PresentStable(cr *v1alpha1.CanaryRelease, all []appsv1.ControllerRevision) *appsv1.ControllerRevision {
	if stable := RevisionsOf(cr, all, RevisionStable); len(stable) > 0 {
		return &stable[0]
	}
	return nil
}

// PromotedBefore says that template is among the last window templates that were stable before the present one, and may
// be rolled out at once.
func PromotedBefore(cr *v1alpha1.CanaryRelease, all []appsv1.ControllerRevision, template corev1.PodTemplateSpec) bool {
	stable := RevisionsOf(cr, all, RevisionStable)
	if len(stable) < 2 {
		return false
	}
	before := stable[1:min(len(stable), 1+rollbackWindow(cr))]
	return FindTemplate(before, RevisionStable, template) != nil
}

// NextNumber is one more than the highest number of cr's records of kind. A template that becomes stable again gets it
// too, in the record that it has: the data stays, the number goes up.
func NextNumber(cr *v1alpha1.CanaryRelease, all []appsv1.ControllerRevision, kind RevisionKind) int64 {
	if revs := RevisionsOf(cr, all, kind); len(revs) > 0 {
		return revs[0].Revision + 1
	}
	return 1
}

// Surplus are the records of cr that are over the limits: promoted ones that rollbackWindow no longer reaches, candidates
// other than the newest, and the oldest rejected ones.
func Surplus(cr *v1alpha1.CanaryRelease, all []appsv1.ControllerRevision) []appsv1.ControllerRevision {
	keep := map[RevisionKind]int{
		RevisionStable:    1 + rollbackWindow(cr),
		RevisionCandidate: 1,
		RevisionRejected:  RejectedLimit,
	}
	var out []appsv1.ControllerRevision
	for _, kind := range []RevisionKind{RevisionStable, RevisionCandidate, RevisionRejected} {
		if revs := RevisionsOf(cr, all, kind); len(revs) > keep[kind] {
			out = append(out, revs[keep[kind]:]...)
		}
	}
	return out
}

func rollbackWindow(cr *v1alpha1.CanaryRelease) int {
	if cr.Spec.RollbackWindow == nil {
		return 1
	}
	return max(0, int(*cr.Spec.RollbackWindow))
}

// ownedBy makes cr the controller of an object, so that the object goes when cr goes.
func ownedBy(cr *v1alpha1.CanaryRelease) metav1.OwnerReference {
	return *metav1.NewControllerRef(cr, v1alpha1.GroupVersion.WithKind("CanaryRelease"))
}
