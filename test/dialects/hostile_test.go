package dialects

import (
	"strings"
	"testing"

	"slipway.dev/slipway/internal/telemetry"
	"slipway.dev/slipway/internal/telemetry/istio"
	"slipway.dev/slipway/internal/telemetry/linkerd"
	"slipway.dev/slipway/internal/telemetry/traefik"
)

// TestWhatGoesWrongWithScrapes: what is wrong or missing is never zero, and nothing counts twice.
func TestWhatGoesWrongWithScrapes(t *testing.T) {
	const canaryOK = `istio_requests_total{POD1,reporter="destination",destination_workload_namespace="shop",destination_workload="checkout-canary",response_code="200"} `
	const canaryBad = `istio_requests_total{POD1,reporter="destination",destination_workload_namespace="shop",destination_workload="checkout-canary",response_code="500"} `
	const stableOK = `istio_requests_total{POD3,reporter="destination",destination_workload_namespace="shop",destination_workload="checkout",response_code="200"} 0 100 200 300 300`
	again := strings.Replace(canaryOK, `POD1,`, `job="other",instance="10.0.1.1:15020",namespace="shop",pod="checkout-canary-1",`, 1)
	cases := map[string]struct {
		series  string
		want    tally
		problem string
	}{
		"a proxy that starts again":      {canaryOK + "50 60 5 10 10", tally{Canary: 20, Stable: 300}, ""},
		"a first failure counts at once": {canaryOK + "0 10 20 20 20\n" + canaryBad + "_ _ 3 3 3", tally{Canary: 23, CanaryBad: 3, Stable: 300}, ""},
		"a scrape that is missing":       {canaryOK + "0 _ 20 30 30", tally{Canary: 30, Stable: 300}, ""},
		"a stale marker":                 {canaryOK + "0 10 stale stale stale", tally{Canary: 10, Stable: 300}, ""},
		"no number":                      {canaryOK + "0 10 NaN 30 30", tally{Canary: 30, Stable: 300}, ""},
		"a pod that two jobs scrape":     {canaryOK + "0 10 20 30 30\n" + again + "0 10 20 30 30", tally{}, "scraped twice"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			got := follow(t, scraped.Replace(c.series+"\n"+stableOK), 5, metric(t, istio.Dialect{Reporter: istio.Destination}, telemetry.Errors, telemetry.Attempts))[0]
			got.tally.Pods = nil
			if c.problem != "" {
				if !strings.Contains(got.problem, c.problem) || got.tally.Canary != 0 {
					t.Errorf("problem %q, tally %+v; want %q and nothing counted", got.problem, got.tally, c.problem)
				}
				return
			}
			compare(t, "errors", c.want, got)
		})
	}
}

// TestNothingIsSaidWithoutSeries: a data plane that is not there has no traffic without errors.
func TestNothingIsSaidWithoutSeries(t *testing.T) {
	for _, plane := range []telemetry.Plane{istio.Dialect{Reporter: istio.Source}, linkerd.Dialect{Side: linkerd.Outbound}, traefik.Dialect{}} {
		got := follow(t, `up{job="x",instance="y"} 1 1 1`, 3, metric(t, plane, telemetry.Errors, telemetry.UnknownView))[0]
		if got.problem == "" || got.tally.Canary+got.tally.Stable != 0 {
			t.Errorf("%s: tally %+v, problem %q", plane.Facts().Plane, got.tally, got.problem)
		}
	}
}

// TestTraefikNamesThatCannotBeToldApart: a Service whose name ends like the other's with a port.
func TestTraefikNamesThatCannotBeToldApart(t *testing.T) {
	query, err := traefik.Dialect{}.Query(telemetry.Ask{Signal: telemetry.Errors, Canary: []string{"shop-checkout"}, Stable: []string{"b-svc-shop-checkout"}})
	if err != nil {
		t.Fatal(err)
	}
	role, ours := query.Role(telemetry.Labels{
		telemetry.NameLabel: "traefik_service_requests_total", "code": "200",
		"service": "httproute-b-r-gw-infra-gw-ep-web-0-0a1b2c3d4e5f6a7b8c9d-svc-b-svc-shop-checkout-0@kubernetesgateway",
	})
	if !ours || role.Refused == "" || role.Arm != telemetry.UnknownArm {
		t.Errorf("role %+v, ours %t; want a refusal", role, ours)
	}
}
