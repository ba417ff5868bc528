package scale

import (
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"

	"sigs.k8s.io/controller-runtime/pkg/envtest"
)

// process is a program that runs beside the test.
type process struct {
	t       *testing.T
	command *exec.Cmd
	ended   chan struct{}
	// stopping says that the test itself ends it.
	stopping atomic.Bool
}

// stuck says that what programs have written may tell why the test cannot go on.
var stuck atomic.Bool

// start runs a program until the test ends. What it writes is shown when the test is stuck.
func start(t *testing.T, path string, args ...string) *process {
	t.Helper()
	name := filepath.Base(path)
	out, err := os.CreateTemp(cluster.dir, name+"-*.log")
	if err != nil {
		t.Fatal(err)
	}
	p := &process{t: t, command: exec.Command(path, args...), ended: make(chan struct{})}
	p.command.Stdout, p.command.Stderr = out, out
	p.command.Env = append(os.Environ(), "KUBECONFIG="+kubeconfig(operatorUser))
	p.command.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := p.command.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		if err := p.command.Wait(); !p.stopping.Load() {
			stuck.Store(true)
			t.Errorf("%s ended by itself: %v", name, err)
		}
		close(p.ended)
	}()
	t.Cleanup(func() {
		p.stop()
		if text, err := os.ReadFile(out.Name()); stuck.Load() && err == nil {
			t.Logf("the last that %s wrote:\n%s", name, text[max(0, len(text)-4000):])
		}
	})
	return p
}

// stop ends the program as a cluster does, and waits until it has ended.
func (p *process) stop() {
	p.t.Helper()
	if !p.stopping.Swap(true) {
		_ = p.command.Process.Signal(syscall.SIGTERM) // it may have ended by itself
	}
	<-p.ended
}

// memory is what /proc says of the process's memory now and at most, in MiB.
func (p *process) memory() (now, most float64) {
	p.t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.command.Process.Pid))
	if err != nil {
		p.t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		name, value, _ := strings.Cut(line, ":")
		kib, err := strconv.ParseFloat(strings.TrimSuffix(strings.TrimSpace(value), " kB"), 64)
		switch {
		case err != nil:
		case name == "VmRSS":
			now = kib / 1024
		case name == "VmHWM":
			most = kib / 1024
		}
	}
	return now, most
}

// processorSeconds is how long the processor has worked for the process.
func (p *process) processorSeconds() float64 {
	p.t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", p.command.Process.Pid))
	if err != nil {
		p.t.Fatal(err)
	}
	_, after, _ := strings.Cut(string(text), ") ") // the name before may have spaces
	fields := strings.Fields(after)
	const user, system, ticks = 11, 12, 100
	ofUser, errUser := strconv.ParseFloat(fields[user], 64)
	ofSystem, errSystem := strconv.ParseFloat(fields[system], 64)
	if err := errors.Join(errUser, errSystem); err != nil {
		p.t.Fatal(err)
	}
	return (ofUser + ofSystem) / ticks
}

func asset(name string) string { return filepath.Join(os.Getenv("KUBEBUILDER_ASSETS"), name) }

// kubeconfig is a user's file. Colons separate files in KUBECONFIG.
func kubeconfig(user string) string {
	return filepath.Join(cluster.dir, strings.ReplaceAll(user, ":", "-"))
}

// writeKubeconfig makes a user whom the API server knows by a certificate.
func writeKubeconfig(t *testing.T, user string, groups ...string) {
	t.Helper()
	added, err := cluster.env.AddUser(envtest.User{Name: user, Groups: groups}, nil)
	if err != nil {
		t.Fatal(err)
	}
	text, err := added.KubeConfig()
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(kubeconfig(user), text, 0o600); err != nil {
		t.Fatal(err)
	}
}

// startControllers runs Kubernetes' own controllers of Deployments, ReplicaSets and EndpointSlices.
func startControllers(t *testing.T) {
	t.Helper()
	const user = "system:kube-controller-manager"
	writeKubeconfig(t, user, "system:masters")
	start(t, asset("kube-controller-manager"), "--kubeconfig="+kubeconfig(user), "--leader-elect=false", "--secure-port="+freePort(t),
		"--bind-address=127.0.0.1", "--cert-dir="+cluster.dir, "--kube-api-qps=1000", "--kube-api-burst=2000",
		"--controllers=deployment-controller,replicaset-controller,endpointslice-controller",
		"--concurrent-deployment-syncs=4", "--concurrent-replicaset-syncs=4", "--concurrent-service-endpoint-syncs=4")
}

func freePort(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = listener.Close() }()
	return strconv.Itoa(listener.Addr().(*net.TCPAddr).Port)
}
