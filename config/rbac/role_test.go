// Package rbac_test compares what the documentation says of the operator's rights with the rights that it has.
package rbac_test

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	rbacv1 "k8s.io/api/rbac/v1"
	"sigs.k8s.io/yaml"
)

// Every right of the operator stands in docs/security.md with its reason, and no other does.
func TestEveryRightHasItsReason(t *testing.T) {
	if diff := cmp.Diff(rights(t), documented(t)); diff != "" {
		t.Errorf("config/rbac/role.yaml and the table in docs/security.md differ (-role +documentation):\n%s", diff)
	}
}

// rights are the verbs by group and resource.
func rights(t *testing.T) map[string][]string {
	t.Helper()
	text, err := os.ReadFile("role.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var role rbacv1.ClusterRole
	if err := yaml.UnmarshalStrict(text, &role); err != nil {
		t.Fatal(err)
	}
	out := map[string][]string{}
	for _, rule := range role.Rules {
		if len(rule.ResourceNames) > 0 || len(rule.NonResourceURLs) > 0 {
			t.Errorf("this test cannot read the rule %+v", rule)
		}
		for _, group := range rule.APIGroups {
			for _, resource := range rule.Resources {
				add(out, group, resource, rule.Verbs)
			}
		}
	}
	return out
}

func documented(t *testing.T) map[string][]string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "..", "docs", "security.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, section, _ := strings.Cut(string(text), "## The operator's rights")
	section, _, _ = strings.Cut(section, "\n## ")
	named := regexp.MustCompile("`([^`]+)`")
	out := map[string][]string{}
	for line := range strings.Lines(section) {
		cells := strings.Split(strings.Trim(strings.TrimSpace(line), "|"), "|")
		resources := named.FindAllStringSubmatch(cells[min(1, len(cells)-1)], -1)
		if len(cells) != 4 || len(resources) == 0 {
			continue
		}
		if strings.TrimSpace(cells[3]) == "" {
			t.Errorf("no reason is given for %s", cells[1])
		}
		group := strings.Trim(strings.TrimSpace(cells[0]), "`")
		if group == "core" {
			group = ""
		}
		for _, resource := range resources {
			add(out, group, resource[1], strings.Split(strings.TrimSpace(cells[2]), ", "))
		}
	}
	return out
}

func add(rights map[string][]string, group, resource string, verbs []string) {
	key := group + "/" + resource
	rights[key] = slices.Compact(slices.Sorted(slices.Values(append(slices.Clone(rights[key]), verbs...))))
}
