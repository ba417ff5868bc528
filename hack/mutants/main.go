// Command mutants breaks the operator on purpose, one break at a time, and says which of the breaks the simulation or a
// unit test finds. A break that nobody finds is a hole in the tests. Sources are not touched: the breaks are overlays.
package main

import (
	"cmp"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

func main() {
	list := flag.String("list", "hack/mutants/mutants.txt", "the breaks")
	seeds := flag.Int("seeds", 500, "how many seeds the simulation has for each: as many as make test-sim has")
	only := flag.String("only", "", "only breaks whose name has this in it")
	flag.Parse()
	missed, err := run(*list, *only, *seeds)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	}
	if missed > 0 {
		fmt.Fprintf(os.Stderr, "%d breaks were not found\n", missed)
		os.Exit(1)
	}
}

func run(list, only string, seeds int) (missed int, err error) {
	text, err := os.ReadFile(list)
	if err != nil {
		return 0, err
	}
	mutants, err := parse(string(text))
	if err != nil {
		return 0, fmt.Errorf("read %s: %w", list, err)
	}
	for _, m := range mutants {
		if !strings.Contains(m.name, only) {
			continue
		}
		finder, err := m.find(seeds)
		if err != nil {
			return missed, fmt.Errorf("break %q: %w", m.name, err)
		}
		if finder == "" {
			missed++
		}
		say("%-60s %s\n", m.name, cmp.Or(finder, "NOT FOUND"))
	}
	return missed, nil
}

func say(format string, args ...any) { _, _ = fmt.Fprintf(os.Stdout, format, args...) }

// seedsAtFirst are enough for most breaks.
const seedsAtFirst = 90

// find overlays the break and runs the simulation with few seeds, then the unit tests of the package, then the simulation
// with all seeds. The result is who found it and what was said; empty for nobody.
func (m mutant) find(seeds int) (string, error) {
	dir, err := os.MkdirTemp("", "mutant")
	if err != nil {
		return "", err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	overlay, err := m.overlay(dir)
	if err != nil {
		return "", err
	}
	if out, err := goTool(".", "build", "-overlay", overlay, "./"+filepath.Dir(m.file)); err != nil {
		return "", fmt.Errorf("it does not build: %s", out)
	}
	if said, passed := simulate(overlay, min(seedsAtFirst, seeds)); !passed {
		return "simulation: " + said, nil
	}
	if said, passed := test(".", overlay, "./"+filepath.Dir(m.file)); !passed {
		return "unit test: " + said, nil
	}
	if said, passed := simulate(overlay, seeds); !passed {
		return "simulation, all seeds: " + said, nil
	}
	return "", nil
}

func simulate(overlay string, seeds int) (said string, passed bool) {
	return test("test", overlay, "./simulation", fmt.Sprintf("-seeds=%d", seeds))
}

func goTool(in string, args ...string) (string, error) {
	c := exec.Command("go", args...)
	c.Dir = in
	out, err := c.CombinedOutput()
	return string(out), err
}

// overlay writes the broken file and what go wants to be told of it.
func (m mutant) overlay(dir string) (string, error) {
	path, err := filepath.Abs(m.file)
	if err != nil {
		return "", err
	}
	source, err := os.ReadFile(path)
	if err != nil {
		return "", err
	}
	if n := strings.Count(string(source), m.old); n != 1 {
		return "", fmt.Errorf("%s has the old text %d times, and should have it once", m.file, n)
	}
	broken := filepath.Join(dir, filepath.Base(m.file))
	if err := os.WriteFile(broken, []byte(strings.Replace(string(source), m.old, m.new, 1)), 0o600); err != nil {
		return "", err
	}
	text, err := json.Marshal(map[string]any{"Replace": map[string]string{path: broken}})
	if err != nil {
		return "", err
	}
	name := filepath.Join(dir, "overlay.json")
	return name, os.WriteFile(name, text, 0o600)
}

// test runs tests and gives the first thing that they say against the code.
func test(in, overlay, target string, args ...string) (said string, passed bool) {
	all := append([]string{"test", "-count=1", "-failfast", "-vet=off", "-overlay", overlay, target}, args...)
	out, err := goTool(in, all...)
	if err == nil {
		return "", true
	}
	return complaint(out), false
}

func complaint(out string) string {
	lines := strings.Split(out, "\n")
	for i, line := range lines {
		if strings.Contains(line, "_test.go:") || strings.HasPrefix(line, "panic:") {
			return strings.TrimSpace(lines[i])
		}
	}
	return strings.TrimSpace(lines[0])
}
