package e2e

import (
	"context"
	"slices"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/watch"
	"sigs.k8s.io/controller-runtime/pkg/client"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"slipway.dev/slipway/api/v1alpha1"
)

var httpRoute = schema.GroupVersionKind{Group: gatewayv1.GroupName, Version: "v1", Kind: "HTTPRoute"}

// entry is an object as it was from a moment on.
type entry[T client.Object] struct {
	at      time.Time // when the change reached us
	object  T
	deleted bool
}

// journal is every state of some objects that the API server told us of, in order.
type journal[T client.Object] struct {
	mu      sync.Mutex
	entries []entry[T]
	news    *news
}

// news wakes whoever waits for a change.
type news struct {
	mu   sync.Mutex
	next chan struct{}
}

func newNews() *news { return &news{next: make(chan struct{})} }

func (n *news) wait() <-chan struct{} {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.next
}

func (n *news) tell() {
	n.mu.Lock()
	defer n.mu.Unlock()
	close(n.next)
	n.next = make(chan struct{})
}

// follow writes down what happens to the objects of a namespace, until the context ends.
func follow[T client.Object](ctx context.Context, c client.WithWatch, list client.ObjectList, namespace string, n *news) *journal[T] {
	j := &journal[T]{news: n}
	go func() {
		for ctx.Err() == nil {
			w, err := c.Watch(ctx, list, client.InNamespace(namespace))
			if err != nil {
				// The API server is asked again; who waits for an entry says what is missing.
				select {
				case <-ctx.Done():
				case <-time.After(500 * time.Millisecond):
				}
				continue
			}
			for event := range w.ResultChan() {
				j.add(event)
			}
			w.Stop()
		}
	}()
	return j
}

func (j *journal[T]) add(event watch.Event) {
	object, ok := event.Object.(T)
	if !ok {
		return
	}
	j.mu.Lock()
	j.entries = append(j.entries, entry[T]{at: time.Now(), object: object, deleted: event.Type == watch.Deleted})
	j.mu.Unlock()
	j.news.tell()
}

// since gives the entries from an index on.
func (j *journal[T]) since(index int) []entry[T] {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.entries[min(index, len(j.entries)):len(j.entries):len(j.entries)]
}

func (j *journal[T]) len() int {
	j.mu.Lock()
	defer j.mu.Unlock()
	return len(j.entries)
}

// last is the newest state of an object, and false when it is not there.
func (j *journal[T]) last(name string) (T, bool) {
	j.mu.Lock()
	defer j.mu.Unlock()
	for _, e := range slices.Backward(j.entries) {
		if e.object.GetName() == name {
			return e.object, !e.deleted
		}
	}
	var none T
	return none, false
}

// journals are what a scene writes down.
type journals struct {
	releases *journal[*v1alpha1.CanaryRelease]
	splits   *journal[*v1alpha1.TrafficSplit]
	routes   *journal[*unstructured.Unstructured]
}

func (s *scene) keepJournals(ctx context.Context) {
	routes := &unstructured.UnstructuredList{}
	routes.SetGroupVersionKind(httpRoute.GroupVersion().WithKind("HTTPRouteList"))
	s.releases = follow[*v1alpha1.CanaryRelease](ctx, shared, &v1alpha1.CanaryReleaseList{}, s.namespace, s.news)
	s.splits = follow[*v1alpha1.TrafficSplit](ctx, shared, &v1alpha1.TrafficSplitList{}, s.namespace, s.news)
	s.routes = follow[*unstructured.Unstructured](ctx, shared, routes, s.namespace, s.news)
}
