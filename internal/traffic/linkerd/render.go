package linkerd

import (
	"fmt"
	"slices"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"slipway.dev/slipway/internal/traffic"
	"slipway.dev/slipway/internal/traffic/gatewayapi"
	"slipway.dev/slipway/internal/traffic/kept"
)

// Render returns the target with its annotations, and the routes that carry the shares: those of the user, or one that is
// generated for each port of a Service that has none.
func (r Router) Render(seen traffic.Seen, intent traffic.Intent) (traffic.Rendering, error) {
	if err := traffic.Require(r, seen, intent); err != nil {
		return traffic.Rendering{}, err
	}
	if err := traffic.Overtaken(r.Carried(seen), intent); err != nil {
		return traffic.Rendering{}, err
	}
	if !intent.Empty() {
		if err := inTheWay(seen, intent); err != nil {
			return traffic.Rendering{}, err
		}
	}
	plain, err := withoutShares(seen.Target)
	if err != nil {
		return traffic.Rendering{}, err
	}
	target, err := kept.Patch(plain, traffic.Intent{Retries: intent.Retries}, func(own *unstructured.Unstructured) error {
		return annotate(own, intent.Retries)
	})
	if err != nil {
		return traffic.Rendering{}, err
	}
	splits := traffic.Intent{Splits: intent.Splits}
	if traffic.KindOf(seen.Target) != ServiceKind.GroupKind() {
		return routeAlone(seen, target, splits)
	}
	return ofService(seen, target, splits)
}

// withoutShares is a target as it is without what gatewayapi has written into it. What it wrote are annotations, too, and
// the record of the others must not depend on whether they are there.
func withoutShares(target *unstructured.Unstructured) (*unstructured.Unstructured, error) {
	if traffic.KindOf(target) == ServiceKind.GroupKind() {
		return target, nil
	}
	return gatewayapi.HTTPRoute{}.Restore(target)
}

// Restore returns the objects as their users wrote them, and generates nothing.
func (r Router) Restore(seen traffic.Seen) (traffic.Rendering, error) {
	return r.Render(seen, traffic.Intent{})
}

// routeAlone is the rendering for a target that is a route.
func routeAlone(seen traffic.Seen, target *unstructured.Unstructured, splits traffic.Intent) (traffic.Rendering, error) {
	seen.Target = target
	if err := gatewayapi.Refusal(seen, splits); err != nil {
		return traffic.Rendering{}, err
	}
	route, err := gatewayapi.HTTPRoute{}.Render(target, splits)
	if err != nil {
		return traffic.Rendering{}, err
	}
	return traffic.Rendering{Patched: []*unstructured.Unstructured{route}}, nil
}

// ofService is the rendering for a target that is a Service, whose annotations are written already.
func ofService(seen traffic.Seen, service *unstructured.Unstructured, splits traffic.Intent) (traffic.Rendering, error) {
	out := traffic.Rendering{Patched: []*unstructured.Unstructured{service}}
	own := slices.DeleteFunc(routesOf(seen), traffic.IsGenerated)
	for _, route := range own {
		patched, err := patchRoute(seen, route, splits)
		if err != nil {
			return traffic.Rendering{}, err
		}
		out.Patched = append(out.Patched, patched)
	}
	if splits.Empty() || len(own) > 0 {
		return out, sends(own, splits)
	}
	var err error
	if out.Generated, err = generate(seen, splits); err != nil {
		return traffic.Rendering{}, err
	}
	return out, traffic.Free(seen, out.Generated)
}

// patchRoute is a user's route of the Service with the splits.
func patchRoute(seen traffic.Seen, route *unstructured.Unstructured, splits traffic.Intent) (*unstructured.Unstructured, error) {
	if splits.Empty() && gatewayapi.CarriedIntent(route).Empty() {
		return route.DeepCopy(), nil
	}
	if route.GetKind() == grpcRoute && beside(splits) {
		return nil, traffic.Refused(traffic.Conflicted, "matches: GRPCRoute %s is a route of Service %s, and rules for matches are derived in HTTPRoutes only; take matches out",
			route.GetName(), seen.Target.GetName())
	}
	if err := gatewayapi.Refusal(traffic.Seen{Target: route, Objects: seen.Objects, Observed: seen.Observed}, splits); err != nil {
		return nil, err
	}
	return gatewayapi.HTTPRoute{}.Render(route, splits)
}

