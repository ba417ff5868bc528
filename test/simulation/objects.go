package simulation

import (
	admissionv1 "k8s.io/api/admissionregistration/v1"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/intstr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"slipway.dev/slipway/api/v1alpha1"
	"slipway.dev/slipway/internal/workload"
)

const appReplicas = 4

// envoyGateway is the data plane of the shop.
const envoyGateway = "gateway.envoyproxy.io/gatewayclass-controller"

// shop is what is in the cluster before anything happens.
func shop(r v1alpha1.CanaryReleaseSpec) []client.Object {
	return []client.Object{
		admissionPolicy(workload.HoldPolicy), admissionBinding(workload.HoldPolicy),
		admissionPolicy(workload.FloorPolicy), admissionBinding(workload.FloorPolicy),
		untyped("gateway.networking.k8s.io/v1", "GatewayClass", "", "eg", map[string]any{"controllerName": envoyGateway}),
		untyped("gateway.networking.k8s.io/v1", "Gateway", namespace, "gw", map[string]any{
			"gatewayClassName": "eg",
			"infrastructure": map[string]any{"parametersRef": map[string]any{
				"group": "gateway.envoyproxy.io", "kind": "EnvoyProxy", "name": "proxy",
			}},
		}),
		untyped("gateway.envoyproxy.io/v1alpha1", "EnvoyProxy", namespace, "proxy", map[string]any{"mergeBackends": map[string]any{}}),
		appService(), appDeployment("v1"), untypedRoute(routeManifest(1)),
		&v1alpha1.CanaryRelease{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: appName}, Spec: r},
	}
}

func untyped(version, kind, in, name string, spec map[string]any) *unstructured.Unstructured {
	u := &unstructured.Unstructured{Object: map[string]any{"apiVersion": version, "kind": kind, "spec": spec}}
	u.SetNamespace(in)
	u.SetName(name)
	return u
}

func admissionPolicy(name string) client.Object {
	return &admissionv1.MutatingAdmissionPolicy{ObjectMeta: metav1.ObjectMeta{Name: name}}
}

func admissionBinding(name string) client.Object {
	return &admissionv1.MutatingAdmissionPolicyBinding{
		ObjectMeta: metav1.ObjectMeta{Name: name}, Spec: admissionv1.MutatingAdmissionPolicyBindingSpec{PolicyName: name},
	}
}

func appService() *corev1.Service {
	return &corev1.Service{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: appName, Labels: map[string]string{"team": "shop"}},
		Spec: corev1.ServiceSpec{
			Selector: map[string]string{"app": appName},
			Ports:    []corev1.ServicePort{{Name: "http", Port: 80, TargetPort: intstr.FromString("http")}},
		},
	}
}

func appDeployment(image string) *appsv1.Deployment {
	return &appsv1.Deployment{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: appName, Labels: map[string]string{"app": appName}},
		Spec: appsv1.DeploymentSpec{
			Replicas:                new(int32(appReplicas)),
			Selector:                &metav1.LabelSelector{MatchLabels: map[string]string{"app": appName}},
			Template:                appTemplate(image),
			ProgressDeadlineSeconds: new(int32(60)),
			RevisionHistoryLimit:    new(int32(10)),
		},
	}
}

// appTemplate is the template of a version; the image is its name.
func appTemplate(image string) corev1.PodTemplateSpec {
	return corev1.PodTemplateSpec{
		ObjectMeta: metav1.ObjectMeta{Labels: map[string]string{"app": appName}},
		Spec: corev1.PodSpec{Containers: []corev1.Container{{
			Name: "app", Image: image, Ports: []corev1.ContainerPort{{Name: "http", ContainerPort: 8080}},
		}}},
	}
}

func versionOf(t corev1.PodTemplateSpec) string { return t.Spec.Containers[0].Image }

// routeManifest is the spec of the route as Git has it. Each edition differs in what is not the operator's business.
func routeManifest(edition int64) map[string]any {
	ref := func(name string, weight int64) map[string]any {
		return map[string]any{"group": "", "kind": "Service", "name": name, "port": int64(80), "weight": weight}
	}
	return map[string]any{
		"parentRefs": []any{map[string]any{"group": "gateway.networking.k8s.io", "kind": "Gateway", "name": "gw"}},
		"hostnames":  []any{"shop.example"},
		"rules": []any{
			map[string]any{
				"matches":     []any{map[string]any{"path": map[string]any{"type": "PathPrefix", "value": "/"}}},
				"backendRefs": []any{ref(appName, 1)},
				"timeouts":    map[string]any{"request": "10s"},
				"filters":     []any{headerFilter("edition", edition)},
			},
			map[string]any{
				"matches":     []any{map[string]any{"path": map[string]any{"type": "PathPrefix", "value": "/static"}}},
				"backendRefs": []any{ref("static", 7+edition)},
			},
		},
	}
}

func headerFilter(name string, value int64) map[string]any {
	return map[string]any{"type": "RequestHeaderModifier", "requestHeaderModifier": map[string]any{
		"set": []any{map[string]any{"name": name, "value": string(rune('a' + value%26))}},
	}}
}

func untypedRoute(spec map[string]any) *unstructured.Unstructured {
	return untyped("gateway.networking.k8s.io/v1", kindRoute, namespace, appName, spec)
}

// releaseSpec is the release of most seeds: quick, so that a seed is short.
func releaseSpec() v1alpha1.CanaryReleaseSpec {
	return v1alpha1.CanaryReleaseSpec{
		TargetRef:  v1alpha1.TargetReference{Kind: v1alpha1.TargetDeployment, Name: appName},
		ServiceRef: v1alpha1.ServiceReference{Name: appName},
		RouteRefs:  []v1alpha1.RouteReference{{Name: appName}},
		Steps:      []v1alpha1.Step{{WeightPercent: 10}, {WeightPercent: 50}},
		Canary:     v1alpha1.CanarySpec{MinReplicas: 2, KeepFailedFor: "10m"},
		Analysis: v1alpha1.AnalysisSpec{
			Prometheus: "default", FalseRollbackRisk: "5%", BadPromotionRisk: "5%", Every: "10s", Warmup: "5s",
			WarmupTolerance: "5%", MinStepDuration: "20s", MaxDuration: "30m",
			Metrics: []v1alpha1.Metric{{
				Name: "errors", Signal: v1alpha1.SignalErrors, Importance: 1,
				Tolerate: v1alpha1.Tolerance{Relative: "50%", Absolute: "2%"},
			}},
		},
		OnDelete:       v1alpha1.DeletionKeepStable,
		RollbackWindow: new(int32(1)),
	}
}
