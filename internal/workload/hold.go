package workload

import (
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"

	"slipway.dev/slipway/api/v1alpha1"
)

// Held says that d's template is held: it is paused and carries the mark. Paused without the mark is the user's pause.
func Held(d *appsv1.Deployment) bool { return d.Spec.Paused && HeldBy(d) != "" }

// HeldBy is the name of the CanaryRelease in d's mark, or empty.
func HeldBy(d *appsv1.Deployment) string { return d.Annotations[v1alpha1.HeldAnnotation] }

// PausedByUser says that d is paused and that it was not Slipway who paused it.
func PausedByUser(d *appsv1.Deployment) bool { return d.Spec.Paused && HeldBy(d) == "" }

// Release lifts the hold: the mark and the pause go in one write, so that there is no moment in which the Deployment
// looks as if its user had paused it.
func Release(d *appsv1.Deployment) *appsv1.Deployment {
	out := d.DeepCopy()
	delete(out.Annotations, v1alpha1.HeldAnnotation)
	out.Spec.Paused = false
	return out
}

// Freeze stops the rollout of what is in d, with the pause and the mark in one write. Its ReplicaSets keep their pods.
func Freeze(d *appsv1.Deployment, release string) *appsv1.Deployment {
	return Rehold(d, d.Spec.Template, release)
}

// PutBack gives d the stable template and lifts the hold in the same write: the Deployment controller keeps or brings
// back stable's pods and has nothing else to roll out. The store's writer then owns the fields that change;
// RestoreOwnership gives them back.
func PutBack(d *appsv1.Deployment, stable corev1.PodTemplateSpec) *appsv1.Deployment {
	out := Release(d)
	out.Spec.Template = *withoutHash(stable)
	return out
}

// Rehold gives d the held template, the pause and the mark in one write. It must be followed by RestoreOwnership, or the
// operator owns fields of the template and the next apply from Git makes a third one.
func Rehold(d *appsv1.Deployment, held corev1.PodTemplateSpec, release string) *appsv1.Deployment {
	out := d.DeepCopy()
	out.Spec.Template = *withoutHash(held)
	out.Spec.Paused = true
	if out.Annotations == nil {
		out.Annotations = map[string]string{}
	}
	out.Annotations[v1alpha1.HeldAnnotation] = release
	return out
}
