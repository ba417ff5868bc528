package simulation

import (
	"errors"
	"maps"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"slipway.dev/slipway/api/v1alpha1"
)

// firstRequest is when users come: the shop is up by then.
const firstRequest = 8 * time.Second

var errUnwell = errors.New("etcd is unwell")

// world is everything: the cluster, the operator, and what is known of what people want.
type world struct {
	seed       uint64
	loop       *loop
	chance     *chance
	server     *server
	admission  *admission
	rollout    *rollout
	plane      *dataPlane
	traffic    *crowd
	prometheus *prometheus
	faults     *faults
	// operator is the process that leads; writing is the one whose write is being made.
	operator, writing *process
	people            *people
	watcher           *watcher
	story             *story
	crashes           int
	// interfering keeps others' writes from being interfered with themselves.
	interfering bool
}

func newWorld(seed uint64, spec v1alpha1.CanaryReleaseSpec) *world {
	w := &world{seed: seed, loop: newLoop(), chance: newChance(seed)}
	w.server = newServer(w.loop)
	w.admission = &admission{server: w.server}
	w.server.admit = w.admission.admit
	w.rollout = newRollout(w.server, w.chance)
	w.plane = newDataPlane(w.server, w.chance)
	w.traffic = &crowd{
		server: w.server, plane: w.plane, loop: w.loop, until: w.loop.now.Add(firstRequest), answers: map[string][]string{}, perSecond: 200,
		badShare: map[string]float64{}, byVersion: map[string]float64{}, unanswered: map[string]float64{},
	}
	w.plane.moved = w.traffic.flow
	w.server.heard = append(w.server.heard, func(c change) {
		if c.kind == kindPod || c.kind == kindService {
			w.traffic.look()
		}
	})
	w.prometheus = &prometheus{loop: w.loop, traffic: w.traffic, heard: w.scraped}
	w.faults = &faults{chance: w.chance, loop: w.loop}
	w.story = &story{loop: w.loop, began: w.loop.now}
	w.people = newPeople(w)
	w.watcher = newWatcher(w)
	w.server.heard = append(w.server.heard, w.watcher.hear, w.story.hear)
	for _, o := range shop(spec) {
		_ = w.server.create(gitUser, o)
	}
	w.loop.after(scrapeEvery, w.prometheus.run)
	w.operator = w.newProcess()
	return w
}

// scraped wakes the operator when there is something to look at, as its sampler does.
func (w *world) scraped() {
	if len(w.operator.sampler.watches) > 0 && !w.operator.dead {
		w.operator.queues[releases].add()
	}
}

// interfere lets somebody write between what the operator has read and what it is about to write.
func (w *world) interfere(p *process) {
	w.failOver(p)
	if w.interfering || !w.faults.hits(w.faults.interference) {
		return
	}
	w.interfering = true
	w.people.doSomething()
	w.interfering = false
}

// longestFreeze is how long a process may stand still and then go on as if nothing had been: a virtual machine that was
// paused, or a lease that ran out while its holder waited for memory.
const longestFreeze = 20 * time.Second

// failOver has a process stand still before a write while another one takes the lead. Then it makes that write, and goes
// on for a little while until it sees that it leads no more.
func (w *world) failOver(old *process) {
	if old != w.operator || !w.faults.hits(w.faults.failover) {
		return
	}
	w.story.tell("another operator takes the lead, in the midst of a write of the old one")
	old.knew, old.frozen = w.watcher.last, true
	w.operator = w.newProcess()
	w.run(w.chance.between(10, int(longestFreeze.Milliseconds())))
	old.frozen = false
	w.loop.after(w.chance.between(1, 5000), old.end)
}

// operatorDied starts a new process after a while. It remembers nothing.
func (w *world) operatorDied(p *process) {
	if p != w.operator {
		return
	}
	w.crashes++
	w.story.tell("the operator crashes")
	w.loop.after(w.chance.between(200, 6000), func() { w.operator = w.newProcess() })
}

// run lets time pass until something is broken.
func (w *world) run(d time.Duration) {
	end := w.loop.now.Add(d)
	for w.watcher.broken == nil && w.loop.step(end) {
		continue
	}
}

// until lets time pass until a condition holds; false when it does not within the time.
func (w *world) until(d time.Duration, holds func() bool) bool {
	end := w.loop.now.Add(d)
	for w.watcher.broken == nil {
		if holds() {
			return true
		}
		if !w.loop.step(end) {
			return holds()
		}
	}
	return false
}

func (w *world) release() *v1alpha1.CanaryRelease {
	cr, _ := w.server.get(kindRelease, appKey).(*v1alpha1.CanaryRelease)
	return cr
}

// objectsOf gives copies of the maps of all objects, for comparing.
func (w *world) objectsOf(kind string) map[string]client.Object {
	out := map[string]client.Object{}
	for key, o := range maps.All(w.server.objects[kind]) {
		out[key.Name] = o
	}
	return out
}
