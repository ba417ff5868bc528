package controllers

import (
	"context"
	"encoding/json"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"slipway.dev/slipway/api/v1alpha1"
	"slipway.dev/slipway/internal/traffic"
	"slipway.dev/slipway/internal/traffic/envoygateway"
	"slipway.dev/slipway/internal/traffic/gatewayapi"
)

var (
	httpRouteKind    = schema.GroupVersionKind{Group: "gateway.networking.k8s.io", Version: "v1", Kind: "HTTPRoute"}
	gatewayKind      = schema.GroupVersionKind{Group: "gateway.networking.k8s.io", Version: "v1", Kind: "Gateway"}
	gatewayClassKind = schema.GroupVersionKind{Group: "gateway.networking.k8s.io", Version: "v1", Kind: "GatewayClass"}
	envoyProxyKind   = schema.GroupVersionKind{Group: "gateway.envoyproxy.io", Version: "v1alpha1", Kind: "EnvoyProxy"}
)

// SharedKinds are the kinds that serve the routes of every namespace and may live in any.
func SharedKinds() []schema.GroupVersionKind {
	return []schema.GroupVersionKind{gatewayKind, envoyProxyKind, envoygateway.PolicyKind}
}

func newHTTPRoute() *unstructured.Unstructured { return newUntyped(httpRouteKind) }

func newUntyped(kind schema.GroupVersionKind) *unstructured.Unstructured {
	u := &unstructured.Unstructured{}
	u.SetGroupVersionKind(kind)
	return u
}

// ArmsOf says in which Envoy clusters the traffic of each backend of a split is counted on one of its routes. A route
// that does not exist counts nothing, and Why says so.
func ArmsOf(ctx context.Context, reader client.Reader, split *v1alpha1.TrafficSplit, ref v1alpha1.RouteReference) (gatewayapi.Arms, error) {
	key := types.NamespacedName{Namespace: split.Namespace, Name: ref.Name}
	route := newHTTPRoute()
	if err := reader.Get(ctx, key, route); err != nil {
		if apierrors.IsNotFound(err) {
			return gatewayapi.Arms{Why: fmt.Sprintf("HTTPRoute %s does not exist", ref.Name)}, nil
		}
		return gatewayapi.Arms{}, fmt.Errorf("read HTTPRoute %s: %w", key, err)
	}
	facts, err := ReadClassFacts(ctx, reader, route)
	if err != nil {
		return gatewayapi.Arms{}, err
	}
	if facts.ServiceLabels, err = labelsOfServices(ctx, reader, split, facts); err != nil {
		return gatewayapi.Arms{}, err
	}
	return gatewayapi.ArmsOf(route, traffic.SplitOf(split, ref), facts), nil
}

// labelsOfServices reads the labels of the split's Services if some class chooses Services by label.
func labelsOfServices(ctx context.Context, reader client.Reader, split *v1alpha1.TrafficSplit, facts gatewayapi.ClassFacts) (map[string]map[string]string, error) {
	out := map[string]map[string]string{}
	for _, p := range facts.Parents {
		if p.Selector == nil {
			continue
		}
		for _, name := range splitServices(split) {
			key := types.NamespacedName{Namespace: split.Namespace, Name: name}
			service := &corev1.Service{}
			if err := reader.Get(ctx, key, service); client.IgnoreNotFound(err) != nil {
				return nil, fmt.Errorf("read Service %s: %w", key, err)
			}
			out[name] = service.Labels
		}
	}
	return out, nil
}

// ReadClassFacts reads what serves a route: the Gateways that are its parents, their classes, and Envoy Gateway's
// EnvoyProxy of either where there is one. What does not exist is left out; a parent that is no Gateway is known by who
// answered for it in the route's status.
func ReadClassFacts(ctx context.Context, reader client.Reader, route *unstructured.Unstructured) (gatewayapi.ClassFacts, error) {
	var facts gatewayapi.ClassFacts
	parents, _, _ := unstructured.NestedSlice(route.Object, "spec", "parentRefs")
	for _, item := range parents {
		parent, _ := item.(map[string]any)
		p, err := readParent(ctx, reader, route, parent)
		if err != nil {
			return facts, err
		}
		facts.Parents = append(facts.Parents, p)
	}
	return facts, nil
}

