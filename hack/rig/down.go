package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"sort"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// down ends the cluster and forgets its state; logs stay.
func (r *rig) down(_ context.Context) error {
	if !exists(r.dir) {
		say("No rig in %s.", r.dir)
		return nil
	}
	unlock, err := lock(r.path("lock"), "another up or down of this rig")
	if err != nil {
		return err
	}
	defer unlock()
	began := time.Now()
	if err := r.remove(); err != nil {
		return err
	}
	say("The cluster is gone after %.1fs. Logs are in %s.", time.Since(began).Seconds(), r.path("logs"))
	return nil
}

// remove takes no context: once begun it goes on, also after an interrupt.
func (r *rig) remove() error {
	const grace = time.Second // their state is thrown away, so a kill does no harm
	r.stop(grace, "kube-proxy", "kubelet", "kube-scheduler", "kube-controller-manager")
	r.endContainers()
	r.stop(grace, "containerd", "kube-apiserver", "etcd")
	r.endShims()
	r.endCgroup()
	return errors.Join(r.unmount(), r.removeNetwork(), r.removeState())
}

func (r *rig) endContainers() {
	if !r.running("containerd") {
		return // shims and cgroups are ended below
	}
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	list, err := finish(r.ctr(ctx, "tasks", "ls", "-q"))
	if err != nil {
		return
	}
	var ends []func() error
	for id := range strings.FieldsSeq(list) {
		ends = append(ends, func() error { return r.ctr(ctx, "tasks", "rm", "-f", id).Run() })
	}
	_ = together(ends...)
}

// endShims ends shims that lost their containerd. They are ours if they carry the address of our socket.
func (r *rig) endShims() {
	entries, _ := os.ReadDir("/proc")
	for _, entry := range entries {
		pid, err := strconv.Atoi(entry.Name())
		if err != nil {
			continue
		}
		raw, err := os.ReadFile(filepath.Join("/proc", entry.Name(), "cmdline"))
		args := bytes.Split(raw, []byte{0})
		if err != nil || !strings.HasPrefix(filepath.Base(string(args[0])), "containerd-shim") {
			continue
		}
		for _, arg := range args {
			if string(arg) == r.containerdSocket() {
				_ = syscall.Kill(pid, syscall.SIGKILL)
			}
		}
	}
}

// endCgroup ends what still runs in a pod's cgroup, then removes the cgroups.
func (r *rig) endCgroup() {
	for deadline := time.Now().Add(5 * time.Second); time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
		if r.emptyCgroups() {
			return
		}
	}
}

func (r *rig) emptyCgroups() bool {
	gone := true
	for _, dir := range r.cgroupDirs() {
		var dirs []string
		_ = filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
			if err == nil && entry.IsDir() {
				dirs = append(dirs, path)
			}
			return nil
		})
		for _, dir := range slices.Backward(dirs) { // children first
			killAll(dir)
			gone = syscall.Rmdir(dir) == nil && gone
		}
	}
	return gone
}

func killAll(cgroup string) {
	raw, _ := os.ReadFile(filepath.Join(cgroup, "cgroup.procs"))
	for field := range strings.FieldsSeq(string(raw)) {
		if pid, err := strconv.Atoi(field); err == nil && pid > 1 {
			_ = syscall.Kill(pid, syscall.SIGKILL)
		}
	}
}

// unmount undoes every mount below our folders, the deepest first.
func (r *rig) unmount() error {
	for range 3 { // a mount on a mount shows only once
		mounts, err := r.mounts()
		if err != nil || len(mounts) == 0 {
			return err
		}
		for _, mount := range mounts {
			_ = syscall.Unmount(mount, syscall.MNT_DETACH)
		}
	}
	rest, err := r.mounts()
	if len(rest) > 0 {
		return fmt.Errorf("still mounted: %s", strings.Join(rest, " "))
	}
	return err
}

func (r *rig) mounts() ([]string, error) {
	raw, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return nil, err
	}
	var ours []string
	for line := range strings.Lines(string(raw)) {
		fields := strings.Fields(line)
		if len(fields) < 5 {
			continue
		}
		point := strings.ReplaceAll(fields[4], `\040`, " ")
		if strings.HasPrefix(point, r.run+"/") || strings.HasPrefix(point, r.dir+"/") {
			ours = append(ours, point)
		}
	}
	sort.Sort(sort.Reverse(sort.StringSlice(ours)))
	return ours, nil
}

func (r *rig) removeNetwork() error {
	remembered, _ := filepath.Glob(filepath.Join("/var/lib/cni/results", r.cniNetwork()+"-*"))
	for _, file := range remembered {
		_ = os.Remove(file)
	}
	if !exists(r.netns()) {
		return nil
	}
	_, err := finish(r.hostCommand(context.Background(), "ip", "netns", "del", r.name))
	return err
}

// removeState deletes only folders that this program makes, by name. Nothing is mounted in them any more:
// unmount has made sure, or remove fails before it comes to this on the next try.
func (r *rig) removeState() error {
	if rest, err := r.mounts(); err != nil || len(rest) > 0 {
		return errors.Join(err, fmt.Errorf("keep the state in %s: %d mounts are left", r.dir, len(rest)))
	}
	var all []error
	for _, dir := range []string{"etcd", "kubelet", "containerd", "cni", "cni-leases", "conf", "pki", "pids"} {
		all = append(all, os.RemoveAll(r.path(dir)))
	}
	return errors.Join(append(all, os.RemoveAll(r.kubeconfig()), os.RemoveAll(r.run))...)
}
