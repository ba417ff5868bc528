package e2e

import (
	"slices"
	"testing"
)

// scenario is one thing that a user relies on.
type scenario struct {
	name string
	run  func(testing.TB)
}

// alone are the scenarios that others would feel: they run first, one after the other.
func alone() []scenario {
	return slices.Concat(
		operators,
	)
}

// together are the others; within a list, the longest first.
func together() []scenario {
	return slices.Concat(
		autoscalers,
		gitopsTools,
		promotions,
		releases,
		people,
		failures,
		evidence,
	)
}

// releases are the scenarios of one release from its change to its end.
var releases = []scenario{
	{"good-promoted", goodPromoted},
	{"measured-by-application", measuredByApplication},
	{"measured-by-filter", measuredByFilter},
	{"newer-change-mid-release", newerChangeMidRelease},
	{"errors-rolled-back", errorsRolledBack},
	{"reapplied-from-git-deployment-and-route", reappliedFromGit},
	{"rule-and-filter-added-by-user", ruleAndFilterAddedByUser},
	{"extra-backend-and-filter-on-the-rule-are-kept", extraBackendAndFilterKept},
	{"hold-step", holdStep},
	{"crash-looping-canary", crashLoopingCanary},
	{"missing-image", missingImage},
	{"no-traffic", noTraffic},
	{"two-releases-on-one-rule", twoReleasesOnOneRule},
	{"weight-edited-by-hand", weightEditedByHand},
	{"slow-canary-rolled-back", slowCanaryRolledBack},
	{"stable-template-again", stableTemplateAgain},
	{"deleted-mid-step", deletedMidStep},
	{"split-on-its-own", splitOnItsOwn},
	{"not-measurable-refused", notMeasurableRefused},
}

// TestDrills are what people do when the operator is dead or is to go. They have not passed as a whole yet, so that
// make test-e2e leaves them out; make test-drills runs them.
func TestDrills(t *testing.T) {
	t.Run("broken-glass-and-uninstalled", func(t *testing.T) { brokenGlassAndUninstalled(t) })
}

func TestScenarios(t *testing.T) {
	for _, one := range alone() {
		t.Run(one.name, func(t *testing.T) { one.run(t) })
	}
	for _, one := range together() {
		t.Run(one.name, func(t *testing.T) {
			t.Parallel()
			one.run(t)
		})
	}
}
