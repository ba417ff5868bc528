package scale

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/util/workqueue"
	"sigs.k8s.io/controller-runtime/pkg/client"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"slipway.dev/slipway/api/v1alpha1"
)

const (
	// together is how many applications share a namespace. Each Deployment that is changed is compared by the API server with
	// every CanaryRelease of its namespace.
	together = 20
	// gatewayNamespace has the Gateway of all routes.
	gatewayNamespace = "gateway"
	dataPlane        = "gateway.envoyproxy.io/gatewayclass-controller"
	// replicas are of the applications. Of pods that are no canary's the operator keeps hardly more than the name.
	replicas = 1
	// measuredLabel is on pods that have metrics of their own.
	measuredLabel = "measured"
)

// appName names everything of one application.
func appName(i int) string { return fmt.Sprintf("shop-%04d", i) }

func namespaceOf(i int) string { return fmt.Sprintf("team-%02d", i/together) }

// byEnvoy says that an application is measured by the data plane; the others count themselves.
func byEnvoy(i int) bool { return i%2 == 0 }

// createFleet makes all applications with their releases.
func createFleet(t *testing.T) {
	t.Helper()
	for _, o := range []client.Object{
		&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: gatewayNamespace}},
		&corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: nodeName}},
		&gatewayv1.GatewayClass{ObjectMeta: metav1.ObjectMeta{Name: "eg"}, Spec: gatewayv1.GatewayClassSpec{ControllerName: dataPlane}},
		&gatewayv1.Gateway{ObjectMeta: metav1.ObjectMeta{Name: "gw", Namespace: gatewayNamespace}, Spec: gatewayv1.GatewaySpec{
			GatewayClassName: "eg", Listeners: []gatewayv1.Listener{{Name: "http", Port: 80, Protocol: gatewayv1.HTTPProtocolType}},
		}},
	} {
		create(t, o)
	}
	for i := 0; i < *idle; i += together {
		create(t, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: namespaceOf(i)}})
	}
	each(t, *idle, func(i int) {
		for _, o := range []client.Object{deployment(i), service(i), route(i), release(i)} {
			create(t, o)
		}
	})
}

// each does something for many applications at the same time.
func each(t *testing.T, n int, do func(i int)) {
	t.Helper()
	workqueue.ParallelizeUntil(t.Context(), 16, n, do)
}

func create(t *testing.T, o client.Object) {
	t.Helper()
	if err := cluster.client.Create(t.Context(), o); err != nil {
		t.Errorf("create %T %s: %v", o, o.GetName(), err)
	}
}

func meta(i int) metav1.ObjectMeta {
	return metav1.ObjectMeta{Name: appName(i), Namespace: namespaceOf(i), Labels: map[string]string{"app": appName(i), "team": "shop"}}
}

// deployment is as large as those that people write.
func deployment(i int) *appsv1.Deployment {
	labels := map[string]string{"app": appName(i)}
	podLabels := map[string]string{"app": appName(i), "team": "shop", "app.kubernetes.io/part-of": "shop", "app.kubernetes.io/version": "1"}
	if i < *active && !byEnvoy(i) {
		podLabels[measuredLabel] = "true"
	}
	container := corev1.Container{
		Name: "shop", Image: "registry.example/shop:v1", Args: []string{"--listen=:8080", "--log=json"},
		Ports: []corev1.ContainerPort{{Name: "http", ContainerPort: 8080}, {Name: "metrics", ContainerPort: 9090}},
		Resources: corev1.ResourceRequirements{Requests: corev1.ResourceList{
			corev1.ResourceCPU: resource.MustParse("100m"), corev1.ResourceMemory: resource.MustParse("128Mi"),
		}},
		ReadinessProbe: &corev1.Probe{ProbeHandler: corev1.ProbeHandler{HTTPGet: &corev1.HTTPGetAction{Path: "/ready", Port: intstr.FromString("http")}}},
		LivenessProbe:  &corev1.Probe{ProbeHandler: corev1.ProbeHandler{HTTPGet: &corev1.HTTPGetAction{Path: "/live", Port: intstr.FromString("http")}}},
		VolumeMounts:   []corev1.VolumeMount{{Name: "config", MountPath: "/etc/shop", ReadOnly: true}, {Name: "tmp", MountPath: "/tmp"}},
	}
	for n := range 12 {
		container.Env = append(container.Env, corev1.EnvVar{Name: fmt.Sprintf("SHOP_SETTING_%d", n), Value: "https://backend.shop.svc.cluster.local:8443/api/v1"})
	}
	sidecar := *container.DeepCopy()
	sidecar.Name, sidecar.Image, sidecar.Ports = "log", "registry.example/log:v1", nil
	sidecar.ReadinessProbe, sidecar.LivenessProbe = nil, nil
	return &appsv1.Deployment{ObjectMeta: meta(i), Spec: appsv1.DeploymentSpec{
		Replicas: new(int32(replicas)), Selector: &metav1.LabelSelector{MatchLabels: labels},
		Template: corev1.PodTemplateSpec{
			ObjectMeta: metav1.ObjectMeta{Labels: podLabels, Annotations: map[string]string{"prometheus.io/scrape": "true", "prometheus.io/port": "9090"}},
			Spec: corev1.PodSpec{Containers: []corev1.Container{container, sidecar}, Volumes: []corev1.Volume{
				{Name: "config", VolumeSource: corev1.VolumeSource{ConfigMap: &corev1.ConfigMapVolumeSource{LocalObjectReference: corev1.LocalObjectReference{Name: "shop"}}}},
				{Name: "tmp", VolumeSource: corev1.VolumeSource{EmptyDir: &corev1.EmptyDirVolumeSource{}}},
			}},
		},
	}}
}

