package scale

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/util/wait"
)

// operator is the real program, as config/manager starts it.
type operator struct {
	*process
	metrics string
	began   time.Time
}

func buildOperator(t *testing.T) string {
	t.Helper()
	path := filepath.Join(cluster.dir, "slipway")
	build := exec.CommandContext(t.Context(), "go", "build", "-o", path, ".")
	build.Dir, build.Env = root, append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build the operator: %v\n%s", err, out)
	}
	return path
}

func startOperator(t *testing.T, binary, prometheusURL string) *operator {
	t.Helper()
	config := filepath.Join(cluster.dir, "operator.yaml")
	text := fmt.Sprintf("prometheus:\n  endpoints:\n  - name: default\n    url: %s\n    timeout: 5s\n", prometheusURL)
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	o := &operator{metrics: "127.0.0.1:" + freePort(t), began: time.Now()}
	o.process = start(t, binary, "operator", "--leader-elect", "--leader-elect-namespace=slipway-system", "--config="+config,
		"--metrics-address="+o.metrics, "--health-address=127.0.0.1:"+freePort(t))
	return o
}

// known is how many releases the operator has looked at, by its own metrics.
func (o *operator) known(ctx context.Context) int {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+o.metrics+"/metrics", nil)
	if err != nil {
		return 0
	}
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		return 0 // it is not up yet
	}
	defer func() { _ = answer.Body.Close() }()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		return 0
	}
	n := 0
	for line := range strings.Lines(string(text)) {
		if strings.HasPrefix(line, "slipway_release_stage{") {
			n++
		}
	}
	return n
}

// awaitKnown gives the time from the operator's start until it has looked at so many releases.
func (o *operator) awaitKnown(t *testing.T, n int) time.Duration {
	t.Helper()
	last := 0
	err := wait.PollUntilContextTimeout(t.Context(), 50*time.Millisecond, 5*time.Minute, true, func(ctx context.Context) (bool, error) {
		last = o.known(ctx)
		return last >= n, nil
	})
	if err != nil {
		stuck.Store(true)
		t.Fatalf("waited until the operator knows %d releases, and it knows %d: %v", n, last, err)
	}
	return time.Since(o.began)
}

// request is what is needed of an event of the audit log.
type request struct {
	Stage     string `json:"stage"`
	Verb      string `json:"verb"`
	ObjectRef struct {
		Namespace   string `json:"namespace"`
		Resource    string `json:"resource"`
		Subresource string `json:"subresource"`
	} `json:"objectRef"`
}

func auditLog() string { return filepath.Join(cluster.dir, "audit.log") }

// writes are the requests by which the operator has asked the API server to change something, by kind and verb. Those
// in its own namespace are left out: its lease and the Event of it are what it costs to have a second operator stand by.
func writes(t *testing.T) map[string]int {
	t.Helper()
	file, err := os.Open(auditLog())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = file.Close() }()
	out := map[string]int{}
	lines := bufio.NewReader(file)
	for {
		line, err := lines.ReadBytes('\n')
		if err != nil {
			return out // what has no end yet is being written
		}
		var e request
		if err := json.Unmarshal(line, &e); err != nil {
			t.Fatalf("read audit log: %v", err)
		}
		if e.ObjectRef.Namespace == "slipway-system" || e.Stage != "ResponseComplete" {
			continue
		}
		out[e.Verb+" "+strings.TrimSuffix(e.ObjectRef.Resource+"/"+e.ObjectRef.Subresource, "/")]++
	}
}

func sum(counts map[string]int) int {
	n := 0
	for _, c := range counts {
		n += c
	}
	return n
}

// less is what has come to counts since they were others.
func less(now, before map[string]int) map[string]int {
	out := map[string]int{}
	for what, n := range now {
		if n > before[what] {
			out[what] = n - before[what]
		}
	}
	return out
}
