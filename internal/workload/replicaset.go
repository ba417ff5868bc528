package workload

import (
	"fmt"
	"sort"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

// StableFacts is what StableReplicaSet decides on.
type StableFacts struct {
	// Deployment is the target.
	Deployment *appsv1.Deployment
	// ReplicaSets may hold those of other Deployments too.
	ReplicaSets []appsv1.ReplicaSet
	// RecordedUID is the ReplicaSet that was recorded as stable, or empty.
	RecordedUID types.UID
	// Stable is the ControllerRevision of the template that was last recorded as stable, or nil.
	Stable *appsv1.ControllerRevision
}

// StableReplicaSet finds the ReplicaSet that serves stable: the recorded one; else the one whose template the stable
// ControllerRevision holds; else, while held, the one with the most ready pods; else, when the Deployment is rolled out,
// the one of its template. It returns nil and the reason when that cannot be known.
func StableReplicaSet(in StableFacts) (*appsv1.ReplicaSet, string) {
	owned := OwnedReplicaSets(in.Deployment, in.ReplicaSets)
	if len(owned) == 0 {
		return nil, fmt.Sprintf("Deployment %q has no ReplicaSet", in.Deployment.Name)
	}
	if found := byUID(owned, in.RecordedUID); found != nil {
		return found, ""
	}
	if in.Stable != nil {
		template, err := ReadTemplate(in.Stable)
		if err != nil {
			return nil, err.Error()
		}
		if found := ReplicaSetOf(owned, template); found != nil {
			return found, ""
		}
	}
	if Held(in.Deployment) {
		return mostReady(in.Deployment, owned)
	}
	return rolledOutReplicaSet(in.Deployment, owned)
}

// OwnedReplicaSets are those of all that d controls, the newest first.
func OwnedReplicaSets(d *appsv1.Deployment, all []appsv1.ReplicaSet) []appsv1.ReplicaSet {
	var owned []appsv1.ReplicaSet
	for i := range all {
		if metav1.IsControlledBy(&all[i], d) {
			owned = append(owned, *all[i].DeepCopy())
		}
	}
	sort.SliceStable(owned, func(i, j int) bool {
		a, b := owned[i].CreationTimestamp, owned[j].CreationTimestamp
		if a.Equal(&b) {
			return owned[i].Name < owned[j].Name
		}
		return b.Before(&a)
	})
	return owned
}

// ReplicaSetOf is the oldest of owned whose template is the same as t, as the Deployment controller picks it, or nil.
func ReplicaSetOf(owned []appsv1.ReplicaSet, t corev1.PodTemplateSpec) *appsv1.ReplicaSet {
	var found *appsv1.ReplicaSet
	for i := range owned {
		if !SameTemplate(owned[i].Spec.Template, t) {
			continue
		}
		if found == nil || owned[i].CreationTimestamp.Before(&found.CreationTimestamp) {
			found = &owned[i]
		}
	}
	return found
}

// NewestReplicaSet is the ReplicaSet of all that d controls and that has d's present template, or nil.
func NewestReplicaSet(d *appsv1.Deployment, all []appsv1.ReplicaSet) *appsv1.ReplicaSet {
	return ReplicaSetOf(OwnedReplicaSets(d, all), d.Spec.Template)
}

// OnlyReplicaSet says that every pod of d belongs to rs, and that rs has all the pods it wants, available.
func OnlyReplicaSet(d *appsv1.Deployment, rs *appsv1.ReplicaSet, all []appsv1.ReplicaSet) bool {
	if rs == nil || d.Status.ObservedGeneration < d.Generation {
		return false
	}
	for _, other := range OwnedReplicaSets(d, all) {
		if other.UID != rs.UID && (desired(other.Spec.Replicas) > 0 || other.Status.Replicas > 0) {
			return false
		}
	}
	want := desired(d.Spec.Replicas)
	return rs.Status.ObservedGeneration >= rs.Generation &&
		desired(rs.Spec.Replicas) == want && rs.Status.Replicas == want && rs.Status.AvailableReplicas == want
}

// RolledOut says that d is complete: the controller has seen its present spec, every pod is of its template and
// available, and no other pod is left.
func RolledOut(d *appsv1.Deployment) bool {
	want := desired(d.Spec.Replicas)
	return d.Status.ObservedGeneration >= d.Generation &&
		d.Status.UpdatedReplicas == want &&
		d.Status.Replicas == want &&
		d.Status.AvailableReplicas == want
}

func byUID(owned []appsv1.ReplicaSet, uid types.UID) *appsv1.ReplicaSet {
	if uid == "" {
		return nil
	}
	for i := range owned {
		if owned[i].UID == uid {
			return &owned[i]
		}
	}
	return nil
}

func rolledOutReplicaSet(d *appsv1.Deployment, owned []appsv1.ReplicaSet) (*appsv1.ReplicaSet, string) {
	if !RolledOut(d) {
		return nil, fmt.Sprintf("Deployment %q is not rolled out (%d of %d pods updated, %d available): wait until it is, then it is adopted as stable",
			d.Name, d.Status.UpdatedReplicas, desired(d.Spec.Replicas), d.Status.AvailableReplicas)
	}
	if found := ReplicaSetOf(owned, d.Spec.Template); found != nil {
		return found, ""
	}
	return nil, fmt.Sprintf("Deployment %q says that it is rolled out, but no ReplicaSet has its template yet", d.Name)
}

// mostReady decides by ready pods and, where none is ready, by wanted ones. A draw is not decided: a guess here would
// make the wrong version stable.
func mostReady(d *appsv1.Deployment, owned []appsv1.ReplicaSet) (*appsv1.ReplicaSet, string) {
	if found := strictlyMost(owned, func(rs *appsv1.ReplicaSet) int32 { return rs.Status.ReadyReplicas }); found != nil {
		return found, ""
	}
	ready := int32(0)
	for i := range owned {
		ready += owned[i].Status.ReadyReplicas
	}
	if ready == 0 {
		if found := strictlyMost(owned, func(rs *appsv1.ReplicaSet) int32 { return desired(rs.Spec.Replicas) }); found != nil {
			return found, ""
		}
	}
	return nil, fmt.Sprintf("Deployment %q was held while no single ReplicaSet had the most ready pods (%d ready in %d ReplicaSets): apply the template that is known to be good, or delete the CanaryRelease to lift the hold",
		d.Name, ready, len(owned))
}

// strictlyMost is the one of owned with more than zero and more than every other, or nil.
func strictlyMost(owned []appsv1.ReplicaSet, count func(*appsv1.ReplicaSet) int32) *appsv1.ReplicaSet {
	var best *appsv1.ReplicaSet
	draw := false
	for i := range owned {
		switch n := count(&owned[i]); {
		case n <= 0 || (best != nil && n < count(best)):
		case best != nil && n == count(best):
			draw = true
		default:
			best, draw = &owned[i], false
		}
	}
	if draw {
		return nil
	}
	return best
}

// desired is how many replicas are asked for; the API's default is 1.
func desired(replicas *int32) int32 {
	if replicas == nil {
		return 1
	}
	return *replicas
}
