package main

import (
	"context"
	"embed"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"
	"sigs.k8s.io/yaml"

	"slipway.dev/slipway/api/v1alpha1"
)

const (
	namespace = "slipway-demo"
	shopName  = "shop"
	// user is the field manager of what a user applies.
	user = client.FieldOwner("demo")
)

//go:embed manifests/*.yaml
var manifests embed.FS

// version is what a user changes in the Deployment to release it.
type version struct {
	name         string
	errorPercent string // empty: none
}

// setUp makes the namespace anew, and in it the shop as a user has it before there is any Slipway.
func (d *demo) setUp(ctx context.Context) error {
	if err := d.newNamespace(ctx); err != nil {
		return err
	}
	objects, err := d.shop(version{name: "v1"})
	if err != nil {
		return err
	}
	for _, o := range objects {
		if err := d.apply(ctx, o); err != nil {
			return err
		}
	}
	if err := d.await(ctx, awaited{"the shop's pods", 3 * time.Minute, func(ctx context.Context) (string, bool, error) {
		return d.deploymentReady(ctx, shopKey())
	}}); err != nil {
		return err
	}
	return d.await(ctx, awaited{"the Gateway to accept the shop's route", time.Minute, d.routeAccepted})
}

func shopKey() types.NamespacedName {
	return types.NamespacedName{Namespace: namespace, Name: shopName}
}

func (d *demo) newNamespace(ctx context.Context) error {
	ns := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: namespace}}
	if err := d.cluster.Delete(ctx, ns.DeepCopy()); client.IgnoreNotFound(err) != nil {
		return fmt.Errorf("delete namespace %s: %w", namespace, err)
	}
	err := d.await(ctx, awaited{"the last demo's namespace to be gone", 3 * time.Minute, func(ctx context.Context) (string, bool, error) {
		old := &corev1.Namespace{}
		err := d.cluster.Get(ctx, client.ObjectKeyFromObject(ns), old)
		if apierrors.IsNotFound(err) {
			return "", true, nil
		}
		seen := []string{string(old.Status.Phase)}
		for _, c := range old.Status.Conditions {
			if c.Status == corev1.ConditionTrue {
				seen = append(seen, c.Message)
			}
		}
		return strings.Join(seen, "; "), false, err
	}})
	if err != nil {
		return err
	}
	if err := d.cluster.Create(ctx, ns); err != nil {
		return fmt.Errorf("create namespace %s: %w", namespace, err)
	}
	return nil
}

// adopt adds the CanaryRelease, and waits until the operator knows what is stable.
func (d *demo) adopt(ctx context.Context) error {
	objects, err := read("release.yaml")
	if err != nil {
		return err
	}
	if d.written, err = d.readRoute(ctx); err != nil {
		return err
	}
	for _, o := range objects {
		if err := d.apply(ctx, o); err != nil {
			return err
		}
	}
	return d.await(ctx, awaited{"the shop to be adopted as stable", time.Minute, func(ctx context.Context) (string, bool, error) {
		release := &v1alpha1.CanaryRelease{}
		if err := d.cluster.Get(ctx, shopKey(), release); err != nil {
			return "", false, err
		}
		st := release.Status
		return conditionsOf(st.Conditions), st.StableRevision != "" && isTrue(st.Conditions, v1alpha1.ConditionReady), nil
	}})
}

// push applies another version, as a user or their GitOps tool does.
func (d *demo) push(ctx context.Context, v version) error {
	objects, err := d.shop(v)
	if err != nil {
		return err
	}
	return d.apply(ctx, objects[0])
}

func (d *demo) apply(ctx context.Context, u *unstructured.Unstructured) error {
	u = u.DeepCopy()
	u.SetNamespace(namespace)
	if err := d.cluster.Apply(ctx, client.ApplyConfigurationFromUnstructured(u), user); err != nil {
		return fmt.Errorf("apply %s %s: %w", u.GetKind(), u.GetName(), err)
	}
	return nil
}

// shop is the manifests of the shop, the Deployment first, with a version, an image and a Gateway put in.
func (d *demo) shop(v version) ([]*unstructured.Unstructured, error) {
	objects, err := read("shop.yaml")
	if err != nil {
		return nil, err
	}
	for _, o := range objects {
		switch o.GetKind() {
		case "Deployment":
			err = configure(o, v, d.options.shopImage)
		case "HTTPRoute":
			gateway := map[string]any{"namespace": d.options.gateway.Namespace, "name": d.options.gateway.Name}
			err = unstructured.SetNestedSlice(o.Object, []any{gateway}, "spec", "parentRefs")
		}
		if err != nil {
			return nil, fmt.Errorf("change %s %s: %w", o.GetKind(), o.GetName(), err)
		}
	}
	return objects, nil
}

