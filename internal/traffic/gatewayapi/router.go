package gatewayapi

import (
	"reflect"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"slipway.dev/slipway/api/v1alpha1"
	"slipway.dev/slipway/internal/traffic"
)

// routeKind is the kind of route that this package translates into.
const routeKind = "HTTPRoute"

// HTTPRoute is the Router for Gateway API's HTTPRoute.
type HTTPRoute struct{}

var _ traffic.Router = HTTPRoute{}

// Name is the kind of the route.
func (HTTPRoute) Name() string { return routeKind }

// Capabilities are what an HTTPRoute can say.
func (HTTPRoute) Capabilities() []traffic.Capability {
	return []traffic.Capability{traffic.WeightedBackends}
}

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
	carried := Carried(route)
	if len(carried) == 0 {
		return false
	}
	want, err := HTTPRoute{}.Render(route, traffic.Intent{Splits: carried})
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
