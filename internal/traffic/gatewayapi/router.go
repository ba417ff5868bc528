package gatewayapi

import (
	"reflect"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"slipway.dev/slipway/api/v1alpha1"
	"slipway.dev/slipway/internal/traffic"
)

// group is Gateway API's group.
const group = "gateway.networking.k8s.io"

// Router is the router for Gateway API's routes by themselves, whichever implementation serves them.
type Router struct{}

var _ traffic.Router = Router{}

// DataPlane is the name by which users choose it.
func (Router) DataPlane() v1alpha1.DataPlane { return v1alpha1.DataPlaneGatewayAPI }

// routeKinds are the kinds of route that are written.
var routeKinds = []string{httpRoute, grpcRoute, tcpRoute, tlsRoute}

// IsRoute says whether the kind is one of Gateway API's routes that are written.
func IsRoute(kind schema.GroupKind) bool {
	return kind.Group == group && slices.Contains(routeKinds, kind.Kind)
}

// Takes says whether the kind is one of Gateway API's routes.
func (Router) Takes(target schema.GroupKind) bool { return IsRoute(target) }

// Reads are the kinds that it wants to see beside a route: policies that may be attached to a rule.
func (Router) Reads(schema.GroupKind) []schema.GroupVersionKind { return slices.Clone(PolicyKinds) }

// ownTranslator are the controllerNames of implementations for which there is a translator of their own. A route that
// nothing else serves is theirs.
var ownTranslator = []string{EnvoyGateway, Linkerd}

// Serves says whether an implementation that is known serves the route.
func (Router) Serves(seen traffic.Seen) (string, bool) {
	if !slices.ContainsFunc(seen.Controllers, func(c string) bool { return !slices.Contains(ownTranslator, c) }) {
		return "", false
	}
	if _, err := (Router{}).Offers(seen); err != nil {
		return "", false
	}
	return "controllerName " + strings.Join(seen.Controllers, ", "), true
}

// Capabilities are what a route can say.
func (Router) Capabilities(kind schema.GroupKind) []traffic.Capability {
	out := []traffic.Capability{traffic.SplitOfRule, traffic.WeightedBackends}
	if kind.Kind == httpRoute {
		out = all(out, matching, mirroring, affinity, retrying, requestTimeout, []traffic.Capability{traffic.RetryReset})
	}
	return out
}

// Carried is what the route's annotation says that it carries.
func (Router) Carried(seen traffic.Seen) traffic.Intent {
	return CarriedIntent(seen.Target)
}

// Render returns the route as it is to be.
func (r Router) Render(seen traffic.Seen, intent traffic.Intent) (traffic.Rendering, error) {
	if err := traffic.Require(r, seen, intent); err != nil {
		return traffic.Rendering{}, err
	}
	if err := Refusal(seen, intent); err != nil {
		return traffic.Rendering{}, err
	}
	route, err := HTTPRoute{}.Render(seen.Target, intent)
	if err != nil {
		return traffic.Rendering{}, err
	}
	return traffic.Rendering{Patched: []*unstructured.Unstructured{route}}, nil
}

// Applied says whether the route carries everything of the intent and the data plane does it.
func (Router) Applied(seen traffic.Seen, intent traffic.Intent) traffic.Verdict {
	if v := retriesWritten(seen.Target, intent.Retries); v.State != traffic.True {
		return v
	}
	if len(intent.Splits) == 0 {
		return (HTTPRoute{}).Applied(seen.Target, traffic.Split{}, seen.Observed)
	}
	for _, s := range intent.Splits {
		if v := (HTTPRoute{}).Applied(seen.Target, s, seen.Observed); v.State != traffic.True {
			return v
		}
	}
	return yes
}

// Restore returns the route as its user wrote it.
func (r Router) Restore(seen traffic.Seen) (traffic.Rendering, error) {
	return r.Render(seen, traffic.Intent{})
}

// HTTPRoute renders HTTPRoutes, and the shares of the other kinds of route, without asking what serves them.
type HTTPRoute struct{}

// Carried returns the splits that the route carries according to its annotation. Their Created is not known.
func Carried(route *unstructured.Unstructured) []traffic.Split {
	text, ok := route.GetAnnotations()[v1alpha1.SplitAnnotation]
	if !ok {
		return nil
	}
	r, err := parseRecord(text)
	if err != nil {
		return nil
	}
	return r.splits
}

// WrittenOver says whether the backendRefs of the route are not those that its annotation says it carries.
func WrittenOver(route *unstructured.Unstructured) bool {
	carried := CarriedIntent(route)
	if carried.Empty() {
		return false
	}
	want, err := HTTPRoute{}.Render(route, carried)
	return err != nil || !reflect.DeepEqual(want.Object["spec"], route.Object["spec"])
}

// Sends says whether some rule of the route sends traffic to the split's Service, or would if there were no splits.
func Sends(route *unstructured.Unstructured, split traffic.Split) bool {
	asked := []traffic.Split{split}
	was := recordOf(route, traffic.Intent{Splits: asked})
	for i, rule := range rulesOf(route) {
		at := ruleID{i, text(rule, "name")}
		own := ownRefs(refsOf(rule), at, was, route.GetNamespace())
		for _, p := range portionsFor(own, forRule(divide(asked), at), route.GetNamespace()) {
			if p != nil {
				return true
			}
		}
	}
	return false
}
