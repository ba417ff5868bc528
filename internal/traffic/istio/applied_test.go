package istio

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"slipway.dev/slipway/internal/traffic"
)

func TestApplied(t *testing.T) {
	now := time.Unix(1000, 0)
	ready := map[string]int{"checkout": 3, "checkout-canary": 1}
	long := traffic.Observed{ReadyEndpoints: ready, GoodSince: now.Add(-SettleTime)}
	status := func(text string) func(*testing.T, *unstructured.Unstructured) {
		return func(t *testing.T, vs *unstructured.Unstructured) {
			t.Helper()
			vs.Object["status"] = object(t, "{apiVersion: v1, kind: Status, metadata: {name: a}, status: "+text+"}").Object["status"]
		}
	}
	tests := map[string]struct {
		intent    traffic.Intent
		edit      func(*testing.T, *unstructured.Unstructured)
		observed  traffic.Observed
		wantState traffic.State
		wantCause traffic.Cause
		wantGood  bool
		wantWake  time.Duration
	}{
		"without a status, for long enough":    {observed: long, wantState: traffic.True, wantGood: true},
		"without a status, for the first time": {observed: traffic.Observed{ReadyEndpoints: ready}, wantCause: traffic.Settling, wantGood: true, wantWake: SettleTime},
		"half of the settle time is left": {
			observed: traffic.Observed{ReadyEndpoints: ready, GoodSince: now.Add(-SettleTime / 2)}, wantCause: traffic.Settling, wantGood: true, wantWake: SettleTime / 2,
		},
		"the analysis finds an error": {
			edit:      status(`{observedGeneration: 3, validationMessages: [{level: ERROR, type: {code: IST0101, name: ReferencedResourceNotFound}}]}`),
			observed:  long,
			wantState: traffic.False, wantCause: traffic.DataPlaneRefused,
		},
		"the analysis warns": {edit: status(`{observedGeneration: "3", validationMessages: [{level: WARNING}]}`), observed: long, wantState: traffic.True, wantGood: true},
		"the analysis is of what was there before": {
			edit: status(`{observedGeneration: "2", validationMessages: [{level: ERROR}]}`), observed: long, wantState: traffic.True, wantGood: true,
		},
		"not all proxies have it": {
			edit: status(`{conditions: [{type: Reconciled, status: "False", observedGeneration: "3", message: 1/2 proxies up to date}]}`), observed: long, wantCause: traffic.DataPlanePending,
		},
		"no ready endpoints behind the canary": {
			observed: traffic.Observed{ReadyEndpoints: map[string]int{"checkout": 3}}, wantState: traffic.False, wantCause: traffic.NoReadyEndpoints,
		},
		"no ready endpoints behind a mirror": {
			intent: split(mirrored, func(s *traffic.Split) { s.Backends = s.Backends[:1] }), observed: traffic.Observed{ReadyEndpoints: map[string]int{"checkout": 3}},
			wantState: traffic.False, wantCause: traffic.NoReadyEndpoints,
		},
		"a canary on its way out needs none": {
			observed: traffic.Observed{Leaving: []string{"checkout-canary"}, GoodSince: now.Add(-time.Hour)}, wantState: traffic.True, wantGood: true,
		},
		"somebody wrote other weights": {
			edit: func(_ *testing.T, vs *unstructured.Unstructured) {
				listOf(listOf(specOf(vs), "http")[0], "route")[0]["weight"] = int64(1)
			},
			observed: long, wantState: traffic.False, wantCause: traffic.WrittenOver,
		},
		"somebody took the record away": {
			edit: func(_ *testing.T, vs *unstructured.Unstructured) { vs.SetAnnotations(nil) }, observed: long, wantState: traffic.False, wantCause: traffic.NotWritten,
		},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			if tc.intent.Empty() {
				tc.intent = split()
			}
			seen := world(t, simple)
			seen = seen.With(mustRender(t, seen, tc.intent))
			seen.Target.SetGeneration(3)
			if tc.edit != nil {
				tc.edit(t, seen.Target)
			}
			apis := seen.APIs
			seen.Observed = tc.observed
			seen.APIs, seen.Now = apis, now
			got := Router{}.Applied(seen, tc.intent)
			want := traffic.Verdict{State: tc.wantState, Cause: tc.wantCause, Good: tc.wantGood, Wake: tc.wantWake}
			if diff := cmp.Diff(want, got, cmpopts.IgnoreFields(traffic.Verdict{}, "Message")); diff != "" {
				t.Errorf("verdict (-want +got):\n%s", diff)
			}
			if (got.Message == "") != (got.State == traffic.True) {
				t.Errorf("message of %s is %q", got.State, got.Message)
			}
		})
	}
}

// TestAppliedSeesTheBudget takes a budget out of the user's DestinationRule again.
func TestAppliedSeesTheBudget(t *testing.T) {
	seen := world(t, simple, destinationRuleOf("mine", `{host: checkout}`))
	intent := retry(budgetOf20)
	seen = seen.With(mustRender(t, seen, intent))
	seen.GoodSince = time.Unix(1, 0)
	seen.Now = time.Unix(1000, 0)
	if v := (Router{}).Applied(seen, intent); v.State != traffic.True {
		t.Fatalf("verdict = %+v", v)
	}
	unstructured.RemoveNestedField(seen.Objects[0].Object, "spec", "trafficPolicy")
	if v := (Router{}).Applied(seen, intent); v.Cause != traffic.WrittenOver {
		t.Errorf("verdict = %+v", v)
	}
}
