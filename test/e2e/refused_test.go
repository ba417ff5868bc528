package e2e

import (
	"fmt"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"slipway.dev/slipway/api/v1alpha1"
)

// app is an application under a CanaryRelease, in which something stands against a canary.
type app struct {
	name       string
	deployment *unstructured.Unstructured
	service    *unstructured.Unstructured
	besides    []*unstructured.Unstructured
	// change is made to the Deployment in Git, besides its version.
	change func(deployment *unstructured.Unstructured)

	// reason and says are what the user is told; early: before any change.
	reason string
	says   []string
	early  bool
}

func newApp(name string) app {
	return app{name: name, deployment: one(deployment(name, good("v1"))), service: service(name)}
}

const (
	podLabels  = "spec.template.metadata.labels"
	containers = "spec.template.spec.containers"
)

// obstacles are what a canary cannot be run with, or could do harm with.
func obstacles() []app {
	other := newApp("other-service")
	set(other.deployment, "web", podLabels+".tier")
	other.besides = []*unstructured.Unstructured{selecting("everything", map[string]any{"tier": "web"})}
	other.reason, other.early = "OtherServiceSelectsCanary", true
	other.says = []string{`Service "everything"`, "tier=web", "add app=other-service to it"}

	leaves := newApp("leaves-service")
	set(leaves.deployment, "shelf", podLabels+".tier")
	leaves.service = selecting("leaves-service", map[string]any{"app": "leaves-service", "tier": "shelf"})
	leaves.change = func(d *unstructured.Unstructured) { set(d, map[string]any{"app": "leaves-service"}, podLabels) }
	leaves.reason = "ChangeLeavesService"
	leaves.says = []string{"spec.template.metadata.labels", `Service "leaves-service"`, "put the labels back"}

	volume := newApp("one-writer")
	volume.besides = []*unstructured.Unstructured{parse(claimManifest)}
	volume.change = func(d *unstructured.Unstructured) {
		set(d, []any{map[string]any{"name": "data", "persistentVolumeClaim": map[string]any{"claimName": "data"}}}, "spec.template.spec.volumes")
	}
	volume.reason = "ExclusiveVolume"
	volume.says = []string{`volume "data"`, `PersistentVolumeClaim "data"`, "ReadWriteOnce", "ReadWriteMany"}

	port := newApp("host-port")
	port.change = func(d *unstructured.Unstructured) {
		list := field(d, containers).([]any)
		list[0].(map[string]any)["ports"] = []any{map[string]any{"name": "http", "containerPort": int64(8080), "hostPort": int64(18080)}}
		set(d, list, containers)
	}
	port.reason = "HostPort"
	port.says = []string{`container "shop"`, "hostPort 18080", "take hostPort away"}

	recreate := newApp("recreate")
	set(recreate.deployment, "Recreate", "spec.strategy.type")
	recreate.reason, recreate.early = "RecreateStrategy", true
	recreate.says = []string{"spec.strategy.type", "RollingUpdate"}

	nothing := newApp("selects-nothing")
	nothing.service = selecting("selects-nothing", map[string]any{"app": "somebody-else"})
	nothing.reason, nothing.early = "ServiceSelectsNothing", true
	nothing.says = []string{"spec.selector", "app=somebody-else", "correct the selector or serviceRef"}

	label := newApp("no-label")
	set(label.deployment, "counter", podLabels+".tier")
	label.service = selecting("no-label", map[string]any{"tier": "counter"})
	label.reason, label.early = "NoCanaryLabel", true
	label.says = []string{`Service "no-label"`, "matchLabels", "add to the Service's selector"}

	long := newApp("long-label")
	value := strings.Repeat("x", 57)
	set(long.deployment, value, "spec.selector.matchLabels.app")
	set(long.deployment, value, podLabels+".app")
	long.service = selecting("long-label", map[string]any{"app": value})
	long.reason, long.early = "NameTooLong", true
	long.says = []string{`label "app" of Deployment "long-label"`, `"-canary" at its end`, "at most 63 characters", "set canary.label"}

	return []app{other, leaves, volume, port, recreate, nothing, label, long}
}

