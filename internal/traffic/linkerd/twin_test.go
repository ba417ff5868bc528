package linkerd

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"slipway.dev/slipway/internal/traffic"
)

func TestAnnotations(t *testing.T) {
	service := object(t, `{apiVersion: v1, kind: Service, metadata: {name: checkout, annotations: {
  balancer.linkerd.io/failure-accrual: consecutive, balancer.alpha.linkerd.io/failure-accrual-success-rate-window: 10s,
  config.linkerd.io/opaque-ports: "25", retry.linkerd.io/limit: "2", team: a}}}`)
	want := map[string]string{
		"balancer.linkerd.io/failure-accrual": "consecutive", "balancer.alpha.linkerd.io/failure-accrual-success-rate-window": "10s",
		"config.linkerd.io/opaque-ports": "25",
	}
	if diff := cmp.Diff(want, Annotations(service)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestUncovered(t *testing.T) {
	twin := traffic.Twin{StableLabels: map[string]string{"app": "checkout", "team": "a"}, CanaryLabels: map[string]string{"app": "checkout-canary", "team": "a"}}
	policy := func(kind, name, spec string) *unstructured.Unstructured {
		return object(t, "{apiVersion: policy.linkerd.io/v1beta3, kind: "+kind+", metadata: {name: "+name+"}, spec: "+spec+"}")
	}
	objects := []*unstructured.Unstructured{
		policy("Server", "by-name", "{podSelector: {matchLabels: {app: checkout}}, port: http}"),
		policy("Server", "by-expression", "{podSelector: {matchExpressions: [{key: app, operator: In, values: [checkout]}]}, port: http}"),
		policy("Server", "by-team", "{podSelector: {matchLabels: {team: a}}, port: http}"),
		policy("Server", "of-others", "{podSelector: {matchLabels: {app: pay}}, port: http}"),
		policy("Server", "outside", "{externalWorkloadSelector: {}, port: http}"),
		policy("AuthorizationPolicy", "web-only", "{targetRef: {group: policy.linkerd.io, kind: Server, name: by-name}}"),
		policy("HTTPLocalRateLimitPolicy", "slow", "{targetRef: {group: policy.linkerd.io, kind: Server, name: by-name}}"),
		policy("ServerAuthorization", "old", "{server: {name: by-name}}"),
		policy("AuthorizationPolicy", "team", "{targetRef: {group: policy.linkerd.io, kind: Server, name: by-team}}"),
	}
	want := []string{"Server by-expression", "Server by-name (AuthorizationPolicy web-only, HTTPLocalRateLimitPolicy slow, ServerAuthorization old)"}
	if diff := cmp.Diff(want, Uncovered(objects, twin)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
