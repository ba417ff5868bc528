package api

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"slipway.dev/slipway/api/v1alpha1"
)

const searchRoute = "{group: gateway.networking.k8s.io, kind: HTTPRoute, name: #}"

func TestRetryPolicyRules(t *testing.T) {
	for name, r := range map[string]rule{
		"a policy says something": {
			accept:    "spec: {retries: null, triggers: null, timeouts: {request: 1s}}",
			reject:    "spec: {retries: null, triggers: null}",
			wantField: "spec", wantSays: "a policy with neither would change nothing",
		},
		"retries say of what": {
			accept:    "spec: {triggers: null, httpStatusCodes: [503], methods: All}",
			reject:    "spec: {triggers: null}",
			wantField: "spec", wantSays: "triggers: say what is retried",
		},
		"retries switched off have no triggers": {
			accept:    "spec: {retries: 0, triggers: null}",
			reject:    "spec: {retries: 0}",
			wantField: "spec", wantSays: "retries: must be 1 or more for triggers",
		},
		"at most 10 retries": {
			accept:    "spec: {retries: 10}",
			reject:    "spec: {retries: 11}",
			wantField: "spec.retries", wantSays: "less than or equal to 10",
		},
		"retries are not negative": {
			accept:    "spec: {retries: 0, triggers: null}",
			reject:    "spec: {retries: -1}",
			wantField: "spec.retries", wantSays: "greater than or equal to 0",
		},
		"what may have reached the application is retried only when that was said": {
			accept:    "spec: {triggers: [ConnectFailure, GatewayError], methods: All}",
			reject:    "spec: {triggers: [ConnectFailure, GatewayError]}",
			wantField: "spec", wantSays: "methods: set All to confirm it",
		},
		"what has not reached the application needs no methods": {
			accept:    "spec: {triggers: [ConnectFailure, RefusedStream, ResetBeforeRequest]}",
			reject:    "spec: {triggers: [ConnectFailure], grpcStatuses: [Unavailable]}",
			wantField: "spec", wantSays: "a POST may run twice",
		},
		"only known triggers": {
			accept:    "spec: {methods: All, triggers: [ConnectFailure, RefusedStream, GatewayError, Reset, ResetBeforeRequest, ServerError, Retriable4xx]}",
			reject:    "spec: {triggers: [5xx]}",
			wantField: "spec.triggers[0]", wantSays: `"ServerError"`,
		},
		"a code is 400 at least": {
			accept:    "spec: {httpStatusCodes: [400, 599], methods: All}",
			reject:    "spec: {httpStatusCodes: [399], methods: All}",
			wantField: "spec.httpStatusCodes[0]", wantSays: "400",
		},
		"a code is 599 at most": {
			accept:    "spec: {httpStatusCodes: [599], methods: All}",
			reject:    "spec: {httpStatusCodes: [600], methods: All}",
			wantField: "spec.httpStatusCodes[0]", wantSays: "599",
		},
		"a code is there once": {
			accept:    "spec: {httpStatusCodes: [502, 503], methods: All}",
			reject:    "spec: {httpStatusCodes: [503, 503], methods: All}",
			wantField: "spec.httpStatusCodes[1]", wantSays: "Duplicate",
		},
		"only known statuses": {
			accept:    "spec: {grpcStatuses: [Cancelled, DeadlineExceeded, Internal, ResourceExhausted, Unavailable], methods: All}",
			reject:    "spec: {grpcStatuses: [unavailable], methods: All}",
			wantField: "spec.grpcStatuses[0]", wantSays: `"Unavailable"`,
		},
		"a try takes no longer than the request": {
			accept:    "spec: {triggers: [Reset], methods: All, timeouts: {request: 1s, perTry: 1000ms}}",
			reject:    "spec: {triggers: [Reset], methods: All, timeouts: {request: 1s, perTry: 1001ms}}",
			wantField: "spec.timeouts", wantSays: "timeouts.perTry: must not be above timeouts.request",
		},
		"a try that timed out is retried": {
			accept:    "spec: {triggers: [GatewayError], methods: All, timeouts: {perTry: 250ms}}",
			reject:    "spec: {triggers: [ConnectFailure], timeouts: {perTry: 250ms}}",
			wantField: "spec", wantSays: "no trigger retries a try that timed out",
		},
		"a timeout for each try needs a second try": {
			accept:    "spec: {retries: 0, triggers: null, timeouts: {request: 1s}}",
			reject:    "spec: {retries: 0, triggers: null, timeouts: {perTry: 1s}}",
			wantField: "spec", wantSays: "timeouts.perTry: needs retries of 1 or more",
		},
		"a request's timeout is above 0": {
			accept:    "spec: {timeouts: {request: 1ms}}",
			reject:    "spec: {timeouts: {request: 0s}}",
			wantField: "spec.timeouts.request", wantSays: "timeouts.request: must be 1ms or longer",
		},
		"a duration is Gateway API's": {
			accept:    "spec: {timeouts: {request: 1m30s}}",
			reject:    "spec: {timeouts: {request: 1.5s}}",
			wantField: "spec.timeouts.request", wantSays: "should match",
		},
		"the longest pause is not below the first": {
			accept:    "spec: {backoff: {base: 25ms, max: 25ms}}",
			reject:    "spec: {backoff: {base: 25ms, max: 24ms}}",
			wantField: "spec.backoff", wantSays: "backoff.max: must not be below backoff.base",
		},
		"the longest pause needs a first one": {
			accept:    "spec: {backoff: {base: 25ms}}",
			reject:    "spec: {backoff: {max: 25ms}}",
			wantField: "spec.backoff", wantSays: "backoff.base: must be given",
		},
		"a budget has one way to count": {
			accept:    "spec: {budget: {percent: 20, minConcurrent: 3}}",
			reject:    "spec: {budget: {percent: 20, minConcurrent: 3, minPerSecond: 3}}",
			wantField: "spec.budget", wantSays: "minConcurrent or minPerSecond, not both",
		},
		"a budget has a percentage": {
			accept:    "spec: {budget: {percent: 1}}",
			reject:    "spec: {budget: {minConcurrent: 3}}",
			wantField: "spec.budget.percent", wantSays: "Required",
		},
		"a budget is not all and more": {
			accept:    "spec: {budget: {percent: 100}}",
			reject:    "spec: {budget: {percent: 101}}",
			wantField: "spec.budget.percent", wantSays: "100",
		},
		"at most 16 targets": {
			accept:    "spec: {targetRefs: " + times(16, searchRoute) + "}",
			reject:    "spec: {targetRefs: " + times(17, searchRoute) + "}",
			wantField: "spec.targetRefs", wantSays: "16",
		},
		"a target is there once": {
			accept:    "spec: {targetRefs: [{group: gateway.networking.k8s.io, kind: HTTPRoute, name: a}, {group: gateway.networking.k8s.io, kind: HTTPRoute, name: a, sectionName: b}]}",
			reject:    "spec: {targetRefs: [{group: gateway.networking.k8s.io, kind: HTTPRoute, name: a}, {group: gateway.networking.k8s.io, kind: HTTPRoute, name: a}]}",
			wantField: "spec.targetRefs", wantSays: "the same target is there twice",
		},
		"a TCPRoute has no requests": {
			accept:    "spec: {targetRefs: [{group: gateway.networking.k8s.io, kind: GRPCRoute, name: a}]}",
			reject:    "spec: {targetRefs: [{group: gateway.networking.k8s.io, kind: TCPRoute, name: a}]}",
			wantField: "spec", wantSays: "has no requests to retry",
		},
		"a Service has the empty group": {
			accept:    `spec: {targetRefs: [{group: "", kind: Service, name: a}]}`,
			reject:    `spec: {targetRefs: [{group: core, kind: Service, name: a}]}`,
			wantField: "spec.targetRefs[0]", wantSays: `Service with group: "" for a mesh`,
		},
	} {
		t.Run(name, func(t *testing.T) { check(t, plainPolicy, r) })
	}
}

func TestRetryPolicyDefaults(t *testing.T) {
	var typed v1alpha1.RetryPolicy
	stored(t, plainPolicy, "{}", &typed)
	want := v1alpha1.RetryPolicySpec{
		TargetRefs: []v1alpha1.PolicyTargetReference{{Group: new("gateway.networking.k8s.io"), Kind: "HTTPRoute", Name: "search"}},
		DataPlane:  v1alpha1.DataPlaneAuto, Retries: new(int32(2)), Triggers: []v1alpha1.RetryTrigger{v1alpha1.RetryConnectFailure},
	}
	if diff := cmp.Diff(want, typed.Spec); diff != "" {
		t.Errorf("spec as stored (-want +got):\n%s", diff)
	}
}
