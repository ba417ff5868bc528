package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// identity names one process for good: a pid alone may be used again by another.
type identity struct {
	PID       int    `json:"pid"`
	StartTick uint64 `json:"startTick"` // clock ticks between boot and the start of the process
	BootID    string `json:"bootID"`
}

func identify(pid int) (identity, error) {
	boot, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return identity{}, err
	}
	_, tick, err := statOf(pid)
	return identity{PID: pid, StartTick: tick, BootID: strings.TrimSpace(string(boot))}, err
}

// statOf reads the state letter and the start tick of a process.
func statOf(pid int) (state string, startTick uint64, err error) {
	raw, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return "", 0, err
	}
	// The command name is in parentheses and may itself hold spaces and parentheses.
	_, rest, found := strings.Cut(string(raw[strings.LastIndexByte(string(raw), ')'):]), " ")
	fields := strings.Fields(rest)
	if !found || len(fields) < 20 {
		return "", 0, fmt.Errorf("read /proc/%d/stat: too short", pid)
	}
	startTick, err = strconv.ParseUint(fields[19], 10, 64)
	return fields[0], startTick, err
}

// alive is false for a zombie: it does nothing more, and only its parent can remove it.
func (id identity) alive() bool {
	now, err := identify(id.PID)
	if err != nil || now != id {
		return false
	}
	state, _, err := statOf(id.PID)
	return err == nil && state != "Z" && state != "X"
}

// end asks the process to stop and kills it when it has not after the grace time.
func (id identity) end(grace time.Duration) {
	if !id.alive() {
		return
	}
	_ = syscall.Kill(id.PID, syscall.SIGTERM)
	for deadline := time.Now().Add(grace); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		if !id.alive() {
			return
		}
	}
	if id.alive() {
		_ = syscall.Kill(id.PID, syscall.SIGKILL)
	}
}

// inside is the command that runs args in the rig's network. Only the network is entered: `ip netns exec`
// would also give a new mount namespace without the cgroup mounts, which kubelet needs.
func (r *rig) inside(ctx context.Context, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, "nsenter", append([]string{"--net=" + r.netns()}, args...)...)
	cmd.Env = r.environment()
	return cmd
}

func (r *rig) environment() []string {
	ours := []string{"KUBECONFIG=" + r.kubeconfig(), "RIG=" + r.dir, "RIG_NAME=" + r.name, "PATH=" + r.path("bin") + ":" + os.Getenv("PATH")}
	// Of two values of one variable a program may take the first.
	env := slices.DeleteFunc(os.Environ(), func(theirs string) bool {
		return slices.ContainsFunc(ours, func(our string) bool {
			name, _, _ := strings.Cut(our, "=")
			return strings.HasPrefix(theirs, name+"=")
		})
	})
	return append(env, ours...)
}

// start runs a program until down; it outlives this process and hears no Ctrl-C.
func (r *rig) start(program string, args ...string) error {
	name := filepath.Base(program)
	log, err := os.Create(r.path("logs", name+".log"))
	if err != nil {
		return err
	}
	defer log.Close()
	cmd := r.inside(context.Background(), append([]string{program}, args...)...)
	cmd.Dir, cmd.Stdout, cmd.Stderr = r.dir, log, log
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("start %s: %w", name, err)
	}
	if err := r.record(name, cmd.Process.Pid); err != nil {
		_ = cmd.Process.Kill() // what is not recorded would never be stopped
		return err
	}
	go func() { _ = cmd.Wait() }() // no zombie while this process lives
	return nil
}

func (r *rig) record(name string, pid int) error {
	id, err := identify(pid)
	if err != nil {
		return fmt.Errorf("%s ended at once, see %s: %w", name, r.path("logs", name+".log"), err)
	}
	raw, err := json.Marshal(id)
	if err != nil {
		return err
	}
	return os.WriteFile(r.path("pids", name+".json"), raw, 0o644)
}

// recorded is the process that was started under this name; false if none was.
func (r *rig) recorded(name string) (identity, bool) {
	var id identity
	raw, err := os.ReadFile(r.path("pids", name+".json"))
	if err != nil || json.Unmarshal(raw, &id) != nil {
		return identity{}, false
	}
	return id, true
}

func (r *rig) running(name string) bool {
	id, found := r.recorded(name)
	return found && id.alive()
}

// stop ends programs at once with each other, and forgets them.
func (r *rig) stop(grace time.Duration, names ...string) {
	work := make([]func() error, 0, len(names))
	for _, name := range names {
		work = append(work, func() error {
			if id, found := r.recorded(name); found {
				id.end(grace)
			}
			return os.RemoveAll(r.path("pids", name+".json"))
		})
	}
	_ = together(work...)
}

// await asks until the answer is yes. It gives up at once when the program that should answer has died.
func (r *rig) await(ctx context.Context, program string, limit time.Duration, ready func() bool) error {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	for !ready() {
		if program != "" && !r.running(program) {
			return fmt.Errorf("%s died: %s", program, r.lastLines(program))
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("not ready: %w", ctx.Err())
		case <-time.After(100 * time.Millisecond):
		}
	}
	return nil
}

func (r *rig) lastLines(program string) string {
	raw, err := os.ReadFile(r.path("logs", program+".log"))
	if err != nil {
		return err.Error()
	}
	const tail = 1500 // bytes
	return string(raw[max(0, len(raw)-tail):])
}

// together runs all at once and waits for all.
func together(work ...func() error) error {
	results := make(chan error, len(work))
	for _, w := range work {
		go func() { results <- w() }()
	}
	var all []error
	for range work {
		all = append(all, <-results)
	}
	return errors.Join(all...)
}

// allOrNone runs all at once; the first that fails stops the others, and only its error counts.
func allOrNone(ctx context.Context, work ...func(context.Context) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	stoppable := make([]func() error, 0, len(work))
	for _, w := range work {
		stoppable = append(stoppable, func() error {
			if err := w(ctx); err != nil {
				cancel(err)
			}
			return nil
		})
	}
	_ = together(stoppable...)
	return context.Cause(ctx)
}

// finish runs a command to its end; its error carries what the command said.
func finish(cmd *exec.Cmd) (string, error) {
	out, err := cmd.CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("%s: %w: %s", strings.Join(cmd.Args, " "), err, strings.TrimSpace(string(out)))
	}
	return string(out), nil
}
