package simulation

import (
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// dataPlane is the gateway: some time after a route has changed it sends traffic by it, and says so in the route's status.
// It is also the controller of EndpointSlices.
type dataPlane struct {
	server *server
	loop   *loop
	chance *chance
	// weights are those of the rule for the app, by Service, as traffic goes now.
	weights map[string]int64
	// stalledUntil is until when the proxies keep the configuration that they have.
	stalledUntil time.Time
	slices       bool
	route        bool
	// moved is called when traffic is about to go elsewhere.
	moved func()
}

func newDataPlane(s *server, c *chance) *dataPlane {
	p := &dataPlane{server: s, loop: s.loop, chance: c, weights: map[string]int64{appName: 1}, moved: func() {}}
	s.heard = append(s.heard, p.hear)
	return p
}

func (p *dataPlane) hear(c change) {
	switch c.kind {
	case kindRoute:
		if c.user != dataPlaneUser && !p.route {
			p.route = true
			p.loop.after(p.chance.between(100, 1500), p.takeUp)
		}
	case kindPod, kindService:
		if !p.slices {
			p.slices = true
			p.loop.after(p.chance.between(50, 400), p.writeSlices)
		}
	}
}

// takeUp sends traffic by the route as it is now; its status follows.
func (p *dataPlane) takeUp() {
	if wait := p.stalledUntil.Sub(p.loop.now); wait > 0 {
		p.loop.after(wait, p.takeUp)
		return
	}
	p.route = false
	p.moved()
	p.weights = map[string]int64{}
	route, ok := p.server.get(kindRoute, appKey).(*unstructured.Unstructured)
	if !ok {
		return
	}
	for _, b := range backendsOf(route) {
		p.weights[b.name] += b.weight
	}
	generation := route.GetGeneration()
	p.loop.after(p.chance.between(50, 800), func() { p.answer(generation) })
}

// answer writes the route's status for the generation that was taken up.
func (p *dataPlane) answer(generation int64) {
	p.server.edit(dataPlaneUser, "status", kindRoute, appKey, func(o client.Object) {
		condition := func(kind string) any {
			return map[string]any{
				"type": kind, "status": "True", "reason": kind, "message": "", "observedGeneration": generation,
				"lastTransitionTime": p.loop.now.Format(time.RFC3339),
			}
		}
		o.(*unstructured.Unstructured).Object["status"] = map[string]any{"parents": []any{map[string]any{
			"parentRef":      map[string]any{"group": "gateway.networking.k8s.io", "kind": "Gateway", "name": "gw"},
			"controllerName": envoyGateway,
			"conditions":     []any{condition("Accepted"), condition("ResolvedRefs")},
		}}}
	})
}

type weighted struct {
	name   string
	weight int64
}

// backendsOf are the backends of the rule for the app: the first one.
func backendsOf(route *unstructured.Unstructured) []weighted {
	rules, _, _ := unstructured.NestedSlice(route.Object, "spec", "rules")
	if len(rules) == 0 {
		return nil
	}
	rule, _ := rules[0].(map[string]any)
	refs, _ := rule["backendRefs"].([]any)
	var out []weighted
	for _, item := range refs {
		ref, _ := item.(map[string]any)
		name, _ := ref["name"].(string)
		weight, found := ref["weight"].(int64)
		if !found {
			weight = 1
		}
		out = append(out, weighted{name, weight})
	}
	return out
}

// shareOnRoute is the part of the app's traffic that a route gives a Service.
func shareOnRoute(route *unstructured.Unstructured, service string) float64 {
	var total, its int64
	for _, b := range backendsOf(route) {
		total += b.weight
		if b.name == service {
			its += b.weight
		}
	}
	if total == 0 {
		return 0
	}
	return float64(its) / float64(total)
}

// readyPods are the ready pods that a Service selects.
func readyPods(s *server, service string) []*corev1.Pod {
	svc, ok := s.get(kindService, types.NamespacedName{Namespace: namespace, Name: service}).(*corev1.Service)
	if !ok {
		return nil
	}
	selector := labels.SelectorFromSet(svc.Spec.Selector)
	var out []*corev1.Pod
	for _, o := range s.list(kindPod) {
		if pod := o.(*corev1.Pod); readyCount(pod) == 1 && selector.Matches(labels.Set(pod.Labels)) {
			out = append(out, pod)
		}
	}
	return out
}

func (p *dataPlane) writeSlices() {
	p.slices = false
	p.moved()
	for _, o := range p.server.list(kindService) {
		slice := &discoveryv1.EndpointSlice{
			ObjectMeta: metav1.ObjectMeta{
				Namespace: namespace, Name: o.GetName(), Labels: map[string]string{discoveryv1.LabelServiceName: o.GetName()},
				OwnerReferences: []metav1.OwnerReference{*metav1.NewControllerRef(o, corev1.SchemeGroupVersion.WithKind(kindService))},
			},
			AddressType: discoveryv1.AddressTypeIPv4,
		}
		for i := range readyPods(p.server, o.GetName()) {
			slice.Endpoints = append(slice.Endpoints, discoveryv1.Endpoint{Addresses: []string{fmt.Sprintf("10.0.0.%d", i+1)}})
		}
		key := client.ObjectKeyFromObject(slice)
		if p.server.get(kindSlice, key) == nil {
			_ = p.server.create(endpointUser, slice)
			continue
		}
		p.server.edit(endpointUser, "", kindSlice, key, func(o client.Object) { o.(*discoveryv1.EndpointSlice).Endpoints = slice.Endpoints })
	}
}
