package gatewayapi

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"

	"slipway.dev/slipway/internal/traffic"
	"slipway.dev/slipway/internal/traffic/contracttest"
)

// goldenCase is what stands in a testdata/*.in.yaml.
type goldenCase struct {
	Splits []struct {
		Name, UID, Service, Section string
		Sequence                    int64
		Backends                    []traffic.Backend
	}
	Route map[string]any
}

func (c goldenCase) intent() traffic.Intent {
	var intent traffic.Intent
	for _, s := range c.Splits {
		intent.Splits = append(intent.Splits, traffic.Split{
			Name: s.Name, UID: s.UID, Sequence: s.Sequence, Service: s.Service, SectionName: s.Section, Backends: s.Backends,
		})
	}
	return intent
}

// TestRenderGolden compares rendered routes with testdata/*.out.yaml, renders them a second time, and restores them.
func TestRenderGolden(t *testing.T) {
	files, err := filepath.Glob(filepath.Join("testdata", "*.in.yaml"))
	if err != nil || len(files) == 0 {
		t.Fatalf("found %d files: %v", len(files), err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".in.yaml"), func(t *testing.T) {
			c := readGolden(t, file)
			route := parsed(t, c.Route)
			rendered := mustRender(t, route, c.intent())
			compareGolden(t, strings.Replace(file, ".in.", ".out.", 1), rendered)
			if diff := cmp.Diff(rendered.Object, mustRender(t, rendered, c.intent()).Object); diff != "" {
				t.Errorf("second rendering changes the route (-first +second):\n%s", diff)
			}
			if diff := cmp.Diff(route.Object, mustRender(t, rendered, traffic.Intent{}).Object); diff != "" {
				t.Errorf("restored route is not the user's (-user +restored):\n%s", diff)
			}
		})
	}
}

func readGolden(t *testing.T, file string) goldenCase {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var c goldenCase
	if err := yaml.Unmarshal(text, &c); err != nil {
		t.Fatal(err)
	}
	return c
}

func compareGolden(t *testing.T, file string, route *unstructured.Unstructured) {
	t.Helper()
	got, err := yaml.Marshal(route.Object)
	if err != nil {
		t.Fatal(err)
	}
	if contracttest.Updating() {
		if err := os.WriteFile(file, got, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("rendered (-want +got):\n%s", diff)
	}
}

// parsed has the numbers of a decoded API object: whole ones are int64.
func parsed(tb testing.TB, object map[string]any) *unstructured.Unstructured {
	tb.Helper()
	text, err := yaml.Marshal(object)
	if err != nil {
		tb.Fatal(err)
	}
	if text, err = yaml.YAMLToJSON(text); err != nil {
		tb.Fatal(err)
	}
	route := &unstructured.Unstructured{}
	if err := route.UnmarshalJSON(text); err != nil {
		tb.Fatal(err)
	}
	return route
}

func mustRender(tb testing.TB, route *unstructured.Unstructured, intent traffic.Intent) *unstructured.Unstructured {
	tb.Helper()
	before := route.DeepCopy()
	out, err := HTTPRoute{}.Render(route, intent)
	if err != nil {
		tb.Fatal(err)
	}
	if diff := cmp.Diff(before.Object, route.Object); diff != "" {
		tb.Fatalf("Render changed its argument (-before +after):\n%s", diff)
	}
	return out
}
