package e2e

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/kubernetes"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"slipway.dev/slipway/api/v1alpha1"
)

const (
	operatorNamespace = "slipway-system"
	operatorName      = "slipway-operator"
	gatewayNamespace  = "gateway-system"
	// mergedGateway has a proxy cluster for each Service, plainGateway one for each rule of a route.
	mergedGateway = "gw"
	plainGateway  = "gw-plain"
)

var operatorLabels = client.MatchingLabels{"app.kubernetes.io/name": "slipway", "app.kubernetes.io/component": "operator"}

// cluster is what all scenarios share.
type cluster struct {
	client.WithWatch
	config   *rest.Config
	logs     kubernetes.Interface
	gateways map[string]string // URL by the name of the Gateway
	node     string            // address of the only node, which is this machine
	// fragile is a way to Prometheus that a scenario can close.
	fragile *fragilePrometheus
}

func connect(ctx context.Context) (*cluster, error) {
	config, err := ctrl.GetConfig()
	if err != nil {
		return nil, fmt.Errorf("find the cluster: %w", err)
	}
	config.QPS, config.Burst = 100, 200
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{clientgoscheme.AddToScheme, gatewayv1.Install, v1alpha1.AddToScheme} {
		if err := add(scheme); err != nil {
			return nil, err
		}
	}
	server, err := url.Parse(config.Host)
	if err != nil {
		return nil, fmt.Errorf("find the node: %w", err)
	}
	c := &cluster{config: config, gateways: map[string]string{}, node: server.Hostname()}
	if c.WithWatch, err = client.NewWithWatch(config, client.Options{Scheme: scheme}); err != nil {
		return nil, fmt.Errorf("reach the cluster: %w", err)
	}
	if c.logs, err = kubernetes.NewForConfig(config); err != nil {
		return nil, err
	}
	for _, name := range []string{mergedGateway, plainGateway} {
		gateway := &gatewayv1.Gateway{}
		if err := c.Get(ctx, types.NamespacedName{Namespace: gatewayNamespace, Name: name}, gateway); err != nil {
			return nil, fmt.Errorf("find Gateway %s: %w", name, err)
		}
		if len(gateway.Status.Addresses) == 0 {
			return nil, fmt.Errorf("find an address of Gateway %s: %v", name, gateway.Status.Conditions)
		}
		c.gateways[name] = "http://" + gateway.Status.Addresses[0].Value + "/"
	}
	c.fragile, err = openFragilePrometheus(ctx, c)
	return c, err
}

// setUpOperator configures the operator and replaces its pods: what runs may be of an image that was replaced under the same
// name.
func (c *cluster) setUpOperator(ctx context.Context) error {
	if err := c.configureEndpoint(ctx); err != nil {
		return err
	}
	return c.restartOperator(ctx)
}

// restartOperator replaces the operator's pods and waits until the new ones are ready.
func (c *cluster) restartOperator(ctx context.Context) error {
	if err := c.DeleteAllOf(ctx, &corev1.Pod{}, client.InNamespace(operatorNamespace), operatorLabels); err != nil {
		return fmt.Errorf("restart the operator: %w", err)
	}
	why := errors.New("not looked at yet")
	err := wait.PollUntilContextTimeout(ctx, time.Second, 2*time.Minute, true, func(ctx context.Context) (bool, error) {
		why = c.operatorNotReady(ctx)
		return why == nil, nil
	})
	if err != nil {
		return fmt.Errorf("restart the operator: %w: %w", err, why)
	}
	return nil
}

func (c *cluster) operatorNotReady(ctx context.Context) error {
	d := &appsv1.Deployment{}
	if err := c.Get(ctx, types.NamespacedName{Namespace: operatorNamespace, Name: operatorName}, d); err != nil {
		return err
	}
	pods, err := c.operatorPods(ctx)
	if err != nil {
		return err
	}
	if len(pods) != 1 || !podReady(&pods[0]) {
		return fmt.Errorf("%d pods, available %d: %v", len(pods), d.Status.AvailableReplicas, d.Status.Conditions)
	}
	return nil
}

func (c *cluster) operatorPods(ctx context.Context) ([]corev1.Pod, error) {
	pods := &corev1.PodList{}
	if err := c.List(ctx, pods, client.InNamespace(operatorNamespace), operatorLabels); err != nil {
		return nil, err
	}
	return pods.Items, nil
}

func podReady(pod *corev1.Pod) bool {
	for _, condition := range pod.Status.Conditions {
		if condition.Type == corev1.PodReady {
			return condition.Status == corev1.ConditionTrue && pod.DeletionTimestamp == nil
		}
	}
	return false
}
