package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sort"
	"strings"
	"sync"
	"syscall"
	"time"
)

// build makes every part that the cache does not have.
func (r *rig) build(ctx context.Context) error {
	_, err := r.builtKit(ctx)
	return err
}

// builtKit is the kit of this checkout, built if it has to be.
func (r *rig) builtKit(ctx context.Context) (kit, error) {
	k, err := r.kit()
	if err != nil {
		return kit{}, err
	}
	unlock, err := lock(filepath.Join(r.cache, "lock"), "another build to end")
	if err != nil {
		return kit{}, err
	}
	defer unlock()
	if k.complete() {
		say("Parts are built: %s", k.dir)
		return k, nil
	}
	return k, r.buildKit(ctx, k)
}

func (r *rig) buildKit(ctx context.Context, k kit) error {
	say("Building the parts of the cluster into %s. With empty caches this takes many minutes.", k.dir)
	for _, dir := range []string{"bin", "images", "crds"} {
		if err := os.MkdirAll(filepath.Join(k.dir, dir), 0o755); err != nil {
			return err
		}
	}
	began := time.Now()
	err := allOrNone(ctx,
		func(ctx context.Context) error { return r.buildGoParts(ctx, k) },
		func(ctx context.Context) error { return prepareSystem(ctx, k) },
	)
	if err != nil {
		return err
	}
	if err := step("pack images", k.packImages); err != nil {
		return err
	}
	say("Built in %s.", time.Since(began).Round(time.Second))
	return os.WriteFile(k.completeMark(), nil, 0o644)
}

// prepareSystem needs the network and little CPU, so it runs beside the compilers.
func prepareSystem(ctx context.Context, k kit) error {
	if err := installPackages(ctx); err != nil { // pip may be among them
		return err
	}
	return step("fetch Envoy "+envoyVersion, func() error { return fetchEnvoy(ctx, k) })
}

func (r *rig) buildGoParts(ctx context.Context, k kit) error {
	if err := step("copy CRDs", func() error { return r.copyCRDs(ctx, k) }); err != nil {
		return err
	}
	var work *sources
	err := step("download Go modules, find what to compile", func() (err error) {
		work, err = r.staleSources(ctx, sortedKeys(goParts))
		return err
	})
	if err != nil {
		return err
	}
	return step("build Go programs", func() error { return r.goBuild(ctx, k, work) })
}

// goCommand runs in the parts module, the same for listing and building, so that both see the same cache entries.
func (r *rig) goCommand(ctx context.Context, verb string, args ...string) *exec.Cmd {
	flags := []string{verb, "-mod=readonly", "-trimpath", "-tags=" + buildTags, "-ldflags=" + linkFlags}
	cmd := exec.CommandContext(ctx, "go", append(flags, args...)...)
	cmd.Dir = r.partsSource()
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOFLAGS=-buildvcs=false", "GOWORK=off")
	// An interrupt must reach the compilers too: as a group of their own they can be ended together.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGTERM) }
	cmd.WaitDelay = 10 * time.Second
	return cmd
}

func (r *rig) goBuild(ctx context.Context, k kit, work *sources) error {
	// go build puts a program into the folder under the last element of its path, as soon as it is linked.
	staging := filepath.Join(k.dir, "staging")
	if err := os.MkdirAll(staging, 0o755); err != nil {
		return err
	}
	cmd := r.goCommand(ctx, "build", append([]string{"-v", "-o", staging + "/"}, sortedKeys(goParts)...)...)
	err := runShowing(cmd, work.state, work.saw)
	if err != nil {
		return err
	}
	for pkg, name := range goParts {
		if err := os.Rename(filepath.Join(staging, builtName(pkg)), k.bin(name)); err != nil {
			return err
		}
	}
	if err := linkKubeNames(k); err != nil {
		return err
	}
	return os.Remove(staging)
}

// builtName is the file name that go build gives: a major version at the end of a path does not count.
func builtName(pkg string) string {
	base := filepath.Base(pkg)
	if len(base) > 1 && base[0] == 'v' && strings.Trim(base[1:], "0123456789") == "" {
		return filepath.Base(filepath.Dir(pkg))
	}
	return base
}

func linkKubeNames(k kit) error {
	for _, name := range kubeNames {
		_ = os.Remove(k.bin(name))
		if err := os.Symlink("kube", k.bin(name)); err != nil {
			return err
		}
	}
	return nil
}

// sources are the packages that still have to be compiled, each with the size of its Go files: a better
// measure of work than the number of packages, of which some have ten lines and some a hundred thousand.
type sources struct {
	bytes     map[string]int64
	total     int64
	doneBytes int64
	done      int
}

func (r *rig) staleSources(ctx context.Context, packages []string) (*sources, error) {
	const format = `{{if .Stale}}{{.ImportPath}}{{"\t"}}{{.Dir}}{{range .GoFiles}}{{"\t"}}{{.}}{{end}}{{end}}`
	cmd := r.goCommand(ctx, "list", append([]string{"-deps", "-f", format}, packages...)...)
	var list bytes.Buffer
	cmd.Stdout = &list
	downloads := 0
	state := func(elapsed time.Duration) string {
		return fmt.Sprintf("downloaded %d Go modules, %s so far", downloads, elapsed.Round(time.Second))
	}
	err := runShowing(cmd, state, func(line string) {
		if strings.HasPrefix(line, "go: downloading ") {
			downloads++
		}
	})
	if err != nil {
		return nil, fmt.Errorf("list the packages to build: %w", err)
	}
	return parseSources(list.String()), nil
}

