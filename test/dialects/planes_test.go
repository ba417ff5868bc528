package dialects

import (
	"strings"
	"testing"

	"slipway.dev/slipway/internal/telemetry"
	"slipway.dev/slipway/internal/telemetry/appmesh"
	"slipway.dev/slipway/internal/telemetry/cilium"
	"slipway.dev/slipway/internal/telemetry/consul"
	"slipway.dev/slipway/internal/telemetry/contour"
	"slipway.dev/slipway/internal/telemetry/envoygateway"
	"slipway.dev/slipway/internal/telemetry/istio"
	"slipway.dev/slipway/internal/telemetry/kgateway"
	"slipway.dev/slipway/internal/telemetry/linkerd"
	"slipway.dev/slipway/internal/telemetry/nginxgateway"
	"slipway.dev/slipway/internal/telemetry/traefik"
)

// envoyCase are an Envoy's series under the labels that a plane gives them. C, S and O stand for the labels of the canary's,
// the stable and another cluster, CODE for the code's label.
//
// In three steps the canary gives 30 answers to users, 3 of them bad, after 6 tries that were given up; 50 ms and slower
// than 200 ms: 12 of 30.
const envoyCase = `
envoy_cluster_upstream_rq{SCRAPE,C,CODE="200"} 0 9 18 27 27
envoy_cluster_upstream_rq{SCRAPE,C,CODE="503"} 0 1 2 3 3
envoy_cluster_upstream_rq_retry{SCRAPE,C} 0 2 4 6 6
envoy_cluster_upstream_rq{SCRAPE,S,CODE="200"} 1000 1100 1200 1300 1300
envoy_cluster_upstream_rq{SCRAPE,S,CODE="404"} 10 20 20 20 20
envoy_cluster_upstream_rq{SCRAPE,S,CODE="500"} _ _ 1 1 1
envoy_cluster_upstream_rq_retry{SCRAPE,S} 7 7 7 7 7
envoy_cluster_upstream_rq{SCRAPE,O,CODE="500"} 0 500 1000 1500 1500
envoy_cluster_upstream_rq_retry{SCRAPE,O} 0 100 200 300 300
envoy_cluster_upstream_rq_time_bucket{SCRAPE,C,le="100"} 0 5 10 15 15
envoy_cluster_upstream_rq_time_bucket{SCRAPE,C,le="250"} 0 6 12 18 18
envoy_cluster_upstream_rq_time_bucket{SCRAPE,C,le="+Inf"} 0 10 20 30 30
envoy_cluster_upstream_rq_time_count{SCRAPE,C} 0 10 20 30 30
envoy_cluster_upstream_rq_time_bucket{SCRAPE,S,le="100"} 900 1000 1100 1200 1200
envoy_cluster_upstream_rq_time_bucket{SCRAPE,S,le="250"} 1000 1100 1200 1300 1300
envoy_cluster_upstream_rq_time_bucket{SCRAPE,S,le="+Inf"} 1010 1120 1221 1321 1321
envoy_cluster_upstream_rq_time_count{SCRAPE,S} 1010 1120 1221 1321 1321
`

