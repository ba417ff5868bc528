package simulation

import (
	appsv1 "k8s.io/api/apps/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// people are the users of the shop, a tool that applies what is in Git, and an autoscaler.
type people struct {
	w *world
	// version and edition are what Git has: the image of the app, and the edition of the route.
	version string
	edition int64
	// route is the spec of the route as its users wrote it.
	route map[string]any
}

func newPeople(w *world) *people {
	return &people{w: w, version: "v1", edition: 1, route: routeManifest(1)}
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
	p.w.story.tell("%-21s applies the route, edition %d", gitUser, edition)
	there := p.w.server.edit(gitUser, "", kindRoute, appKey, func(o client.Object) {
		o.(*unstructured.Unstructured).Object["spec"] = runtime.DeepCopyJSON(p.route)
	})
	if !there {
		_ = p.w.server.create(gitUser, untypedRoute(runtime.DeepCopyJSON(p.route)))
	}
}

func (p *people) doSomething() {}
