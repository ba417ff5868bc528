package main

import (
	"os"
	"os/exec"
	"testing"
	"time"
)

func child(t *testing.T, args ...string) (*exec.Cmd, identity) {
	t.Helper()
	cmd := exec.Command(args[0], args[1:]...)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	id, err := identify(cmd.Process.Pid)
	if err != nil {
		t.Fatal(err)
	}
	return cmd, id
}

func TestAProcessIsEndedAndKnownToBeGone(t *testing.T) {
	cmd, id := child(t, "sleep", "60")
	if !id.alive() {
		t.Fatal("not alive after its start")
	}
	id.end(5 * time.Second)
	if id.alive() {
		t.Error("alive after its end") // it is a zombie here: Wait comes later
	}
	_ = cmd.Wait()
	if id.alive() {
		t.Error("alive after it was waited for")
	}
}

func TestAProcessThatIgnoresTheRequestIsKilled(t *testing.T) {
	cmd, id := child(t, "sh", "-c", "trap '' TERM; while :; do sleep 0.05; done")
	time.Sleep(100 * time.Millisecond) // until the trap is set
	id.end(200 * time.Millisecond)
	if err := cmd.Wait(); err == nil || id.alive() {
		t.Errorf("ended with %v, alive %v", err, id.alive())
	}
}

func TestAUsedAgainPIDIsNotEnded(t *testing.T) {
	cmd, id := child(t, "sleep", "60")
	defer func() { _ = cmd.Process.Kill(); _ = cmd.Wait() }()
	for name, other := range map[string]identity{
		"started at another time": {PID: id.PID, StartTick: id.StartTick - 1, BootID: id.BootID},
		"of another boot":         {PID: id.PID, StartTick: id.StartTick, BootID: "other"},
	} {
		if other.alive() {
			t.Errorf("%s: taken for the recorded one", name)
		}
		other.end(time.Second)
	}
	if !id.alive() {
		t.Error("a process that was not recorded was ended")
	}
}

func TestRecordedProcessIsFoundAgain(t *testing.T) {
	r := &rig{dir: t.TempDir()}
	if err := os.MkdirAll(r.path("pids"), 0o755); err != nil {
		t.Fatal(err)
	}
	if r.running("etcd") {
		t.Error("runs, but was never started")
	}
	if err := r.record("etcd", os.Getpid()); err != nil {
		t.Fatal(err)
	}
	if !r.running("etcd") {
		t.Error("recorded, but not found")
	}
}

func TestEnvironmentHasEachNameOnce(t *testing.T) {
	t.Setenv("KUBECONFIG", "/somebody/elses")
	r := &rig{name: "one", dir: "/rig"}
	count := 0
	for _, pair := range r.environment() {
		if len(pair) > 11 && pair[:11] == "KUBECONFIG=" {
			count++
		}
	}
	if count != 1 {
		t.Errorf("KUBECONFIG is there %d times", count)
	}
}