func TestEnvoyPlanes(t *testing.T) {
	cases := map[string]struct {
		plane telemetry.Plane
		// canary, stable and other are the labels of clusters; code the label of the code.
		canary, stable, other, code string
	}{
		"Envoy Gateway": {
			envoygateway.Dialect{},
			`envoy_cluster_name="service/shop/checkout-canary/80/http"`, `envoy_cluster_name="service/shop/checkout/80/http"`,
			`envoy_cluster_name="httproute/shop/checkout/rule/0-mirror-0"`, "envoy_response_code",
		},
		"Contour": {
			contour.Dialect{}, `envoy_cluster_name="shop_checkout-canary_80"`, `envoy_cluster_name="shop_checkout_80"`, `envoy_cluster_name="shop_checkout_8080"`, "envoy_response_code",
		},
		"kgateway": {
			kgateway.Dialect{}, `envoy_cluster_name="kube_shop_checkout-canary_80"`, `envoy_cluster_name="kube_shop_checkout_80"`, `envoy_cluster_name="kube_bank_checkout_80"`, "envoy_response_code",
		},
		"Cilium": {
			cilium.Proxy{},
			`envoy_cluster_name="infra/cilium-gateway-gw/shop_checkout-canary_80"`, `envoy_cluster_name="infra/cilium-gateway-gw/shop_checkout_80"`,
			`envoy_cluster_name="infra/cilium-gateway-other/shop_checkout_80"`, "envoy_response_code",
		},
		"App Mesh": {
			appmesh.Dialect{Mesh: "prod"},
			`envoy_cluster_name="cds_egress_prod_checkout-canary_shop_http_80"`, `envoy_cluster_name="cds_egress_prod_checkout_shop_http_80"`,
			`envoy_cluster_name="cds_ingress_prod_checkout_shop_http_80"`, "envoy_response_code",
		},
		"Istio's proxies": {
			istio.Proxy{},
			`cluster_name="outbound|80||checkout-canary.shop.svc.cluster.local"`, `cluster_name="outbound|80||checkout.shop.svc.cluster.local"`,
			`cluster_name="inbound|80||"`, "response_code",
		},
		"Istio's proxies with a bootstrap that is not Istio's": {
			istio.Proxy{},
			`envoy_cluster_name="outbound|80||checkout-canary",cluster_name="outbound|80||checkout-canary.shop.svc.cluster.local"`,
			`envoy_cluster_name="outbound|80||checkout",cluster_name="outbound|80||checkout.shop.svc.cluster.local"`,
			`envoy_cluster_name="outbound|8080||checkout",cluster_name="outbound|8080||checkout.shop.svc.cluster.local"`, "envoy_response_code",
		},
		"Consul": {
			consul.Dialect{}, consulLabels("checkout-canary", "", "default"), consulLabels("checkout", "", "default"), consulLabels("checkout", "v2", "default"), "envoy_response_code",
		},
		"Consul in a namespace of its own": {
			consul.Dialect{Namespace: "team"}, consulLabels("checkout-canary", "", "team"), consulLabels("checkout", "", "team"), consulLabels("checkout", "", "default"), "envoy_response_code",
		},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			series := strings.NewReplacer(
				"{SCRAPE,C", `{job="proxy",instance="10.0.0.9:9090",namespace="infra",pod="gw-1",`+c.canary,
				"{SCRAPE,S", `{job="proxy",instance="10.0.0.9:9090",namespace="infra",pod="gw-1",`+c.stable,
				"{SCRAPE,O", `{job="proxy",instance="10.0.0.9:9090",namespace="infra",pod="gw-1",`+c.other,
				"CODE", c.code).Replace(envoyCase)
			got := follow(t, series, 5,
				metric(t, c.plane, telemetry.Errors, telemetry.UnknownView), metric(t, c.plane, telemetry.Errors, telemetry.Attempts),
				metric(t, c.plane, telemetry.Latency, telemetry.UnknownView))
			compare(t, "after retries", tally{Canary: 30, CanaryBad: 3, Stable: 311, StableBad: 1}, got[0])
			compare(t, "each try", tally{Canary: 36, CanaryBad: 9, Stable: 311, StableBad: 1}, got[1])
			compare(t, "latency", tally{Canary: 30, CanaryBad: 12, Stable: 311, StableBad: 11}, got[2])
			if !strings.Contains(got[2].note, "250ms") {
				t.Errorf("note %q does not name the boundary", got[2].note)
			}
		})
	}
}

// consulLabels are what Consul's stats_tags make of a cluster of a caller's proxy, some of those from before 1.9 and Envoy's
// own tag beside them.
func consulLabels(service, subset, namespace string) string {
	l := `local_cluster="web",consul_source_service="web",consul_destination_service="` + service + `",consul_destination_namespace="` + namespace +
		`",consul_destination_datacenter="dc1",consul_destination_target="` + subset + service + `.` + namespace + `.dc1",consul_custom_hash="",consul_service="` + service +
		`",consul_full_target="` + service + `.` + namespace + `.dc1.internal.e5b0",envoy_cluster_name="` + service + `"`
	if subset != "" {
		l += `,consul_destination_service_subset="` + subset + `"`
	}
	return l
}

