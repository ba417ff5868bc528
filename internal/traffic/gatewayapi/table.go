package gatewayapi

import (
	"slices"

	"slipway.dev/slipway/internal/traffic"
)

// implementation is what a Gateway API implementation really does with routes. "Accepted" on a route does not say it: some
// accept what they then ignore. A line is here when somebody has read or seen that it does the thing; the versions are
// those that were read.
type implementation struct {
	// name is what people call it.
	name string
	// routes has what it does with each kind of route, beside SplitOfRule and WeightedBackends, which all in the table do for
	// the kinds that they are listed with.
	routes map[string][]traffic.Capability
	// lacks says for what it does not do why not, or what to do instead.
	lacks map[traffic.Capability]string
	// adds is what it retries by itself once a rule has retries.
	adds []traffic.Addition
	// parts is into how many parts it divides a whole; zero: a million.
	parts int64
}

const (
	httpRoute = "HTTPRoute"
	grpcRoute = "GRPCRoute"
	tcpRoute  = "TCPRoute"
	tlsRoute  = "TLSRoute"
)

// EnvoyGateway and Istio are the controllerNames of the two that other translators know, too.
const (
	EnvoyGateway = "gateway.envoyproxy.io/gatewayclass-controller"
	Istio        = "istio.io/gateway-controller"
	IstioMesh    = "istio.io/mesh-controller"
	Linkerd      = "linkerd.io/policy-controller"
)

// envoyAdds is what Envoy Gateway and Istio make of a rule's retry by themselves.
var envoyAdds = []traffic.Addition{
	{What: "ConnectFailure"},
	{What: "RefusedStream"},
	{What: "gRPC Cancelled", MayRunTwice: true},
	{What: "gRPC Unavailable", MayRunTwice: true},
}

var (
	matching  = []traffic.Capability{traffic.HeaderMatch, traffic.CookieMatch}
	mirroring = []traffic.Capability{traffic.MirrorRequests, traffic.MirrorPercent}
	// retrying is all that a rule's retry can say.
	retrying = []traffic.Capability{
		traffic.Retries, traffic.RetryOfRule, traffic.RetryConnectFailure, traffic.RetryRefusedStream, traffic.RetryStatusCodes,
		traffic.RetryAllMethods, traffic.BackoffBase,
	}
	requestTimeout = []traffic.Capability{traffic.RequestTimeout, traffic.RetryOfRule}
	affinity       = []traffic.Capability{traffic.CookieAffinity}
)

func all(sets ...[]traffic.Capability) []traffic.Capability {
	out := slices.Concat(sets...)
	slices.Sort(out)
	return slices.Compact(out)
}

const (
	lacksMirror   = "a RequestMirror filter would make it answer every request with an error, or be ignored; use another data plane for shadow releases"
	lacksRetry    = "it ignores a rule's retry without a word"
	lacksTimeouts = "it ignores a rule's timeouts without a word"
)

