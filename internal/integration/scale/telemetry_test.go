package scale

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// scrapeEvery is how often Prometheus scrapes, in seconds.
const scrapeEvery = 5

// front passes queries on to Prometheus and keeps how long each was, in bytes.
type front struct {
	*httptest.Server
	mu      sync.Mutex
	queries []int
}

// startPrometheus has Prometheus scrape the data plane and the applications, and gives what the operator asks it through.
func startPrometheus(t *testing.T) *front {
	t.Helper()
	metered := startMetered(t)
	address := "127.0.0.1:" + freePort(t)
	config := filepath.Join(cluster.dir, "prometheus.yaml")
	text := fmt.Sprintf(`
global: {scrape_interval: %ds, scrape_timeout: %ds}
scrape_configs:
- job_name: envoy
  metrics_path: /envoy
  static_configs: [{targets: [%q]}]
- job_name: pods
  http_sd_configs: [{url: %q, refresh_interval: 2s}]
`, scrapeEvery, scrapeEvery, strings.TrimPrefix(metered.URL, "http://"), metered.URL+"/targets")
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	start(t, asset("prometheus"), "--config.file="+config, "--storage.tsdb.path="+filepath.Join(cluster.dir, "tsdb"), "--web.listen-address="+address)
	f := &front{}
	f.Server = httptest.NewServer(f.before(httputil.NewSingleHostReverseProxy(&url.URL{Scheme: "http", Host: address})))
	t.Cleanup(f.Close)
	return f
}

func (f *front) before(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		form, _ := url.ParseQuery(string(body))
		f.mu.Lock()
		f.queries = append(f.queries, len(form.Get("query")))
		f.mu.Unlock()
		r.Body = io.NopCloser(bytes.NewReader(body))
		next.ServeHTTP(w, r)
	})
}

// asked is how many queries there have been, and how many of them were at least half as long as a query may be.
func (f *front) asked() (all, long int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, n := range f.queries {
		if n >= longestQuery/2 {
			long++
		}
	}
	return len(f.queries), long
}

// longestQuery is the length in bytes up to which queries are merged: see internal/prom.
const longestQuery = 8 << 10

// startMetered serves what a data plane and the applications measure: steady traffic, of which little fails.
func startMetered(t *testing.T) *httptest.Server {
	t.Helper()
	m := metered{began: time.Now()}
	mux := http.NewServeMux()
	mux.HandleFunc("/envoy", m.envoy)
	mux.HandleFunc("/targets", m.targets)
	mux.HandleFunc("/pods/{pod}", m.pod)
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	return server
}

type metered struct{ began time.Time }

// counts are requests that were answered well and badly since the beginning, at a rate.
func (m metered) counts(perSecond float64) (good, bad int) {
	all := int(time.Since(m.began).Seconds() * perSecond)
	bad = all / 500
	return all - bad, bad
}

func (m metered) envoy(w http.ResponseWriter, _ *http.Request) {
	for i := 0; i < *active; i += 2 {
		for backend, rate := range []float64{90, 10} {
			good, bad := m.counts(rate)
			cluster := fmt.Sprintf("httproute/%s/%s/rule/0/backend/%d", namespaceOf(i), appName(i), backend)
			write(w, "envoy_cluster_upstream_rq{envoy_cluster_name=%q,envoy_response_code=\"200\"} %d\n", cluster, good)
			write(w, "envoy_cluster_upstream_rq{envoy_cluster_name=%q,envoy_response_code=\"503\"} %d\n", cluster, bad)
			for _, le := range []string{"250", "500", "1000", "+Inf"} {
				write(w, "envoy_cluster_upstream_rq_time_bucket{envoy_cluster_name=%q,le=%q} %d\n", cluster, le, good+bad)
			}
			write(w, "envoy_cluster_upstream_rq_time_count{envoy_cluster_name=%q} %d\n", cluster, good+bad)
		}
	}
}

func (m metered) pod(w http.ResponseWriter, _ *http.Request) {
	good, bad := m.counts(20)
	write(w, "shop_requests_total{result=\"ok\"} %d\n", good)
	write(w, "shop_requests_total{result=\"failed\"} %d\n", bad)
}

// targets are the pods that count themselves, as Prometheus' discovery by HTTP wants them.
func (m metered) targets(w http.ResponseWriter, r *http.Request) {
	pods := &corev1.PodList{}
	if err := cluster.client.List(r.Context(), pods, client.MatchingLabels{measuredLabel: "true"}); err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	type group struct {
		Targets []string          `json:"targets"`
		Labels  map[string]string `json:"labels"`
	}
	groups := []group{}
	for _, pod := range pods.Items {
		groups = append(groups, group{[]string{r.Host}, map[string]string{"__metrics_path__": "/pods/" + pod.Name, "namespace": pod.Namespace, "pod": pod.Name}})
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(groups) // Prometheus asks again
}

func write(w io.Writer, format string, args ...any) { _, _ = fmt.Fprintf(w, format, args...) }
