package tenants

import (
	"testing"

	authorizationv1 "k8s.io/api/authorization/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"slipway.dev/slipway/internal/integration/apiserver"
)

// What docs/security.md says that the operator does not have.
func TestOperatorHasNoOtherRights(t *testing.T) {
	s := newSpace(t, false)
	want := authorizationv1.ResourceAttributes{Namespace: s.name, Verb: "get", Resource: "services"}
	s.eventually("rights of the operator", func() (bool, any) { return allowed(t, want), want })
	for name, attributes := range map[string]authorizationv1.ResourceAttributes{
		"read Secrets":                 {Verb: "get", Resource: "secrets"},
		"list Secrets":                 {Verb: "list", Resource: "secrets"},
		"read ConfigMaps":              {Verb: "get", Resource: "configmaps"},
		"list Namespaces":              {Verb: "list", Resource: "namespaces"},
		"write Namespaces":             {Verb: "patch", Resource: "namespaces"},
		"list Nodes":                   {Verb: "list", Resource: "nodes"},
		"write Pods":                   {Verb: "create", Resource: "pods"},
		"delete Pods by the dozen":     {Verb: "deletecollection", Resource: "pods"},
		"run things in Pods":           {Verb: "create", Resource: "pods", Subresource: "exec"},
		"make tokens":                  {Verb: "create", Resource: "serviceaccounts", Subresource: "token"},
		"act as others":                {Verb: "impersonate", Resource: "users"},
		"write Roles":                  {Verb: "create", Group: "rbac.authorization.k8s.io", Resource: "roles"},
		"bind Roles":                   {Verb: "create", Group: "rbac.authorization.k8s.io", Resource: "rolebindings"},
		"escalate":                     {Verb: "escalate", Group: "rbac.authorization.k8s.io", Resource: "clusterroles"},
		"create routes":                {Verb: "create", Group: "gateway.networking.k8s.io", Resource: "httproutes"},
		"delete routes":                {Verb: "delete", Group: "gateway.networking.k8s.io", Resource: "httproutes"},
		"write Gateways":               {Verb: "patch", Group: "gateway.networking.k8s.io", Resource: "gateways"},
		"write ReplicaSets":            {Verb: "patch", Group: "apps", Resource: "replicasets"},
		"write autoscalers":            {Verb: "patch", Group: "autoscaling", Resource: "horizontalpodautoscalers"},
		"scale Deployments past HPAs":  {Verb: "patch", Group: "apps", Resource: "deployments", Subresource: "scale"},
		"write admission policies":     {Verb: "patch", Group: "admissionregistration.k8s.io", Resource: "mutatingadmissionpolicies"},
		"delete their bindings":        {Verb: "delete", Group: "admissionregistration.k8s.io", Resource: "mutatingadmissionpolicybindings"},
		"write CRDs":                   {Verb: "patch", Group: "apiextensions.k8s.io", Resource: "customresourcedefinitions"},
		"delete CanaryReleases":        {Verb: "delete", Group: "slipway.dev", Resource: "canaryreleases"},
		"promote what it has released": {Verb: "promote", Group: "slipway.dev", Resource: "canaryreleases"},
	} {
		t.Run(name, func(t *testing.T) {
			attributes.Namespace = s.name
			if allowed(t, attributes) {
				t.Errorf("the operator may: %+v", attributes)
			}
		})
	}
	if err := operator.List(t.Context(), &corev1.SecretList{}, client.InNamespace(s.name)); !apierrors.IsForbidden(err) {
		t.Errorf("want Secrets to be forbidden, got: %v", err)
	}
}

// allowed asks the API server's own authorizer about the operator.
func allowed(t *testing.T, attributes authorizationv1.ResourceAttributes) bool {
	t.Helper()
	review := &authorizationv1.SubjectAccessReview{Spec: authorizationv1.SubjectAccessReviewSpec{
		User: apiserver.Operator, ResourceAttributes: &attributes,
		Groups: []string{"system:serviceaccounts", "system:serviceaccounts:slipway-system", "system:authenticated"},
	}}
	if err := admin.Create(t.Context(), review); err != nil {
		t.Fatal(err)
	}
	return review.Status.Allowed
}
