package appmesh

import (
	"slices"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"slipway.dev/slipway/internal/traffic"
	"slipway.dev/slipway/internal/traffic/kept"
)

// Render returns the user's VirtualRouter as it is to be; where the VirtualService has only a node, it is pointed to a
// VirtualRouter that is generated.
func (r Router) Render(seen traffic.Seen, intent traffic.Intent) (traffic.Rendering, error) {
	if err := traffic.Require(r, seen, intent); err != nil {
		return traffic.Rendering{}, err
	}
	if err := traffic.Overtaken(r.Carried(seen), intent); err != nil {
		return traffic.Rendering{}, err
	}
	service := virtualService(seen)
	if service == nil {
		if intent.Empty() {
			return traffic.Rendering{}, nil
		}
		return traffic.Rendering{}, traffic.Refused(traffic.NotReady, "Service %s has no VirtualService, so that nothing in App Mesh sends to it; make one, or set dataPlane to what serves the Service",
			seen.Target.GetName())
	}
	if router := ownRouter(seen); router != nil {
		return patchRouter(seen, router, intent)
	}
	return replaceNode(seen, service, intent)
}

// Restore returns the objects as their users wrote them, and generates nothing.
func (r Router) Restore(seen traffic.Seen) (traffic.Rendering, error) {
	return r.Render(seen, traffic.Intent{})
}

func patchRouter(seen traffic.Seen, router *unstructured.Unstructured, intent traffic.Intent) (traffic.Rendering, error) {
	patched, err := kept.Patch(router, intent, func(own *unstructured.Unstructured) error {
		routes, err := rendered(seen, routesOf(own), intent)
		if err != nil {
			return err
		}
		return unstructured.SetNestedSlice(own.Object, routes, "spec", "routes")
	})
	if err != nil {
		return traffic.Rendering{}, err
	}
	return traffic.Rendering{Patched: []*unstructured.Unstructured{patched}}, nil
}

// replaceNode points a VirtualService that is provided by a node to a router with a route to that node.
func replaceNode(seen traffic.Seen, service *unstructured.Unstructured, intent traffic.Intent) (traffic.Rendering, error) {
	name := traffic.GeneratedName(seen.Target, "")
	patched, err := kept.Patch(service, intent, func(own *unstructured.Unstructured) error {
		unstructured.RemoveNestedField(own.Object, "spec", "provider", "virtualNode") // App Mesh takes one of the two
		return unstructured.SetNestedField(own.Object, name, "spec", "provider", "virtualRouter", "virtualRouterRef", "name")
	})
	if err != nil {
		return traffic.Rendering{}, err
	}
	out := traffic.Rendering{Patched: []*unstructured.Unstructured{patched}}
	if intent.Empty() {
		return out, nil
	}
	spec, err := routerFor(seen, providerOf(kept.Own(service), "virtualNode"))
	if err != nil {
		return traffic.Rendering{}, err
	}
	if spec["routes"], err = rendered(seen, spec["routes"].([]any), intent); err != nil {
		return traffic.Rendering{}, err
	}
	out.Generated = []*unstructured.Unstructured{traffic.Generate(seen, intent, RouterKind, name, spec)}
	return out, traffic.Free(seen, out.Generated)
}

// matchAll are the kinds of route, by protocol, with what matches everything in each.
var matchAll = map[string]struct {
	field string
	match map[string]any
}{
	"http":  {httpRoute, map[string]any{"prefix": "/"}},
	"http2": {http2Route, map[string]any{"prefix": "/"}},
	"grpc":  {grpcRoute, map[string]any{}},
	"tcp":   {tcpRoute, nil},
}

// routerFor is the spec of a router that does what the node by itself does.
func routerFor(seen traffic.Seen, node string) (map[string]any, error) {
	obj := seen.Find(NodeKind.GroupKind(), node)
	if obj == nil {
		return nil, traffic.Refused(traffic.NotReady, "the VirtualService of Service %s is provided by neither a VirtualRouter nor a VirtualNode of its namespace; give it one", seen.Target.GetName())
	}
	listeners, _, _ := unstructured.NestedSlice(obj.Object, "spec", "listeners")
	if len(listeners) != 1 {
		return nil, traffic.Refused(traffic.NotReady, "VirtualNode %s has %d listeners, and a route needs to know the one; give the Service a VirtualRouter of its own", node, len(listeners))
	}
	listener, _ := listeners[0].(map[string]any)
	mapping, _ := listener["portMapping"].(map[string]any)
	kind, known := matchAll[text(mapping, "protocol")]
	if !known {
		return nil, traffic.Refused(traffic.NotReady, "VirtualNode %s listens for protocol %q, for which there is no route; use http, http2, grpc or tcp", node, text(mapping, "protocol"))
	}
	target := map[string]any{"virtualNodeRef": map[string]any{"name": node}, "weight": int64(1)}
	how := map[string]any{"action": map[string]any{"weightedTargets": []any{target}}}
	if kind.match != nil {
		how["match"] = kind.match
	}
	return map[string]any{
		"listeners": []any{map[string]any{"portMapping": mapping}},
		"routes":    []any{map[string]any{"name": "all", kind.field: how}},
	}, nil
}

