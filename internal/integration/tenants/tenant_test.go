package tenants

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"slipway.dev/slipway/api/v1alpha1"
	"slipway.dev/slipway/internal/integration/apiserver"
)

// A resource names an endpoint of the configuration. A host in that place is a name that nobody has configured, and is
// not asked.
func TestNoHostOfTheirChoiceIsAsked(t *testing.T) {
	var asked atomic.Int32
	theirs := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { asked.Add(1) }))
	defer theirs.Close()
	s := newSpace(t, true)
	server.Start(t, s.name, apiserver.Traffic, apiserver.Releases)
	s.create(admin, s.object(route))
	s.create(tenant, s.object(deployment), s.object(service),
		s.set(s.object(release), theirs.URL, "spec", "analysis", "prometheus"))
	s.wantNotAccepted(v1alpha1.ReasonPrometheusNotConfigured)
	if n := asked.Load(); n > 0 {
		t.Errorf("their host was asked %d times", n)
	}
}

// There is no field for a host, a header, a token or a namespace: who writes one is told, and what is stored has none.
func TestNoFieldLeadsOutOfTheNamespace(t *testing.T) {
	s := newSpace(t, true)
	other := newSpace(t, false)
	strict := client.WithFieldValidation(tenant, metav1.FieldValidationStrict)
	for name, path := range map[string][]string{
		"the target's namespace":  {"spec", "targetRef", "namespace"},
		"the Service's namespace": {"spec", "serviceRef", "namespace"},
		"a Prometheus's address":  {"spec", "analysis", "address"},
		"a header for Prometheus": {"spec", "analysis", "headers"},
		"a token for Prometheus":  {"spec", "analysis", "bearerTokenSecret"},
		"a ServiceAccount":        {"spec", "canary", "serviceAccountName"},
	} {
		t.Run(name, func(t *testing.T) {
			err := strict.Create(t.Context(), s.set(s.object(release), other.name, path...), client.DryRunAll)
			if err == nil || !strings.Contains(err.Error(), `unknown field "`+strings.Join(path, ".")+`"`) {
				t.Errorf("want the field to be unknown, got: %v", err)
			}
			stored := s.set(s.object(release), other.name, path...)
			if err := tenant.Create(t.Context(), stored, client.DryRunAll); err != nil {
				t.Fatal(err)
			}
			if value, found, _ := unstructured.NestedFieldNoCopy(stored.Object, path...); found {
				t.Errorf("it was kept: %v", value)
			}
		})
	}
}

// What another namespace has is not found, not held and not sent to, whatever a release or a route names.
func TestReferencesAcrossNamespacesAreRefused(t *testing.T) {
	other := newSpace(t, false)
	other.create(admin, other.object(deployment), other.object(service), other.object(route))
	s := newSpace(t, true)
	server.Start(t, "", apiserver.Traffic, apiserver.Releases)
	abroad := s.object(route)
	refs := []any{map[string]any{"backendRefs": []any{map[string]any{"name": "shop", "namespace": other.name, "port": int64(80)}}}}
	s.create(admin, s.set(abroad, refs, "spec", "rules"))
	s.create(tenant, s.object(service), s.set(s.object(release), other.name, "spec", "targetRef", "namespace"))
	s.wantNotAccepted(v1alpha1.ReasonTargetNotFound)
	other.wantNotHeld()

	// With a Deployment of its own the route is what is wrong: it sends to the Service of that name elsewhere.
	s.create(tenant, s.object(deployment))
	s.wantNotAccepted(v1alpha1.ReasonRouteNotFound)
}

// wantNotHeld says that a change of the Deployment is not held.
func (s space) wantNotHeld() {
	s.t.Helper()
	d := &appsv1.Deployment{}
	if err := admin.Get(s.t.Context(), client.ObjectKey{Namespace: s.name, Name: "shop"}, d); err != nil {
		s.t.Fatal(err)
	}
	d.Spec.Template.Spec.Containers[0].Image = "shop:v2"
	if err := admin.Update(s.t.Context(), d, client.DryRunAll); err != nil {
		s.t.Fatal(err)
	}
	if d.Spec.Paused || d.Annotations[v1alpha1.HeldAnnotation] != "" {
		s.t.Errorf("a release of another namespace holds the Deployment: %v", d.Annotations)
	}
}

// Who may edit a release may not let it go on, nor write what the operator says of it, nor take the policies away.
func TestTenantsHaveNoRightsOfOthers(t *testing.T) {
	s := newSpace(t, true)
	s.create(tenant, s.object(release))
	for name, try := range map[string]func() error{
		"promote without the verb": func() error {
			return s.annotate(tenant, v1alpha1.RequestPromote)
		},
		"write status": func() error {
			cr := s.live()
			return tenant.Status().Patch(t.Context(), cr, client.RawPatch("application/merge-patch+json", []byte(`{"status":{"stage":"Idle"}}`)))
		},
		"take the hold away": func() error {
			policy := &unstructured.Unstructured{}
			policy.SetAPIVersion("admissionregistration.k8s.io/v1")
			policy.SetKind("MutatingAdmissionPolicyBinding")
			policy.SetName("slipway-hold")
			return tenant.Delete(t.Context(), policy, client.DryRunAll)
		},
		"write in another namespace": func() error {
			return tenant.Create(t.Context(), newSpace(t, false).object(release), client.DryRunAll)
		},
	} {
		t.Run(name, func(t *testing.T) {
			if err := try(); !apierrors.IsForbidden(err) {
				t.Errorf("want it to be forbidden, got: %v", err)
			}
		})
	}
	if err := s.annotate(tenant, v1alpha1.RequestAbort); err != nil {
		t.Errorf("taking users off a change stands behind nobody: %v", err)
	}
	manager, err := server.ClientAs(managerUser)
	if err != nil {
		t.Fatal(err)
	}
	s.bind(managerUser, "slipway-release-manager")
	s.eventually("right of the release manager to promote", func() (bool, any) {
		err := s.annotate(manager, v1alpha1.RequestPromote)
		return err == nil, err
	})
}

func (s space) live() *v1alpha1.CanaryRelease {
	s.t.Helper()
	cr := &v1alpha1.CanaryRelease{}
	if err := admin.Get(s.t.Context(), client.ObjectKey{Namespace: s.name, Name: "shop"}, cr); err != nil {
		s.t.Fatal(err)
	}
	return cr
}

func (s space) annotate(as client.Client, annotation string) error {
	patch := `{"metadata":{"annotations":{"` + annotation + `":"any"}}}`
	return as.Patch(s.t.Context(), s.live(), client.RawPatch("application/merge-patch+json", []byte(patch)), client.DryRunAll)
}
