package simulation

import (
	"context"
	"time"

	"github.com/go-logr/logr"
	registry "github.com/prometheus/client_golang/prometheus"
	appsv1 "k8s.io/api/apps/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"slipway.dev/slipway/controllers"
	"slipway.dev/slipway/internal/release"
	"slipway.dev/slipway/internal/store"
)

// process is one life of the operator: what it remembers ends with it.
type process struct {
	server *server
	loop   *loop
	faults *faults
	cache  *cache
	// interfere lets others write between what was read and a write.
	interfere func(p *process)
	// wrote is told of each write before it is made, writes of who makes it.
	wrote   func(p *process, a attempt)
	writes  func(p *process)
	sampler *sampler
	queues  []*queue
	// frozen: the process stands still in the midst of a write. Dead: it never goes on.
	frozen, dead bool
	// knew is the latest record when the process stood still.
	knew release.Run
	died func(p *process)
}

// attempt is a write of the operator's.
type attempt struct {
	verb, sub     string
	object        client.Object
	data          []byte
	preconditions *metav1.Preconditions
	do            func() error
}

// crash unwinds a reconcile when its process ends in the midst of it.
type crash struct{}

const (
	releases = iota
	splits
	routes
)

func (w *world) newProcess() *process {
	p := &process{
		server: w.server, loop: w.loop, faults: w.faults, interfere: w.interfere, wrote: w.watcher.attempted,
		writes: func(p *process) { w.writing = p }, died: w.operatorDied, sampler: newSampler(w.prometheus),
	}
	p.cache = newCache(w.server, w.faults)
	p.cache.heard = p.hear
	writer := operatorClient{process: p}
	writes := store.New(writer)
	split, route := controllers.NewTraffic(controllers.TrafficParts{
		Cache: writer, Live: liveReader{p}, Store: writes, Clock: w.loop, Events: silent{},
	})
	looks := &controllers.CanaryReconciler{
		Client: writer, Live: liveReader{p}, Store: writes, Events: silent{}, Judge: controllers.NewBench(p.sampler),
		Endpoints: []string{"default"}, Now: w.loop.Now, Metrics: controllers.NewMetrics(registry.NewRegistry()),
		Guard: &controllers.AdmissionCheck{Live: liveReader{p}, Served: servesAdmission},
	}
	for _, r := range []reconcile.Reconciler{looks, split, route} {
		p.queues = append(p.queues, &queue{process: p, does: r})
	}
	for _, q := range p.queues {
		q.add()
	}
	return p
}

func servesAdmission() (*metav1.APIResourceList, error) {
	return &metav1.APIResourceList{APIResources: []metav1.APIResource{{Name: "mutatingadmissionpolicies"}}}, nil
}

// silent is an event recorder that nobody reads.
type silent struct{}

// Eventf is events.EventRecorder's.
func (silent) Eventf(runtime.Object, runtime.Object, string, string, string, string, ...any) {}

// hear wakes the controllers as their watches do.
func (p *process) hear(kind string, old, now client.Object) {
	o := now
	if o == nil {
		o = old
	}
	switch kind {
	case kindRelease:
		p.queues[releases].add()
	case kindSplit:
		for _, q := range p.queues {
			q.add()
		}
	case kindRevision:
		if now == nil {
			p.queues[releases].add()
		}
	case kindDeployment:
		p.queues[releases].add()
	case kindReplicaSet:
		if owner := metav1.GetControllerOf(o); owner != nil && owner.Name == appName {
			p.queues[releases].add()
		}
	case kindPod:
		p.hearPod(o)
	case kindService:
		p.queues[releases].add()
	case kindSlice:
		p.queues[splits].add()
	case kindRoute:
		p.queues[splits].add()
		p.queues[routes].add()
	}
}

// hearPod finds a pod's release by what the cache knows of its owners.
func (p *process) hearPod(pod client.Object) {
	owner := metav1.GetControllerOf(pod)
	set, ok := p.cache.has[kindReplicaSet][types.NamespacedName{Namespace: namespace, Name: owner.Name}].(*appsv1.ReplicaSet)
	if !ok {
		return
	}
	up := metav1.GetControllerOf(set)
	if up != nil && up.Name == twinName && p.cache.has[kindDeployment][twinKey] != nil {
		p.queues[releases].add()
	}
}

// write makes a write as the API server and fate allow.
func (p *process) write(a attempt) error {
	p.interfere(p)
	if p.faults.crashesBefore() {
		panic(crash{})
	}
	if err := p.faults.refuses(a); err != nil {
		return err
	}
	p.wrote(p, a)
	p.writes(p)
	err := a.do()
	p.writes(nil)
	if err != nil {
		return err
	}
	if p.faults.crashesAfter() {
		panic(crash{})
	}
	return p.faults.losesAnswer()
}

func (p *process) end() {
	p.dead, p.cache.ended = true, true
}

// queue is a controller's work queue. All of the simulation is about one object of each kind.
type queue struct {
	process  *process
	does     reconcile.Reconciler
	queued   bool
	waiting  time.Time
	failures int
	// running keeps a reconcile from being started by what it writes itself.
	count int
}

const reconcileTime = 5 * time.Millisecond

// add has the object looked at soon.
func (q *queue) add() {
	if q.queued {
		return
	}
	q.queued = true
	q.process.loop.after(reconcileTime, q.run)
}

// addAfter has it looked at later, if nothing earlier is planned.
func (q *queue) addAfter(d time.Duration) {
	at := q.process.loop.now.Add(d)
	if !q.waiting.IsZero() && !at.Before(q.waiting) {
		return
	}
	q.waiting = at
	q.process.loop.after(d, func() {
		if q.waiting.Equal(at) {
			q.waiting = time.Time{}
			q.add()
		}
	})
}

// thaws is how often a process that stands still is looked at.
const thaws = 50 * time.Millisecond

func (q *queue) run() {
	if q.process.dead {
		return
	}
	if q.process.frozen {
		q.process.loop.after(thaws, q.run)
		return
	}
	q.queued = false
	q.count++
	result, alive, err := q.reconcile()
	switch {
	case !alive:
		q.process.end()
		q.process.died(q.process)
	case err != nil:
		q.failures++
		q.addAfter(min(5*time.Millisecond<<min(q.failures-1, 20), 1000*time.Second))
	case result.RequeueAfter > 0:
		q.failures = 0
		q.addAfter(result.RequeueAfter)
	default:
		q.failures = 0
	}
}

func (q *queue) reconcile() (result ctrl.Result, alive bool, err error) {
	defer func() {
		if what := recover(); what != nil {
			if _, ok := what.(crash); !ok {
				panic(what)
			}
			alive = false
		}
	}()
	ctx := logr.NewContext(context.Background(), logr.Discard())
	result, err = q.does.Reconcile(ctx, ctrl.Request{NamespacedName: appKey})
	return result, true, err
}