// caller scrapes a proxy that calls both arms, pod1, pod2 and pod3 the proxies of pods: two of the canary, one of stable.
const (
	caller = `job="proxy",instance="10.0.0.9:15020",namespace="infra",pod="gw-1",`
	pod1   = `job="proxy",instance="10.0.1.1:15020",namespace="shop",pod="checkout-canary-1",`
	pod2   = `job="proxy",instance="10.0.1.2:15020",namespace="shop",pod="checkout-canary-2",`
	pod3   = `job="proxy",instance="10.0.1.3:15020",namespace="shop",pod="checkout-1",`
)

var scraped = strings.NewReplacer("CALLER,", caller, "POD1,", pod1, "POD2,", pod2, "POD3,", pod3)

func TestPlanesWithMetricsOfTheirOwn(t *testing.T) {
	cases := map[string]struct {
		plane           telemetry.Plane
		series          string
		errors, latency tally
	}{
		"Istio, as the caller sees it": {
			plane: istio.Dialect{Reporter: istio.Source},
			series: istioSeries("source", "CALLER", "CALLER", `destination_service_namespace="shop",destination_service_name="checkout-canary",destination_workload="unknown"`,
				`destination_service_namespace="shop",destination_service_name="checkout"`) + `
istio_requests_total{CALLER,reporter="source",destination_service_namespace="shop",destination_service_name="checkout-canary",response_code="0",response_flags="DC"} 0 50 50 50 50
istio_requests_total{CALLER,reporter="source",destination_service_namespace="bank",destination_service_name="checkout",response_code="500"} 0 70 70 70 70
istio_requests_total{CALLER,reporter="waypoint",destination_service_namespace="shop",destination_service_name="checkout",response_code="500"} 0 70 70 70 70`,
			errors: tally{Canary: 40, CanaryBad: 14, Stable: 200}, latency: tally{Canary: 40, CanaryBad: 8, Stable: 200},
		},
		"Istio, as a waypoint sees it": {
			plane: istio.Dialect{Reporter: istio.Waypoint},
			series: istioSeries("waypoint", "CALLER", "CALLER", `destination_service_namespace="shop",destination_service_name="checkout-canary"`,
				`destination_service_namespace="shop",destination_service_name="checkout"`),
			errors: tally{Canary: 40, CanaryBad: 14, Stable: 200}, latency: tally{Canary: 40, CanaryBad: 8, Stable: 200},
		},
		"Istio, as the pods see it, each try": {
			plane: istio.Dialect{Reporter: istio.Destination},
			series: istioSeries("destination", "POD1", "POD3", `destination_workload_namespace="shop",destination_workload="checkout-canary",destination_service_name="checkout"`,
				`destination_workload_namespace="shop",destination_workload="checkout"`) + `
istio_requests_total{POD2,reporter="destination",destination_workload_namespace="shop",destination_workload="checkout-canary",response_code="0",response_flags="DC"} 0 5 5 5 5
istio_requests_total{POD2,reporter="source",destination_workload_namespace="shop",destination_workload="checkout",response_code="500"} 0 70 70 70 70`,
			errors:  tally{Canary: 45, CanaryBad: 19, Stable: 200, Pods: map[string]float64{"checkout-canary-1": 40, "checkout-canary-2": 5}},
			latency: tally{Canary: 40, CanaryBad: 8, Stable: 200, Pods: map[string]float64{"checkout-canary-1": 40}},
		},
		"Linkerd, as the caller sees it": {
			plane: linkerd.Dialect{Side: linkerd.Outbound},
			series: `
outbound_http_route_backend_response_statuses_total{CALLER,parent_name="checkout",backend_namespace="shop",backend_name="checkout-canary",backend_port="80",http_status="200"} 0 10 20 30 30
outbound_http_route_backend_response_statuses_total{CALLER,parent_name="checkout",backend_namespace="shop",backend_name="checkout-canary",backend_port="80",http_status="503"} 0 1 2 3 3
outbound_http_route_backend_response_statuses_total{CALLER,parent_name="checkout",backend_namespace="shop",backend_name="checkout-canary",backend_port="80",error="REFUSED"} _ 1 2 3 3
outbound_grpc_route_backend_response_statuses_total{CALLER,parent_name="checkout",backend_namespace="shop",backend_name="checkout-canary",backend_port="80",grpc_status="UNAVAILABLE"} 0 2 2 2 2
outbound_grpc_route_backend_response_statuses_total{CALLER,parent_name="checkout",backend_namespace="shop",backend_name="checkout-canary",backend_port="80",grpc_status="NOT_FOUND"} 0 2 2 2 2
outbound_http_route_backend_response_statuses_total{CALLER,parent_name="checkout",backend_namespace="shop",backend_name="checkout",backend_port="80",http_status="200"} 0 100 200 200 200
outbound_http_route_backend_response_statuses_total{CALLER,parent_name="checkout",backend_namespace="bank",backend_name="checkout",backend_port="80",http_status="500"} 0 100 200 200 200
outbound_http_route_request_statuses_total{CALLER,parent_name="checkout",http_status="500"} 0 100 200 200 200
outbound_http_route_backend_response_duration_seconds_count{CALLER,backend_namespace="shop",backend_name="checkout-canary"} 0 10 20 40 40
outbound_http_route_backend_response_duration_seconds_bucket{CALLER,backend_namespace="shop",backend_name="checkout-canary",le="0.1"} 0 5 10 20 20
outbound_http_route_backend_response_duration_seconds_bucket{CALLER,backend_namespace="shop",backend_name="checkout-canary",le="0.25"} 0 8 16 32 32
outbound_http_route_backend_response_duration_seconds_bucket{CALLER,backend_namespace="shop",backend_name="checkout-canary",le="+Inf"} 0 10 20 40 40
outbound_http_route_backend_response_duration_seconds_count{CALLER,backend_namespace="shop",backend_name="checkout"} 0 100 200 200 200
outbound_http_route_backend_response_duration_seconds_bucket{CALLER,backend_namespace="shop",backend_name="checkout",le="0.25"} 0 100 200 200 200`,
			errors: tally{Canary: 40, CanaryBad: 8, Stable: 200}, latency: tally{Canary: 40, CanaryBad: 8, Stable: 200},
		},
		"Linkerd, as the pods see it": {
			plane: linkerd.Dialect{Side: linkerd.Inbound},
			series: `
response_total{POD1,direction="inbound",deployment="checkout-canary",classification="success",status_code="200"} 0 10 20 26 26
response_total{POD1,direction="inbound",deployment="checkout-canary",classification="failure",status_code="500"} 0 4 4 4 4
response_total{POD2,direction="inbound",deployment="checkout-canary",classification="success",status_code="200"} 0 10 10 10 10
response_total{POD2,direction="inbound",deployment="checkout-canary",classification="success",status_code="200",route_name="probe"} 0 60 120 180 180
response_total{POD2,direction="outbound",deployment="checkout-canary",classification="failure",status_code="500",dst_deployment="bank"} 0 60 120 180 180
response_total{POD3,direction="inbound",deployment="checkout",classification="success",status_code="200"} 0 100 200 200 200
response_latency_ms_count{POD1,direction="inbound",deployment="checkout-canary",status_code="200"} 0 10 20 40 40
response_latency_ms_bucket{POD1,direction="inbound",deployment="checkout-canary",status_code="200",le="100"} 0 5 10 20 20
response_latency_ms_bucket{POD1,direction="inbound",deployment="checkout-canary",status_code="200",le="200"} 0 8 16 32 32
response_latency_ms_count{POD3,direction="inbound",deployment="checkout"} 0 100 200 200 200
response_latency_ms_bucket{POD3,direction="inbound",deployment="checkout",le="200"} 0 100 200 200 200`,
			errors:  tally{Canary: 40, CanaryBad: 4, Stable: 200, Pods: map[string]float64{"checkout-canary-1": 30, "checkout-canary-2": 10}},
			latency: tally{Canary: 40, CanaryBad: 8, Stable: 200, Pods: map[string]float64{"checkout-canary-1": 40}},
		},
		"Traefik": {
			plane: traefik.Dialect{},
			series: `
traefik_service_requests_total{CALLER,code="200",method="GET",protocol="http",service="httproute-shop-checkout-gw-infra-gw-ep-web-0-1c2d3e4f5a6b7c8d9e0f-svc-shop-checkout-canary-1@kubernetesgateway"} 0 10 20 30 30
traefik_service_requests_total{CALLER,code="502",method="POST",protocol="http",service="httproute-shop-checkout-gw-infra-gw-ep-web-0-1c2d3e4f5a6b7c8d9e0f-svc-shop-checkout-canary-1@kubernetesgateway"} _ 4 8 10 10
traefik_service_requests_total{CALLER,code="200",method="GET",protocol="http",service="httproute-shop-checkout-gw-infra-gw-ep-web-0-1c2d3e4f5a6b7c8d9e0f-svc-shop-checkout-0@kubernetesgateway"} 0 100 150 150 150
traefik_service_requests_total{CALLER,code="200",method="GET",protocol="http",service="shop-checkout-80@kubernetescrd"} 0 10 50 50 50
traefik_service_requests_total{CALLER,code="500",method="GET",protocol="http",service="httproute-shop-checkout-gw-infra-gw-ep-web-0-1c2d3e4f5a6b7c8d9e0f-svc-bank-checkout-0@kubernetesgateway"} 0 100 150 150 150
traefik_service_requests_total{CALLER,code="500",method="GET",protocol="http",service="shop-checkout-old-80@kubernetescrd"} 0 100 150 150 150
traefik_service_request_duration_seconds_count{CALLER,code="200",service="shop-checkout-canary-80@kubernetescrd"} 0 10 20 40 40
traefik_service_request_duration_seconds_bucket{CALLER,code="200",service="shop-checkout-canary-80@kubernetescrd",le="0.1"} 0 5 10 20 20
traefik_service_request_duration_seconds_bucket{CALLER,code="200",service="shop-checkout-canary-80@kubernetescrd",le="0.3"} 0 8 16 32 32
traefik_service_request_duration_seconds_count{CALLER,code="200",service="shop-checkout-80@kubernetescrd"} 0 100 200 200 200
traefik_service_request_duration_seconds_bucket{CALLER,code="200",service="shop-checkout-80@kubernetescrd",le="0.3"} 0 100 200 200 200`,
			errors: tally{Canary: 40, CanaryBad: 10, Stable: 200}, latency: tally{Canary: 40, CanaryBad: 8, Stable: 200},
		},
		"Cilium's Hubble": {
			plane: cilium.Hubble{},
			series: `
hubble_http_requests_total{CALLER,method="GET",reporter="server",destination_namespace="shop",destination_workload="checkout-canary",status="200"} 0 10 20 30 30
hubble_http_requests_total{CALLER,method="GET",reporter="server",destination_namespace="shop",destination_workload="checkout-canary",status="500"} 0 10 10 10 10
hubble_http_requests_total{CALLER,method="GET",reporter="client",destination_namespace="shop",destination_workload="checkout-canary",status="500"} 0 10 10 10 10
hubble_http_requests_total{CALLER,method="GET",reporter="server",destination_namespace="shop",destination_workload="checkout",status="200"} 0 100 200 200 200
hubble_http_request_duration_seconds_count{CALLER,reporter="server",destination_namespace="shop",destination_workload="checkout-canary"} 0 10 20 40 40
hubble_http_request_duration_seconds_bucket{CALLER,reporter="server",destination_namespace="shop",destination_workload="checkout-canary",le="0.25"} 0 8 16 32 32
hubble_http_request_duration_seconds_count{CALLER,reporter="server",destination_namespace="shop",destination_workload="checkout"} 0 100 200 200 200
hubble_http_request_duration_seconds_bucket{CALLER,reporter="server",destination_namespace="shop",destination_workload="checkout",le="0.25"} 0 100 200 200 200`,
			errors: tally{Canary: 40, CanaryBad: 10, Stable: 200}, latency: tally{Canary: 40, CanaryBad: 8, Stable: 200},
		},
		"NGINX Plus": {
			plane: nginxgateway.Dialect{},
			series: `
nginx_http_upstream_peer_responses_total{CALLER,nginx_status_range="2xx",nginx_upstream_name="shop_checkout-canary_80",nginx_peer_address="10.0.1.1:80"} 0 10 20 30 30
nginx_http_upstream_peer_responses_total{CALLER,nginx_status_range="5xx",nginx_upstream_name="shop_checkout-canary_80",nginx_peer_address="10.0.1.2:80"} 0 10 10 10 10
nginx_http_upstream_peer_responses_total{CALLER,nginx_status_range="4xx",nginx_upstream_name="shop_checkout_80",nginx_peer_address="10.0.1.3:80"} 0 100 200 200 200
nginx_http_upstream_peer_responses_total{CALLER,nginx_status_range="5xx",nginx_upstream_name="shop_checkout_8080",nginx_peer_address="10.0.1.3:80"} 0 100 200 200 200`,
			errors: tally{Canary: 40, CanaryBad: 10, Stable: 200},
		},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			metrics := []telemetry.Metric{metric(t, c.plane, telemetry.Errors, telemetry.UnknownView)}
			measuresTime := len(c.plane.Facts().Views(telemetry.Latency)) > 0
			if measuresTime {
				metrics = append(metrics, metric(t, c.plane, telemetry.Latency, telemetry.UnknownView))
			}
			got := follow(t, scraped.Replace(c.series), 5, metrics...)
			compare(t, "errors", c.errors, got[0])
			if measuresTime {
				compare(t, "latency", c.latency, got[1])
			}
		})
	}
}

