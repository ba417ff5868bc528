package scale

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"
)

// nodeName is the node that all pods are on.
const nodeName = "node"

// startStandIns has pods made ready and routes accepted: what a scheduler, a kubelet and a data plane would say.
func startStandIns(t *testing.T) {
	t.Helper()
	mgr, err := ctrl.NewManager(cluster.admin, ctrl.Options{Scheme: cluster.scheme, Metrics: metricsserver.Options{BindAddress: "0"}})
	if err != nil {
		t.Fatal(err)
	}
	many := controller.Options{MaxConcurrentReconciles: 16}
	s := &standIns{client: mgr.GetClient()}
	err = ctrl.NewControllerManagedBy(mgr).For(&corev1.Pod{}).WithOptions(many).Complete(reconcile.Func(s.pod))
	if err != nil {
		t.Fatal(err)
	}
	err = ctrl.NewControllerManagedBy(mgr).For(&gatewayv1.HTTPRoute{}).WithOptions(many).Complete(reconcile.Func(s.route))
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- mgr.Start(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Errorf("the stand-ins ended with: %v", err)
		}
	})
}

type standIns struct {
	client client.Client
	pods   atomic.Int32
}

// pod binds a pod to the node, then has it run and be ready.
func (s *standIns) pod(ctx context.Context, req ctrl.Request) (ctrl.Result, error) {
	pod := &corev1.Pod{}
	if err := s.client.Get(ctx, req.NamespacedName, pod); err != nil {
		return ctrl.Result{}, client.IgnoreNotFound(err)
	}
	switch {
	case !pod.DeletionTimestamp.IsZero():
		return ctrl.Result{}, client.IgnoreNotFound(s.client.Delete(ctx, pod, client.GracePeriodSeconds(0)))
	case pod.Spec.NodeName == "":
		binding := &corev1.Binding{ObjectMeta: metav1.ObjectMeta{Name: pod.Name, Namespace: pod.Namespace}, Target: corev1.ObjectReference{Kind: "Node", Name: nodeName}}
		return ctrl.Result{}, s.client.SubResource("binding").Create(ctx, pod, binding)
	case pod.Status.Phase == corev1.PodRunning:
		return ctrl.Result{}, nil
	}
	n, now := s.pods.Add(1), metav1.Now()
	pod.Status.Phase, pod.Status.StartTime, pod.Status.HostIP = corev1.PodRunning, &now, "192.0.2.1"
	pod.Status.PodIP = fmt.Sprintf("10.%d.%d.%d", n>>16, n>>8&0xff, n&0xff)
	pod.Status.PodIPs = []corev1.PodIP{{IP: pod.Status.PodIP}}
	pod.Status.Conditions = nil
	for _, kind := range []corev1.PodConditionType{corev1.PodScheduled, corev1.PodInitialized, corev1.ContainersReady, corev1.PodReady} {
		pod.Status.Conditions = append(pod.Status.Conditions, corev1.PodCondition{Type: kind, Status: corev1.ConditionTrue, LastTransitionTime: now})
	}
	for _, c := range pod.Spec.Containers {
		pod.Status.ContainerStatuses = append(pod.Status.ContainerStatuses, corev1.ContainerStatus{
			Name: c.Name, Image: c.Image, ImageID: "registry.example/shop@sha256:" + fmt.Sprintf("%064x", n), ContainerID: "containerd://" + fmt.Sprintf("%064x", n),
			Ready: true, Started: new(true), State: corev1.ContainerState{Running: &corev1.ContainerStateRunning{StartedAt: now}},
		})
	}
	return ctrl.Result{}, s.client.Status().Update(ctx, pod)
}

// route says of a route what Envoy Gateway says when it has taken its newest generation up.
func (s *standIns) route(ctx context.Context, req ctrl.Request) (ctrl.Result, error) {
	route := &gatewayv1.HTTPRoute{}
	if err := s.client.Get(ctx, req.NamespacedName, route); err != nil {
		return ctrl.Result{}, client.IgnoreNotFound(err)
	}
	if p := route.Status.Parents; len(p) == 1 && p[0].Conditions[0].ObservedGeneration == route.Generation {
		return ctrl.Result{}, nil
	}
	status := gatewayv1.RouteParentStatus{ParentRef: route.Spec.ParentRefs[0], ControllerName: dataPlane}
	for _, kind := range []gatewayv1.RouteConditionType{gatewayv1.RouteConditionAccepted, gatewayv1.RouteConditionResolvedRefs} {
		status.Conditions = append(status.Conditions, metav1.Condition{
			Type: string(kind), Status: metav1.ConditionTrue, Reason: string(kind), ObservedGeneration: route.Generation, LastTransitionTime: metav1.Now(),
		})
	}
	route.Status.Parents = []gatewayv1.RouteParentStatus{status}
	return ctrl.Result{}, s.client.Status().Update(ctx, route)
}
