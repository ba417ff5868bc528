package apiserver

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	utilyaml "k8s.io/apimachinery/pkg/util/yaml"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// Install creates what stands in files of config, such as admission/hold.yaml. What is there already stays.
func Install(ctx context.Context, c client.Client, files ...string) error {
	for _, file := range files {
		objects, err := Manifests(filepath.Join(Root, "config", file))
		if err != nil {
			return err
		}
		for _, obj := range objects {
			if err := client.IgnoreAlreadyExists(c.Create(ctx, obj)); err != nil {
				return fmt.Errorf("create %s %s: %w", obj.GetKind(), obj.GetName(), err)
			}
		}
	}
	return nil
}

// Manifests are the objects of a file.
func Manifests(path string) ([]*unstructured.Unstructured, error) {
	text, err := os.ReadFile(path) //nolint:gosec // the path is a test's own
	if err != nil {
		return nil, err
	}
	objects, err := Decode(text)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", path, err)
	}
	return objects, nil
}

// Decode reads YAML documents; empty ones are none.
func Decode(text []byte) ([]*unstructured.Unstructured, error) {
	decoder := utilyaml.NewYAMLOrJSONDecoder(bytes.NewReader(text), 4096)
	var out []*unstructured.Unstructured
	for {
		obj := &unstructured.Unstructured{}
		err := decoder.Decode(obj)
		if errors.Is(err, io.EOF) {
			return out, nil
		}
		if err != nil {
			return nil, err
		}
		if len(obj.Object) > 0 {
			out = append(out, obj)
		}
	}
}
