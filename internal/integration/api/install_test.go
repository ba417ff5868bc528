package api

import (
	"bytes"
	"errors"
	"io"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	utilyaml "k8s.io/apimachinery/pkg/util/yaml"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// The order matters: the samples need the CRDs, and the overlay for one namespace stands on the default.
func TestKustomizationsAreAccepted(t *testing.T) {
	for _, dir := range []string{"default", "samples", "namespaced"} {
		t.Run(dir, func(t *testing.T) {
			for _, obj := range built(t, dir) {
				if obj.GetNamespace() == "" && obj.GetObjectKind().GroupVersionKind().Group == "slipway.dev" {
					obj.SetNamespace("kube-public") // beside the objects of the other tests
				}
				err := server.Apply(t.Context(), client.ApplyConfigurationFromUnstructured(obj), client.FieldOwner("install"), client.ForceOwnership)
				if err != nil {
					t.Errorf("apply %s %s: %v", obj.GetKind(), obj.GetName(), err)
				}
			}
		})
	}
}

// The overlay for one namespace must not leave the operator with rights in others.
func TestNamespacedOperatorWritesInOneNamespaceOnly(t *testing.T) {
	var roles []string
	for _, obj := range built(t, "namespaced") {
		switch obj.GetKind() {
		case "Role", "RoleBinding":
			roles = append(roles, obj.GetKind()+" "+obj.GetNamespace()+"/"+obj.GetName())
		case "ClusterRoleBinding":
			if obj.GetName() != "slipway-cluster-reader" {
				t.Errorf("ClusterRoleBinding %s gives rights in all namespaces", obj.GetName())
			}
		case "ClusterRole":
			if obj.GetName() == "slipway-cluster-reader" {
				onlyReads(t, obj)
			}
		}
	}
	for _, want := range []string{"Role default/slipway-operator", "RoleBinding default/slipway-operator"} {
		if !strings.Contains(strings.Join(roles, "\n"), want) {
			t.Errorf("want %s, got %q", want, roles)
		}
	}
}

func onlyReads(t *testing.T, obj *unstructured.Unstructured) {
	t.Helper()
	var role rbacv1.ClusterRole
	convert(t, obj.Object, &role)
	for _, rule := range role.Rules {
		for _, verb := range rule.Verbs {
			if verb != "get" && verb != "list" && verb != "watch" {
				t.Errorf("ClusterRole %s may %s %v in all namespaces", role.Name, verb, rule.Resources)
			}
		}
	}
}

// built is what kustomize makes of a folder in config.
func built(t *testing.T, dir string) []*unstructured.Unstructured {
	t.Helper()
	tool, err := exec.CommandContext(t.Context(), filepath.Join(root, "hack", "tools", "tool"), "kustomize").Output()
	if err != nil {
		t.Fatalf("build kustomize: %v", err)
	}
	text, err := exec.CommandContext(t.Context(), strings.TrimSpace(string(tool)), "build", filepath.Join(root, "config", dir)).Output()
	if err != nil {
		t.Fatalf("build config/%s: %v", dir, err)
	}
	decoder := utilyaml.NewYAMLOrJSONDecoder(bytes.NewReader(text), 4096)
	var objects []*unstructured.Unstructured
	for {
		obj := &unstructured.Unstructured{}
		err := decoder.Decode(&obj.Object)
		if errors.Is(err, io.EOF) {
			return objects
		}
		if err != nil {
			t.Fatalf("read config/%s: %v", dir, err)
		}
		objects = append(objects, obj)
	}
}