const claimManifest = `
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {name: data}
spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Mi}}}
`

func selecting(name string, selector map[string]any) *unstructured.Unstructured {
	return set(service(name), selector, "spec.selector")
}

// What cannot be run beside stable is refused by name, with what to do about it, before anything is made: when the
// release is set up, if that can be known then. The change stays held, and users stay where they are.
func refusedWithWhatToDo(tb testing.TB) {
	s := newScene(tb, setting{})
	all := obstacles()
	for _, a := range all {
		s.bringUp(a)
	}
	for _, a := range all {
		s.awaitRolledOut(a.name)
	}
	for _, a := range all {
		s.apply(s.releaseOf(a.name))
	}
	for _, a := range all {
		s.awaitFirstWord(a)
	}
	for _, a := range all {
		s.changeApp(a)
	}
	for _, a := range all {
		s.wantRefused(a)
	}
	s.putRight("everything", "other-service")
	s.wantLongNameRefused()
}

// wantLongNameRefused says that a Deployment whose name has no room for ours is refused with the CanaryRelease itself.
func (s *scene) wantLongNameRefused() {
	s.Helper()
	cr := set(plan{}.manifest(), strings.Repeat("x", 52), "spec.targetRef.name")
	cr.SetNamespace(s.namespace)
	cr.SetName("long-name")
	s.admin().wants(s.admin().kubectlOn(cr, "apply", "-f", "-"), 1, "spec.targetRef.name", "may not be more than 51 bytes")
}

func (s *scene) bringUp(a app) {
	s.Helper()
	for _, object := range append(a.besides, a.service, a.deployment, s.routeOf(a.name)) {
		s.apply(object)
	}
}

func (s *scene) routeOf(name string) *unstructured.Unstructured {
	route := s.route(fmt.Sprintf(`[{backendRefs: [{name: %s, port: 80}]}]`, name))
	route.SetName(name)
	return set(route, []any{name + "." + s.host}, "spec.hostnames")
}

func (s *scene) releaseOf(name string) *unstructured.Unstructured {
	cr := plan{name: name}.manifest()
	for _, ref := range []string{"targetRef", "serviceRef"} {
		set(cr, name, "spec."+ref+".name")
	}
	return set(cr, []any{map[string]any{"name": name}}, "spec.routeRefs")
}

// awaitFirstWord waits for what the user is told before any change.
func (s *scene) awaitFirstWord(a app) {
	s.Helper()
	want := v1alpha1.ReasonStable
	if a.early {
		want = a.reason
	}
	s.until(fmt.Sprintf("%s of %s before a change", want, a.name), usual, func() (bool, string) {
		cr, found := s.releases.last(a.name)
		return found && reason(cr) == want, describe(cr)
	})
}

func (s *scene) changeApp(a app) {
	s.Helper()
	next := one(deployment(a.name, good("v2")))
	for _, path := range []string{podLabels, "spec.selector", "spec.strategy"} {
		if value := field(a.deployment, path); value != nil {
			set(next, value, path)
		}
	}
	if a.change != nil {
		a.change(next)
	}
	s.apply(next)
}

// wantRefused says that a change is held, that the user is told why and what to do, and that nothing was made of it.
func (s *scene) wantRefused(a app) {
	s.Helper()
	s.until(a.reason+" of "+a.name, usual, func() (bool, string) {
		cr, _ := s.releases.last(a.name)
		return reason(cr) == a.reason && cr.Status.Stage == "Checking", describe(cr)
	})
	cr, _ := s.releases.last(a.name)
	for _, part := range a.says {
		if !strings.Contains(message(cr), part) {
			s.Errorf("%s: want %q in %q", a.name, part, message(cr))
		}
	}
	accepted := meta.FindStatusCondition(cr.Status.Conditions, v1alpha1.ConditionAccepted)
	if accepted == nil || accepted.Status != "False" || accepted.Reason != a.reason || !is(cr.Status.Conditions, v1alpha1.ConditionStalled) {
		s.Errorf("%s: not Accepted=False and Stalled: %s", a.name, compact(cr.Status.Conditions))
	}
	d := &appsv1.Deployment{}
	if !s.get(d, a.name) || !d.Spec.Paused || d.Annotations[v1alpha1.HeldAnnotation] != a.name || d.Status.UpdatedReplicas != 0 {
		s.Errorf("%s: the change is not held: paused %t, annotations %q, status %s", a.name, d.Spec.Paused, d.Annotations, compact(d.Status))
	}
	s.wantNothingMade(a.name)
}

