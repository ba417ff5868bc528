package workload

import (
	"testing"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

func TestAdmissionReady(t *testing.T) {
	served := &metav1.APIResourceList{APIResources: []metav1.APIResource{{Name: "validatingadmissionpolicies"}, {Name: "mutatingadmissionpolicies"}}}
	policy := func(name string) admissionv1.MutatingAdmissionPolicy {
		return admissionv1.MutatingAdmissionPolicy{ObjectMeta: metav1.ObjectMeta{Name: name}}
	}
	binding := func(name, of string) admissionv1.MutatingAdmissionPolicyBinding {
		return admissionv1.MutatingAdmissionPolicyBinding{
			ObjectMeta: metav1.ObjectMeta{Name: name}, Spec: admissionv1.MutatingAdmissionPolicyBindingSpec{PolicyName: of},
		}
	}
	policies := []admissionv1.MutatingAdmissionPolicy{policy(HoldPolicy), policy(FloorPolicy)}
	bindings := []admissionv1.MutatingAdmissionPolicyBinding{binding(HoldPolicy, HoldPolicy), binding(FloorPolicy, FloorPolicy)}
	const old = "the cluster does not serve mutatingadmissionpolicies of admissionregistration.k8s.io/v1, by which changes are held: Slipway needs Kubernetes 1.36 or newer"
	tests := map[string]struct {
		in   AdmissionFacts
		want string
	}{
		"all is there":                    {in: AdmissionFacts{Served: served, Policies: policies, Bindings: bindings}},
		"the group version is not served": {in: AdmissionFacts{Policies: policies, Bindings: bindings}, want: old},
		"the cluster is older": {
			in: AdmissionFacts{Served: &metav1.APIResourceList{APIResources: served.APIResources[:1]}, Policies: policies, Bindings: bindings}, want: old,
		},
		"a binding was deleted to break the glass": {
			in:   AdmissionFacts{Served: served, Policies: policies, Bindings: bindings[1:]},
			want: `changes are not held, because the cluster has no MutatingAdmissionPolicyBinding "slipway-hold": apply config/admission again`,
		},
		"a binding is of another policy": {
			in:   AdmissionFacts{Served: served, Policies: policies, Bindings: append(bindings[1:2:2], binding(HoldPolicy, "other"))},
			want: `changes are not held, because the cluster has no MutatingAdmissionPolicyBinding "slipway-hold": apply config/admission again`,
		},
		"nothing was installed": {
			in:   AdmissionFacts{Served: served},
			want: `changes are not held, because the cluster has no MutatingAdmissionPolicy "slipway-floor" and no MutatingAdmissionPolicy "slipway-hold" and no MutatingAdmissionPolicyBinding "slipway-floor" and no MutatingAdmissionPolicyBinding "slipway-hold": apply config/admission again`,
		},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			if ok, why := AdmissionReady(tc.in); why != tc.want || ok != (tc.want == "") {
				t.Errorf("ready %v, %q; want %q", ok, why, tc.want)
			}
		})
	}
}
