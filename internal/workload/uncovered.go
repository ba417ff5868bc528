package workload

import (
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
)

// Selector is one label selector for pods, and where it stands.
type Selector struct {
	// Kind and Name are those of the object, such as PodMonitor "shop".
	Kind, Name string
	// Field is where in the object the selector stands, such as spec.selector.
	Field string
	// Selector selects pods. nil selects none, an empty one all.
	Selector *metav1.LabelSelector
}

// UncoveredFacts is what Uncovered decides on.
type UncoveredFacts struct {
	// Template is the held one; Label is the label that the twin changes.
	Template corev1.PodTemplateSpec
	Label    string
	// NetworkPolicies and PodDisruptionBudgets are all of the namespace.
	NetworkPolicies      []networkingv1.NetworkPolicy
	PodDisruptionBudgets []policyv1.PodDisruptionBudget
	// Others are selectors of kinds that this package has no type for, such as PodMonitor.
	Others []Selector
}

// Uncovered names what selects stable's pods and, because of the changed label, not the canary's: sorted, each once.
func Uncovered(in UncoveredFacts) []string {
	stable := labels.Set(in.Template.Labels)
	canary := labels.Set(TwinTemplate(in.Template, in.Label).Labels)
	var out []string
	for _, s := range selectorsOf(in) {
		selector, err := metav1.LabelSelectorAsSelector(s.Selector)
		if err == nil && selector.Matches(stable) && !selector.Matches(canary) {
			out = append(out, s.String())
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// String names the selector for people.
func (s Selector) String() string {
	if s.Name == "" {
		return fmt.Sprintf("%s (%s)", s.Kind, s.Field)
	}
	return fmt.Sprintf("%s %q (%s)", s.Kind, s.Name, s.Field)
}

func selectorsOf(in UncoveredFacts) []Selector {
	out := slices.Clone(in.Others)
	for i := range in.NetworkPolicies {
		out = append(out, networkSelectors(&in.NetworkPolicies[i])...)
	}
	for _, pdb := range in.PodDisruptionBudgets {
		out = append(out, Selector{Kind: "PodDisruptionBudget", Name: pdb.Name, Field: "spec.selector", Selector: pdb.Spec.Selector})
	}
	return append(out, templateSelectors(in.Template.Spec)...)
}

// networkSelectors are the pods that a policy is for, and the pods that it lets talk to those: a database that admits
// pods by the changed label does not admit the canary.
func networkSelectors(np *networkingv1.NetworkPolicy) []Selector {
	at := func(field string, s *metav1.LabelSelector) Selector {
		return Selector{Kind: "NetworkPolicy", Name: np.Name, Field: field, Selector: s}
	}
	out := []Selector{at("spec.podSelector", &np.Spec.PodSelector)}
	for _, rule := range np.Spec.Ingress {
		for _, peer := range rule.From {
			out = append(out, at("spec.ingress.from", peer.PodSelector))
		}
	}
	for _, rule := range np.Spec.Egress {
		for _, peer := range rule.To {
			out = append(out, at("spec.egress.to", peer.PodSelector))
		}
	}
	return out
}

// templateSelectors are the template's own: canary pods that spread or keep apart by stable's label look at stable's pods
// and not at each other.
func templateSelectors(spec corev1.PodSpec) []Selector {
	at := func(field string, s *metav1.LabelSelector) Selector {
		return Selector{Kind: "the pod template", Field: "spec." + field, Selector: s}
	}
	var out []Selector
	for _, c := range spec.TopologySpreadConstraints {
		out = append(out, at("topologySpreadConstraints", c.LabelSelector))
	}
	if spec.Affinity == nil {
		return out
	}
	var terms []corev1.PodAffinityTerm
	if a := spec.Affinity.PodAffinity; a != nil {
		terms = append(terms, affinityTerms(a.RequiredDuringSchedulingIgnoredDuringExecution, a.PreferredDuringSchedulingIgnoredDuringExecution)...)
	}
	for _, t := range terms {
		out = append(out, at("affinity.podAffinity", t.LabelSelector))
	}
	if a := spec.Affinity.PodAntiAffinity; a != nil {
		for _, t := range affinityTerms(a.RequiredDuringSchedulingIgnoredDuringExecution, a.PreferredDuringSchedulingIgnoredDuringExecution) {
			out = append(out, at("affinity.podAntiAffinity", t.LabelSelector))
		}
	}
	return out
}

func affinityTerms(required []corev1.PodAffinityTerm, preferred []corev1.WeightedPodAffinityTerm) []corev1.PodAffinityTerm {
	out := slices.Clone(required)
	for _, p := range preferred {
		out = append(out, p.PodAffinityTerm)
	}
	return out
}
