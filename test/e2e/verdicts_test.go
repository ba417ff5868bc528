package e2e

import (
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"

	"slipway.dev/slipway/api/v1alpha1"
)

// A good change gets each step's share, is promoted, and leaves nothing behind.
func goodPromoted(tb testing.TB) {
	s := newScene(tb, setting{rate: 100})
	s.adopt(plan{steps: `[{weightPercent: 20, hold: true}, {weightPercent: 50, hold: true}]`})
	s.push(good("v2"))
	s.awaitHold("1/2")
	s.wantShare(s.sample(fewest), "v2", 0.2)
	s.annotate(v1alpha1.RequestResume)
	s.awaitHold("2/2")
	s.wantShare(s.sample(fewest), "v2", 0.5)
	s.annotate(v1alpha1.RequestResume)
	s.awaitPromoted()
	s.wantStepsNeverBack()
	s.wantShare(s.sample(fewest), "v2", 1)
	s.wantNoHarm()
	s.remove()
	s.wantRouteAsWritten()
}

// A bad change is taken off its users, stays held and rejected, and the fix of it goes on from there.
func errorsRolledBack(tb testing.TB) {
	s := newScene(tb, setting{rate: 100})
	s.adopt(plan{keep: "5m"})
	stable := s.pods()
	s.push(failing("v2", "30"))
	s.awaitRolledBack(v1alpha1.ReasonHarmProven)
	s.wantRouteAsWritten()
	s.wantShare(s.sample(fewest), "v2", 0)
	s.wantHeld(good("v2"), stable)
	s.wantFailedKept()
	s.wantRejectedFor(failing("v2", "30"))

	s.push(good("v3"))
	s.awaitPromoted()
	s.wantNoHarm("v2")
}

// wantFailedKept says that the failed canary is there to be looked at, without pods.
func (s *scene) wantFailedKept() {
	s.Helper()
	s.until("failed canary without pods", usual, func() (bool, string) {
		twin := &appsv1.Deployment{}
		if !s.get(twin, "shop"+v1alpha1.CanarySuffix) {
			return false, "its Deployment is gone"
		}
		return *twin.Spec.Replicas == 0 && twin.Status.Replicas == 0, "it has pods"
	})
}

// wantRejectedFor says that the same template, applied again, is no new release.
func (s *scene) wantRejectedFor(v version) {
	s.Helper()
	s.push(v)
	answered := s.sample(fewest / 3)
	s.wantShare(answered, v.name, 0)
	for _, e := range s.states() {
		if e.object.Status.Stage != "RolledBack" {
			s.Errorf("a rejected template was tried again: %s", describe(e.object))
		}
	}
}

// A change that is slow is found out by the proxy's own latencies.
func slowCanaryRolledBack(tb testing.TB) {
	s := newScene(tb, setting{rate: 100})
	s.adopt(plan{})
	stable := s.pods()
	s.push(version{name: "v2", env: map[string]string{"LATENCY_MS": "900", "SLOW_PERCENT": "80"}})
	cr := s.awaitRolledBack(v1alpha1.ReasonHarmProven)
	if !strings.Contains(message(cr), "latency") {
		s.Errorf("the message does not name the metric: %s", describe(cr))
	}
	s.wantCleanedUp()
	s.wantHeld(good("v2"), stable)
	s.wantNoHarm()
}

// A change that cannot stay up gets no users at all.
func crashLoopingCanary(tb testing.TB) {
	s := newScene(tb, setting{rate: 100})
	s.adopt(plan{})
	stable := s.pods()
	s.push(version{name: "v2", env: map[string]string{"CRASH": "true"}})
	cr := s.awaitRolledBack(v1alpha1.ReasonCanaryCrashLooping)
	if !strings.Contains(message(cr), "exit code 1") {
		s.Errorf("the message does not say how it crashes: %s", describe(cr))
	}
	s.wantCleanedUp()
	s.wantHeld(good("v2"), stable)
	s.wantNeverServed("v2")
	s.wantNoHarm()
}

