package hold

import (
	"testing"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	"k8s.io/client-go/discovery"

	"slipway.dev/slipway/internal/workload"
)

func TestAdmissionIsReadyOnThisServer(t *testing.T) {
	d, err := discovery.NewDiscoveryClientForConfig(server.admin)
	if err != nil {
		t.Fatal(err)
	}
	served, err := d.ServerResourcesForGroupVersion(admissionv1.SchemeGroupVersion.String())
	if err != nil {
		t.Fatalf("discover admissionregistration: %v", err)
	}
	policies, bindings := &admissionv1.MutatingAdmissionPolicyList{}, &admissionv1.MutatingAdmissionPolicyBindingList{}
	if err := server.person.List(t.Context(), policies); err != nil {
		t.Fatalf("list policies: %v", err)
	}
	if err := server.person.List(t.Context(), bindings); err != nil {
		t.Fatalf("list bindings: %v", err)
	}
	ok, why := workload.AdmissionReady(workload.AdmissionFacts{Served: served, Policies: policies.Items, Bindings: bindings.Items})
	if !ok {
		t.Errorf("not ready with both policies installed: %s", why)
	}
}
