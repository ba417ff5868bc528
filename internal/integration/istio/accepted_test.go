package istio

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"slipway.dev/slipway/internal/integration/apiserver"
	translator "slipway.dev/slipway/internal/traffic/istio"
)

// TestEverythingRenderedIsAccepted creates every object that the translator's cases render. What is read back must be what
// was written: a field that the schema does not have is pruned without a word.
func TestEverythingRenderedIsAccepted(t *testing.T) {
	files, err := filepath.Glob(filepath.Join(apiserver.Root, "internal", "traffic", "istio", "testdata", "*", "*.out.yaml"))
	if err != nil || len(files) < 50 {
		t.Fatalf("%d files, %v", len(files), err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Join(filepath.Base(filepath.Dir(file)), filepath.Base(file)), ".out.yaml"), func(t *testing.T) {
			objects, err := apiserver.Manifests(file)
			if err != nil || len(objects) == 0 {
				t.Fatalf("%d objects, %v", len(objects), err)
			}
			for _, obj := range objects {
				accepted(t, obj)
			}
		})
	}
}

func accepted(t *testing.T, obj *unstructured.Unstructured) {
	t.Helper()
	written := obj.DeepCopy()
	if err := admin.Create(t.Context(), written); err != nil {
		t.Fatalf("create %s %s: %v", obj.GetKind(), obj.GetName(), err)
	}
	if diff := cmp.Diff(obj.Object["spec"], written.Object["spec"]); diff != "" {
		t.Errorf("spec of %s %s (-written +read):\n%s", obj.GetKind(), obj.GetName(), diff)
	}
	if err := admin.Delete(t.Context(), written); err != nil {
		t.Fatal(err)
	}
}

// TestTheSchemaIsIstios writes what Istio's CRDs refuse, so that being accepted says something.
func TestTheSchemaIsIstios(t *testing.T) {
	for name, rule := range map[string]map[string]any{
		"a try without time":   {"retries": map[string]any{"attempts": int64(1), "perTryTimeout": "0s"}},
		"half a millisecond":   {"timeout": "500us"},
		"a weight with halves": {"route": []any{map[string]any{"destination": map[string]any{"host": "a"}, "weight": 0.5}}},
		"no host":              {"route": []any{map[string]any{"destination": map[string]any{}}}},
	} {
		t.Run(name, func(t *testing.T) {
			obj := &unstructured.Unstructured{Object: map[string]any{
				"apiVersion": "networking.istio.io/v1", "kind": "VirtualService", "metadata": map[string]any{"name": "bad", "namespace": "shop"},
				"spec": map[string]any{"hosts": []any{"a"}, "http": []any{rule}},
			}}
			if err := admin.Create(t.Context(), obj, client.DryRunAll); !apierrors.IsInvalid(err) {
				t.Errorf("err = %v", err)
			}
		})
	}
}

// TestOptionalFieldsAreInTheSchema finds each field that Offers asks for where Istio's CRDs have it.
func TestOptionalFieldsAreInTheSchema(t *testing.T) {
	objects, err := apiserver.Manifests(crds)
	if err != nil {
		t.Fatal(err)
	}
	for _, field := range translator.OptionalFields {
		found := false
		for _, crd := range objects {
			if kind, _, _ := unstructured.NestedString(crd.Object, "spec", "names", "kind"); kind == "VirtualService" || kind == "DestinationRule" {
				found = found || hasField(crd, strings.Split(field, "."))
			}
		}
		if !found {
			t.Errorf("no schema has spec.%s", field)
		}
	}
}

func hasField(crd *unstructured.Unstructured, path []string) bool {
	versions, _, _ := unstructured.NestedSlice(crd.Object, "spec", "versions")
	for _, v := range versions {
		version := v.(map[string]any)
		if version["name"] != "v1" {
			continue
		}
		at, ok, _ := unstructured.NestedMap(version, "schema", "openAPIV3Schema", "properties", "spec")
		for _, name := range path {
			if items, list := at["items"].(map[string]any); list {
				at = items
			}
			properties, _ := at["properties"].(map[string]any)
			at, ok = properties[name].(map[string]any)
			if !ok {
				return false
			}
		}
		return ok
	}
	return false
}
