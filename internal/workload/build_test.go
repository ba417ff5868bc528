package workload

import (
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/intstr"

	"slipway.dev/slipway/api/v1alpha1"
)

// The objects of these tests: Deployment "shop" with Service "shop" and CanaryRelease "release".

func testRelease() *v1alpha1.CanaryRelease {
	return &v1alpha1.CanaryRelease{ObjectMeta: metav1.ObjectMeta{Name: "release", Namespace: "web", UID: "release-uid"}}
}

func testTemplate(image string) corev1.PodTemplateSpec {
	return corev1.PodTemplateSpec{
		ObjectMeta: metav1.ObjectMeta{Labels: map[string]string{"app": "shop", "tier": "web"}},
		Spec: corev1.PodSpec{Containers: []corev1.Container{{
			Name: "shop", Image: image, Ports: []corev1.ContainerPort{{Name: "http", ContainerPort: 8080}},
		}}},
	}
}

func testDeployment() *appsv1.Deployment {
	replicas, deadline := int32(3), int32(120)
	return &appsv1.Deployment{
		ObjectMeta: metav1.ObjectMeta{
			Name: "shop", Namespace: "web", UID: "shop-uid", Generation: 2,
			Labels: map[string]string{
				"app": "shop", "team": "checkout",
				"app.kubernetes.io/managed-by": "Helm", "app.kubernetes.io/instance": "shop", "helm.sh/chart": "shop-1",
				"argocd.argoproj.io/instance": "shop", "kustomize.toolkit.fluxcd.io/name": "apps",
			},
			Annotations: map[string]string{
				"kubectl.kubernetes.io/last-applied-configuration": "{}", "deployment.kubernetes.io/revision": "7",
				"argocd.argoproj.io/tracking-id": "shop:apps/Deployment:web/shop", "reloader.stakater.com/auto": "true",
			},
		},
		Spec: appsv1.DeploymentSpec{
			Replicas:                &replicas,
			Selector:                &metav1.LabelSelector{MatchLabels: map[string]string{"app": "shop"}},
			Template:                testTemplate("shop:v1"),
			MinReadySeconds:         5,
			ProgressDeadlineSeconds: &deadline,
			Strategy:                appsv1.DeploymentStrategy{Type: appsv1.RollingUpdateDeploymentStrategyType},
		},
		Status: appsv1.DeploymentStatus{ObservedGeneration: 2, Replicas: 3, UpdatedReplicas: 3, ReadyReplicas: 3, AvailableReplicas: 3},
	}
}

func testService() *corev1.Service {
	return &corev1.Service{
		ObjectMeta: metav1.ObjectMeta{
			Name: "shop", Namespace: "web",
			Labels:      map[string]string{"app": "shop", "app.kubernetes.io/instance": "shop", "argocd.argoproj.io/instance": "shop"},
			Annotations: map[string]string{"prometheus.io/scrape": "true", "external-dns.alpha.kubernetes.io/hostname": "shop.example"},
		},
		Spec: corev1.ServiceSpec{
			Type: corev1.ServiceTypeLoadBalancer, ClusterIP: "10.0.0.1", ClusterIPs: []string{"10.0.0.1"},
			Selector:    map[string]string{"app": "shop"},
			ExternalIPs: []string{"192.0.2.1"},
			Ports:       []corev1.ServicePort{{Name: "http", Port: 80, TargetPort: intstr.FromString("http"), NodePort: 30080}},
		},
	}
}

// replicaSet is one of d's, number n by age, with its template.
func replicaSet(d *appsv1.Deployment, n int, image string, ready int32) appsv1.ReplicaSet {
	name := string(rune('a' + n))
	template := testTemplate(image)
	template.Labels = merged(template.Labels, map[string]string{appsv1.DefaultDeploymentUniqueLabelKey: name})
	return appsv1.ReplicaSet{
		ObjectMeta: metav1.ObjectMeta{
			Name: d.Name + "-" + name, Namespace: d.Namespace, UID: types.UID(name),
			CreationTimestamp: metav1.Unix(int64(1000+n), 0),
			Labels:            template.Labels,
			OwnerReferences:   []metav1.OwnerReference{*metav1.NewControllerRef(d, appsv1.SchemeGroupVersion.WithKind("Deployment"))},
		},
		Spec:   appsv1.ReplicaSetSpec{Replicas: &ready, Template: template},
		Status: appsv1.ReplicaSetStatus{Replicas: ready, ReadyReplicas: ready, AvailableReplicas: ready},
	}
}

// heldDeployment is the Deployment with the template of image held.
func heldDeployment(image string) *appsv1.Deployment {
	return Rehold(testDeployment(), testTemplate(image), "release")
}