func (s *scene) wantNothingMade(name string) {
	s.Helper()
	for what, object := range map[string]client.Object{"Deployment": &appsv1.Deployment{}, "Service": &corev1.Service{}} {
		if s.get(object, name+v1alpha1.CanarySuffix) {
			s.Errorf("%s: the canary's %s was made", name, what)
		}
	}
	for _, e := range s.splits.since(0) {
		if e.object.Name == name {
			s.Errorf("%s: a TrafficSplit was made: %s", name, compact(e.object.Spec))
			break
		}
	}
	for _, e := range s.routes.since(0) {
		if _, found := shareIn(e.object, name+v1alpha1.CanarySuffix); found || (e.object.GetName() == name && len(oursIn(e.object.GetAnnotations())) > 0) {
			s.Errorf("%s: the route was changed: annotations %q, spec %s", name, oursIn(e.object.GetAnnotations()), specText(e.object))
			break
		}
	}
}

// putRight takes an obstacle away: the release goes on by itself.
func (s *scene) putRight(service, release string) {
	s.Helper()
	s.admin().does("delete", "service", service)
	s.until("canary after the obstacle is gone", usual, func() (bool, string) {
		cr, _ := s.releases.last(release)
		return s.get(&appsv1.Deployment{}, release+v1alpha1.CanarySuffix), describe(cr)
	})
}

const quotaManifest = `
apiVersion: v1
kind: ResourceQuota
metadata: {name: few}
spec: {hard: {%s}}
`

// A canary that a quota does not let in is no fault of the version: the release says what is in the way, rolls nothing
// back, and goes on by itself when there is room.
func canaryRefusedByAQuota(tb testing.TB) {
	s := newScene(tb, setting{rate: 100})
	s.adopt(plan{steps: holdFirst})
	stable := s.pods()
	s.limit(`count/deployments.apps: "1"`)
	s.push(good("v2"))
	s.awaitQuotaSaid(v1alpha1.ReasonRefused, "exceeded quota: few", "count/deployments.apps")
	if s.get(&appsv1.Deployment{}, "shop"+v1alpha1.CanarySuffix) {
		s.Error("the quota let the canary in: the trial was none")
	}
	s.wantHeld(good("v2"), stable)

	s.limit(`pods: "3"`)
	s.awaitQuotaSaid(v1alpha1.ReasonCanaryNotScheduled, "exceeded quota: few", "pods=")
	s.sample(fewest / 3)
	s.wantHeld(good("v2"), stable)
	s.wantNeverServed("v2")

	s.admin().does("delete", "resourcequota", "few")
	s.awaitHold("1/2")
	s.wantShare(s.sample(fewest), "v2", 0.2)
	s.wantHeld(good("v2"), stable)
	s.wantNoHarm()
}

// limit has the namespace's quota allow so much, and waits until that is counted.
func (s *scene) limit(hard string) {
	s.Helper()
	quota := parse(fmt.Sprintf(quotaManifest, hard))
	s.admin().kubectl("delete", "resourcequota", "few", "--ignore-not-found")
	s.apply(quota)
	s.until("count of the quota", usual, func() (bool, string) {
		live := &corev1.ResourceQuota{}
		return s.get(live, "few") && len(live.Status.Used) > 0, compact(live.Status)
	})
}

// awaitQuotaSaid waits for the reason with a message that names the quota. A Deployment that does not come in is refused
// before the release begins; pods that do not are waited for.
func (s *scene) awaitQuotaSaid(want string, parts ...string) {
	s.Helper()
	s.awaitState("reason that names the quota", usual, func(cr *v1alpha1.CanaryRelease) bool {
		if reason(cr) != want {
			return false
		}
		for _, part := range parts {
			if !strings.Contains(message(cr), part) {
				return false
			}
		}
		return true
	})
}
