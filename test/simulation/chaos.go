package simulation

import (
	"fmt"
	"reflect"
	"slices"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/utils/ptr"

	"slipway.dev/slipway/api/v1alpha1"
	"slipway.dev/slipway/internal/release"
	"slipway.dev/slipway/internal/workload"
)

// A seed's chaos lasts so long; after it everything is as it should be, and the release must come to an end.
const (
	chaosLeast = 75 * time.Second
	chaosMost  = 180 * time.Second
	endWithin  = 20 * time.Minute
)

// profile is a kind of chaos. Seeds take turns, so that a failing one says by its number what it is about.
type profile struct {
	name string
	stir func(w *world)
}

func profiles() []profile {
	return []profile{
		{"late caches", func(w *world) { w.faults.lagMillis = 3000 }},
		{"broken watches", func(w *world) { w.faults.lagMillis, w.faults.breaks = 300, 25 }},
		{"errors", func(w *world) { w.faults.refuse, w.faults.loseAnswer, w.faults.readRefuse = 8, 12, 10 }},
		{"crashes", func(w *world) { w.faults.lagMillis, w.faults.crashBefore, w.faults.crashAfter = 2000, 40, 15 }},
		{"Git", func(w *world) { w.people.may, w.faults.interference = gitHabits(), 15 }},
		{"people", func(w *world) { w.people.may, w.faults.interference = slices.Concat(gitHabits(), personHabits()), 15 }},
		{"harm", func(w *world) { w.people.may, w.faults.interference = slices.Concat(gitHabits(), harmfulHabits()), 15 }},
		{"troubles", func(w *world) { w.people.may = troubles() }},
		{"everything", func(w *world) {
			w.faults.lagMillis, w.faults.breaks = 1500, 60
			w.faults.refuse, w.faults.loseAnswer, w.faults.readRefuse = 20, 25, 25
			w.faults.crashBefore, w.faults.crashAfter, w.faults.interference = 120, 50, 30
			w.people.may = slices.Concat(gitHabits(), personHabits(), harmfulHabits(), troubles())
		}},
	}
}

func profileOf(seed uint64) profile {
	all := profiles()
	return all[seed%uint64(len(all))]
}

// chaos lives through a seed: a release with chaos, and whatever else is stirred up, then calm, to its end.
func chaos(seed uint64, also ...func(w *world)) *world {
	c := newChance(seed)
	spec := releaseSpec()
	if c.in(4) {
		spec.OnDelete = v1alpha1.DeletionTakeChange
	}
	if c.in(5) {
		spec.Steps[c.rng.IntN(2)].Hold = new(true)
	}
	w := newWorld(seed, spec)
	w.drawVersions()
	w.run(w.chance.between(8000, 12000))
	profileOf(seed).stir(w)
	for _, stir := range also {
		stir(w)
	}
	w.people.applyApp("v2")
	if w.chance.in(8) {
		w.loop.after(w.chance.between(1000, 120000), w.people.takeRelease)
	}
	until := w.loop.now.Add(w.chance.between(int(chaosLeast.Milliseconds()), int(chaosMost.Milliseconds())))
	w.people.keepBusy(until, 2000, 30000)
	w.run(until.Sub(w.loop.now))
	w.calm()
	if !w.until(endWithin, w.settled) && w.watcher.broken == nil {
		w.watcher.fail("no end: %s", w.unsettled())
	}
	w.checkQuiet()
	return w
}

// checkQuiet: at the end nothing is left to write, however long one looks. What stood still or was not heard when all
// became calm may have its consequences first, and they come to an end.
func (w *world) checkQuiet() {
	w.run(15 * time.Second)
	n := 0
	for range 2 {
		before := w.watcher.writes
		w.run(90 * time.Second)
		if n = w.watcher.writes - before; n == 0 || !w.settled() {
			return
		}
	}
	w.watcher.fail("quiet at the end: the operator goes on writing, %d times", n)
}

// drawVersions decides what each version is like. The first is good.
func (w *world) drawVersions() {
	how := map[string]behaviour{}
	w.traffic.badShare["v1"] = 0.005
	w.traffic.perSecond = pick(w.chance, 200.0, 200, 200, 20)
	for _, version := range []string{"v2", "v3", "v4"} {
		w.traffic.badShare[version] = pick(w.chance, 0, 0.005, 0.005, 0.01, 0.25)
		how[version] = behaviour{
			startup: w.chance.between(500, 5000), never: w.chance.in(25), crashes: w.chance.in(25),
		}
	}
	how["v1"], how["v5"] = behaviour{startup: 2 * time.Second}, behaviour{startup: time.Second}
	w.rollout.behave = func(version string) behaviour { return how[version] }
}

