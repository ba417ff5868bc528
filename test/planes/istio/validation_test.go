package istio_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"istio.io/istio/pilot/pkg/config/kube/crd"
	"istio.io/istio/pkg/config/schema/collections"
)

// rendered are the files with what the translator's cases render.
func rendered(t *testing.T) []string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join("..", "..", "..", "internal", "traffic", "istio", "testdata", "*", "*.out.yaml"))
	if err != nil || len(files) < 50 {
		t.Fatalf("%d files, %v", len(files), err)
	}
	return files
}

// validate is Istio's own validation of what stands in a text: of each object, with its warnings.
func validate(text string) (objects int, err error) {
	configs, unknown, err := crd.ParseInputs(text)
	if err != nil {
		return 0, err
	}
	for _, kind := range unknown {
		err = errors.Join(err, errors.New("not a kind of Istio's: "+kind.Kind))
	}
	for _, config := range configs {
		schema, ok := collections.All.FindByGroupVersionAliasesKind(config.GroupVersionKind)
		if !ok {
			return 0, errors.New("no schema for " + config.GroupVersionKind.String())
		}
		warning, refused := schema.ValidateConfig(config)
		err = errors.Join(err, refused, warning)
	}
	return len(configs), err
}

// TestEverythingRenderedIsValid gives every object that the translator's cases render to Istio's own validation.
func TestEverythingRenderedIsValid(t *testing.T) {
	for _, file := range rendered(t) {
		t.Run(strings.TrimSuffix(filepath.Join(filepath.Base(filepath.Dir(file)), filepath.Base(file)), ".out.yaml"), func(t *testing.T) {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			objects, err := validate(string(text))
			if want := strings.Count(string(text), "\napiVersion: networking.istio.io"); err != nil || objects != want {
				t.Errorf("%d of %d objects, %v", objects, want, err)
			}
		})
	}
}

// TestValidationRefuses gives it what Istio refuses, so that its silence says something.
func TestValidationRefuses(t *testing.T) {
	for name, rule := range map[string]string{
		"retries that are off with a trigger": `{retries: {attempts: 0, retryOn: 5xx}, route: [{destination: {host: checkout}}]}`,
		"a code that is not registered":       `{retries: {attempts: 1, retryOn: "520"}, route: [{destination: {host: checkout}}]}`,
		"weights of zero":                     `{route: [{destination: {host: a}, weight: 0}, {destination: {host: b}, weight: 0}]}`,
		"mirror and mirrors":                  `{mirror: {host: a}, mirrors: [{destination: {host: a}}], route: [{destination: {host: checkout}}]}`,
	} {
		t.Run(name, func(t *testing.T) {
			text := "apiVersion: networking.istio.io/v1\nkind: VirtualService\nmetadata: {name: bad, namespace: shop}\nspec: {hosts: [checkout], http: [" + rule + "]}\n"
			if _, err := validate(text); err == nil {
				t.Error("it is valid")
			}
		})
	}
}
