package meshes

import (
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"slipway.dev/slipway/internal/integration/apiserver"
	"slipway.dev/slipway/internal/traffic"
)

// TestGoldenObjectsAreAccepted writes every golden object of the translators and reads it back: what was written must all
// be there, and a generated object must be the one that was rendered.
func TestGoldenObjectsAreAccepted(t *testing.T) {
	for _, translator := range []string{"linkerd", "consul", "appmesh"} {
		files, err := filepath.Glob(filepath.Join(apiserver.Root, "internal", "traffic", translator, "testdata", "*", "*.out.yaml"))
		if err != nil || len(files) == 0 {
			t.Fatalf("%s has %d golden files: %v", translator, len(files), err)
		}
		for _, file := range files {
			t.Run(translator+"/"+filepath.Base(filepath.Dir(file))+"/"+strings.TrimSuffix(filepath.Base(file), ".out.yaml"), func(t *testing.T) {
				accepted(t, file)
			})
		}
	}
}

func accepted(t *testing.T, file string) {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	objects, err := apiserver.Decode(text)
	if err != nil {
		t.Fatal(err)
	}
	namespace := &corev1.Namespace{}
	namespace.GenerateName = "golden-"
	if err := admin.Create(t.Context(), namespace); err != nil {
		t.Fatal(err)
	}
	for _, want := range objects {
		want.SetNamespace(namespace.Name)
		there := want.DeepCopy()
		if err := admin.Create(t.Context(), there); err != nil {
			t.Errorf("create %s %s: %v", want.GetKind(), want.GetName(), err)
			continue
		}
		back := &unstructured.Unstructured{}
		back.SetGroupVersionKind(want.GroupVersionKind())
		if err := admin.Get(t.Context(), client.ObjectKeyFromObject(want), back); err != nil {
			t.Fatal(err)
		}
		if !has(back.Object["spec"], want.Object["spec"]) {
			t.Errorf("of %s %s came back %v, written was %v", want.GetKind(), want.GetName(), back.Object["spec"], want.Object["spec"])
		}
		if traffic.IsGenerated(want) && !traffic.Same(back, want) {
			t.Errorf("%s %s would be written again and again: the API server returns it changed", want.GetKind(), want.GetName())
		}
	}
}

// has says whether a tree has everything of another one; what the API server fills in is more.
func has(tree, other any) bool {
	switch o := other.(type) {
	case map[string]any:
		t, ok := tree.(map[string]any)
		for key, value := range o {
			ok = ok && has(t[key], value)
		}
		return ok
	case []any:
		t, ok := tree.([]any)
		ok = ok && len(t) == len(o)
		for i := range o {
			ok = ok && has(t[i], o[i])
		}
		return ok
	}
	return reflect.DeepEqual(tree, other)
}
