package consul

import (
	"slices"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"slipway.dev/slipway/api/v1alpha1"
	"slipway.dev/slipway/internal/traffic"
)

// retriesAnnotation says on a user's router that retries are off, where there is nothing to change for that.
const retriesAnnotation = "slipway.dev/retries"

// route writes retries and timeouts into every route, and before each route to the split's Service one for each match. A
// request that no route of the user's matches goes to the Service: for those there is a route behind them all.
func (w *writer) route(obj *unstructured.Unstructured, intent traffic.Intent) error {
	routes := listOf(obj, "routes")
	if len(routes) == 0 || !takesAll(routes[len(routes)-1]) {
		routes = append(slices.Clone(routes), map[string]any{"destination": map[string]any{"service": w.seen.Target.GetName()}})
	}
	var out []any
	for _, item := range routes {
		route, _ := item.(map[string]any)
		for _, r := range intent.Retries {
			retryRoute(route, r)
			if r.Off() && obj.GetKind() != "" {
				setAnnotation(obj, retriesAnnotation, "0")
			}
		}
		for _, s := range intent.Splits {
			derived, err := w.derive(route, s)
			if err != nil {
				return err
			}
			out = append(out, derived...)
		}
		out = append(out, route)
	}
	if len(intent.Retries) == 0 {
		out = withoutPlain(out, len(listOf(obj, "routes")) < len(routes))
	}
	return setList(obj, "routes", out)
}

// withoutPlain takes the route out that was put behind all others, where it says nothing: it was there for what is derived
// from it.
func withoutPlain(routes []any, added bool) []any {
	if added {
		return routes[:len(routes)-1]
	}
	return routes
}

func setAnnotation(obj *unstructured.Unstructured, key, value string) {
	annotations := obj.GetAnnotations()
	if annotations == nil {
		annotations = map[string]string{}
	}
	annotations[key] = value
	obj.SetAnnotations(annotations)
}

// narrowing are the fields of a match that leave requests out.
var narrowing = []string{"pathExact", "pathRegex", "header", "queryParam", "methods"}

// takesAll says whether a route of a router matches every request.
func takesAll(item any) bool {
	route, _ := item.(map[string]any)
	match, _ := route["match"].(map[string]any)
	http, _ := match["http"].(map[string]any)
	prefix := text(http, "pathPrefix")
	return (prefix == "" || prefix == "/") && !slices.ContainsFunc(narrowing, func(f string) bool { _, there := http[f]; return there })
}

// derive returns copies of a route to the split's Service that want a match's headers, too, and send to its backend.
func (w *writer) derive(route map[string]any, s traffic.Split) ([]any, error) {
	to, _ := route["destination"].(map[string]any)
	if !w.isWhole(to, s.Service) {
		return nil, nil
	}
	var out []any
	for _, m := range traffic.Taking(s) {
		copied := (&unstructured.Unstructured{Object: route}).DeepCopy().Object
		headers, _, _ := unstructured.NestedSlice(copied, "match", "http", "header")
		for _, h := range m.Headers {
			headers = append(headers, map[string]any{"name": h.Name, "exact": h.Value})
		}
		if len(m.Cookies) > 0 {
			expression, err := traffic.CookieExpression(m.Cookies)
			if err != nil {
				return nil, err
			}
			headers = append(headers, map[string]any{"name": "cookie", "regex": expression})
		}
		if err := unstructured.SetNestedSlice(copied, headers, "match", "http", "header"); err != nil {
			return nil, err
		}
		if err := unstructured.SetNestedField(copied, m.Backend, "destination", "service"); err != nil {
			return nil, err
		}
		if m.Backend == w.seen.Target.GetName() {
			if err := unstructured.SetNestedField(copied, w.subset, "destination", "serviceSubset"); err != nil {
				return nil, err
			}
		}
		out = append(out, copied)
	}
	return out, nil
}

var triggers = map[v1alpha1.RetryTrigger]string{
	v1alpha1.RetryRefusedStream: "refused-stream",
	v1alpha1.RetryGatewayError:  "gateway-error",
	v1alpha1.RetryReset:         "reset",
	v1alpha1.RetryServerError:   "5xx",
	v1alpha1.RetryRetriable4xx:  "retriable-4xx",
}

var statuses = map[v1alpha1.GRPCStatus]string{
	v1alpha1.GRPCCancelled:         "cancelled",
	v1alpha1.GRPCDeadlineExceeded:  "deadline-exceeded",
	v1alpha1.GRPCInternal:          "internal",
	v1alpha1.GRPCResourceExhausted: "resource-exhausted",
	v1alpha1.GRPCUnavailable:       "unavailable",
}

// retryRoute writes a policy into a route's destination. Off is nothing: Consul retries nothing by itself, and numRetries
// 0 beside retryOn would be Envoy's 1.
func retryRoute(route map[string]any, r traffic.Retry) {
	to, _ := route["destination"].(map[string]any)
	if to == nil {
		to = map[string]any{}
	}
	if r.On() {
		to["numRetries"] = int64(*r.Retries)
		setConditions(to, r)
	}
	if r.Request > 0 {
		to["requestTimeout"] = r.Request.String() // as the controller writes it back
	}
	if len(to) > 0 {
		route["destination"] = to
	}
}

func setConditions(to map[string]any, r traffic.Retry) {
	var on, codes []any
	for _, t := range r.Triggers {
		if t == v1alpha1.RetryConnectFailure {
			to["retryOnConnectFailure"] = true
			continue
		}
		on = append(on, triggers[t])
	}
	for _, s := range r.Statuses {
		on = append(on, statuses[s])
	}
	for _, code := range r.Codes {
		codes = append(codes, int64(code))
	}
	if len(on) > 0 {
		to["retryOn"] = on
	}
	if len(codes) > 0 {
		to["retryOnStatusCodes"] = codes
	}
}