func readParent(ctx context.Context, reader client.Reader, route *unstructured.Unstructured, parent map[string]any) (gatewayapi.ParentFacts, error) {
	kind, name := fieldOf(parent, "kind", "Gateway"), fieldOf(parent, "name", "")
	p := gatewayapi.ParentFacts{Parent: kind + " " + name}
	if kind != "Gateway" {
		p.Controller = gatewayapi.AnsweredBy(route, parent)
		return p, nil
	}
	key := types.NamespacedName{Namespace: fieldOf(parent, "namespace", route.GetNamespace()), Name: name}
	gateway, err := readUntyped(ctx, reader, gatewayKind, key)
	if gateway == nil || err != nil {
		return p, err
	}
	className, _, _ := unstructured.NestedString(gateway.Object, "spec", "gatewayClassName")
	class, err := readUntyped(ctx, reader, gatewayClassKind, types.NamespacedName{Name: className})
	if class == nil || err != nil {
		return p, err
	}
	p.Controller, _, _ = unstructured.NestedString(class.Object, "spec", "controllerName")
	p.Features = featuresOf(class)
	if p.Controller == gatewayapi.EnvoyGateway {
		err = readMerging(ctx, reader, gateway, class, &p)
	}
	return p, err
}

// readMerging looks for mergeBackends where Envoy Gateway does: the EnvoyProxy of the Gateway decides before that of
// its class.
func readMerging(ctx context.Context, reader client.Reader, gateway, class *unstructured.Unstructured, p *gatewayapi.ParentFacts) error {
	of, _, _ := unstructured.NestedMap(gateway.Object, "spec", "infrastructure", "parametersRef")
	ofClass, _, _ := unstructured.NestedMap(class.Object, "spec", "parametersRef")
	for _, ref := range []map[string]any{of, ofClass} {
		if fieldOf(ref, "kind", "") != envoyProxyKind.Kind {
			continue
		}
		key := types.NamespacedName{Namespace: fieldOf(ref, "namespace", gateway.GetNamespace()), Name: fieldOf(ref, "name", "")}
		proxy, err := readUntyped(ctx, reader, envoyProxyKind, key)
		if err != nil {
			return err
		}
		if merging, ok := mergeBackendsOf(proxy); ok {
			p.MergeBackends, p.Selector = true, merging
			return nil
		}
	}
	return nil
}

func mergeBackendsOf(proxy *unstructured.Unstructured) (*metav1.LabelSelector, bool) {
	if proxy == nil {
		return nil, false
	}
	merging, found, _ := unstructured.NestedMap(proxy.Object, "spec", "mergeBackends")
	if !found {
		return nil, false
	}
	text, err := json.Marshal(merging)
	if err != nil {
		return nil, false
	}
	var spec struct {
		Selector *metav1.LabelSelector `json:"selector"`
	}
	if err := json.Unmarshal(text, &spec); err != nil {
		return nil, false
	}
	return spec.Selector, true
}

// readUntyped reads an object; nil when it, or its kind, does not exist.
func readUntyped(ctx context.Context, reader client.Reader, kind schema.GroupVersionKind, key types.NamespacedName) (*unstructured.Unstructured, error) {
	out := newUntyped(kind)
	err := reader.Get(ctx, key, out)
	if apierrors.IsNotFound(err) || meta.IsNoMatchError(err) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read %s %s: %w", kind.Kind, key, err)
	}
	return out, nil
}

func fieldOf(m map[string]any, field, absent string) string {
	if s, ok := m[field].(string); ok && s != "" {
		return s
	}
	return absent
}

// featuresOf are the supportedFeatures of a GatewayClass: names, or objects with a name in newer versions.
func featuresOf(class *unstructured.Unstructured) []string {
	list, _, _ := unstructured.NestedSlice(class.Object, "status", "supportedFeatures")
	var out []string
	for _, item := range list {
		switch feature := item.(type) {
		case string:
			out = append(out, feature)
		case map[string]any:
			out = append(out, fieldOf(feature, "name", ""))
		}
	}
	return out
}