func (d *demo) route() (*unstructured.Unstructured, error) {
	objects, err := d.shop(version{})
	if err != nil {
		return nil, err
	}
	at := slices.IndexFunc(objects, func(o *unstructured.Unstructured) bool { return o.GetKind() == "HTTPRoute" })
	route := objects[at]
	route.SetNamespace(namespace)
	return route, nil
}

func configure(deployment *unstructured.Unstructured, v version, image string) error {
	containers, _, err := unstructured.NestedSlice(deployment.Object, "spec", "template", "spec", "containers")
	if err != nil || len(containers) != 1 {
		return fmt.Errorf("want one container, have %d: %w", len(containers), err)
	}
	env := []any{map[string]any{"name": "VERSION", "value": v.name}}
	if v.errorPercent != "" {
		env = append(env, map[string]any{"name": "ERROR_PERCENT", "value": v.errorPercent})
	}
	container, _ := containers[0].(map[string]any)
	container["env"], container["image"] = env, image
	return unstructured.SetNestedSlice(deployment.Object, containers, "spec", "template", "spec", "containers")
}

// read parses a file of manifests.
func read(name string) ([]*unstructured.Unstructured, error) {
	text, err := manifests.ReadFile("manifests/" + name)
	if err != nil {
		return nil, err
	}
	var objects []*unstructured.Unstructured
	for document := range strings.SplitSeq(string(text), "\n---\n") {
		u := &unstructured.Unstructured{}
		if err := yaml.Unmarshal([]byte(document), &u.Object); err != nil {
			return nil, fmt.Errorf("read %s: %w", name, err)
		}
		objects = append(objects, u)
	}
	return objects, nil
}

func (d *demo) routeAccepted(ctx context.Context) (string, bool, error) {
	route := &gatewayv1.HTTPRoute{}
	if err := d.cluster.Get(ctx, shopKey(), route); err != nil {
		return "", false, err
	}
	if len(route.Status.Parents) == 0 {
		return "no Gateway has answered for it yet", false, nil
	}
	have := route.Status.Parents[0].Conditions
	return conditionsOf(have), isTrue(have, string(gatewayv1.RouteConditionAccepted)) && isTrue(have, string(gatewayv1.RouteConditionResolvedRefs)), nil
}

// written is what a user wrote of a route: everything but what the API server and controllers add.
type written struct {
	spec        map[string]any
	labels      map[string]string
	annotations map[string]string
}

func (d *demo) readRoute(ctx context.Context) (written, error) {
	route, err := d.route()
	if err != nil {
		return written{}, err
	}
	if err := d.cluster.Get(ctx, shopKey(), route); err != nil {
		return written{}, fmt.Errorf("read the shop's route: %w", err)
	}
	spec, _, err := unstructured.NestedMap(route.Object, "spec")
	return written{spec: spec, labels: route.GetLabels(), annotations: route.GetAnnotations()}, err
}

func (d *demo) awaitRouteRestored(ctx context.Context) error {
	return d.await(ctx, awaited{"the route to be what its user wrote", time.Minute, func(ctx context.Context) (string, bool, error) {
		have, err := d.readRoute(ctx)
		return fmt.Sprintf("rules %v, annotations %v", have.spec["rules"], have.annotations), reflect.DeepEqual(have, d.written), err
	}})
}

// podsIn says of pods that are not ready what they wait for.
func (d *demo) podsIn(ctx context.Context, namespace string) []string {
	pods := &corev1.PodList{}
	if err := d.cluster.List(ctx, pods, client.InNamespace(namespace)); err != nil {
		return []string{err.Error()}
	}
	var out []string
	for _, pod := range pods.Items {
		for _, c := range pod.Status.ContainerStatuses {
			if c.State.Waiting != nil {
				out = append(out, strings.TrimSpace(fmt.Sprintf("pod %s: %s %s", pod.Name, c.State.Waiting.Reason, c.State.Waiting.Message)))
			}
		}
		for _, c := range pod.Status.Conditions {
			if c.Type == corev1.PodScheduled && c.Status == corev1.ConditionFalse {
				out = append(out, fmt.Sprintf("pod %s: %s: %s", pod.Name, c.Reason, c.Message))
			}
		}
	}
	return out
}
