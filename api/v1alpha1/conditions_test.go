package v1alpha1_test

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
)

// reasonFiles are where reasons of conditions are constants.
var reasonFiles = []string{"conditions.go", "../../internal/workload/preflight.go", "../../controllers/reasons_traffic.go", "../../internal/release/decision.go", "../../internal/traffic/errors.go"}

// Whoever sees a reason finds it in docs/operations.md: what it means and what to do.
func TestEveryReasonIsInTheDocumentation(t *testing.T) {
	rows := documented(t)
	for _, file := range reasonFiles {
		reasons := reasonsIn(t, file)
		if len(reasons) == 0 {
			t.Errorf("%s has no reasons: correct the list of files", file)
		}
		for _, reason := range reasons {
			row, found := rows[reason]
			if !found {
				t.Errorf("reason %s of %s is not in docs/operations.md", reason, file)
			} else if row.meaning == "" || row.action == "" && !row.nothingToDo {
				t.Errorf("docs/operations.md does not say what reason %s means and what to do about it", reason)
			}
		}
	}
}

type reasonRow struct {
	meaning, action string
	// nothingToDo is what the section says of all its reasons.
	nothingToDo bool
}

// documented are the rows of all tables whose first column is a reason.
func documented(t *testing.T) map[string]reasonRow {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "..", "docs", "operations.md"))
	if err != nil {
		t.Fatal(err)
	}
	named := regexp.MustCompile("`([A-Z][A-Za-z]+)`")
	rows, section := map[string]reasonRow{}, ""
	for line := range strings.Lines(string(text)) {
		if strings.HasPrefix(line, "#") {
			section = line
		}
		cells := strings.Split(strings.Trim(strings.TrimSpace(line), "|"), "|")
		if !strings.HasPrefix(line, "|") || len(cells) < 2 {
			continue
		}
		row := reasonRow{meaning: strings.TrimSpace(cells[1]), nothingToDo: len(cells) == 2 || strings.Contains(section, "nothing to do")}
		if len(cells) > 2 {
			row.action = strings.TrimSpace(cells[2])
		}
		for _, match := range named.FindAllStringSubmatch(cells[0], -1) {
			rows[match[1]] = row
		}
	}
	return rows
}

// reasonsIn are the values of a file's constants that are reasons, by their name or type.
func reasonsIn(t *testing.T, file string) []string {
	t.Helper()
	parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	ast.Inspect(parsed, func(node ast.Node) bool {
		spec, ok := node.(*ast.ValueSpec)
		if !ok || len(spec.Values) != 1 {
			return true
		}
		typed, _ := spec.Type.(*ast.Ident)
		if !strings.HasPrefix(strings.ToLower(spec.Names[0].Name), "reason") && (typed == nil || typed.Name != "Reason" && typed.Name != "Refusal") {
			return true
		}
		if literal, ok := spec.Values[0].(*ast.BasicLit); ok && literal.Kind == token.STRING {
			value, err := strconv.Unquote(literal.Value)
			if err != nil {
				t.Fatal(err)
			}
			out = append(out, value)
		}
		return true
	})
	return out
}
