package istio

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"slipway.dev/slipway/internal/traffic"
)

// turned is the world as another of its objects sees it.
func turned(tb testing.TB, seen traffic.Seen, to string) traffic.Seen {
	tb.Helper()
	out := traffic.Seen{Observed: seen.Observed, Target: seen.Find(virtualService.GroupKind(), to)}
	for _, obj := range append([]*unstructured.Unstructured{seen.Target}, seen.Objects...) {
		if obj != out.Target {
			out.Objects = append(out.Objects, obj)
		}
	}
	return out
}

const another = `{apiVersion: networking.istio.io/v1, kind: VirtualService, metadata: {name: other}, spec: {hosts: [a.example.com], gateways: [ingress], http: [{route: [{destination: {host: checkout}}]}]}}`

// TestOneBudgetForAService has two VirtualServices send to one Service, whose DestinationRule is a user's or generated.
func TestOneBudgetForAService(t *testing.T) {
	theirs := retry(budgetOf20, func(r *traffic.Retry) { r.Name, r.UID, r.Budget.Percent = "theirs", "r2", 50 })
	for name, rules := range map[string][]string{"a user's": {destinationRuleOf("mine", `{host: checkout}`)}, "generated": nil} {
		t.Run(name, func(t *testing.T) {
			seen := world(t, simple, append(rules, another)...)
			seen = seen.With(mustRender(t, seen, retry(budgetOf20)))
			seen = turned(t, seen, "other")
			if _, err := (Router{}).Render(seen, theirs); reasonOf(err) != traffic.Conflicted {
				t.Errorf("another budget gives %v", err)
			}
			seen = seen.With(mustRender(t, seen, retry(budgetOf20)))
			if got := len(seen.Of(destinationRule.GroupKind())); got != 1 {
				t.Errorf("%d DestinationRules for one policy on two targets", got)
			}
		})
	}
}

// TestOthersBudgetsStay restores a VirtualService while another one has a budget in the same namespace.
func TestOthersBudgetsStay(t *testing.T) {
	seen := world(t, simple, another, destinationRuleOf("mine", `{host: checkout}`))
	seen = seen.With(mustRender(t, seen, retry(budgetOf20)))
	before := seen.Find(destinationRule.GroupKind(), "mine")
	seen = turned(t, seen, "other")
	back, err := Router{}.Restore(seen)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(before.Object, seen.With(back).Find(destinationRule.GroupKind(), "mine").Object); diff != "" {
		t.Errorf("another target's budget (-before +after):\n%s", diff)
	}
}

// TestBudgetOfALostRecord restores a DestinationRule when somebody took the record off the VirtualService.
func TestBudgetOfALostRecord(t *testing.T) {
	seen := world(t, simple, destinationRuleOf("mine", `{host: checkout}`))
	seen = seen.With(mustRender(t, seen, retry(budgetOf20)))
	seen.Target.SetAnnotations(nil)
	back, err := Router{}.Restore(seen)
	if err != nil {
		t.Fatal(err)
	}
	rule := seen.With(back).Find(destinationRule.GroupKind(), "mine")
	if diff := cmp.Diff(object(t, destinationRuleOf("mine", `{host: checkout}`)).Object, rule.Object); diff != "" {
		t.Errorf("DestinationRule (-user +restored):\n%s", diff)
	}
}