// calm ends what is wrong, and has people do what only they can do.
func (w *world) calm() {
	w.story.tell("all is calm")
	w.faults.stop()
	w.rollout.stalledUntil, w.plane.stalledUntil = time.Time{}, time.Time{}
	w.prometheus.awayUntil, w.prometheus.deafUntil, w.prometheus.liesUntil = time.Time{}, time.Time{}, time.Time{}
	w.rollout.noRoom = false
	w.admission.routesUnguarded = false
	w.people.may = nil
	w.people.pause(false)
	if cr := w.release(); cr != nil && suspended(cr) {
		w.people.changeRelease("lets the release go on", func(s *v1alpha1.CanaryReleaseSpec) { s.Suspend = nil })
	}
	w.patience()
}

// patience is a person who looks in every minute and says the word that the release waits for.
func (w *world) patience() {
	cr := w.release()
	if cr == nil {
		return
	}
	run := runOf(cr)
	waits := run.Paused || (run.Stage == release.Judging && run.Step < len(cr.Spec.Steps) && ptr.Deref(cr.Spec.Steps[run.Step].Hold, false) && !run.Resumed)
	if waits && len(cr.Annotations) == 0 {
		w.people.ask(release.Resume)
	}
	w.tend()
	w.loop.after(time.Minute, w.patience)
}

// tend is what becomes of the Deployment in calm: Git applies what it has again and again, and where nothing serves,
// somebody pushes a fix.
func (w *world) tend() {
	d, ok := w.server.get(kindDeployment, appKey).(*appsv1.Deployment)
	switch {
	case !ok:
	case workload.PausedByUser(d):
		w.people.pause(false)
	case d.Status.AvailableReplicas == 0 && ptr.Deref(d.Spec.Replicas, 1) > 0:
		w.people.applyApp("v5")
	default:
		w.people.applyApp(w.people.version)
	}
}

// settled says that the release has come to an end.
func (w *world) settled() bool { return w.unsettled() == "" }

// unsettled says what is not as it is at an end.
func (w *world) unsettled() string {
	cr := w.release()
	d, _ := w.server.get(kindDeployment, appKey).(*appsv1.Deployment)
	route, _ := w.server.get(kindRoute, appKey).(*unstructured.Unstructured)
	if d == nil || route == nil {
		return "the Deployment or the route is not there"
	}
	if !reflect.DeepEqual(route.Object["spec"], any(w.people.route)) || route.GetAnnotations()[v1alpha1.SplitAnnotation] != "" {
		return fmt.Sprintf("the route is not as its users wrote it: %v", route.Object["spec"])
	}
	for _, left := range []struct{ kind, name string }{{kindSplit, appName}, {kindService, holdName}} {
		if w.objectsOf(left.kind)[left.name] != nil {
			return left.kind + " " + left.name + " is left"
		}
	}
	if cr == nil {
		return w.unsettledWithout(d)
	}
	run := runOf(cr)
	if run.Stage == release.RolledBack {
		return w.unsettledHeld(d)
	}
	if run.Stage == release.Idle {
		if workload.Held(d) || !workload.RolledOut(d) || versionOf(d.Spec.Template) != w.people.version {
			return fmt.Sprintf("idle: %s, and Git has %s", toldDeployment(d), w.people.version)
		}
		return w.leftOver(0)
	}
	if how := w.rollout.behave(versionOf(d.Spec.Template)); run.Stage == release.LettingThrough && (how.never || how.crashes) && !workload.RolledOut(d) {
		return w.leftOver(0) // what was let through and never gets ready stands as Kubernetes leaves it, until somebody acts
	}
	return "stage " + string(run.Stage) + ": " + toldRelease(cr)
}

// unsettledWithout: the release was deleted, and nothing of it is left.
func (w *world) unsettledWithout(d *appsv1.Deployment) string {
	if workload.Held(d) || d.Spec.Paused {
		return "the release is gone, and the Deployment is held"
	}
	if len(w.server.list(kindRevision)) > 0 {
		return "the release is gone, and records of it are left"
	}
	return w.leftOver(0)
}

// leftOver: no more than so many pods of the canary are left, and no Service of it.
func (w *world) leftOver(pods int) string {
	if w.objectsOf(kindService)[twinName] != nil || w.objectsOf(kindDeployment)[twinName] != nil {
		return "the canary is left"
	}
	for _, o := range w.server.list(kindPod) {
		if o.GetLabels()["deployment"] == twinName {
			pods--
		}
	}
	if pods < 0 {
		return "pods of the canary are left"
	}
	return ""
}

// unsettledHeld: what was rejected is held and serves nobody.
func (w *world) unsettledHeld(d *appsv1.Deployment) string {
	if !workload.Held(d) || versionOf(d.Spec.Template) != w.people.version {
		return fmt.Sprintf("rolled back: %s, and Git has %s", toldDeployment(d), w.people.version)
	}
	held := workload.Revision(d.Spec.Template)
	for _, o := range w.server.list(kindReplicaSet) {
		rs := o.(*appsv1.ReplicaSet)
		if rs.Labels["deployment"] == appName && rs.Status.Replicas > 0 && workload.Revision(rs.Spec.Template) == held {
			return "pods of what was rejected serve"
		}
	}
	for _, o := range w.server.list(kindPod) {
		if o.GetLabels()["deployment"] == twinName {
			return "the failed canary still has pods"
		}
	}
	return ""
}
