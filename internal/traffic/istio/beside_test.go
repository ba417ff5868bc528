package istio

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"slipway.dev/slipway/internal/traffic"
)

func twin() Twin {
	return Twin{Service: "checkout", Name: "checkout-canary", Release: "checkout", Owner: metav1.OwnerReference{
		APIVersion: "slipway.dev/v1alpha1", Kind: "CanaryRelease", Name: "checkout", UID: "u1",
	}}
}

func TestCopies(t *testing.T) {
	tests := map[string]struct {
		rules []string
		want  map[string]string
	}{
		"what the Service has, without subsets": {
			[]string{destinationRuleOf("tls", `{host: checkout.shop.svc.cluster.local, exportTo: ["."], workloadSelector: {matchLabels: {a: b}}, subsets: [{name: v1, labels: {version: v1}}], trafficPolicy: {tls: {mode: ISTIO_MUTUAL}, zzz: 1}}`)},
			map[string]string{"tls-canary": `{host: checkout-canary.shop.svc.cluster.local, exportTo: ["."], workloadSelector: {matchLabels: {a: b}}, trafficPolicy: {tls: {mode: ISTIO_MUTUAL}, zzz: 1}}`},
		},
		"a short host stays short": {
			[]string{destinationRuleOf("a", `{host: checkout}`)}, map[string]string{"a-canary": `{host: checkout-canary}`},
		},
		"several": {
			[]string{destinationRuleOf("b", `{host: checkout}`), destinationRuleOf("a", `{host: checkout}`), destinationRuleOf("c", `{host: cart}`)},
			map[string]string{"a-canary": `{host: checkout-canary}`, "b-canary": `{host: checkout-canary}`},
		},
		"a wildcard holds as it is":               {[]string{destinationRuleOf("all", `{host: "*.shop.svc.cluster.local"}`)}, nil},
		"a rule of the user's goes before copies": {[]string{destinationRuleOf("a", `{host: checkout}`), destinationRuleOf("mine", `{host: checkout-canary}`)}, nil},
		"another namespace's Service":             {[]string{destinationRuleOf("a", `{host: checkout.bank.svc.cluster.local}`)}, nil},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			var rules []*unstructured.Unstructured
			for _, r := range tc.rules {
				rules = append(rules, object(t, r))
			}
			got, err := Copies(rules, twin())
			if err != nil {
				t.Fatal(err)
			}
			again, err := Copies(append(rules, got...), twin())
			if diff := cmp.Diff(got, again); err != nil || diff != "" {
				t.Errorf("with the copies there it is something else (%v):\n%s", err, diff)
			}
			specs := map[string]any{}
			for _, obj := range got {
				specs[obj.GetName()] = obj.Object["spec"]
				if obj.GetNamespace() != "shop" || len(obj.GetOwnerReferences()) != 1 || len(obj.GetLabels()) != 2 {
					t.Errorf("metadata is %v", obj.Object["metadata"])
				}
			}
			want := map[string]any{}
			for name, spec := range tc.want {
				want[name] = object(t, destinationRuleOf(name, spec)).Object["spec"]
			}
			if diff := cmp.Diff(want, specs); diff != "" {
				t.Errorf("copies (-want +got):\n%s", diff)
			}
		})
	}
}

func TestCopiesAreOfTheUsersOwn(t *testing.T) {
	seen := world(t, simple, destinationRuleOf("mine", `{host: checkout, trafficPolicy: {tls: {mode: DISABLE}}}`))
	seen = seen.With(mustRender(t, seen, traffic.Intent{Splits: split().Splits, Retries: retry(budgetOf20).Retries}))
	copies, err := Copies(seen.Of(destinationRule.GroupKind()), twin())
	if err != nil {
		t.Fatal(err)
	}
	want := object(t, destinationRuleOf("mine-canary", `{host: checkout-canary, trafficPolicy: {tls: {mode: DISABLE}}}`))
	if len(copies) != 1 || cmp.Diff(want.Object["spec"], copies[0].Object["spec"]) != "" {
		t.Fatalf("copies = %v", copies)
	}
	// The budget's router finds the copy and writes into it, in the place of a rule of its own.
	seen.Objects = append(seen.Objects, copies...)
	intent := traffic.Intent{Splits: split().Splits, Retries: retry(budgetOf20).Retries}
	after := seen.With(mustRender(t, seen, intent))
	rules := after.Of(destinationRule.GroupKind())
	if len(rules) != 2 || mapOf(mapOf(specOf(rules[1]), "trafficPolicy"), "retryBudget") == nil || rules[1].GetName() != "mine-canary" {
		t.Errorf("rules = %v", rules)
	}
	if again, err := Copies(rules, twin()); err != nil || cmp.Diff(copies, again) != "" {
		t.Errorf("copies of what was written are others (%v)", err)
	}
}

func TestCopiesLeaveOthersNames(t *testing.T) {
	_, err := Copies([]*unstructured.Unstructured{object(t, destinationRuleOf("a", `{host: checkout}`)), object(t, destinationRuleOf("a-canary", `{host: cart}`))}, twin())
	if reasonOf(err) != traffic.Conflicted {
		t.Errorf("err = %v", err)
	}
}

func TestUncovered(t *testing.T) {
	arms := Arms{
		Service: "checkout", Canary: "checkout-canary",
		Labels: map[string]string{"app": "checkout", "team": "shop"}, CanaryLabels: map[string]string{"app": "checkout-canary", "team": "shop"},
	}
	for name, tc := range map[string]struct {
		kind, spec string
		want       bool
	}{
		"the whole namespace":                 {"AuthorizationPolicy", `{action: ALLOW}`, false},
		"by a label that both have":           {"AuthorizationPolicy", `{selector: {matchLabels: {team: shop}}}`, false},
		"by the label that is changed":        {"AuthorizationPolicy", `{action: DENY, selector: {matchLabels: {app: checkout, team: shop}}}`, true},
		"mTLS by the label that is changed":   {"PeerAuthentication", `{mtls: {mode: STRICT}, selector: {matchLabels: {app: checkout}}}`, true},
		"tokens by the label that is changed": {"RequestAuthentication", `{selector: {matchLabels: {app: checkout}}}`, true},
		"other pods":                          {"AuthorizationPolicy", `{selector: {matchLabels: {app: cart}}}`, false},
		"the Service":                         {"AuthorizationPolicy", `{targetRefs: [{group: "", kind: Service, name: checkout}]}`, true},
		"the Service, the old way":            {"AuthorizationPolicy", `{targetRef: {kind: Service, name: checkout}}`, true},
		"both Services":                       {"AuthorizationPolicy", `{targetRefs: [{group: "", kind: Service, name: checkout}, {group: "", kind: Service, name: checkout-canary}]}`, false},
		"a gateway":                           {"AuthorizationPolicy", `{targetRefs: [{group: gateway.networking.k8s.io, kind: Gateway, name: checkout}]}`, false},
		"no policy at all":                    {"Telemetry", `{selector: {matchLabels: {app: checkout}}}`, false},
	} {
		t.Run(name, func(t *testing.T) {
			policy := object(t, "{apiVersion: security.istio.io/v1, kind: "+tc.kind+", metadata: {name: p}, spec: "+tc.spec+"}")
			var want []string
			if tc.want {
				want = []string{tc.kind + " p"}
			}
			if diff := cmp.Diff(want, Uncovered([]*unstructured.Unstructured{policy}, arms)); diff != "" {
				t.Errorf("uncovered (-want +got):\n%s", diff)
			}
		})
	}
}