func service(i int) *corev1.Service {
	return &corev1.Service{ObjectMeta: meta(i), Spec: corev1.ServiceSpec{
		Selector: map[string]string{"app": appName(i)}, Ports: []corev1.ServicePort{{Name: "http", Port: 80, TargetPort: intstr.FromString("http")}},
	}}
}

// route has a filter on its backend where the data plane measures: so that it counts each backend apart.
func route(i int) *gatewayv1.HTTPRoute {
	backend := gatewayv1.HTTPBackendRef{BackendRef: gatewayv1.BackendRef{
		BackendObjectReference: gatewayv1.BackendObjectReference{Name: gatewayv1.ObjectName(appName(i)), Port: new(gatewayv1.PortNumber(80))},
	}}
	if byEnvoy(i) {
		backend.Filters = []gatewayv1.HTTPRouteFilter{{
			Type:                  gatewayv1.HTTPRouteFilterRequestHeaderModifier,
			RequestHeaderModifier: &gatewayv1.HTTPHeaderFilter{Set: []gatewayv1.HTTPHeader{{Name: "x-shop", Value: "1"}}},
		}}
	}
	return &gatewayv1.HTTPRoute{ObjectMeta: meta(i), Spec: gatewayv1.HTTPRouteSpec{
		CommonRouteSpec: gatewayv1.CommonRouteSpec{ParentRefs: []gatewayv1.ParentReference{{Name: "gw", Namespace: new(gatewayv1.Namespace(gatewayNamespace))}}},
		Hostnames:       []gatewayv1.Hostname{gatewayv1.Hostname(appName(i) + ".example")},
		Rules:           []gatewayv1.HTTPRouteRule{{BackendRefs: []gatewayv1.HTTPBackendRef{backend}}},
	}}
}

// release holds at its only step, so that it runs for as long as it is measured.
func release(i int) *v1alpha1.CanaryRelease {
	cr := &v1alpha1.CanaryRelease{ObjectMeta: meta(i), Spec: v1alpha1.CanaryReleaseSpec{
		TargetRef: v1alpha1.TargetReference{Name: appName(i)}, ServiceRef: v1alpha1.ServiceReference{Name: appName(i)},
		RouteRefs: []v1alpha1.RouteReference{{Name: appName(i)}},
		Steps:     []v1alpha1.Step{{WeightPercent: 10, Hold: new(true)}},
	}}
	if !byEnvoy(i) {
		cr.Spec.Analysis.Metrics = []v1alpha1.Metric{{Name: "failures", Counts: v1alpha1.CounterPair{
			Bad: `shop_requests_total{result="failed"}`, Total: `shop_requests_total`,
		}}}
	}
	return cr
}

// change releases another image of some applications, and gives how long the last of these requests took.
func change(t *testing.T, from, to int) (took time.Duration) {
	t.Helper()
	one := func(n int) {
		d := &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Name: appName(from + n), Namespace: namespaceOf(from + n)}}
		patch := client.RawPatch("application/strategic-merge-patch+json", []byte(`{"spec":{"template":{"spec":{"containers":[{"name":"shop","image":"registry.example/shop:v2"}]}}}}`))
		if err := cluster.client.Patch(t.Context(), d, patch); err != nil {
			t.Errorf("change %s: %v", d.Name, err)
		}
	}
	each(t, to-from-1, one)
	began := time.Now()
	one(to - from - 1)
	return time.Since(began)
}

// stages counts the releases in each stage.
func stages(ctx context.Context) (map[string]int, error) {
	list := &v1alpha1.CanaryReleaseList{}
	if err := cluster.client.List(ctx, list); err != nil {
		return nil, err
	}
	out := map[string]int{}
	for _, cr := range list.Items {
		stage := cr.Status.Stage
		if stage == "Idle" && cr.Status.StableRevision == "" {
			stage = "Adopting"
		}
		out[stage]++
	}
	return out, nil
}

// patience is for machines that have much else to do.
const patience = 20 * time.Minute

// await waits until so many releases are in a stage.
func await(t *testing.T, stage string, n int) {
	t.Helper()
	var last map[string]int
	err := wait.PollUntilContextTimeout(t.Context(), 5*time.Second, patience, true, func(ctx context.Context) (bool, error) {
		var err error
		last, err = stages(ctx)
		if t.Failed() {
			return false, errors.New("something has ended")
		}
		return last[stage] == n, err
	})
	if err != nil {
		stuck.Store(true)
		t.Fatalf("waited for %d releases in stage %s, and they are in %v: %v", n, stage, last, err)
	}
}
