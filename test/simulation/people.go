package simulation

import (
	"time"

	appsv1 "k8s.io/api/apps/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"slipway.dev/slipway/api/v1alpha1"
	"slipway.dev/slipway/internal/release"
)

// people are the users of the shop, a tool that applies what is in Git, and an autoscaler.
type people struct {
	w *world
	// version and edition are what Git has: the image of the app, and the edition of the route.
	version string
	edition int64
	// route is the spec of the route as its users wrote it.
	route map[string]any
	// asked are the requests that a person has made.
	asked map[release.Request]bool
	// meddled is when somebody last wrote to what is the operator's, or took it away.
	meddled time.Time
	may     []habit
}

// habit is something that people do, as often as its number says.
type habit struct {
	often int
	do    func(p *people)
}

func newPeople(w *world) *people {
	return &people{w: w, version: "v1", edition: 1, route: routeManifest(1), asked: map[release.Request]bool{}}
}

func (p *people) doSomething() {
	total := 0
	for _, h := range p.may {
		total += h.often
	}
	if total == 0 {
		return
	}
	at := p.w.chance.rng.IntN(total)
	for _, h := range p.may {
		if at -= h.often; at < 0 {
			h.do(p)
			return
		}
	}
}

// disturbed says that somebody has meddled a short while ago, so that the operator may not have seen it.
func (p *people) disturbed() bool {
	return !p.meddled.IsZero() && p.w.loop.now.Sub(p.meddled) < 30*time.Second
}

func (p *people) meddles(format string, args ...any) {
	p.meddled = p.w.loop.now
	p.w.story.tell(format, args...)
}

// applyApp is Git's apply of the Deployment: its template, and nothing that is not in the manifest.
func (p *people) applyApp(version string) {
	p.version = version
	p.w.story.tell("%-21s applies %s", gitUser, version)
	there := p.w.server.edit(gitUser, "", kindDeployment, appKey, func(o client.Object) {
		o.(*appsv1.Deployment).Spec.Template = appTemplate(version)
	})
	if !there {
		_ = p.w.server.create(gitUser, appDeployment(version))
	}
}

// applyRoute is Git's apply of the route: the manifest's rules, whole.
func (p *people) applyRoute(edition int64) {
	p.edition = edition
	p.route = routeManifest(edition)
	p.meddles("%-21s applies the route, edition %d", gitUser, edition)
	there := p.w.server.edit(gitUser, "", kindRoute, appKey, func(o client.Object) {
		o.(*unstructured.Unstructured).Object["spec"] = runtime.DeepCopyJSON(p.route)
	})
	if !there {
		_ = p.w.server.create(gitUser, untypedRoute(runtime.DeepCopyJSON(p.route)))
	}
}

// editRoute is a person's edit of the live route: a filter, in the midst of what the operator has written.
func (p *people) editRoute(value int64) {
	filters := []any{headerFilter("edited", value)}
	if p.w.server.get(kindRoute, appKey) == nil {
		return
	}
	rule := func(spec any) map[string]any { return spec.(map[string]any)["rules"].([]any)[0].(map[string]any) }
	p.route = runtime.DeepCopyJSON(p.route)
	rule(p.route)["filters"] = runtime.DeepCopyJSONValue(filters)
	p.w.story.tell("%-21s edits a filter of the route", personUser)
	p.w.server.edit(personUser, "", kindRoute, appKey, func(o client.Object) {
		rule(o.(*unstructured.Unstructured).Object["spec"])["filters"] = filters
	})
}

// ask is a person's request by annotation.
func (p *people) ask(verb release.Verb) {
	cr := p.w.release()
	if cr == nil {
		return
	}
	revision := cr.Status.Revision
	if p.w.chance.in(8) {
		revision = "another"
	}
	p.asked[release.Request{Verb: verb, Revision: revision}] = true
	p.w.story.tell("%-21s asks to %s %s", personUser, verb, revision)
	p.w.server.edit(personUser, "", kindRelease, appKey, func(o client.Object) {
		annotations := o.GetAnnotations()
		if annotations == nil {
			annotations = map[string]string{}
		}
		annotations["slipway.dev/"+string(verb)] = revision
		o.SetAnnotations(annotations)
	})
}

func (p *people) hasAsked(verb release.Verb, revision string) bool {
	return p.asked[release.Request{Verb: verb, Revision: revision}]
}

// take deletes an object that is the operator's.
func (p *people) take(kind, name string) {
	key := client.ObjectKey{Namespace: namespace, Name: name}
	if p.w.server.get(kind, key) == nil {
		return
	}
	p.meddles("%-21s deletes %s %s", personUser, kind, name)
	p.w.server.delete(personUser, kind, key)
}

// scaleTo is a person's, or an autoscaler's, change of replicas.
func (p *people) scaleTo(user string, replicas int32) {
	p.w.story.tell("%-21s wants %d replicas", user, replicas)
	p.w.server.edit(user, "scale", kindDeployment, appKey, func(o client.Object) {
		o.(*appsv1.Deployment).Spec.Replicas = new(replicas)
	})
}

// pause is the user's own pause of the Deployment, or its end.
func (p *people) pause(paused bool) {
	p.w.server.edit(personUser, "", kindDeployment, appKey, func(o client.Object) {
		o.(*appsv1.Deployment).Spec.Paused = paused
	})
}

// changeRelease edits the release's spec.
func (p *people) changeRelease(what string, change func(*v1alpha1.CanaryReleaseSpec)) {
	p.w.story.tell("%-21s %s", personUser, what)
	p.w.server.edit(personUser, "", kindRelease, appKey, func(o client.Object) { change(&o.(*v1alpha1.CanaryRelease).Spec) })
}

// loseRecord is a restore from a copy, or an edit of status by hand.
func (p *people) loseRecord() {
	p.meddles("%-21s empties the status of the release", personUser)
	p.w.server.edit(personUser, "status", kindRelease, appKey, func(o client.Object) {
		o.(*v1alpha1.CanaryRelease).Status = v1alpha1.CanaryReleaseStatus{}
	})
}

func suspended(cr *v1alpha1.CanaryRelease) bool { return ptr.Deref(cr.Spec.Suspend, false) }
