package e2e

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"testing"

	"sigs.k8s.io/yaml"
)

// checkout is where the sources are, as seen from this package.
const checkout = "../.."

// documented runs a block of docs/operations.md as it is written there, for the whole cluster, and gives what it prints.
func documented(tb testing.TB, steps string) string {
	tb.Helper()
	return runDocumented(tb, steps, checkout)
}

// documented runs one for the scene's own release, from a folder with what its user has in Git.
func (s *scene) documented(steps string) string {
	s.Helper()
	dir := s.TempDir()
	route := s.route(plainRules)
	route.SetNamespace(s.namespace)
	text, err := yaml.Marshal(route.Object)
	if err == nil {
		err = os.WriteFile(filepath.Join(dir, "route.yaml"), text, 0o600)
	}
	if err != nil {
		s.Fatal(err)
	}
	return runDocumented(s, steps, dir, "NAMESPACE="+s.namespace, "RELEASE=shop", "DEPLOYMENT=shop", "ROUTE=shop")
}

func runDocumented(tb testing.TB, steps, dir string, env ...string) string {
	tb.Helper()
	page, err := os.ReadFile(filepath.Join(checkout, "docs", "operations.md"))
	if err != nil {
		tb.Fatal(err)
	}
	block := regexp.MustCompile("<!-- steps: " + steps + " -->\n```sh\n((?s).*?)```").FindSubmatch(page)
	if block == nil {
		tb.Fatalf("docs/operations.md has no steps with the name %q", steps)
	}
	out := shell(tb, dir, string(block[1]), env...)
	tb.Logf("as documented, %s:\n%s%s", steps, block[1], out)
	return out
}

// shell runs commands with the kubectl of the cluster, as an administrator does.
func shell(tb testing.TB, dir, commands string, env ...string) string {
	tb.Helper()
	command := exec.CommandContext(tb.Context(), "bash", "-euo", "pipefail", "-c", commands)
	command.Dir = dir
	command.Env = append(os.Environ(), env...)
	out, err := command.Output()
	if err != nil {
		tb.Fatalf("%s: %v\n%s%s", commands, err, out, stderrOf(err))
	}
	return string(out)
}

func stderrOf(err error) []byte {
	if failed, ok := err.(*exec.ExitError); ok { //nolint:errorlint // as exec returns it
		return failed.Stderr
	}
	return nil
}
