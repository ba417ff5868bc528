package prom

import (
	"context"
	"errors"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/types"
	testclock "k8s.io/utils/clock/testing"

	"slipway.dev/slipway/internal/telemetry"
	"slipway.dev/slipway/internal/telemetry/envoy"
)

var start = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

// fakeServer is a Prometheus that scrapes one proxy every two seconds, without HTTP.
type fakeServer struct {
	mu      sync.Mutex
	clock   *testclock.FakeClock
	skew    time.Duration
	every   time.Duration
	queries []string
	asked   []time.Time
	fail    func(query string) error
	// counts is what the counters of each cluster say at a scrape.
	counts func(cluster, code string, scrape int) float64
	names  []string
	// offset is how much later than the first a cluster's own proxy is scraped.
	offset map[string]time.Duration
}

var clusterPattern = regexp.MustCompile(`envoy_cluster_name=~"([^"]*)"`)

func (f *fakeServer) samples(_ context.Context, query string) ([]telemetry.Series, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.queries = append(f.queries, query)
	f.asked = append(f.asked, f.clock.Now())
	if f.fail != nil {
		if err := f.fail(query); err != nil {
			return nil, err
		}
	}
	now := f.clock.Now().Add(f.skew)
	asked := strings.Split(strings.ReplaceAll(clusterPattern.FindStringSubmatch(query)[1], `\\`, `\`), "|")
	var out []telemetry.Series
	for _, name := range f.names {
		for _, want := range asked {
			if regexp.QuoteMeta(name) == want {
				out = append(out, f.series(name, now)...)
			}
		}
	}
	return out, nil
}

func (f *fakeServer) series(cluster string, now time.Time) []telemetry.Series {
	var out []telemetry.Series
	for _, code := range []string{"200", "503"} {
		s := telemetry.Series{Labels: telemetry.Labels{
			"__name__": "envoy_cluster_upstream_rq", "envoy_cluster_name": cluster, "envoy_response_code": code,
			"job": "envoy", "instance": "10.0.0.1:19001" + f.offset[cluster].String(),
		}}
		for i := 0; ; i++ {
			// A sample can be read a moment after its timestamp.
			at := start.Add(f.skew).Add(f.offset[cluster]).Add(time.Duration(i) * f.every)
			if at.Add(50 * time.Millisecond).After(now) {
				break
			}
			if v := f.counts(cluster, code, i); v > 0 {
				s.Samples = append(s.Samples, telemetry.Sample{UnixMillis: at.UnixMilli(), Value: v})
			}
		}
		out = append(out, s)
	}
	return out
}

func (f *fakeServer) now(context.Context) (time.Time, error) { return f.clock.Now().Add(f.skew), nil }

func (f *fakeServer) sent() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return append([]string{}, f.queries...)
}

var errDown = &queryError{causeUnreachable, errors.New("connection refused")}

// bench is a sampler with a fake server and clock.
type bench struct {
	*Sampler
	server *fakeServer
	clock  *testclock.FakeClock
	told   []types.NamespacedName
}

func newBench(t *testing.T) *bench {
	t.Helper()
	b := &bench{clock: testclock.NewFakeClock(start)}
	b.server = &fakeServer{
		clock: b.clock, every: 2 * time.Second,
		counts: func(_, code string, scrape int) float64 {
			if code == "503" {
				return 0
			}
			return float64(100 + 10*scrape)
		},
	}
	config := Config{Endpoints: []Endpoint{{Name: "default", URL: "http://prometheus.invalid", Timeout: time.Second}}}
	s, err := New(config, Options{Clock: b.clock, Notify: func(k types.NamespacedName) { b.told = append(b.told, k) }})
	if err != nil {
		t.Fatal(err)
	}
	s.endpoints["default"].client = b.server
	b.Sampler = s
	return b
}

// pass lets time pass, in the steps in which watches are due.
func (b *bench) pass(d time.Duration) {
	e := b.endpoints["default"]
	end := b.clock.Now().Add(d)
	for {
		due, ok := b.due(e)
		if !ok || due.After(end) {
			b.clock.SetTime(end)
			return
		}
		if due.After(b.clock.Now()) {
			b.clock.SetTime(due)
		}
		b.round(context.Background(), e)
	}
}

func (b *bench) release(t *testing.T, name string) (types.NamespacedName, Watch) {
	t.Helper()
	canary, stable := "service/shop/"+name+"-canary/80/http", "service/shop/"+name+"/80/http"
	q, err := (envoy.Dialect{}).Query(telemetry.Ask{Signal: telemetry.Errors, Canary: []string{canary}, Stable: []string{stable}})
	if err != nil {
		t.Fatal(err)
	}
	b.server.names = append(b.server.names, canary, stable)
	w := Watch{Endpoint: "default", Every: 2 * time.Second, History: time.Minute, Metrics: []MetricWatch{{Name: "errors", Query: q}}}
	return types.NamespacedName{Namespace: "shop", Name: name}, w
}
