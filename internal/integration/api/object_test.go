package api

import (
	"errors"
	"strings"
	"testing"

	jsonpatch "gopkg.in/evanphx/json-patch.v4"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"
)

// A release and a split with nothing but what is required.
const (
	plainRelease = `
apiVersion: slipway.dev/v1alpha1
kind: CanaryRelease
metadata: {name: checkout, namespace: default}
spec:
  targetRef: {name: checkout}
  serviceRef: {name: checkout}
  routeRefs: [{name: checkout}]
  steps: [{weightPercent: 10}]
`
	plainSplit = `
apiVersion: slipway.dev/v1alpha1
kind: TrafficSplit
metadata: {name: search, namespace: default}
spec:
  serviceRef: {name: search}
  routeRefs: [{name: search}]
  backends: [{name: search, weight: 90}, {name: search-next, weight: 10}]
`
	plainPolicy = `
apiVersion: slipway.dev/v1alpha1
kind: RetryPolicy
metadata: {name: search, namespace: default}
spec:
  targetRefs: [{group: gateway.networking.k8s.io, kind: HTTPRoute, name: search}]
  retries: 2
  triggers: [ConnectFailure]
`
)

// rule is something that the API server checks. Accept and reject are merge patches, as YAML, for the plain object: the
// nearest to the limit on either side.
type rule struct {
	accept, reject string
	wantField      string // the field that the error is about
	wantSays       string // part of the message: for a rule of ours, what to do about it
}

func check(t *testing.T, plain string, r rule) {
	t.Helper()
	if err := submit(t, plain, r.accept); err != nil {
		t.Errorf("rejected, though it should be accepted: %s\n%v", r.accept, err)
	}
	err := submit(t, plain, r.reject)
	if !apierrors.IsInvalid(err) {
		t.Fatalf("want it to be invalid: %s\ngot %v", r.reject, err)
	}
	var status *apierrors.StatusError
	if !errors.As(err, &status) || status.ErrStatus.Details == nil {
		t.Fatalf("want an error with details, got %v", err)
	}
	for _, cause := range status.ErrStatus.Details.Causes {
		if cause.Field == r.wantField && strings.Contains(cause.Message, r.wantSays) {
			return
		}
	}
	t.Errorf("want a cause at %s that says %q, got %v", r.wantField, r.wantSays, err)
}

// submit asks the API server what it thinks of the object and stores nothing.
func submit(t *testing.T, plain, patch string) error {
	t.Helper()
	return server.Create(t.Context(), object(t, plain, patch), client.DryRunAll)
}

func object(t *testing.T, plain, patch string) *unstructured.Unstructured {
	t.Helper()
	merged, err := jsonpatch.MergePatch(toJSON(t, plain), toJSON(t, patch))
	if err != nil {
		t.Fatal(err)
	}
	out := &unstructured.Unstructured{}
	if err := out.UnmarshalJSON(merged); err != nil {
		t.Fatal(err)
	}
	return out
}

func toJSON(t *testing.T, text string) []byte {
	t.Helper()
	out, err := yaml.YAMLToJSON([]byte(text))
	if err != nil {
		t.Fatalf("read %s: %v", text, err)
	}
	return out
}

// times is a YAML list of n items; each may use # for its number.
func times(n int, item string) string {
	items := make([]string, n)
	for i := range items {
		items[i] = strings.ReplaceAll(item, "#", string(rune('a'+i/26))+string(rune('a'+i%26)))
	}
	return "[" + strings.Join(items, ", ") + "]"
}

func long(n int) string { return strings.Repeat("x", n) }
