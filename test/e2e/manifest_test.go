package e2e

import (
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// one is a Deployment of a single pod.
func one(d *unstructured.Unstructured) *unstructured.Unstructured {
	return set(d, int64(1), "spec.replicas")
}

// set changes a field of a manifest of this package, named by its path with dots.
func set(object *unstructured.Unstructured, value any, path string) *unstructured.Unstructured {
	if err := unstructured.SetNestedField(object.Object, value, strings.Split(path, ".")...); err != nil {
		panic(err.Error())
	}
	return object
}

// field is a copy of a field of a manifest of this package; nil when it is not there.
func field(object *unstructured.Unstructured, path string) any {
	value, _, err := unstructured.NestedFieldCopy(object.Object, strings.Split(path, ".")...)
	if err != nil {
		panic(err.Error())
	}
	return value
}
