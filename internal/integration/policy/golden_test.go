package policy

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"
)

// TestWhatIsRenderedIsAccepted gives the API server everything that comes out of the translators' cases, and wants nothing
// to be dropped: an unknown field is an error.
func TestWhatIsRenderedIsAccepted(t *testing.T) {
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{GenerateName: "golden-"}}
	if err := server.Create(t.Context(), namespace); err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob(filepath.Join("..", "..", "traffic", "*", "testdata", "contract", "*", "*.out.yaml"))
	if err != nil || len(files) == 0 {
		t.Fatalf("found %d files: %v", len(files), err)
	}
	for _, file := range files {
		parts := strings.Split(file, string(filepath.Separator))
		if plane := parts[3]; plane != "gatewayapi" && plane != "envoygateway" {
			continue // their CRDs are not here
		}
		t.Run(strings.Join(parts[3:], "/"), func(t *testing.T) {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			for document := range strings.SplitSeq(string(text), "\n---\n") {
				obj := &unstructured.Unstructured{}
				if err := yaml.Unmarshal([]byte(document), &obj.Object); err != nil {
					t.Fatal(err)
				}
				obj.SetNamespace(namespace.Name)
				obj.SetOwnerReferences(nil)
				if err := server.Create(t.Context(), obj, client.DryRunAll, client.FieldValidation("Strict")); err != nil {
					t.Errorf("%s %s: %v", obj.GetKind(), obj.GetName(), err)
				}
			}
		})
	}
}
