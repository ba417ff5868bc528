package e2e

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"slipway.dev/slipway/api/v1alpha1"
)

// plan is what a scenario says about its release; the rest is in the manifest.
type plan struct {
	name     string // empty: shop
	steps    string // empty: quickSteps
	metrics  string // empty: looseMetrics
	keep     string // keepFailedFor; empty: 0s
	analysis string // in the place of the whole analysis
	// suspended holds changes and does not begin to release them.
	suspended bool
}

const releaseManifest = `
apiVersion: slipway.dev/v1alpha1
kind: CanaryRelease
metadata: {name: %s}
spec:
  targetRef: {name: shop}
  serviceRef: {name: shop}
  routeRefs: [{name: shop}]
  steps: %s
  canary: {minReplicas: 2, keepFailedFor: %s}
  analysis: %s
`

const (
	quickSteps = `[{weightPercent: 20}, {weightPercent: 50}]`
	// holdFirst stands still at its first step, so that things can be done to it there.
	holdFirst = `[{weightPercent: 20, hold: true}, {weightPercent: 50}]`

	quickAnalysis = `{every: 2s, warmup: 5s, minStepDuration: 3s, metrics: %s}`
	// looseMetrics tolerate enough for health to be proven with the few requests that a scenario sends.
	looseMetrics = `[{name: errors, signal: Errors, tolerate: {relative: 50%, absolute: 2%}},
		{name: latency, signal: Latency, slowerThan: 500ms, tolerate: {relative: 50%, absolute: 5%}}]`
	applicationMetrics = `[{name: answers, tolerate: {relative: 50%, absolute: 2%},
		counts: {bad: 'shop_requests_total{result="failed"}', total: shop_requests_total}}]`
)

func (p plan) manifest() *unstructured.Unstructured {
	or := func(value, otherwise string) string {
		if value == "" {
			return otherwise
		}
		return value
	}
	analysis := or(p.analysis, fmt.Sprintf(quickAnalysis, or(p.metrics, looseMetrics)))
	cr := parse(fmt.Sprintf(releaseManifest, or(p.name, "shop"), or(p.steps, quickSteps), or(p.keep, "0s"), analysis))
	if p.suspended {
		set(cr, true, "spec.suspend")
	}
	return cr
}

// adopt puts the shop under a CanaryRelease and waits until what runs is taken as stable.
func (s *scene) adopt(p plan) {
	s.Helper()
	s.apply(p.manifest())
	s.until("adoption", usual, func() (bool, string) {
		cr, found := s.releases.last("shop")
		return found && is(cr.Status.Conditions, v1alpha1.ConditionReady), describe(cr)
	})
}

// current is the CanaryRelease as it is now.
func (s *scene) current() *v1alpha1.CanaryRelease {
	s.Helper()
	cr, found := s.releases.last("shop")
	if !found {
		s.Fatal("the CanaryRelease is not there")
	}
	return cr
}

// states are those that the release had since the user's last change.
func (s *scene) states() []entry[*v1alpha1.CanaryRelease] {
	return slices.DeleteFunc(slices.Clone(s.releases.since(s.pushed)), func(e entry[*v1alpha1.CanaryRelease]) bool {
		return e.object.Name != "shop"
	})
}

// awaitState waits for a state of the release since the user's last change. A release that ends otherwise is an end to
// waiting: it does not become better.
func (s *scene) awaitState(what string, limit time.Duration, want func(*v1alpha1.CanaryRelease) bool) *v1alpha1.CanaryRelease {
	s.Helper()
	var found *v1alpha1.CanaryRelease
	s.until(what, limit, func() (bool, string) {
		for _, e := range s.states() {
			if want(e.object) {
				found = e.object
				return true, ""
			}
			if rolledBackNow(e.object, s.releaseBefore()) {
				s.Fatalf("no %s: the release was rolled back: %s", what, describe(e.object))
			}
		}
		cr, _ := s.releases.last("shop")
		return false, describe(cr)
	})
	return found
}

// releaseBefore is the state of the release when the user made the last change.
func (s *scene) releaseBefore() *v1alpha1.CanaryRelease {
	before := s.releases.since(0)[:s.pushed]
	if len(before) == 0 {
		return nil
	}
	return before[len(before)-1].object
}

// rolledBackNow tells a rollback from one that was there before the user's last change.
func rolledBackNow(cr, before *v1alpha1.CanaryRelease) bool {
	if cr.Status.Stage != "RolledBack" {
		return false
	}
	return before == nil || before.Status.Stage != "RolledBack" || before.Status.Revision != cr.Status.Revision
}

