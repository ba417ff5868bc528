package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
)

// rig is where one cluster lives. Two rigs with different names and folders do not see each other.
type rig struct {
	name    string // also the network namespace
	dir     string // state, logs, kubeconfig
	run     string // sockets and mounts: short, because a unix socket path ends at 108 bytes
	cache   string // built parts, shared by all clones
	project string // root of the repository
}

// A name becomes part of paths, of a network namespace and of a cgroup.
var nameForm = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]{0,18}[a-z0-9])?$`)

func fromEnvironment() (*rig, error) {
	project, err := projectRoot()
	if err != nil {
		return nil, err
	}
	name := valueOr(os.Getenv("RIG_NAME"), "slipway")
	if !nameForm.MatchString(name) {
		return nil, fmt.Errorf("RIG_NAME %q: want at most 20 lower-case letters, digits and dashes", name)
	}
	dir, err := filepath.Abs(valueOr(os.Getenv("RIG"), filepath.Join(project, ".rig")))
	if err != nil {
		return nil, err
	}
	cache, err := cacheDir()
	if err != nil {
		return nil, err
	}
	return &rig{name: name, dir: dir, run: "/run/slipway-rig-" + name, cache: cache, project: project}, nil
}

func cacheDir() (string, error) {
	if dir := os.Getenv("SLIPWAY_RIG_CACHE"); dir != "" {
		return filepath.Abs(dir)
	}
	base, err := os.UserCacheDir() // XDG_CACHE_HOME, or ~/.cache
	if err != nil {
		return "", fmt.Errorf("find the cache folder (SLIPWAY_RIG_CACHE names another): %w", err)
	}
	return filepath.Join(base, "slipway-rig"), nil
}

// projectRoot is the nearest folder at or above the current one that holds the rig's sources.
func projectRoot() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for {
		if exists(filepath.Join(dir, "hack", "rig", "parts", "go.mod")) {
			return dir, nil
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			return "", errors.New("not inside the project: no hack/rig/parts/go.mod here or above")
		}
		dir = parent
	}
}

func valueOr(value, otherwise string) string {
	if value == "" {
		return otherwise
	}
	return value
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

func (r *rig) path(elements ...string) string {
	return filepath.Join(append([]string{r.dir}, elements...)...)
}

func (r *rig) kubeconfig() string { return r.path("kubeconfig") }

// containerdSocket is in the run folder: r.dir may be too deep for a socket.
func (r *rig) containerdSocket() string { return filepath.Join(r.run, "containerd.sock") }

// makeDirs makes the state folder, which git ignores by a file of its own.
func (r *rig) makeDirs() error {
	for _, dir := range []string{"logs", "pids", "pki", "cni", "conf", "kubelet", "bin"} {
		if err := os.MkdirAll(r.path(dir), 0o755); err != nil {
			return err
		}
	}
	if err := os.MkdirAll(r.run, 0o755); err != nil {
		return err
	}
	return os.WriteFile(r.path(".gitignore"), []byte("*\n"), 0o644)
}
