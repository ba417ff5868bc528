package workload

import (
	"fmt"
	"slices"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/util/validation"

	"slipway.dev/slipway/api/v1alpha1"
)

// Reasons for which a twin must not be made. Each is a condition's reason.
const (
	// ReasonServiceSelectsNothing says that the Service does not select the Deployment's pods as they are now.
	ReasonServiceSelectsNothing = "ServiceSelectsNothing"
	// ReasonChangeLeavesService says that the Service would not select, or not reach, the pods of the held template.
	ReasonChangeLeavesService = "ChangeLeavesService"
	// ReasonNoCanaryLabel says that no label can tell the canary from stable.
	ReasonNoCanaryLabel = "NoCanaryLabel"
	// ReasonOtherServiceSelectsCanary says that another Service would send traffic to the canary at weight 0.
	ReasonOtherServiceSelectsCanary = "OtherServiceSelectsCanary"
	// ReasonNameTaken says that an object of another owner has a name that Slipway needs.
	ReasonNameTaken = "NameTaken"
	// ReasonNameTooLong says that a name or a label value has no room for its suffix.
	ReasonNameTooLong = "NameTooLong"
	// ReasonRecreateStrategy says that the Deployment stops all pods before it starts new ones.
	ReasonRecreateStrategy = "RecreateStrategy"
	// ReasonHostPort says that pods take ports of their nodes, which the canary's would have to share.
	ReasonHostPort = "HostPort"
	// ReasonExclusiveVolume says that a volume can be mounted on one node, or by one pod, only.
	ReasonExclusiveVolume = "ExclusiveVolume"
)

// Refusal is one reason for which a twin must not be made, and what the user can do.
type Refusal struct {
	Reason, Message string
}

// PreflightFacts is what Preflight decides on. All objects are of the release's namespace.
type PreflightFacts struct {
	Release    *v1alpha1.CanaryRelease
	Deployment *appsv1.Deployment
	// Stable is the template that serves now; Held the one that the twin would run. They are equal at first contact.
	Stable, Held corev1.PodTemplateSpec
	// Service is the user's.
	Service *corev1.Service
	// Services and Deployments are all of the namespace.
	Services    []corev1.Service
	Deployments []appsv1.Deployment
	// Claims are all of the namespace, or those that the held template mounts.
	Claims []corev1.PersistentVolumeClaim
}

// Preflight says why a twin must not be made, sorted by reason and message; nothing when it may.
func Preflight(in PreflightFacts) []Refusal {
	checks := []func(PreflightFacts) []Refusal{
		refuseService, refuseHeldLabels, refuseHeldPorts, refuseLabel, refuseOtherServices,
		refuseNames, refuseForeign, refuseStrategy, refuseHostPorts, refuseClaims,
	}
	var out []Refusal
	for _, check := range checks {
		out = append(out, check(in)...)
	}
	slices.SortFunc(out, func(a, b Refusal) int {
		return strings.Compare(a.Reason+"\x00"+a.Message, b.Reason+"\x00"+b.Message)
	})
	return out
}

func refuse(reason, format string, args ...any) []Refusal {
	return []Refusal{{Reason: reason, Message: fmt.Sprintf(format, args...)}}
}

func refuseService(in PreflightFacts) []Refusal {
	svc := in.Service
	if svc.Spec.Type == corev1.ServiceTypeExternalName || len(svc.Spec.Selector) == 0 {
		return refuse(ReasonServiceSelectsNothing, "Service %q selects no pods by spec.selector; set serviceRef to the Service that selects the pods of Deployment %q",
			svc.Name, in.Deployment.Name)
	}
	if !selects(svc.Spec.Selector, in.Stable.Labels) {
		return refuse(ReasonServiceSelectsNothing, "spec.selector of Service %q (%s) does not select the pods of Deployment %q (%s); correct the selector or serviceRef",
			svc.Name, text(svc.Spec.Selector), in.Deployment.Name, text(withoutHash(in.Stable).Labels))
	}
	return nil
}

