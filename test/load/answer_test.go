package load

import (
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"
)

// answering is a server that gives the same answer always.
func answering(code int, version string) func(*testing.T) string {
	return func(t *testing.T) string {
		t.Helper()
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			if version != "" {
				w.Header().Set(VersionHeader, version)
				w.Header().Set(PodHeader, "pod-1")
			}
			w.WriteHeader(code)
		}))
		t.Cleanup(server.Close)
		return server.URL
	}
}

// hanging is a server that answers later than a test waits.
func hanging(t *testing.T) string {
	t.Helper()
	release := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-release }))
	t.Cleanup(func() { close(release); server.Close() })
	return server.URL
}

// breaking is a server that promises more bytes than it sends.
func breaking(t *testing.T) string {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set(VersionHeader, "v1")
		w.Header().Set("Content-Length", "100")
		_, _ = w.Write([]byte("short"))
	}))
	t.Cleanup(server.Close)
	return server.URL
}

// refusing is an address at which nobody listens.
func refusing(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	return "http://" + listener.Addr().String()
}

func run(t *testing.T, target string) Snapshot {
	t.Helper()
	attack, err := Start(t.Context(), Options{Target: target, RatePerSecond: 50, MaxDuration: 200 * time.Millisecond, Timeout: 300 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	<-attack.Done()
	return attack.Snapshot()
}

func TestOutcomeIsToldByWhoAnswered(t *testing.T) {
	cases := map[string]struct {
		target func(*testing.T) string
		want   func(Counts) int64
	}{
		"an answer of the shop is ok":                                 {answering(200, "v1"), ok},
		"a client error of the shop is no failure of the release":     {answering(404, "v1"), ok},
		"an error with the version header is the application's":       {answering(500, "v1"), byApplication},
		"an unavailable with the version header is the application's": {answering(503, "v1"), byApplication},
		"an error without the header comes from the gateway":          {answering(503, ""), bySwitching},
		"a missing route is a failure of switching":                   {answering(404, ""), bySwitching},
		"a refused connection is a failure of switching":              {refusing, bySwitching},
		"a timeout is a failure of switching":                         {hanging, bySwitching},
		"an answer that breaks off is a failure of switching":         {breaking, bySwitching},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			total := run(t, c.target(t)).Total
			if total.Requests == 0 || c.want(total) != total.Requests {
				t.Errorf("have %+v, want all of one outcome", total)
			}
		})
	}
}

func ok(c Counts) int64            { return c.OK }
func byApplication(c Counts) int64 { return c.FailedByApplication }
func bySwitching(c Counts) int64   { return c.FailedBySwitching }

func TestRateIsKeptWhileAnswersAreSlow(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { time.Sleep(150 * time.Millisecond) }))
	defer server.Close()
	attack, err := Start(t.Context(), Options{Target: server.URL, RatePerSecond: 100, MaxDuration: 500 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	<-attack.Done()
	if requests := attack.Snapshot().Total.Requests; requests < 40 {
		t.Errorf("sent %d requests in half a second at 100 per second", requests)
	}
}

func TestHostHeaderIsSent(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { w.Header().Set(VersionHeader, r.Host) }))
	defer server.Close()
	attack, err := Start(t.Context(), Options{Target: server.URL, Host: "shop.example", RatePerSecond: 50, MaxDuration: 100 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	<-attack.Done()
	if _, seen := attack.Snapshot().Versions["shop.example"]; !seen {
		t.Errorf("have hosts %v", attack.Snapshot().Versions)
	}
}

func TestAttackEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	attack, err := Start(ctx, Options{Target: answering(200, "v1")(t), RatePerSecond: 10, MaxDuration: time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	cancel()
	<-attack.Done()
	if !attack.Snapshot().Done {
		t.Error("the snapshot does not say that the attack is done")
	}
}

func TestOptionsThatCannotWorkAreRefused(t *testing.T) {
	cases := map[string]Options{
		"no maximum duration": {Target: "http://127.0.0.1:1", RatePerSecond: 1},
		"no rate":             {Target: "http://127.0.0.1:1", MaxDuration: time.Second},
		"no scheme":           {Target: "127.0.0.1:1", RatePerSecond: 1, MaxDuration: time.Second},
	}
	for name, options := range cases {
		t.Run(name, func(t *testing.T) {
			if _, err := Start(t.Context(), options); err == nil {
				t.Error("want an error")
			}
		})
	}
}