func routesOf(router *unstructured.Unstructured) []any {
	spec, _ := router.Object["spec"].(map[string]any)
	routes, _ := spec["routes"].([]any)
	return routes
}

// Kinds of a route, by the field that has it.
const (
	httpRoute  = "httpRoute"
	http2Route = "http2Route"
	grpcRoute  = "grpcRoute"
	tcpRoute   = "tcpRoute"
)

// howOf is what a route does, and the field that it is in.
func howOf(route map[string]any) (string, map[string]any) {
	for _, field := range []string{httpRoute, http2Route, grpcRoute, tcpRoute} {
		if how, ok := route[field].(map[string]any); ok {
			return field, how
		}
	}
	return "", nil
}

// rendered are the routes with retries, then with what is derived from them, then divided.
func rendered(seen traffic.Seen, routes []any, intent traffic.Intent) ([]any, error) {
	if err := retryRoutes(seen, routes, intent.Retries); err != nil {
		return nil, err
	}
	out := slices.Clone(routes)
	for _, s := range intent.Splits {
		derived, err := derive(seen, routes, s)
		if err != nil {
			return nil, err
		}
		if err := divide(seen, routes, s); err != nil {
			return nil, err
		}
		out = append(out, derived...)
	}
	return out, nil
}

// maxTargets is App Mesh's limit for the targets of a route.
const maxTargets = 10

// divide replaces the target of the split's Service in every route that has it.
func divide(seen traffic.Seen, routes []any, s traffic.Split) error {
	own := nodeOf(seen, s.Service)
	if own == nil {
		return noNode(s.Service)
	}
	found := false
	for i, item := range routes {
		route, _ := item.(map[string]any)
		field, how := howOf(route)
		targets, _, _ := unstructured.NestedSlice(how, "action", "weightedTargets")
		if !slices.ContainsFunc(targets, func(t any) bool { return sendsTo(t, own.GetName()) }) {
			continue
		}
		found = true
		divided, err := divideTargets(seen, targets, s, own.GetName())
		if err != nil {
			return err
		}
		if len(divided) > maxTargets {
			return traffic.Refused(traffic.TooManyRules, "backends: routes[%d].%s would have %d targets, of which App Mesh allows %d; take backends out", i, field, len(divided), maxTargets)
		}
		if err := unstructured.SetNestedSlice(how, divided, "action", "weightedTargets"); err != nil {
			return err
		}
	}
	if !found {
		return traffic.Refused(traffic.Conflicted, "serviceRef: no route of the VirtualRouter sends to VirtualNode %s of Service %s; name a Service that it sends to", own.GetName(), s.Service)
	}
	return nil
}

func noNode(service string) error {
	return traffic.Refused(traffic.NotReady, "Service %s has no VirtualNode, neither one of its name nor one that is discovered by its host name; make one", service)
}

func sendsTo(item any, node string) bool {
	target, _ := item.(map[string]any)
	ref, _ := target["virtualNodeRef"].(map[string]any)
	weight, _ := target["weight"].(int64)
	return text(ref, "name") == node && text(ref, "namespace") == "" && weight > 0
}

func divideTargets(seen traffic.Seen, targets []any, s traffic.Split, own string) ([]any, error) {
	var shares []traffic.Backend
	var written []any
	for _, item := range targets {
		target, _ := item.(map[string]any)
		weight, _ := target["weight"].(int64)
		if !sendsTo(item, own) {
			shares = append(shares, traffic.Backend{Name: "another target", Weight: int32(weight * total(s.Backends))}) //nolint:gosec // a hundred times the weights of a split
			written = append(written, target)
			continue
		}
		for _, b := range s.Backends {
			if b.Weight == 0 {
				continue
			}
			to, err := targetFor(seen, target, b.Name)
			if err != nil {
				return nil, err
			}
			shares = append(shares, traffic.Backend{Name: b.Name, Weight: int32(weight) * b.Weight}) //nolint:gosec // at most a hundred million
			written = append(written, to)
		}
	}
	if err := traffic.CheckWeights("backends", shares, traffic.Offer{Plane: "App Mesh", Parts: parts}); err != nil {
		return nil, err
	}
	for i, share := range traffic.Parts(shares, parts) {
		written[i].(map[string]any)["weight"] = int64(share.Weight)
	}
	return written, nil
}

// targetFor is a copy of a target that is the node of another Service.
func targetFor(seen traffic.Seen, target map[string]any, service string) (map[string]any, error) {
	node := nodeOf(seen, service)
	if node == nil {
		return nil, noNode(service)
	}
	to := (&unstructured.Unstructured{Object: target}).DeepCopy().Object
	return to, unstructured.SetNestedField(to, node.GetName(), "virtualNodeRef", "name")
}

func total(backends []traffic.Backend) int64 {
	var sum int64
	for _, b := range backends {
		sum += int64(b.Weight)
	}
	return sum
}
