package dialects

import (
	"bufio"
	"os"
	"strings"
	"testing"

	"slipway.dev/slipway/internal/telemetry"
	"slipway.dev/slipway/internal/telemetry/cilium"
	"slipway.dev/slipway/internal/telemetry/consul"
	"slipway.dev/slipway/internal/telemetry/contour"
	"slipway.dev/slipway/internal/telemetry/istio"
)

// recorded are series that an Envoy 1.40.0 wrote before and after 200 requests to a weighted cluster of each kind of name,
// with one retry on 503 and connect-failure, the stats_tags of Consul's bootstrap and Istio's cluster_name. Every third
// answer of the canary's backend was a 503; nothing listens behind the cluster of Service dead.
func recorded(t *testing.T) string {
	t.Helper()
	before, after := readSeries(t, "before"), readSeries(t, "after")
	var b strings.Builder
	for series, value := range after {
		first, ok := before[series]
		if !ok {
			first = "_"
		}
		series = strings.Replace(series, "{", "{"+caller, 1)
		b.WriteString(series + " " + first + " " + value + " " + value + "\n")
	}
	return b.String()
}

func readSeries(t *testing.T, name string) map[string]string {
	t.Helper()
	file, err := os.Open("testdata/envoy-1.40.0/" + name + ".prom")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = file.Close() })
	all := map[string]string{}
	for lines := bufio.NewScanner(file); lines.Scan(); {
		series, value, _ := strings.Cut(lines.Text(), "} ")
		all[series+"}"] = value
	}
	return all
}

// TestWhatAnEnvoyWrote: behind one retry, a version that fails every third try looks as good as the other one, unless its
// tries are looked at.
func TestWhatAnEnvoyWrote(t *testing.T) {
	cases := map[string]struct {
		plane                telemetry.Plane
		canary, given, other float64
	}{
		"Contour":         {contour.Dialect{}, 102, 51, 98},
		"Cilium":          {cilium.Proxy{}, 95, 47, 105},
		"Consul":          {consul.Dialect{}, 109, 55, 91},
		"Istio's proxies": {istio.Proxy{}, 85, 42, 115},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			got := follow(t, recorded(t), 3, metric(t, c.plane, telemetry.Errors, telemetry.AfterRetries),
				metric(t, c.plane, telemetry.Errors, telemetry.Attempts), metric(t, c.plane, telemetry.Latency, telemetry.AfterRetries))
			compare(t, "after retries", tally{Canary: c.canary, Stable: c.other}, got[0])
			compare(t, "each try", tally{Canary: c.canary + c.given, CanaryBad: c.given, Stable: c.other}, got[1])
			if requests := got[2].tally.Canary + got[2].tally.Stable; requests != 200 || got[2].problem != "" {
				t.Errorf("latency of %v requests, want 200; problem %q", requests, got[2].problem)
			}
		})
	}
}

// TestTriesThatReachNobodyCount: a failed connection has no code in any family, and is a try nevertheless.
func TestTriesThatReachNobodyCount(t *testing.T) {
	dead := canary
	dead.Service = "dead"
	var metrics []telemetry.Metric
	for _, view := range []telemetry.View{telemetry.AfterRetries, telemetry.Attempts} {
		ask := telemetry.Ask{Signal: telemetry.Errors, View: view}
		ask.Canary, _ = istio.Proxy{}.Names(dead)
		ask.Stable, _ = istio.Proxy{}.Names(stable)
		query, err := istio.Proxy{}.Query(ask)
		if err != nil {
			t.Fatal(err)
		}
		metrics = append(metrics, telemetry.Metric{Name: view.String(), Query: query})
	}
	got := follow(t, recorded(t), 3, metrics...)
	compare(t, "after retries", tally{Canary: 200, CanaryBad: 200, Stable: 115}, got[0])
	compare(t, "each try", tally{Canary: 400, CanaryBad: 400, Stable: 115}, got[1])
}
