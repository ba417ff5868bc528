package refusals

import (
	"errors"
	"strings"
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// TestAdmissionNamesTheFieldAndSaysWhatToDo is what the API server refuses by itself, before anybody acts on it. Changes are
// merge patches for the shop's CanaryRelease. internal/integration/api has every limit from both sides; these are the
// mistakes that people make, and what they read then.
func TestAdmissionNamesTheFieldAndSaysWhatToDo(t *testing.T) {
	for name, test := range map[string]struct{ change, field, says string }{
		"a workload of another kind": {
			change: `{spec: {targetRef: {kind: StatefulSet}}}`,
			field:  "spec.targetRef.kind", says: `Unsupported value: "StatefulSet": supported values: "Deployment"`,
		},
		"a route of another kind": {
			change: `{spec: {routeRefs: [{kind: Ingress, group: networking.k8s.io, name: shop}]}}`,
			field:  "spec.routeRefs[0]", says: "kind must be HTTPRoute",
		},
		"steps that decrease": {
			change: `{spec: {steps: [{weightPercent: 50}, {weightPercent: 20}]}}`,
			field:  "spec", says: "steps: weightPercent must never decrease; sort the steps by weight",
		},
		"a step above 100": {
			change: `{spec: {steps: [{weightPercent: 120}]}}`,
			field:  "spec.steps[0].weightPercent", says: "should be less than or equal to 99",
		},
		"no steps": {
			change: `{spec: {steps: []}}`,
			field:  "spec.steps", says: "should have at least 1 items",
		},
		"a target without room for -canary": {
			change: `{spec: {targetRef: {name: ` + long(52) + `}}}`,
			field:  "spec.targetRef.name", says: "Too long: may not be more than 51",
		},
		"a duration with a fraction": {
			change: `{spec: {analysis: {warmup: 1.5h}}}`,
			field:  "spec.analysis.warmup", says: "write a duration such as 90s, 5m or 1h30m: up to four whole numbers, each followed by h, m, s or ms",
		},
		"a duration without a unit": {
			change: `{spec: {analysis: {minStepDuration: "300"}}}`,
			field:  "spec.analysis.minStepDuration", says: "write a duration such as 90s, 5m or 1h30m",
		},
		"a duration in days": {
			change: `{spec: {canary: {keepFailedFor: 1d}}}`,
			field:  "spec.canary.keepFailedFor", says: "write a duration such as 90s, 5m or 1h30m",
		},
		"a percentage without its sign": {
			change: `{spec: {analysis: {warmupTolerance: "0.05"}}}`,
			field:  "spec.analysis.warmupTolerance", says: "write a percentage from 0% to 100%, such as 5% or 0.1%, with the sign and four decimals at most",
		},
		"a percentage above 100%": {
			change: `{spec: {analysis: {metrics: [{name: e, signal: Errors, tolerate: {relative: 250%}}]}}}`,
			field:  "spec.analysis.metrics[0].tolerate.relative", says: "write a percentage from 0% to 100%",
		},
		"a percentage that is a word": {
			change: `{spec: {analysis: {metrics: [{name: e, signal: Errors, limit: few}]}}}`,
			field:  "spec.analysis.metrics[0].limit", says: "write a percentage from 0% to 100%",
		},
		"no risk at all": {
			change: `{spec: {analysis: {falseRollbackRisk: 0%}}}`,
			field:  "spec.analysis.falseRollbackRisk", says: "must be above 0% and below 100%; no evidence is ever enough for a risk of 0%",
		},
	} {
		t.Run(name, func(t *testing.T) {
			cause, text := refusal(t, test.change, test.field, test.says)
			if cause == nil {
				t.Errorf("nothing about %s says %q:\n%s", test.field, test.says, text)
			}
		})
	}
}

// refusal tries to create the shop's CanaryRelease with a change, and finds what is said about a field.
func refusal(t *testing.T, change, field, says string) (*metav1.StatusCause, string) {
	t.Helper()
	var release *unstructured.Unstructured
	for _, object := range decode(t, shopObjects) {
		if object.GetKind() == "CanaryRelease" {
			release = object
		}
	}
	release.SetNamespace(metav1.NamespaceDefault)
	release.Object = merged(release.Object, decode(t, `{kind: CanaryRelease, apiVersion: slipway.dev/v1alpha1, `+strings.TrimPrefix(change, "{"))[0].Object)
	err := admin.Create(t.Context(), release, client.DryRunAll)
	var status *apierrors.StatusError
	if !errors.As(err, &status) || status.ErrStatus.Details == nil {
		t.Fatalf("want it to be refused, got: %v", err)
	}
	for _, cause := range status.ErrStatus.Details.Causes {
		if cause.Field == field && strings.Contains(cause.Message, says) {
			return &cause, ""
		}
	}
	return nil, err.Error()
}

// A field that nobody knows is refused by kubectl, which asks for strict validation, and by name.
func TestUnknownFieldIsNamed(t *testing.T) {
	var release *unstructured.Unstructured
	for _, object := range decode(t, shopObjects) {
		if object.GetKind() == "CanaryRelease" {
			release = object
		}
	}
	release.SetNamespace(metav1.NamespaceDefault)
	if err := unstructured.SetNestedField(release.Object, "1h", "spec", "stepDuration"); err != nil {
		t.Fatal(err)
	}
	strict := client.WithFieldValidation(admin, metav1.FieldValidationStrict)
	err := strict.Create(t.Context(), release, client.DryRunAll)
	if err == nil || !strings.Contains(err.Error(), `unknown field "spec.stepDuration"`) {
		t.Errorf("want the field to be named, got: %v", err)
	}
}