// istioSeries are 40 requests to the canary, 10 of them with 503 and 4 with a gRPC status that is the server's fault, 8 of
// them slow, and 200 to stable.
func istioSeries(reporter, canaryScrape, stableScrape, canary, stable string) string {
	return strings.NewReplacer("R,", `reporter="`+reporter+`",`, "CS,", canaryScrape+",", "SS,", stableScrape+",", "C,", canary+",", "S,", stable+",").Replace(`
istio_requests_total{CS,R,C,request_protocol="http",response_code="200"} 0 10 20 24 24
istio_requests_total{CS,R,C,request_protocol="http",response_code="503",response_flags="UF"} 0 5 10 10 10
istio_requests_total{CS,R,C,request_protocol="grpc",response_code="200",grpc_response_status="14"} 0 4 4 4 4
istio_requests_total{CS,R,C,request_protocol="grpc",response_code="200",grpc_response_status="5"} 0 2 2 2 2
istio_requests_total{SS,R,S,request_protocol="http",response_code="200"} 0 100 200 200 200
istio_request_duration_milliseconds_count{CS,R,C,response_code="200"} 0 10 20 40 40
istio_request_duration_milliseconds_bucket{CS,R,C,response_code="200",le="100"} 0 5 10 20 20
istio_request_duration_milliseconds_bucket{CS,R,C,response_code="200",le="250"} 0 8 16 32 32
istio_request_duration_milliseconds_bucket{CS,R,C,response_code="200",le="+Inf"} 0 10 20 40 40
istio_request_duration_milliseconds_count{SS,R,S,response_code="200"} 0 100 200 200 200
istio_request_duration_milliseconds_bucket{SS,R,S,response_code="200",le="250"} 0 100 200 200 200`)
}
