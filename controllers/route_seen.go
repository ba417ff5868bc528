package controllers

import (
	"context"
	"fmt"
	"slices"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"slipway.dev/slipway/internal/traffic"
	"slipway.dev/slipway/internal/traffic/gatewayapi"
)

// targetKey names a route, or the Service of a mesh.
type targetKey struct {
	kind schema.GroupKind
	types.NamespacedName
}

// String is how messages and compositions name the target.
func (k targetKey) String() string { return k.kind.Kind + " " + k.Name }

// quoted is the target with its name as a user gave it, for messages about what they wrote.
func (k targetKey) quoted() string { return quotedTarget(k.String()) }

// quotedTarget is quoted for a target of which only its String is known.
func quotedTarget(target string) string {
	kind, name, _ := strings.Cut(target, " ")
	return fmt.Sprintf("%s %q", kind, name)
}

// targetKinds are the kinds that splits and policies may name, each in the version that is used where several are served.
var targetKinds = []schema.GroupVersionKind{
	httpRouteKind,
	{Group: gatewayGroup, Version: "v1", Kind: "GRPCRoute"},
	{Group: gatewayGroup, Version: "v1", Kind: "TCPRoute"},
	{Group: gatewayGroup, Version: "v1", Kind: "TLSRoute"},
	{Group: "networking.istio.io", Version: "v1", Kind: "VirtualService"},
	{Version: "v1", Kind: "Service"},
}

const gatewayGroup = "gateway.networking.k8s.io"

// sight reads what translators are shown.
type sight struct {
	cache client.Reader
	apis  APIs
	// namespaces may be nil: then nothing is known of them.
	namespaces *namespaceLabels
}

// installed are the kinds that can be read.
func (s sight) installed(ctx context.Context) (map[string]traffic.API, error) {
	if s.apis == nil {
		return map[string]traffic.API{traffic.APIName(httpRouteKind.GroupKind()): {Versions: []string{"v1"}}}, nil
	}
	return s.apis(ctx)
}

// versioned is the kind in a version that is served: that of the list, or the preferred one.
func versioned(kind schema.GroupVersionKind, apis map[string]traffic.API) (schema.GroupVersionKind, bool) {
	api, ok := apis[traffic.APIName(kind.GroupKind())]
	if !ok {
		return kind, false
	}
	if len(api.Versions) > 0 && !slices.Contains(api.Versions, kind.Version) {
		kind.Version = api.Versions[0]
	}
	return kind, true
}

// target reads a target; nil when it, or its kind, does not exist.
func (s sight) target(ctx context.Context, key targetKey) (*unstructured.Unstructured, error) {
	apis, err := s.installed(ctx)
	if err != nil {
		return nil, err
	}
	at := slices.IndexFunc(targetKinds, func(k schema.GroupVersionKind) bool { return k.GroupKind() == key.kind })
	if at < 0 {
		return nil, nil
	}
	kind, ok := versioned(targetKinds[at], apis)
	if !ok {
		return nil, nil
	}
	return readUntyped(ctx, s.cache, kind, key.NamespacedName)
}

// seen reads what a router wants to see around a target.
func (s sight) seen(ctx context.Context, target *unstructured.Unstructured, router traffic.Router) (traffic.Seen, error) {
	out := traffic.Seen{Target: target}
	apis, err := s.installed(ctx)
	if err != nil {
		return out, err
	}
	out.APIs = apis
	parents := []string{}
	if gatewayapi.IsRoute(traffic.KindOf(target)) {
		facts, err := ReadClassFacts(ctx, s.cache, target)
		if err != nil {
			return out, err
		}
		out.Controllers, out.Features = facts.Controllers(), facts.Features()
		parents = parentNamespaces(target)
	}
	for _, kind := range router.Reads(traffic.KindOf(target)) {
		kind, ok := versioned(kind, apis)
		if !ok {
			continue
		}
		if kind == namespaceKind {
			namespace, err := s.namespaces.get(ctx, target.GetNamespace())
			if err != nil {
				return out, err
			}
			if namespace != nil {
				out.Objects = append(out.Objects, namespace)
			}
			continue
		}
		there, err := s.list(ctx, kind, target.GetNamespace())
		if err != nil {
			return out, err
		}
		out.Objects = append(out.Objects, others(there, target)...)
		if !slices.Contains(SharedKinds(), kind) {
			continue
		}
		for _, namespace := range parents {
			elsewhere, err := s.list(ctx, kind, namespace)
			if err != nil {
				return out, err
			}
			out.Elsewhere = append(out.Elsewhere, elsewhere...)
		}
	}
	return out, nil
}

// others are the objects without the target itself.
func others(objects []*unstructured.Unstructured, target *unstructured.Unstructured) []*unstructured.Unstructured {
	return slices.DeleteFunc(objects, func(o *unstructured.Unstructured) bool {
		return o.GetName() == target.GetName() && traffic.KindOf(o) == traffic.KindOf(target)
	})
}

// list reads all objects of a kind in a namespace. They are the cache's own and must not be changed.
func (s sight) list(ctx context.Context, kind schema.GroupVersionKind, namespace string) ([]*unstructured.Unstructured, error) {
	var list unstructured.UnstructuredList
	list.SetGroupVersionKind(kind)
	err := s.cache.List(ctx, &list, client.InNamespace(namespace), client.UnsafeDisableDeepCopy)
	if meta.IsNoMatchError(err) || apierrors.IsNotFound(err) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("list %ss in %s: %w", kind.Kind, namespace, err)
	}
	out := make([]*unstructured.Unstructured, 0, len(list.Items))
	for i := range list.Items {
		out = append(out, &list.Items[i])
	}
	return out, nil
}

// parentNamespaces are the namespaces of a route's parents, other than its own.
func parentNamespaces(route *unstructured.Unstructured) []string {
	parents, _, _ := unstructured.NestedSlice(route.Object, "spec", "parentRefs")
	var out []string
	for _, item := range parents {
		parent, _ := item.(map[string]any)
		if in := fieldOf(parent, "namespace", route.GetNamespace()); in != route.GetNamespace() && !slices.Contains(out, in) {
			out = append(out, in)
		}
	}
	return out
}
