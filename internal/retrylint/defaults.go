package retrylint

import (
	"slices"
	"strconv"
	"strings"
)

// Plane is a data plane, by the name that this package's table has.
type Plane string

// The data planes.
const (
	EnvoyGateway       Plane = "Envoy Gateway"
	Istio              Plane = "Istio"
	Linkerd            Plane = "Linkerd"
	Consul             Plane = "Consul"
	AppMesh            Plane = "AWS App Mesh"
	Traefik            Plane = "Traefik"
	Contour            Plane = "Contour"
	NGINXGatewayFabric Plane = "NGINX Gateway Fabric"
	NGINXIngress       Plane = "NGINX Ingress"
	Kgateway           Plane = "kgateway"
	Cilium             Plane = "Cilium"
	Kong               Plane = "Kong"
	VPCLattice         Plane = "VPC Lattice"
)

// Default is what a data plane retries when nobody has told it to.
type Default struct {
	Plane Plane
	// Known is false where the number depends on something that is not in any configuration; then a hop counts 1, and it
	// is said.
	Known  bool
	Policy Policy
	// Says is what a user should know of it, Source where it stands.
	Says, Source string
}

// Defaults are what the data planes retry by themselves, sorted by name.
func Defaults() []Default {
	return []Default{
		{
			Plane: AppMesh, Known: true, Policy: Policy{Retries: 2, Triggers: append(EnvoyTriggers("connect-failure,refused-stream,reset", 503), "UNAVAILABLE")},
			Says: "in meshes of accounts that had none before 29 July 2020; it cannot be switched off, only replaced", Source: "awsdocs/aws-app-mesh-user-guide doc_source/envoy-defaults.md",
		},
		{Plane: Cilium, Known: true, Source: "docs.cilium.io/en/stable/network/servicemesh/gateway-api"},
		{Plane: Consul, Known: true, Says: "numRetries alone retries nothing: it needs a trigger", Source: "developer.hashicorp.com/consul/docs/reference/config-entry/service-router"},
		{Plane: Contour, Known: true, Says: "a retryPolicy with count 0 retries once", Source: "projectcontour.io/docs/main/config/request-routing"},
		{Plane: EnvoyGateway, Known: true, Source: "gateway.envoyproxy.io/latest/tasks/traffic/retry"},
		{
			Plane: Istio, Known: true, Policy: Policy{Retries: 2, Triggers: append(EnvoyTriggers("connect-failure,refused-stream"), "CANCELLED", "UNAVAILABLE")},
			Says: "in the caller's proxy, the gateway and the waypoint; 503 too before 1.24, or with EXCLUDE_UNSAFE_503_FROM_DEFAULT_RETRY=false", Source: "istio/istio pilot/pkg/networking/core/route/retry/retry.go",
		},
		{Plane: Kgateway, Known: true, Source: "kgateway.dev/docs/resiliency/retry"},
		{
			Plane: Kong, Known: true, Policy: Policy{Retries: 5, Triggers: []Failure{Connect, Reset, Timeout}},
			Says: "annotation konghq.com/retries; no status codes", Source: "developer.konghq.com/gateway/entities/service",
		},
		{Plane: Linkerd, Known: true, Says: "a limit of 0 means 1 as soon as another retry annotation is there", Source: "linkerd.io/2/reference/retries"},
		{
			Plane: NGINXGatewayFabric,
			Says:  "proxy_next_upstream error timeout: each pod is tried once, so that the tries are as many as the pods", Source: "nginx.org/en/docs/http/ngx_http_proxy_module.html",
		},
		{
			Plane: NGINXIngress, Known: true, Policy: Policy{Retries: 2, Triggers: []Failure{Connect, Reset, Timeout}},
			Says: "proxy-next-upstream-tries is 3, the first included", Source: "kubernetes.github.io/ingress-nginx/user-guide/nginx-configuration/configmap",
		},
		{Plane: Traefik, Known: true, Says: "attempts of the retry middleware include the first", Source: "doc.traefik.io/traefik/middlewares/http/retry"},
		{Plane: VPCLattice, Source: "docs.aws.amazon.com/vpc-lattice/latest/ug/listeners.html", Says: "what the service retries by itself is not published"},
	}
}

// DefaultOf is what a data plane retries by itself; false for one that is not in the table.
func DefaultOf(p Plane) (Default, bool) {
	all := Defaults()
	i := slices.IndexFunc(all, func(d Default) bool { return d.Plane == p })
	if i < 0 {
		return Default{}, false
	}
	return all[i], true
}

// EnvoyTriggers are the failures that an Envoy retries with a retry_on text and retriable status codes. 5xx, gateway-error
// and reset take everything that ends a try without an answer, a timed-out try included.
func EnvoyTriggers(retryOn string, codes ...int) []Failure {
	var all []Failure
	for word := range strings.SplitSeq(retryOn, ",") {
		switch word = strings.TrimSpace(word); word {
		case "5xx":
			all = append(all, Connect, Refused, Reset, Timeout)
			for code := 500; code < 600; code++ {
				all = append(all, Code(code))
			}
		case "gateway-error":
			all = append(all, Connect, Refused, Reset, Timeout, Code(502), Code(503), Code(504))
		case "reset":
			all = append(all, Connect, Refused, Reset, Timeout)
		case "reset-before-request":
			// Whether the request had begun cannot be said beforehand; the worst is counted.
			all = append(all, Connect, Reset)
		case "connect-failure":
			all = append(all, Connect)
		case "refused-stream":
			all = append(all, Refused)
		case "retriable-4xx":
			all = append(all, Code(409))
		case "cancelled", "deadline-exceeded", "internal", "resource-exhausted", "unavailable":
			all = append(all, Failure(strings.ToUpper(strings.ReplaceAll(word, "-", "_"))))
		default:
			if code, err := strconv.Atoi(word); err == nil {
				codes = append(codes, code)
			}
		}
	}
	for _, code := range codes {
		all = append(all, Code(code))
	}
	slices.SortFunc(all, compareFailures)
	return slices.Compact(all)
}