// implementations are the known ones, by controllerName.
var implementations = map[string]implementation{
	// 1.9.1. Retries of an HTTPRoute never retry a try that timed out, and a BackendTrafficPolicy says everything.
	EnvoyGateway: {
		name: "Envoy Gateway",
		routes: map[string][]traffic.Capability{
			httpRoute: all(matching, mirroring, retrying, requestTimeout, affinity), grpcRoute: nil, tcpRoute: nil, tlsRoute: nil,
		},
		adds: append(slices.Clone(envoyAdds), traffic.Addition{What: "503", MayRunTwice: true, OnlyWithoutCodes: true}),
	},
	// 1.31.
	Istio: {
		name: "Istio", routes: map[string][]traffic.Capability{
			httpRoute: all(matching, mirroring, retrying, requestTimeout, affinity), grpcRoute: nil, tcpRoute: nil, tlsRoute: nil,
		},
		adds: envoyAdds,
	},
	// Istio's waypoints, for routes of a Service.
	IstioMesh: {
		name: "Istio", routes: map[string][]traffic.Capability{httpRoute: all(matching, mirroring, retrying, requestTimeout, affinity), grpcRoute: nil},
		adds: envoyAdds,
	},
	// 3.7.13. Mirror and CORS filters: every request 500, still Accepted. timeouts and retry: ignored, still Accepted.
	"traefik.io/gateway-controller": {
		name: "Traefik", routes: map[string][]traffic.Capability{httpRoute: matching, grpcRoute: nil},
		lacks: map[traffic.Capability]string{
			traffic.MirrorRequests: lacksMirror, traffic.Retries: lacksRetry, traffic.RequestTimeout: lacksTimeouts,
			traffic.CookieAffinity: "it sets no headers by backend",
		},
	},
	// 1.33.8. The Gateway API that it knows is 1.3: no retry.
	"projectcontour.io/gateway-controller": {
		name: "Contour", routes: map[string][]traffic.Capability{httpRoute: all(matching, requestTimeout, []traffic.Capability{traffic.MirrorRequests}), grpcRoute: nil},
		lacks: map[traffic.Capability]string{traffic.Retries: lacksRetry},
	},
	// 2.7. Weights become split_clients with two decimals; name, timeouts and retry are UnsupportedField with Accepted=True.
	"gateway.nginx.org/nginx-gateway-controller": {
		name: "NGINX Gateway Fabric", parts: 10_000,
		routes: map[string][]traffic.Capability{httpRoute: all(matching, mirroring), grpcRoute: nil},
		lacks: map[traffic.Capability]string{
			traffic.Retries: lacksRetry, traffic.RequestTimeout: lacksTimeouts, traffic.CookieAffinity: "it changes headers by rule, not by backend",
			traffic.RetryOfRule: "it does not know names of rules",
		},
	},
	// 2.4.0.
	"kgateway.dev/kgateway": {
		name: "kgateway", routes: map[string][]traffic.Capability{httpRoute: all(matching, mirroring, requestTimeout), grpcRoute: nil},
		lacks: map[traffic.Capability]string{traffic.Retries: "write a TrafficPolicy of kgateway's own for retries"},
	},
	// 1.20.2. The timeout of a route is the smaller one of request and backendRequest; retries always include resets.
	"io.cilium/gateway-controller": {
		name: "Cilium", routes: map[string][]traffic.Capability{
			httpRoute: all(matching, mirroring, requestTimeout, retrying, []traffic.Capability{traffic.RetryReset}), grpcRoute: nil,
		},
		adds: []traffic.Addition{{What: "ConnectFailure"}, {What: "RefusedStream"}, {What: "Reset", MayRunTwice: true}},
	},
	// KIC 3.5. backendRequest sets three timeouts alike; retries are annotations of the Service, five by default.
	"konghq.com/kic-gateway-controller": {
		name: "Kong", routes: map[string][]traffic.Capability{httpRoute: {traffic.HeaderMatch}, grpcRoute: nil},
		lacks: map[traffic.Capability]string{
			traffic.MirrorRequests: lacksMirror, traffic.Retries: "it retries connections five times by itself; set konghq.com/retries on the Service",
			traffic.RequestTimeout: "it knows only a timeout of each read; set konghq.com/read-timeout on the Service",
		},
	},
	// 2.1.3, the AWS Load Balancer Controller: ALB and NLB.
	"gateway.k8s.aws/alb": {
		name: "AWS Load Balancer Controller", parts: 1000,
		routes: map[string][]traffic.Capability{httpRoute: {traffic.HeaderMatch}},
		lacks: map[traffic.Capability]string{
			traffic.MirrorRequests: "a load balancer does not copy requests", traffic.Retries: "a load balancer does not retry",
			traffic.RequestTimeout: "a load balancer has an idle timeout only", traffic.CookieMatch: "use a header instead",
		},
	},
	// VPC Lattice: at most five header conditions in a rule, and no filters at all.
	"application-networking.k8s.aws/gateway-api-controller": {
		name: "VPC Lattice", parts: 1000,
		routes: map[string][]traffic.Capability{httpRoute: {traffic.HeaderMatch}},
		lacks: map[traffic.Capability]string{
			traffic.MirrorRequests: "it has no filters", traffic.CookieAffinity: "it has no filters", traffic.Retries: "it does not retry",
			traffic.RequestTimeout: "its timeout is fixed",
		},
	},
	// edge-26.8.3, for routes of a Service. A mirror filter would make it drop the route; retries are annotations.
	Linkerd: {
		name: "Linkerd", routes: map[string][]traffic.Capability{httpRoute: all(matching, requestTimeout), grpcRoute: nil},
		lacks: map[traffic.Capability]string{
			traffic.MirrorRequests: "it drops a route with a RequestMirror filter",
			traffic.Retries:        "it does not read a rule's retry; set dataPlane to Linkerd, which writes its annotations",
			traffic.CookieAffinity: "it has no affinity",
		},
	},
}

// cannotSay are ways out of what no implementation does through routes.
var cannotSay = map[traffic.Capability]string{
	traffic.RetryGatewayError: "Gateway API's retry knows codes only; list 502, 503 and 504 in httpStatusCodes",
	traffic.RetryServerError:  "Gateway API's retry knows codes only; list them in httpStatusCodes",
	traffic.PerTryTimeout:     "Gateway API's retry does not retry a try that timed out; set dataPlane to one that is configured by its own resources",
	traffic.RetryTimedOutTry:  "Gateway API's retry does not retry a try that timed out",
}
