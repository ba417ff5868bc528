package workload

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"slipway.dev/slipway/api/v1alpha1"
)

// CanaryLabelAnnotation on a twin names the label whose value tells it from stable.
const CanaryLabelAnnotation = "slipway.dev/canary-label"

// twinHistory is how many old ReplicaSets a twin keeps. It is never rolled back: a newer change replaces it.
const twinHistory = 1

// ErrNoLabel means that no label can tell the canary's pods from stable's.
var ErrNoLabel = errors.New("no label tells the canary from stable")

// TwinName is the name of the canary's Deployment and Service.
func TwinName(d *appsv1.Deployment) string { return d.Name + v1alpha1.CanarySuffix }

// HoldServiceName is the name of the Service that selects the old pods only.
func HoldServiceName(d *appsv1.Deployment) string { return d.Name + v1alpha1.StableHoldSuffix }

// TwinLabel is the label that the twin changes: wanted, or the first by name, of those that the Service's selector and
// the Deployment's matchLabels both have with the same value. It must be in both: otherwise the Service selects canary
// pods, or an autoscaler counts them and stable adopts the twin's ReplicaSet.
func TwinLabel(service *corev1.Service, d *appsv1.Deployment, wanted string) (string, error) {
	candidates := twinLabels(service, d)
	if wanted != "" {
		if slices.Contains(candidates, wanted) {
			return wanted, nil
		}
		return "", fmt.Errorf("%w: canary.label %q is not, with one value, in the selector of Service %q and in spec.selector.matchLabels of Deployment %q; %s",
			ErrNoLabel, wanted, service.Name, d.Name, suggest(candidates))
	}
	for _, label := range candidates {
		if twinValueFits(d.Spec.Selector.MatchLabels[label]) {
			return label, nil
		}
	}
	if len(candidates) > 0 {
		return candidates[0], nil
	}
	return "", fmt.Errorf("%w: the selector of Service %q and spec.selector.matchLabels of Deployment %q have no label with one value in common; add to the Service's selector a label that the Deployment's matchLabels have",
		ErrNoLabel, service.Name, d.Name)
}

// twinLabels are the labels that could tell the arms apart, sorted. One that a match expression names too cannot: the
// twin's selector would contradict itself.
func twinLabels(service *corev1.Service, d *appsv1.Deployment) []string {
	if d.Spec.Selector == nil {
		return nil
	}
	expressed := map[string]bool{}
	for _, e := range d.Spec.Selector.MatchExpressions {
		expressed[e.Key] = true
	}
	var out []string
	for _, label := range slices.Sorted(maps.Keys(service.Spec.Selector)) {
		value, ok := d.Spec.Selector.MatchLabels[label]
		if ok && value == service.Spec.Selector[label] && !expressed[label] {
			out = append(out, label)
		}
	}
	return out
}

func suggest(candidates []string) string {
	if len(candidates) == 0 {
		return "no label is"
	}
	return "choose one of: " + strings.Join(candidates, ", ")
}

// TwinValue is what the twin's label says where stable's says value.
func TwinValue(value string) string { return value + v1alpha1.CanarySuffix }

// TwinTemplate is template with label's value changed.
func TwinTemplate(template corev1.PodTemplateSpec, label string) corev1.PodTemplateSpec {
	out := withoutHash(template)
	if out.Labels == nil {
		out.Labels = map[string]string{}
	}
	out.Labels[label] = TwinValue(out.Labels[label])
	return *out
}

// Twin is the Deployment that runs template beside d. It has d's pace (deadlines, surge, minReadySeconds), none of d's
// annotations, and of d's labels those by which no tool tracks what it deployed.
func Twin(cr *v1alpha1.CanaryRelease, d *appsv1.Deployment, template corev1.PodTemplateSpec, label string, replicas int32) *appsv1.Deployment {
	spec := d.Spec.DeepCopy()
	labels := deploymentLabels(d.Labels)
	if value, ok := labels[label]; ok {
		labels[label] = TwinValue(value)
	}
	labels[v1alpha1.ReleaseLabel] = cr.Name
	history := int32(twinHistory)
	return &appsv1.Deployment{
		TypeMeta: metav1.TypeMeta{APIVersion: appsv1.SchemeGroupVersion.String(), Kind: "Deployment"},
		ObjectMeta: metav1.ObjectMeta{
			Name:            TwinName(d),
			Namespace:       d.Namespace,
			Labels:          labels,
			Annotations:     map[string]string{CanaryLabelAnnotation: label},
			OwnerReferences: []metav1.OwnerReference{ownedBy(cr)},
		},
		Spec: appsv1.DeploymentSpec{
			Replicas:                &replicas,
			Selector:                twinSelector(spec.Selector, label),
			Template:                TwinTemplate(template, label),
			Strategy:                spec.Strategy,
			MinReadySeconds:         spec.MinReadySeconds,
			RevisionHistoryLimit:    &history,
			ProgressDeadlineSeconds: spec.ProgressDeadlineSeconds,
		},
	}
}

// TwinOnto is live, the twin as it is in the cluster, with all that want says. What others added to its metadata stays.
// The selector stays too, because it cannot be changed: see SameSelector.
func TwinOnto(live, want *appsv1.Deployment) *appsv1.Deployment {
	out := live.DeepCopy()
	out.Labels = merged(live.Labels, want.Labels)
	out.Annotations = merged(live.Annotations, want.Annotations)
	selector := out.Spec.Selector
	out.Spec = *want.Spec.DeepCopy()
	out.Spec.Selector = selector
	return out
}

// SameSelector says that live can become want. If not, the label was changed in between, and the twin must be deleted
// and made anew.
func SameSelector(live, want *appsv1.Deployment) bool {
	return metav1.FormatLabelSelector(live.Spec.Selector) == metav1.FormatLabelSelector(want.Spec.Selector)
}

// TwinReplicas is how many pods the twin needs for its share of stable's work, rounded up, and never less than
// minReplicas.
func TwinReplicas(stable int32, weightPercent, minReplicas int32) int32 {
	share := (int64(max(stable, 0))*int64(max(weightPercent, 0)) + 99) / 100
	return int32(max(share, int64(minReplicas))) //nolint:gosec // at most stable, which is an int32, for up to 100 percent
}

func twinSelector(selector *metav1.LabelSelector, label string) *metav1.LabelSelector {
	out := selector.DeepCopy()
	out.MatchLabels[label] = TwinValue(out.MatchLabels[label])
	return out
}

func merged(live, want map[string]string) map[string]string {
	out := maps.Clone(live)
	if out == nil {
		out = map[string]string{}
	}
	maps.Copy(out, want)
	return out
}
