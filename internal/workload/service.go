package workload

import (
	"maps"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"slipway.dev/slipway/api/v1alpha1"
)

// TwinService is the Service of the canary's pods: the user's, by another name, with label's value changed.
func TwinService(cr *v1alpha1.CanaryRelease, svc *corev1.Service, d *appsv1.Deployment, label string) *corev1.Service {
	selector := maps.Clone(svc.Spec.Selector)
	selector[label] = TwinValue(selector[label])
	return serviceLike(cr, svc, TwinName(d), selector)
}

// HoldService is the Service of the old pods only: what the user's selects, in stable's ReplicaSet. While a release is
// promoted it is the way off the new pods that waits for nothing.
func HoldService(cr *v1alpha1.CanaryRelease, svc *corev1.Service, d *appsv1.Deployment, stable *appsv1.ReplicaSet) *corev1.Service {
	selector := maps.Clone(svc.Spec.Selector)
	selector[appsv1.DefaultDeploymentUniqueLabelKey] = stable.Labels[appsv1.DefaultDeploymentUniqueLabelKey]
	return serviceLike(cr, svc, HoldServiceName(d), selector)
}

// ServiceOnto is live, a Service of Slipway's as it is in the cluster, with all that want says. Addresses and what others
// added to its metadata stay.
func ServiceOnto(live, want *corev1.Service) *corev1.Service {
	out := live.DeepCopy()
	out.Labels = merged(live.Labels, want.Labels)
	out.Annotations = merged(live.Annotations, want.Annotations)
	spec := want.Spec.DeepCopy()
	spec.ClusterIP, spec.ClusterIPs = live.Spec.ClusterIP, live.Spec.ClusterIPs
	spec.IPFamilies, spec.IPFamilyPolicy = live.Spec.IPFamilies, live.Spec.IPFamilyPolicy
	out.Spec = *spec
	return out
}

// serviceLike is a Service inside the cluster that carries traffic as svc does. It has svc's labels, so that a
// ServiceMonitor finds it, and no node port, load balancer or external address. A headless Service stays one, because
// data planes and clients then resolve pods and not an address.
func serviceLike(cr *v1alpha1.CanaryRelease, svc *corev1.Service, name string, selector map[string]string) *corev1.Service {
	from := svc.Spec.DeepCopy()
	labels := serviceLabels(svc.Labels)
	labels[v1alpha1.ReleaseLabel] = cr.Name
	out := &corev1.Service{
		TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Service"},
		ObjectMeta: metav1.ObjectMeta{
			Name:            name,
			Namespace:       svc.Namespace,
			Labels:          labels,
			Annotations:     serviceAnnotations(svc.Annotations),
			OwnerReferences: []metav1.OwnerReference{ownedBy(cr)},
		},
		Spec: corev1.ServiceSpec{
			Type:                     corev1.ServiceTypeClusterIP,
			Selector:                 selector,
			Ports:                    portsLike(from.Ports),
			SessionAffinity:          from.SessionAffinity,
			SessionAffinityConfig:    from.SessionAffinityConfig,
			PublishNotReadyAddresses: from.PublishNotReadyAddresses,
			InternalTrafficPolicy:    from.InternalTrafficPolicy,
			TrafficDistribution:      from.TrafficDistribution,
			IPFamilies:               from.IPFamilies,
			IPFamilyPolicy:           from.IPFamilyPolicy,
		},
	}
	if from.ClusterIP == corev1.ClusterIPNone {
		out.Spec.ClusterIP = corev1.ClusterIPNone
	}
	return out
}

func portsLike(ports []corev1.ServicePort) []corev1.ServicePort {
	out := make([]corev1.ServicePort, len(ports))
	for i, p := range ports {
		p.NodePort = 0
		out[i] = p
	}
	return out
}