// An image that is not there is no fault of the version, and no reason to send anybody to it.
func missingImage(tb testing.TB) {
	s := newScene(tb, setting{rate: 100})
	s.adopt(plan{})
	stable := s.pods()
	missing := version{name: "v2", image: "localhost/shop:not-there"}
	s.push(missing)
	s.awaitState("reason that names the image", long, func(cr *v1alpha1.CanaryRelease) bool {
		return !is(cr.Status.Conditions, v1alpha1.ConditionReady) &&
			strings.Contains(message(cr), "image "+missing.image+" cannot be pulled: ErrImageNeverPull")
	})
	s.sample(fewest)
	s.wantHeld(missing, stable)
	s.wantNeverServed("v2")

	// The change with its image there goes on from here.
	s.push(good("v3"))
	s.awaitPromoted()
	s.wantNeverServed("v2")
	s.wantNoHarm()
}

// Without requests nothing is known: the release neither goes on nor back, and says why; with requests it goes on.
func noTraffic(tb testing.TB) {
	const look = usual / 3
	s := newScene(tb, setting{})
	s.adopt(plan{})
	s.push(good("v2"))
	cr := s.awaitReason(long, v1alpha1.ReasonNoTraffic, v1alpha1.ReasonNotEnoughTraffic)
	if !strings.Contains(message(cr), "without requests") && !strings.Contains(message(cr), "no requests") {
		s.Errorf("the message does not say that there is no traffic: %s", describe(cr))
	}
	if _, moved := s.within(look, func() (bool, string) {
		now := s.current().Status
		return now.Step != "1/2" || now.Weight != "20%", describe(s.current())
	}); moved {
		s.Errorf("moved without evidence: %s", describe(s.current()))
	}
	s.startLoad(100)
	s.awaitPromoted()
	s.wantNoHarm()
}

// Behind a Gateway that counts a rule's backends together, a filter on the user's own backendRef tells the arms apart.
func measuredByFilter(tb testing.TB) {
	const rules = `[{backendRefs: [{name: shop, port: 80, filters: [
		{type: RequestHeaderModifier, requestHeaderModifier: {set: [{name: X-Shop, value: "yes"}]}}]}]}]`
	s := newScene(tb, setting{gateway: plainGateway, rate: 100, rules: rules})
	s.adopt(plan{})
	s.wantJudged()
}

// So do the application's own counters, told apart by pod.
func measuredByApplication(tb testing.TB) {
	s := newScene(tb, setting{gateway: plainGateway, rate: 100})
	s.adopt(plan{metrics: applicationMetrics})
	s.wantJudged()
}

// wantJudged says that a bad version and a good one are told apart.
func (s *scene) wantJudged() {
	s.Helper()
	stable := s.pods()
	s.push(failing("v2", "30"))
	s.awaitRolledBack(v1alpha1.ReasonHarmProven)
	s.wantCleanedUp()
	s.wantHeld(good("v2"), stable)
	s.push(good("v3"))
	s.awaitPromoted()
	s.wantStepsNeverBack()
	s.wantNoHarm("v2")
}

// Where the arms cannot be told apart, the release is refused before anything is made, and the ways out are named.
func notMeasurableRefused(tb testing.TB) {
	s := newScene(tb, setting{gateway: plainGateway, rate: 100})
	s.apply(plan{}.manifest())
	stable := s.pods()
	s.until("refusal", usual, func() (bool, string) {
		cr, found := s.releases.last("shop")
		return found && reason(cr) == v1alpha1.ReasonArmsNotMeasurable, describe(cr)
	})
	for _, way := range []string{"mergeBackends", "filter", "counts"} {
		if !strings.Contains(message(s.current()), way) {
			s.Errorf("the message does not name %q as a way out: %s", way, describe(s.current()))
		}
	}
	s.push(good("v2"))
	s.sample(fewest)
	if have := reason(s.current()); have != v1alpha1.ReasonArmsNotMeasurable {
		s.Errorf("a change was pushed, and the reason is %s: %s", have, describe(s.current()))
	}
	s.wantCleanedUp()
	s.wantHeld(good("v2"), stable)
	s.wantNeverServed("v2")
	s.wantNoHarm()
}
