package workload

import (
	"fmt"
	"slices"
	"strings"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Names of the admission policies without which nothing is held. Each has a binding of the same name.
const (
	// HoldPolicy holds a changed Deployment.
	HoldPolicy = "slipway-hold"
	// FloorPolicy keeps a held Deployment from zero, and an autoscaler from shrinking stable in a release.
	FloorPolicy = "slipway-floor"
)

// AdmissionFacts is what AdmissionReady decides on.
type AdmissionFacts struct {
	// Served is what discovery says of admissionregistration.k8s.io/v1; nil when the group version is not served.
	Served *metav1.APIResourceList
	// Policies and Bindings are all of the cluster.
	Policies []admissionv1.MutatingAdmissionPolicy
	Bindings []admissionv1.MutatingAdmissionPolicyBinding
}

// AdmissionServed says whether the cluster has the API by which changes are held, and else why no change can be.
func AdmissionServed(served *metav1.APIResourceList) (bool, string) {
	if served != nil {
		for _, r := range served.APIResources {
			if r.Name == "mutatingadmissionpolicies" {
				return true, ""
			}
		}
	}
	return false, "the cluster does not serve mutatingadmissionpolicies of admissionregistration.k8s.io/v1, by which changes are held: Slipway needs Kubernetes 1.36 or newer"
}

// AdmissionReady says whether changes are held in this cluster, and else what is missing and what to do.
func AdmissionReady(in AdmissionFacts) (bool, string) {
	if ok, why := AdmissionServed(in.Served); !ok {
		return false, why
	}
	var missing []string
	for _, name := range []string{FloorPolicy, HoldPolicy} {
		if !slices.ContainsFunc(in.Policies, func(p admissionv1.MutatingAdmissionPolicy) bool { return p.Name == name }) {
			missing = append(missing, fmt.Sprintf("MutatingAdmissionPolicy %q", name))
		}
		if !slices.ContainsFunc(in.Bindings, func(b admissionv1.MutatingAdmissionPolicyBinding) bool {
			return b.Name == name && b.Spec.PolicyName == name
		}) {
			missing = append(missing, fmt.Sprintf("MutatingAdmissionPolicyBinding %q", name))
		}
	}
	if len(missing) == 0 {
		return true, ""
	}
	slices.Sort(missing)
	return false, fmt.Sprintf("changes are not held, because the cluster has no %s: apply config/admission again", strings.Join(missing, " and no "))
}
