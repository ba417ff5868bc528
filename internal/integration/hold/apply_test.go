package hold

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"
)

// gitVersion is the manifest in Git, with an image and, perhaps, more environment.
func gitVersion(image string, environment ...string) string {
	env := ""
	if len(environment) > 0 {
		env = "\n        env:"
	}
	for _, name := range environment {
		env += "\n        - {name: " + name + ", value: x}"
	}
	return strings.NewReplacer("IMAGE", image, "ENV", env).Replace(`apiVersion: apps/v1
kind: Deployment
metadata:
  name: shop
spec:
  replicas: 3
  selector:
    matchLabels: {app: shop}
  template:
    metadata:
      labels: {app: shop}
    spec:
      containers:
      - name: shop
        image: IMAGEENV`)
}

func TestApplyFromGit(t *testing.T) {
	serverSide := []string{"apply", "--server-side", "--force-conflicts", "--field-manager=git", "-f", "-"}
	clientSide := []string{"apply", "-f", "-"}
	tests := map[string]struct {
		first, again []string
	}{
		"server-side apply with force":        {first: serverSide, again: serverSide},
		"plain apply":                         {first: clientSide, again: clientSide},
		"replace":                             {first: serverSide, again: []string{"replace", "-f", "-"}},
		"plain apply, then server-side apply": {first: clientSide, again: serverSide},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			s := newShop(t)
			s.mustKubectl(gitVersion("shop:v1"), tc.first...)
			s.clear()
			s.mustKubectl(gitVersion("shop:v2"), tc.first...)
			if diff := cmp.Diff(held, stateOf(s.get("shop"))); diff != "" {
				t.Fatalf("the change is not held (-want +got):\n%s", diff)
			}
			before := s.get("shop")
			s.mustKubectl(gitVersion("shop:v2"), tc.again...)
			if diff := cmp.Diff(held, stateOf(s.get("shop"))); diff != "" {
				t.Errorf("applying the same again lifts the hold (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(before.Spec, s.get("shop").Spec); diff != "" {
				t.Errorf("applying the same again changed the spec (-before +after):\n%s", diff)
			}
			s.mustKubectl(gitVersion("shop:v3"), tc.again...)
			if got := stateOf(s.get("shop")); got != held {
				t.Errorf("a newer change is not held: %+v", got)
			}
		})
	}
}

// clear lifts the hold as the operator does when held equals stable: the defaults of the first apply may differ.
func (s shop) clear() {
	s.t.Helper()
	s.update(server.operator, "shop", both(unmark, resume))
}

func TestGitSeesNoDriftWhileHeld(t *testing.T) {
	s := newShop(t)
	apply := []string{"apply", "--server-side", "--force-conflicts", "--field-manager=git", "-f", "-"}
	s.mustKubectl(gitVersion("shop:v2"), apply...)

	out, err := s.kubectl(gitVersion("shop:v2"), "diff", "--server-side", "--force-conflicts", "--field-manager=git", "-f", "-")
	if err != nil || strings.TrimSpace(out) != "" {
		t.Errorf("kubectl diff of what is held already: %v\n%s", err, out)
	}
	dry := s.mustKubectl(gitVersion("shop:v2"), append(apply, "--dry-run=server", "-o", "yaml")...)
	var answered struct {
		Spec map[string]any `json:"spec"`
	}
	if err := yaml.Unmarshal([]byte(dry), &answered); err != nil {
		t.Fatalf("read the dry run: %v", err)
	}
	if diff := cmp.Diff(s.specTree(), answered.Spec); diff != "" {
		t.Errorf("a dry run differs from what is stored (-stored +dry run):\n%s", diff)
	}
	if owners := s.ownersOf("f:paused"); len(owners) > 0 {
		t.Errorf("f:paused is owned by %v: their next apply would show drift", owners)
	}
	if owners := s.ownersOf("f:slipway.dev/held"); len(owners) > 0 {
		t.Errorf("the mark is owned by %v: their next apply would show drift", owners)
	}
}

func (s shop) specTree() map[string]any {
	s.t.Helper()
	var tree struct {
		Spec map[string]any `json:"spec"`
	}
	if err := yaml.Unmarshal([]byte(s.mustKubectl("", "get", "deployment", "shop", "-o", "yaml")), &tree); err != nil {
		s.t.Fatalf("read Deployment: %v", err)
	}
	return tree.Spec
}

// ownersOf are the field managers that own a field of the Deployment, sorted.
func (s shop) ownersOf(field string) []string {
	s.t.Helper()
	return ownersOf(s.get("shop").ManagedFields, field)
}

func ownersOf(entries []metav1.ManagedFieldsEntry, field string) []string {
	var out []string
	for _, e := range entries {
		if e.FieldsV1 != nil && strings.Contains(e.FieldsV1.GetRawString(), `"`+field+`"`) {
			out = append(out, e.Manager)
		}
	}
	slices.Sort(out)
	return out
}