func refuseHeldLabels(in PreflightFacts) []Refusal {
	selector := in.Service.Spec.Selector
	if !selects(selector, in.Stable.Labels) || selects(selector, in.Held.Labels) {
		return nil
	}
	return refuse(ReasonChangeLeavesService, "spec.template.metadata.labels of the changed Deployment %q no longer match spec.selector of Service %q (%s): promotion would leave the Service without pods; put the labels back",
		in.Deployment.Name, in.Service.Name, text(selector))
}

// refuseHeldPorts looks at named target ports: a pod without a port of that name is no endpoint of it.
func refuseHeldPorts(in PreflightFacts) []Refusal {
	var out []Refusal
	stable, held := portNames(in.Stable), portNames(in.Held)
	for _, p := range in.Service.Spec.Ports {
		name := p.TargetPort.StrVal
		if name != "" && stable[name] && !held[name] {
			out = append(out, refuse(ReasonChangeLeavesService, "no container of the changed Deployment %q has a port named %q, which spec.ports of Service %q sends to: promotion would leave the port without pods; put the name back",
				in.Deployment.Name, name, in.Service.Name)...)
		}
	}
	return out
}

func portNames(t corev1.PodTemplateSpec) map[string]bool {
	out := map[string]bool{}
	for _, c := range slices.Concat(t.Spec.InitContainers, t.Spec.Containers) {
		for _, p := range c.Ports {
			out[p.Name] = true
		}
	}
	return out
}

func refuseLabel(in PreflightFacts) []Refusal {
	if !selects(in.Service.Spec.Selector, in.Stable.Labels) {
		// That is what is wrong, and refuseService says it.
		return nil
	}
	label, err := TwinLabel(in.Service, in.Deployment, in.Release.Spec.Canary.Label)
	if err != nil {
		return refuse(ReasonNoCanaryLabel, "%s", err)
	}
	if value := in.Deployment.Spec.Selector.MatchLabels[label]; !twinValueFits(value) {
		return refuse(ReasonNameTooLong, "label %q of Deployment %q has the value %q, and with %q at its end that is no label value of at most %d characters; set canary.label to another label that is in the Service's selector and in matchLabels",
			label, in.Deployment.Name, value, v1alpha1.CanarySuffix, validation.LabelValueMaxLength)
	}
	return nil
}

func twinValueFits(value string) bool {
	return len(validation.IsValidLabelValue(TwinValue(value))) == 0
}

// refuseOtherServices looks for Services that would send traffic to canary pods whatever the weight is. Slipway's own
// are meant to.
func refuseOtherServices(in PreflightFacts) []Refusal {
	label, err := TwinLabel(in.Service, in.Deployment, in.Release.Spec.Canary.Label)
	if err != nil {
		return nil
	}
	canary := TwinTemplate(in.Held, label)
	var out []Refusal
	for i := range in.Services {
		svc := &in.Services[i]
		if metav1.IsControlledBy(svc, in.Release) || !selects(svc.Spec.Selector, canary.Labels) {
			continue
		}
		out = append(out, refuse(ReasonOtherServiceSelectsCanary, "spec.selector of Service %q (%s) would select canary pods too and send them traffic at weight 0; add %s=%s to it, or set canary.label to a label that it has",
			svc.Name, text(svc.Spec.Selector), label, in.Held.Labels[label])...)
	}
	return out
}

func refuseNames(in PreflightFacts) []Refusal {
	// A Service's name is a DNS label, and the longest suffix is that of the hold Service.
	room := validation.DNS1035LabelMaxLength - len(v1alpha1.StableHoldSuffix)
	if len(in.Deployment.Name) > room {
		return refuse(ReasonNameTooLong, "the name of Deployment %q has %d characters, and %d is the most with which %q can be a Service's name; use a Deployment with a shorter name",
			in.Deployment.Name, len(in.Deployment.Name), room, "<name>"+v1alpha1.StableHoldSuffix)
	}
	if why := validation.IsDNS1035Label(HoldServiceName(in.Deployment)); len(why) > 0 {
		return refuse(ReasonNameTooLong, "the name of Deployment %q cannot begin a Service's name: %s; use a Deployment with such a name",
			in.Deployment.Name, strings.Join(why, ", "))
	}
	return nil
}