// awaitReason waits until Ready has one of the reasons.
func (s *scene) awaitReason(limit time.Duration, reasons ...string) *v1alpha1.CanaryRelease {
	s.Helper()
	return s.awaitState("reason "+strings.Join(reasons, " or "), limit, func(cr *v1alpha1.CanaryRelease) bool {
		return slices.Contains(reasons, reason(cr))
	})
}

// awaitHold waits until the release stands at a step that waits for a person.
func (s *scene) awaitHold(step string) *v1alpha1.CanaryRelease {
	s.Helper()
	return s.awaitState("hold at step "+step, long, func(cr *v1alpha1.CanaryRelease) bool {
		return cr.Status.Step == step && reason(cr) == v1alpha1.ReasonWaitingForPerson
	})
}

// awaitPromoted waits until the user's last change is the stable version and the release has cleaned up.
func (s *scene) awaitPromoted() {
	s.Helper()
	rolled := false
	s.awaitState("promotion", long, func(cr *v1alpha1.CanaryRelease) bool {
		rolled = rolled || strings.HasPrefix(cr.Status.Stage, "Promotion")
		return rolled && cr.Status.Stage == "Idle" && is(cr.Status.Conditions, v1alpha1.ConditionReady) &&
			cr.Status.StableRevision == cr.Status.Revision
	})
	s.wantCleanedUp()
	s.wantStable()
}

// awaitRolledBack waits until the user's last change was taken off for one of the reasons, and says when it is over.
func (s *scene) awaitRolledBack(reasons ...string) *v1alpha1.CanaryRelease {
	s.Helper()
	cr := s.awaitState("rollback", long, func(cr *v1alpha1.CanaryRelease) bool { return rolledBackNow(cr, s.releaseBefore()) })
	if !is(cr.Status.Conditions, v1alpha1.ConditionStalled) || is(cr.Status.Conditions, v1alpha1.ConditionReady) {
		s.Errorf("rolled back, and not Stalled: %s", describe(cr))
	}
	if len(reasons) > 0 && !slices.Contains(reasons, reason(cr)) {
		s.Errorf("rolled back, want one of %q: %s", reasons, describe(cr))
	}
	return cr
}

// annotate is what the kubectl verbs do: they ask for something, meant for the present revision.
func (s *scene) annotate(request string) {
	s.Helper()
	cr := s.current()
	patch := fmt.Sprintf(`{"metadata":{"annotations":{%q:%q}}}`, request, cr.Status.Revision)
	if err := shared.Patch(s.Context(), cr.DeepCopy(), client.RawPatch("application/merge-patch+json", []byte(patch))); err != nil {
		s.Fatalf("annotate: %v", err)
	}
}

// wantStepsNeverBack says that the canary's share never fell between the user's last change and the promotion.
func (s *scene) wantStepsNeverBack() {
	s.Helper()
	highest := 0
	for _, e := range s.states() {
		if strings.HasPrefix(e.object.Status.Stage, "PromotionFinishing") {
			return
		}
		share := percent(e.object)
		if share < highest {
			s.Errorf("the share fell from %d%% to %d%%: %s", highest, share, describe(e.object))
		}
		highest = max(highest, share)
	}
}

func percent(cr *v1alpha1.CanaryRelease) int {
	n, err := strconv.Atoi(strings.TrimSuffix(cr.Status.Weight, "%"))
	if err != nil {
		return 0
	}
	return n
}

func is(conditions []metav1.Condition, kind string) bool {
	return meta.IsStatusConditionTrue(conditions, kind)
}

func reason(cr *v1alpha1.CanaryRelease) string {
	if ready := meta.FindStatusCondition(cr.Status.Conditions, v1alpha1.ConditionReady); ready != nil {
		return ready.Reason
	}
	return ""
}

func message(cr *v1alpha1.CanaryRelease) string {
	if ready := meta.FindStatusCondition(cr.Status.Conditions, v1alpha1.ConditionReady); ready != nil {
		return ready.Message
	}
	return ""
}

func describe(cr *v1alpha1.CanaryRelease) string {
	if cr == nil {
		return "there is no CanaryRelease"
	}
	st := cr.Status
	return fmt.Sprintf("stage %q step %q weight %q revision %q stable %q reason %q: %s",
		st.Stage, st.Step, st.Weight, st.Revision, st.StableRevision, reason(cr), message(cr))
}