func parseSources(list string) *sources {
	s := &sources{bytes: map[string]int64{}}
	for line := range strings.Lines(list) {
		fields := strings.Split(strings.TrimSpace(line), "\t")
		if _, isProgram := goParts[fields[0]]; len(fields) < 2 || isProgram || strings.HasPrefix(fields[0], partsModule) {
			continue // a program counts as not built also when only its link is missing
		}
		s.bytes[fields[0]] = sizeOf(fields[1], fields[2:])
		s.total += s.bytes[fields[0]]
	}
	return s
}

func sizeOf(dir string, files []string) (bytes int64) {
	for _, name := range files {
		if info, err := os.Stat(filepath.Join(dir, name)); err == nil {
			bytes += info.Size()
		}
	}
	return bytes
}

// saw takes one line of `go build -v`: the path of a package whose compilation begins.
func (s *sources) saw(line string) {
	if size, counted := s.bytes[line]; counted {
		delete(s.bytes, line)
		s.doneBytes += size
		s.done++
	}
}

func (s *sources) state(elapsed time.Duration) string {
	if len(s.bytes) == 0 {
		return fmt.Sprintf("linking, %s so far", elapsed.Round(time.Second))
	}
	share := float64(s.doneBytes) / float64(max(s.total, 1))
	return fmt.Sprintf("compiled %d of %d packages (%.0f%% of the source), %s so far%s",
		s.done, s.done+len(s.bytes), 100*share, elapsed.Round(time.Second), left(elapsed, share))
}

// runShowing runs a go command; each line that it says goes to saw, and state is shown now and then.
func runShowing(cmd *exec.Cmd, state func(time.Duration) string, saw func(string)) error {
	lines, err := cmd.StderrPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	began := time.Now()
	var mu sync.Mutex // between the ticker and the lines
	stop := ticker(func() string {
		mu.Lock()
		defer mu.Unlock()
		return state(time.Since(began))
	})
	var complaints []string
	for scan := bufio.NewScanner(lines); scan.Scan(); {
		line := scan.Text()
		mu.Lock()
		saw(line)
		mu.Unlock()
		if strings.ContainsAny(line, " :") && !strings.HasPrefix(line, "go: downloading ") { // a path of a package has neither
			complaints = append(complaints, line)
		}
	}
	err = cmd.Wait()
	stop()
	if err != nil {
		return fmt.Errorf("%w: %s", err, strings.Join(complaints[max(0, len(complaints)-20):], "\n"))
	}
	return nil
}

// copyCRDs takes the CRDs of the Gateway API and of Envoy Gateway out of the module that the controller is built from.
func (r *rig) copyCRDs(ctx context.Context, k kit) error {
	cmd := exec.CommandContext(ctx, "go", "mod", "download", "-json", "github.com/envoyproxy/gateway")
	cmd.Dir = r.partsSource()
	raw, err := cmd.Output()
	if err != nil {
		return fmt.Errorf("download the module of Envoy Gateway: %w: %s", err, raw)
	}
	var module struct{ Dir string }
	if err := json.Unmarshal(raw, &module); err != nil {
		return err
	}
	from := filepath.Join(module.Dir, "charts", "gateway-helm", "charts", "crds", "crds")
	files, err := filepath.Glob(filepath.Join(from, "*.yaml"))
	if err != nil {
		return err
	}
	generated, err := filepath.Glob(filepath.Join(from, "generated", "*.yaml"))
	if err != nil {
		return err
	}
	if len(files) == 0 || len(generated) == 0 {
		return fmt.Errorf("no CRDs in %s", from)
	}
	for _, file := range append(files, generated...) {
		content, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(k.crds(), filepath.Base(file)), content, 0o644); err != nil {
			return err
		}
	}
	return nil
}

func (k kit) packImages() error {
	for name, img := range partImages {
		files := map[string]string{}
		for inside, part := range img.Files {
			files[inside] = k.bin(part)
		}
		img.Files = files
		if err := img.pack(k.image(name)); err != nil {
			return err
		}
	}
	return nil
}

// lock keeps two runs from writing the same folder; it is released by the kernel if this process dies.
func lock(path, waitingFor string) (unlock func(), err error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return nil, err
	}
	file, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return nil, err
	}
	if syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) == nil {
		return func() { _ = file.Close() }, nil
	}
	say("Waiting for %s (%s)", waitingFor, path)
	if err := syscall.Flock(int(file.Fd()), syscall.LOCK_EX); err != nil {
		_ = file.Close()
		return nil, fmt.Errorf("lock %s: %w", path, err)
	}
	return func() { _ = file.Close() }, nil
}

func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for key := range m {
		keys = append(keys, key)
	}
	sort.Strings(keys)
	return keys
}
