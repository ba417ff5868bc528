package controllers

import (
	"context"
	"sync"

	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/util/workqueue"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
)

// Waker has a release looked at soon. Its zero value is ready; it never blocks and loses nothing, because a queue keeps
// each release once.
type Waker struct {
	mu      sync.Mutex
	queue   workqueue.TypedRateLimitingInterface[reconcile.Request]
	waiting []types.NamespacedName
}

// Wake has the release looked at as soon as a worker is free.
func (w *Waker) Wake(key types.NamespacedName) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.queue == nil {
		w.waiting = append(w.waiting, key)
		return
	}
	w.queue.Add(reconcile.Request{NamespacedName: key})
}

// listen is the controller's end.
func (w *Waker) listen(_ context.Context, queue workqueue.TypedRateLimitingInterface[reconcile.Request]) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.queue = queue
	for _, key := range w.waiting {
		queue.Add(reconcile.Request{NamespacedName: key})
	}
	w.waiting = nil
	return nil
}
