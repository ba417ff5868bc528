package simulation

import (
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"

	"slipway.dev/slipway/internal/release"
)

// What seeds have found, told as short as it can be.

// calmWorld has v1 adopted, and versions that are all good. While a release is promoted, a limit is what harm is found by:
// new pods in stable's arm hide it from the comparison.
func calmWorld() *world {
	spec := releaseSpec()
	spec.Analysis.Metrics[0].Limit = "10%"
	w := newWorld(1, spec)
	for _, version := range []string{"v1", "v2", "v3"} {
		w.traffic.badShare[version] = 0.005
	}
	w.run(10 * time.Second)
	return w
}

func (w *world) goTo(t *testing.T, stage release.Stage) {
	t.Helper()
	if !w.until(5*time.Minute, func() bool { return runOf(w.release()).Stage == stage }) {
		t.Fatalf("not in %s: %v\n%s", stage, w.watcher.broken, w.story)
	}
}

func TestFixIsNotQueuedBehindARollbackWithNothingToServe(t *testing.T) {
	w := calmWorld()
	w.people.applyApp("v2")
	w.goTo(t, release.Judging)
	w.people.take(kindDeployment, appName)
	w.goTo(t, release.RollingBack)
	w.people.applyApp("v2")
	w.people.applyApp("v3") // held before the first pod is made
	serves := func() bool {
		d := w.server.get(kindDeployment, appKey).(*appsv1.Deployment)
		return d.Status.AvailableReplicas == appReplicas && w.settled()
	}
	if !w.until(2*time.Minute, serves) {
		t.Errorf("nothing serves: %s, %v\n%s", w.unsettled(), w.watcher.broken, w.story)
	}
}

func TestRouteThatComesLaterIsSeen(t *testing.T) {
	w := calmWorld()
	w.people.take(kindRoute, appName)
	w.people.applyApp("v2")
	w.run(time.Minute)
	w.people.applyRoute(1)
	if !w.until(time.Minute, func() bool { return runOf(w.release()).Stage == release.Preparing }) {
		t.Errorf("the release does not go on: %s, %v\n%s", toldRelease(w.release()), w.watcher.broken, w.story)
	}
}