func beside(splits traffic.Intent) bool {
	return slices.ContainsFunc(splits.Splits, func(s traffic.Split) bool { return len(s.Matches) > 0 })
}

// sends refuses a split whose Service gets nothing of any of the routes.
func sends(routes []*unstructured.Unstructured, splits traffic.Intent) error {
	for _, s := range splits.Splits {
		if !slices.ContainsFunc(routes, func(r *unstructured.Unstructured) bool { return gatewayapi.Sends(r, s) }) {
			return traffic.Refused(traffic.NotFound, "serviceRef: no rule of the Service's routes sends to Service %s; name the Service that they send to", s.Service)
		}
	}
	return nil
}

// generate makes a route for each port of the Service: a backend has to have a port, and it is the one that requests come
// to. The route's parent is the Service, and so is its first backend, which there means the endpoints.
func generate(seen traffic.Seen, splits traffic.Intent) ([]*unstructured.Unstructured, error) {
	for _, s := range splits.Splits {
		if s.Service != seen.Target.GetName() {
			return nil, traffic.Refused(traffic.NotFound, "serviceRef: nothing of what comes to Service %s is sent to Service %s; name the same Service in both, or a route",
				seen.Target.GetName(), s.Service)
		}
	}
	numbers := ports(seen.Target)
	if len(numbers) == 0 {
		return nil, traffic.Refused(traffic.NotReady, "Service %s has no TCP port for which Linkerd could have a route; give it one", seen.Target.GetName())
	}
	var out []*unstructured.Unstructured
	for _, port := range numbers {
		route, err := gatewayapi.HTTPRoute{}.Render(routeFor(seen.Target, port), splits)
		if err != nil {
			return nil, fmt.Errorf("make a route for port %d of Service %s: %w", port, seen.Target.GetName(), err)
		}
		spec, _ := route.Object["spec"].(map[string]any)
		out = append(out, traffic.Generate(seen, splits, RouteKind, traffic.GeneratedName(seen.Target, sectionOf(port)), spec))
	}
	return out, nil
}

// routeFor is a route that does what Linkerd does without one. The fields that the API server fills in are written, so
// that what comes back is what was written.
func routeFor(service *unstructured.Unstructured, port int64) *unstructured.Unstructured {
	at := map[string]any{"group": "", "kind": serviceKind, "name": service.GetName(), "port": port}
	to := map[string]any{"group": "", "kind": serviceKind, "name": service.GetName(), "port": port, "weight": int64(1)}
	all := map[string]any{"path": map[string]any{"type": "PathPrefix", "value": "/"}}
	out := &unstructured.Unstructured{Object: map[string]any{"spec": map[string]any{
		parentsField: []any{at},
		"rules":      []any{map[string]any{"matches": []any{all}, "backendRefs": []any{to}}},
	}}}
	out.SetGroupVersionKind(RouteKind)
	out.SetName(service.GetName())
	out.SetNamespace(service.GetNamespace())
	return out
}

// Applied says whether everything of the intent is written and Linkerd has taken the routes up. Of annotations it says
// nothing to anybody: there is only the settle time.
func (r Router) Applied(seen traffic.Seen, intent traffic.Intent) traffic.Verdict {
	if v := traffic.Written(r, seen, intent); v.State != traffic.True {
		return v
	}
	if len(intent.Splits) > 0 {
		for _, route := range routesOf(seen) {
			answered := seen.Observed
			answered.GoodSince = answered.Now.Add(-traffic.SettleTime)
			if v := (gatewayapi.HTTPRoute{}).Applied(route, traffic.Split{}, answered); v.State == traffic.False || v.Cause == traffic.DataPlanePending {
				return v
			}
		}
	}
	if v := traffic.Behind(intent.Splits, seen.Observed); v.State != traffic.True {
		return v
	}
	return traffic.Settled(seen.Observed)
}
