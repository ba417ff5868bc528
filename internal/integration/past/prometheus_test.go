package past

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// prometheus runs Prometheus until the test ends and returns its address. It has scraped the page, once: each sample has the
// time that the page gives it.
func prometheus(t *testing.T, page, has string) string {
	t.Helper()
	binary := filepath.Join(os.Getenv("KUBEBUILDER_ASSETS"), "prometheus")
	if _, err := os.Stat(binary); err != nil {
		t.Fatalf("%v: run make test-integration, or have KUBEBUILDER_ASSETS name the folder that hack/step-assets.sh prints", err)
	}
	var scraped atomic.Bool
	source := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/plain; version=0.0.4")
		if scraped.CompareAndSwap(false, true) {
			_, _ = io.WriteString(w, page)
		}
	}))
	t.Cleanup(source.Close)
	dir := t.TempDir()
	config := fmt.Sprintf("scrape_configs:\n- job_name: past\n  scrape_interval: 1s\n  static_configs: [{targets: [%q]}]\n",
		strings.TrimPrefix(source.URL, "http://"))
	if err := os.WriteFile(filepath.Join(dir, "prometheus.yml"), []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	address := freeAddress(t)
	start(t, exec.CommandContext(context.WithoutCancel(t.Context()), binary,
		"--config.file="+filepath.Join(dir, "prometheus.yml"), "--storage.tsdb.path="+filepath.Join(dir, "data"),
		"--web.listen-address="+address, "--log.level=warn"))
	waitFor(t, "http://"+address+"/api/v1/series?match[]="+has)
	return "http://" + address
}

// freeAddress is one of this machine on which nobody listens.
func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // closed at once
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	return l.Addr().String()
}

// start runs a command and ends it with the test.
func start(t *testing.T, c *exec.Cmd) {
	t.Helper()
	var said bytes.Buffer
	c.Stdout, c.Stderr = &said, &said
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = c.Process.Kill()
		_ = c.Wait()
		if t.Failed() {
			t.Logf("Prometheus said:\n%s", said.String())
		}
	})
}

// waitFor asks until there is a series.
func waitFor(t *testing.T, url string) {
	t.Helper()
	tick := time.NewTicker(200 * time.Millisecond)
	defer tick.Stop()
	end := time.NewTimer(2 * time.Minute)
	defer end.Stop()
	for {
		if found(t, url) {
			return
		}
		select {
		case <-tick.C:
		case <-end.C:
			t.Fatal("Prometheus has no series after two minutes")
		}
	}
}

func found(t *testing.T, url string) bool {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return false
	}
	defer func() { _ = response.Body.Close() }()
	var answer struct {
		Data []map[string]string `json:"data"`
	}
	return json.NewDecoder(response.Body).Decode(&answer) == nil && len(answer.Data) > 0
}