func refuseForeign(in PreflightFacts) []Refusal {
	var out []Refusal
	for i := range in.Deployments {
		if d := &in.Deployments[i]; d.Name == TwinName(in.Deployment) && !metav1.IsControlledBy(d, in.Release) {
			out = append(out, nameTaken(in, "Deployment", d.Name)...)
		}
	}
	for i := range in.Services {
		svc := &in.Services[i]
		needed := svc.Name == TwinName(in.Deployment) || svc.Name == HoldServiceName(in.Deployment)
		if needed && !metav1.IsControlledBy(svc, in.Release) {
			out = append(out, nameTaken(in, "Service", svc.Name)...)
		}
	}
	return out
}

func nameTaken(in PreflightFacts, kind, name string) []Refusal {
	return refuse(ReasonNameTaken, "there is a %s %q that does not belong to CanaryRelease %q, which needs the name; rename or delete it",
		kind, name, in.Release.Name)
}

func refuseStrategy(in PreflightFacts) []Refusal {
	if in.Deployment.Spec.Strategy.Type != appsv1.RecreateDeploymentStrategyType {
		return nil
	}
	return refuse(ReasonRecreateStrategy, "spec.strategy.type of Deployment %q is Recreate: promotion would stop every pod before a new one starts; set it to RollingUpdate",
		in.Deployment.Name)
}

func refuseHostPorts(in PreflightFacts) []Refusal {
	if in.Held.Spec.HostNetwork {
		return refuse(ReasonHostPort, "spec.template.spec.hostNetwork of Deployment %q is true: canary and stable pods would listen on the same ports of a node; take hostNetwork away",
			in.Deployment.Name)
	}
	var out []Refusal
	for _, c := range slices.Concat(in.Held.Spec.InitContainers, in.Held.Spec.Containers) {
		for _, p := range c.Ports {
			if p.HostPort != 0 {
				out = append(out, refuse(ReasonHostPort, "container %q of Deployment %q has hostPort %d, which canary and stable pods on a node cannot both have; take hostPort away",
					c.Name, in.Deployment.Name, p.HostPort)...)
			}
		}
	}
	return out
}

// refuseClaims looks at claims that the template names. Those that each pod gets for itself (ephemeral) harm nobody.
func refuseClaims(in PreflightFacts) []Refusal {
	var out []Refusal
	for _, v := range in.Held.Spec.Volumes {
		if v.PersistentVolumeClaim == nil || v.PersistentVolumeClaim.ReadOnly {
			continue
		}
		for i := range in.Claims {
			c := &in.Claims[i]
			if c.Name != v.PersistentVolumeClaim.ClaimName || shared(c.Spec.AccessModes) {
				continue
			}
			out = append(out, refuse(ReasonExclusiveVolume, "volume %q of Deployment %q mounts PersistentVolumeClaim %q with accessModes %s: canary and stable pods cannot both write to it; use a claim with ReadWriteMany, or ephemeral volumes",
				v.Name, in.Deployment.Name, c.Name, modes(c.Spec.AccessModes))...)
		}
	}
	return out
}

// MountsClaims says that a template names a PersistentVolumeClaim, so that Preflight needs those of the namespace.
func MountsClaims(t corev1.PodTemplateSpec) bool {
	return slices.ContainsFunc(t.Spec.Volumes, func(v corev1.Volume) bool { return v.PersistentVolumeClaim != nil })
}

func shared(all []corev1.PersistentVolumeAccessMode) bool {
	return slices.Contains(all, corev1.ReadWriteMany) || slices.Contains(all, corev1.ReadOnlyMany)
}

func modes(all []corev1.PersistentVolumeAccessMode) string {
	var out []string
	for _, m := range all {
		out = append(out, string(m))
	}
	slices.Sort(out)
	return strings.Join(out, ",")
}

// selects says whether a Service with selector has pods with these labels. An empty selector of a Service selects none.
func selects(selector, podLabels map[string]string) bool {
	return len(selector) > 0 && labels.SelectorFromSet(selector).Matches(labels.Set(podLabels))
}

// text is a label set as people write it, sorted.
func text(set map[string]string) string { return labels.Set(set).String() }
