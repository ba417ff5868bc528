package simulation

import (
	"context"
	"maps"
	"reflect"
	"slices"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"slipway.dev/slipway/api/v1alpha1"
)

// view is what a reader sees of the objects.
type view map[string]map[types.NamespacedName]client.Object

func (v view) read(key client.ObjectKey, into client.Object) error {
	kind := kindOf(into)
	found := v[kind][key]
	if found == nil {
		return apierrors.NewNotFound(resourceOf(kind), key.Name)
	}
	copyInto(found, into)
	return nil
}

func copyInto(from, into client.Object) {
	copied := from.DeepCopyObject()
	if u, ok := into.(*unstructured.Unstructured); ok {
		u.Object = copied.(*unstructured.Unstructured).Object
		return
	}
	reflect.ValueOf(into).Elem().Set(reflect.ValueOf(copied).Elem())
}

func (v view) list(list client.ObjectList, opts ...client.ListOption) error {
	var o client.ListOptions
	o.ApplyOptions(opts)
	var items []runtime.Object
	for _, object := range sorted(v[kindOf(list)]) {
		if o.LabelSelector != nil && !o.LabelSelector.Matches(labels.Set(object.GetLabels())) {
			continue
		}
		if o.FieldSelector != nil && !indexed(object, o) {
			continue
		}
		items = append(items, object.DeepCopyObject())
	}
	return meta.SetList(list, items)
}

// indexed answers for the indexes of the operator's cache.
func indexed(object client.Object, o client.ListOptions) bool {
	for _, r := range o.FieldSelector.Requirements() {
		if !slices.Contains(indexValues(object, r.Field), r.Value) {
			return false
		}
	}
	return true
}

func indexValues(object client.Object, field string) []string {
	var out []string
	switch field {
	case "slipway.dev/split-target":
		for _, ref := range object.(*v1alpha1.TrafficSplit).Spec.RouteRefs {
			out = append(out, "HTTPRoute "+ref.Name)
		}
	case "slipway.dev/slice-service":
		out = append(out, object.GetLabels()["kubernetes.io/service-name"])
	case "slipway.dev/deployment":
		if owner := metav1.GetControllerOf(object); owner != nil {
			out = append(out, owner.Name)
		}
	case "spec.targetRef.name":
		out = append(out, object.(*v1alpha1.CanaryRelease).Spec.TargetRef.Name)
	default:
		panic("no index " + field)
	}
	return out
}

// liveReader reads the truth, as far as the API server answers.
type liveReader struct{ process *process }

// Get is client.Reader's.
func (l liveReader) Get(_ context.Context, key client.ObjectKey, into client.Object, _ ...client.GetOption) error {
	if err := l.process.faults.read(); err != nil {
		return err
	}
	return view(l.process.server.objects).read(key, into)
}

// List is client.Reader's.
func (l liveReader) List(_ context.Context, list client.ObjectList, opts ...client.ListOption) error {
	if err := l.process.faults.read(); err != nil {
		return err
	}
	return view(l.process.server.objects).list(list, opts...)
}

// cache is a process's copy of the objects. Each kind has a watch of its own, which is late by a time of its own, and
// now and then breaks off: then all kinds go on but this one, until it is listed anew and what was missed comes at once.
type cache struct {
	server *server
	loop   *loop
	faults *faults
	has    view
	late   map[string]*watch
	// heard is told of what comes in.
	heard func(kind string, old, now client.Object)
	ended bool
}

type watch struct {
	// last is when the last event comes in: events of a kind keep their order.
	last time.Time
	// broken counts breaks; events of a watch that broke are lost.
	broken int
	// down is until when the watch is broken.
	down time.Time
}

func newCache(s *server, f *faults) *cache {
	c := &cache{server: s, loop: s.loop, faults: f, has: view{}, late: map[string]*watch{}, heard: func(string, client.Object, client.Object) {}}
	for kind, objects := range s.objects {
		c.has[kind] = maps.Clone(objects)
	}
	c.beginOld()
	s.heard = append(s.heard, c.hear)
	return c
}

// beginOld has a cache begin with the answer of an API server that is behind, of some kinds; what it lacks comes later.
func (c *cache) beginOld() {
	since := map[string]time.Time{}
	for _, kind := range slices.Sorted(maps.Keys(c.has)) {
		since[kind] = c.loop.now.Add(-c.faults.behind())
	}
	for _, change := range slices.Backward(c.server.recent) {
		if !change.at.After(since[change.kind]) {
			continue
		}
		if change.old == nil {
			delete(c.has[change.kind], change.key)
		} else {
			c.has[change.kind][change.key] = change.old
		}
	}
	for _, change := range c.server.recent {
		if change.at.After(since[change.kind]) {
			c.hear(change)
		}
	}
}

func (c *cache) watch(kind string) *watch {
	if c.late[kind] == nil {
		c.late[kind] = &watch{}
	}
	return c.late[kind]
}

func (c *cache) hear(change change) {
	w := c.watch(change.kind)
	if c.ended || c.loop.now.Before(w.down) {
		return
	}
	if down := c.faults.watchBreaks(); down > 0 {
		c.breakOff(change.kind, down)
		return
	}
	at := c.loop.now.Add(c.faults.lag())
	if at.Before(w.last) {
		at = w.last
	}
	w.last = at
	broken := w.broken
	c.loop.after(at.Sub(c.loop.now), func() {
		if w.broken == broken {
			c.put(change.kind, change.key, change.new)
		}
	})
}

// breakOff loses the events that are on their way, and all until the watch is there again.
func (c *cache) breakOff(kind string, down time.Duration) {
	w := c.watch(kind)
	w.broken++
	w.down = c.loop.now.Add(down)
	c.loop.after(down, func() { c.relist(kind) })
}

func (c *cache) relist(kind string) {
	for _, o := range sorted(c.has[kind]) {
		key := client.ObjectKeyFromObject(o)
		if c.server.get(kind, key) == nil {
			c.put(kind, key, nil)
		}
	}
	for _, o := range c.server.list(kind) {
		key := client.ObjectKeyFromObject(o)
		if has := c.has[kind][key]; has == nil || has.GetResourceVersion() != o.GetResourceVersion() {
			c.put(kind, key, o)
		}
	}
}

func (c *cache) put(kind string, key types.NamespacedName, o client.Object) {
	if c.ended {
		return
	}
	if c.has[kind] == nil {
		c.has[kind] = map[types.NamespacedName]client.Object{}
	}
	old := c.has[kind][key]
	if o == nil {
		delete(c.has[kind], key)
	} else {
		c.has[kind][key] = o
	}
	c.heard(kind, old, o)
}
