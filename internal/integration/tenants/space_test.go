package tenants

import (
	"context"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/wait"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"slipway.dev/slipway/api/v1alpha1"
	"slipway.dev/slipway/internal/integration/apiserver"
)

// patience is how long a test waits for what is to come at once.
const patience = 30 * time.Second

// space is a namespace.
type space struct {
	t    *testing.T
	name string
}

// newSpace is a namespace; a tenant's when it is theirs. The edit role of a cluster is these four: nothing aggregates roles
// here.
func newSpace(t *testing.T, theirs bool) space {
	t.Helper()
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{GenerateName: "space-"}}
	if err := admin.Create(t.Context(), namespace); err != nil {
		t.Fatal(err)
	}
	s := space{t: t, name: namespace.Name}
	if theirs {
		s.bind(tenantUser, "system:aggregate-to-view", "system:aggregate-to-edit", "slipway-view", "slipway-edit")
		s.eventually("rights of the tenant", func() (bool, any) {
			err := tenant.Create(t.Context(), s.object(release), client.DryRunAll)
			return err == nil, err
		})
	}
	return s
}

func (s space) bind(user string, roles ...string) {
	s.t.Helper()
	for _, role := range roles {
		binding := &rbacv1.RoleBinding{
			ObjectMeta: metav1.ObjectMeta{Namespace: s.name, GenerateName: "role-"},
			RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: role},
			Subjects:   []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: rbacv1.UserKind, Name: user}},
		}
		if err := admin.Create(s.t.Context(), binding); err != nil {
			s.t.Fatal(err)
		}
	}
}

// The manifests of a shop, each by itself.
const (
	deployment = `{apiVersion: apps/v1, kind: Deployment, metadata: {name: shop}, spec: {selector: {matchLabels: {app: shop}},
		template: {metadata: {labels: {app: shop}}, spec: {containers: [{name: shop, image: "shop:v1"}]}}}}`
	service = `{apiVersion: v1, kind: Service, metadata: {name: shop}, spec: {selector: {app: shop}, ports: [{port: 80}]}}`
	route   = `{apiVersion: gateway.networking.k8s.io/v1, kind: HTTPRoute, metadata: {name: shop},
		spec: {rules: [{backendRefs: [{name: shop, port: 80}]}]}}`
	release = `{apiVersion: slipway.dev/v1alpha1, kind: CanaryRelease, metadata: {name: shop}, spec: {targetRef: {name: shop},
		serviceRef: {name: shop}, routeRefs: [{name: shop}], steps: [{weightPercent: 10}]}}`
)

func (s space) object(manifest string) *unstructured.Unstructured {
	s.t.Helper()
	objects, err := apiserver.Decode([]byte(manifest))
	if err != nil || len(objects) != 1 {
		s.t.Fatalf("read %s: %v", manifest, err)
	}
	objects[0].SetNamespace(s.name)
	return objects[0]
}

// set changes a field of an object that is not in the cluster yet.
func (s space) set(object *unstructured.Unstructured, value any, path ...string) *unstructured.Unstructured {
	s.t.Helper()
	if err := unstructured.SetNestedField(object.Object, value, path...); err != nil {
		s.t.Fatal(err)
	}
	return object
}

func (s space) create(as client.Client, objects ...*unstructured.Unstructured) {
	s.t.Helper()
	for _, object := range objects {
		if err := as.Create(s.t.Context(), object); err != nil {
			s.t.Fatalf("create %s: %v", object.GetKind(), err)
		}
	}
}

// wantNotAccepted waits until the release "shop" is refused for a reason.
func (s space) wantNotAccepted(reason string) {
	s.t.Helper()
	s.eventually("refusal for "+reason, func() (bool, any) {
		cr := &v1alpha1.CanaryRelease{}
		if err := admin.Get(s.t.Context(), client.ObjectKey{Namespace: s.name, Name: "shop"}, cr); err != nil {
			return false, err
		}
		accepted := meta.FindStatusCondition(cr.Status.Conditions, v1alpha1.ConditionAccepted)
		return accepted != nil && accepted.Status == metav1.ConditionFalse && accepted.Reason == reason, cr.Status.Conditions
	})
}

func (s space) eventually(what string, look func() (bool, any)) {
	s.t.Helper()
	var seen any
	err := wait.PollUntilContextTimeout(s.t.Context(), 20*time.Millisecond, patience, true, func(context.Context) (bool, error) {
		var done bool
		done, seen = look()
		return done, nil
	})
	if err != nil {
		s.t.Fatalf("no %s within %s; last seen:\n%+v", what, patience, seen)
	}
}
