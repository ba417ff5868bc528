package e2e

import (
	"slices"
	"strings"
	"testing"

	"slipway.dev/slipway/api/v1alpha1"
)

// evidence are the scenarios of what is measured and what follows from it.
var evidence = []scenario{
	{"quantile-and-good-counts", quantileAndGoodCounts},
	{"observed-only", observedOnly},
}

// measuredOtherwise are a quantile as the proxy sees it, the whole distribution, a quantile of the application's own
// histogram, and a counter of what is good.
const measuredOtherwise = `[{name: slowest, signal: Latency, quantile: 80%, slowdown: 100%},
	{name: all-latencies, signal: Latency, shape: true, tolerate: {relative: 100%, absolute: 20%}},
	{name: handler, quantile: 80%, slowdown: 100%, histogram: {selector: shop_request_duration_seconds}},
	{name: answered, tolerate: {relative: 20%, absolute: 10%},
		counts: {good: 'shop_requests_total{result="ok"}', total: shop_requests_total}}]`

// A slow version is found by a quantile, a failing one by the good answers that are missing, and a good one is promoted.
func quantileAndGoodCounts(tb testing.TB) {
	s := newScene(tb, setting{rate: 100})
	s.adopt(plan{metrics: measuredOtherwise})
	stable := s.pods()
	s.push(version{name: "v2", env: map[string]string{"LATENCY_MS": "900", "SLOW_PERCENT": "80"}})
	cr := s.awaitRolledBack(v1alpha1.ReasonHarmProven)
	s.wantSaid(cr, "above", "points", "after the first users")
	s.wantHeld(good("v2"), stable)

	s.push(failing("v3", "60"))
	cr = s.awaitRolledBack(v1alpha1.ReasonHarmProven)
	s.wantSaid(cr, "answered", "points")

	s.push(good("v4"))
	s.awaitPromoted()
	s.wantStepsNeverBack()
	for _, m := range s.current().Status.Metrics {
		if m.Canary == "" || m.Health == "" {
			s.Errorf("metric %s has no numbers: %+v", m.Name, m)
		}
	}
}

func (s *scene) wantSaid(cr *v1alpha1.CanaryRelease, words ...string) {
	s.Helper()
	for _, word := range words {
		if !strings.Contains(message(cr), word) {
			s.Errorf("the message does not say %q: %s", word, describe(cr))
		}
	}
}

// What is only observed is scored and said, and nobody acts by it: a step is left by its time or by a person.
func observedOnly(tb testing.TB) {
	s := newScene(tb, setting{rate: 100})
	s.adopt(plan{
		steps:    `[{weightPercent: 20, leaveAfter: 20s}, {weightPercent: 50}]`,
		analysis: `{mode: Observe, every: 2s, warmup: 5s, minStepDuration: 3s, metrics: ` + looseMetrics + `}`,
	})
	s.push(failing("v2", "30"))
	s.awaitState("harm that is said and not acted on", long, func(cr *v1alpha1.CanaryRelease) bool {
		return cr.Status.Step == "1/2" && strings.Contains(message(cr), "this would be rolled back")
	})
	cr := s.awaitHold("2/2")
	if !slices.ContainsFunc(cr.Status.Decisions, func(d v1alpha1.DecisionRecord) bool { return d.Reason == v1alpha1.ReasonHarmProven }) {
		s.Errorf("the decisions do not say that harm was proven: %+v", cr.Status.Decisions)
	}
	s.wantShare(s.sample(fewest), "v2", 0.5)
	s.annotate(v1alpha1.RequestAbort)
	s.awaitRolledBack(v1alpha1.ReasonAbortedByPerson)
	s.wantCleanedUp()

	s.push(good("v3"))
	s.awaitHold("2/2")
	s.annotate(v1alpha1.RequestResume)
	s.awaitPromoted()
}
