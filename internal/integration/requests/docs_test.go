package requests

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/runtime"
)

func page(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root, "docs", name))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// Every reason that users may meet has a row.
func TestOperationsPageHasEveryReason(t *testing.T) {
	text := page(t, operationsPage)
	reasonName := regexp.MustCompile(`^([Rr]eason|condition)[A-Z]`)
	for file, all := range map[string]bool{
		"api/v1alpha1/conditions.go": false, "controllers/reasons_traffic.go": false, "controllers/canary_status.go": false,
		"internal/workload/preflight.go": false,
		"internal/traffic/verdict.go":    true,
	} {
		found := 0
		for name, value := range constants(t, file) {
			if !reasonName.MatchString(name) && (!all || !isCause(value)) {
				continue
			}
			found++
			if !strings.Contains(text, "`"+value+"`") {
				t.Errorf("%s of %s, %s, is not on the page", value, file, name)
			}
		}
		if found == 0 {
			t.Errorf("%s has no reasons: the test looks in the wrong place", file)
		}
	}
}

// isCause leaves out the constants of internal/traffic that are no causes.
func isCause(value string) bool {
	switch value {
	case "NotWritten", "WrittenOver", "DataPlanePending", "DataPlaneRefused", "NoReadyEndpoints", "Settling":
		return true
	}
	return false
}

// constants are the constants of a file that are texts.
func constants(t *testing.T, file string) map[string]string {
	t.Helper()
	tree, err := parser.ParseFile(token.NewFileSet(), filepath.Join(root, file), nil, parser.SkipObjectResolution)
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]string{}
	ast.Inspect(tree, func(n ast.Node) bool {
		spec, ok := n.(*ast.ValueSpec)
		if !ok || len(spec.Values) != len(spec.Names) {
			return true
		}
		for i, name := range spec.Names {
			if literal, ok := spec.Values[i].(*ast.BasicLit); ok && literal.Kind == token.STRING {
				if value, err := strconv.Unquote(literal.Value); err == nil {
					out[name.Name] = value
				}
			}
		}
		return true
	})
	return out
}

func TestOperationsPageHasEveryMetric(t *testing.T) {
	text := page(t, operationsPage)
	found := 0
	for _, dir := range []string{"controllers", "internal/prom"} {
		files, err := filepath.Glob(filepath.Join(root, dir, "*.go"))
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range files {
			source, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			for _, name := range regexp.MustCompile(`"(slipway_[a-z_]+)"`).FindAllStringSubmatch(string(source), -1) {
				if found++; !strings.Contains(text, name[1]) {
					t.Errorf("metric %s of %s is not on the page", name[1], file)
				}
			}
		}
	}
	if found == 0 {
		t.Error("no metric was found: the test looks in the wrong place")
	}
}

// Every rule of the operator has its why: a row with each of its resources, its group and its verbs.
func TestSecurityPageHasEveryRule(t *testing.T) {
	objects, err := manifests(filepath.Join(root, "config", "rbac", "role.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	var rows []string
	for line := range strings.Lines(page(t, "security.md")) {
		if strings.HasPrefix(line, "| `") || strings.HasPrefix(line, "| core ") {
			rows = append(rows, line)
		}
	}
	for _, obj := range objects {
		role := &rbacv1.ClusterRole{}
		if err := runtime.DefaultUnstructuredConverter.FromUnstructured(obj.Object, role); err != nil {
			t.Fatal(err)
		}
		for _, rule := range role.Rules {
			for _, resource := range rule.Resources {
				if !described(rows, rule, resource) {
					t.Errorf("no row of the page says why the operator may %v %s of %q", rule.Verbs, resource, rule.APIGroups)
				}
			}
		}
	}
}

func described(rows []string, rule rbacv1.PolicyRule, resource string) bool {
	group := "`" + rule.APIGroups[0] + "`"
	if rule.APIGroups[0] == "" {
		group = "core"
	}
	for _, row := range rows {
		cells := strings.Split(row, " | ")
		if len(cells) < 4 || !strings.Contains(cells[0], group) || !strings.Contains(cells[1], "`"+resource+"`") {
			continue
		}
		if len(strings.Split(cells[2], ", ")) == len(rule.Verbs) && allIn(cells[2], rule.Verbs) {
			return true
		}
	}
	return false
}

func allIn(text string, words []string) bool {
	for _, word := range words {
		if !strings.Contains(text, word) {
			return false
		}
	}
	return true
}
