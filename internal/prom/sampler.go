package prom

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/clock"

	"slipway.dev/slipway/internal/telemetry"
)

// Options are what a sampler needs besides its endpoints.
type Options struct {
	// Clock is what time it is; absent: the real one.
	Clock clock.Clock
	// Notify is called when a release has new looks or its health has changed. It must not block. Absent: nobody is told.
	Notify func(types.NamespacedName)
}

// Sampler reads the samples of all watched releases in the background. Its methods never wait for Prometheus.
type Sampler struct {
	clock     clock.Clock
	notify    func(types.NamespacedName)
	config    Config
	endpoints map[string]*endpoint
	metrics   metrics

	mu      sync.Mutex
	watches map[types.NamespacedName]*watch
}

// asker is an endpoint's client.
type asker interface {
	samples(ctx context.Context, query string) ([]telemetry.Series, error)
	now(ctx context.Context) (time.Time, error)
}

// endpoint is a server and what is known of its clock.
type endpoint struct {
	Endpoint
	client asker
	wake   chan struct{}
	skew   skew
	// next is before when no other round begins.
	next time.Time
}

// New returns a sampler for the endpoints. It does nothing until Start.
func New(c Config, o Options) (*Sampler, error) {
	s := &Sampler{
		clock: o.Clock, notify: o.Notify, config: c, metrics: newMetrics(),
		endpoints: map[string]*endpoint{}, watches: map[types.NamespacedName]*watch{},
	}
	if s.clock == nil {
		s.clock = clock.RealClock{}
	}
	if s.notify == nil {
		s.notify = func(types.NamespacedName) {}
	}
	for _, e := range c.Endpoints {
		client, err := newClient(e)
		if err != nil {
			return nil, err
		}
		s.endpoints[e.Name] = &endpoint{Endpoint: e, client: client, wake: make(chan struct{}, 1)}
	}
	return s, nil
}

// NeedLeaderElection says that only the leader asks Prometheus.
func (s *Sampler) NeedLeaderElection() bool { return true }

// Start reads until the context ends. Each endpoint has a loop of its own, so that one that hangs delays no other.
func (s *Sampler) Start(ctx context.Context) error {
	var loops sync.WaitGroup
	for _, e := range s.endpoints {
		loops.Go(func() { s.run(ctx, e) })
	}
	loops.Wait()
	return nil
}

// Watch follows a release, or follows it differently. The same watch again changes nothing; a changed one keeps the
// state of the series that are still followed. When After has changed, looks that were taken and end later are given
// again: the caller has not recorded them.
func (s *Sampler) Watch(key types.NamespacedName, spec Watch) {
	s.mu.Lock()
	w, ok := s.watches[key]
	moved := ok && w.endpoint != spec.Endpoint
	if !ok || moved {
		w = newWatch(key, spec, s.clock.Now())
		if s.endpoints[spec.Endpoint] == nil {
			w.problem = fmt.Sprintf("Prometheus endpoint %q is not in the operator's configuration, which has: %s", spec.Endpoint, s.config.names())
			w.noData = true
		}
		s.watches[key] = w
	}
	s.mu.Unlock()
	if ok && !moved {
		w.update(spec, s.clock.Now())
	}
	s.wakeUp(spec.Endpoint)
}

// Forget ends following a release.
func (s *Sampler) Forget(key types.NamespacedName) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.watches, key)
}

// Take returns what is new of a release. A release that is not watched has an empty report.
func (s *Sampler) Take(key types.NamespacedName) Report {
	if w := s.find(key); w != nil {
		return w.take()
	}
	return Report{}
}

// Again makes the next Take return what earlier ones have returned after the watch's After: the caller could not record
// it.
func (s *Sampler) Again(key types.NamespacedName) {
	if w := s.find(key); w != nil {
		w.again()
	}
}

func (s *Sampler) find(key types.NamespacedName) *watch {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.watches[key]
}

func (s *Sampler) wakeUp(endpoint string) {
	e, ok := s.endpoints[endpoint]
	if !ok {
		return
	}
	select {
	case e.wake <- struct{}{}:
	default: // it will look at all watches when it wakes up anyway
	}
}

// run asks one endpoint whenever a watch is due.
func (s *Sampler) run(ctx context.Context, e *endpoint) {
	for {
		var alarm <-chan time.Time
		due, some := s.due(e)
		var timer clock.Timer
		if some {
			timer = s.clock.NewTimer(due.Sub(s.clock.Now()))
			alarm = timer.C()
		}
		select {
		case <-ctx.Done():
			return
		case <-e.wake:
		case <-alarm:
		}
		if timer != nil {
			timer.Stop()
		}
		if ctx.Err() != nil {
			return
		}
		if !s.clock.Now().Before(e.next) {
			s.round(ctx, e)
		}
	}
}

// of are the endpoint's watches, in a fixed order.
func (s *Sampler) of(e *endpoint) []*watch {
	s.mu.Lock()
	defer s.mu.Unlock()
	var watches []*watch
	for _, w := range s.watches {
		if w.endpoint == e.Name {
			watches = append(watches, w)
		}
	}
	slices.SortFunc(watches, func(a, b *watch) int { return strings.Compare(a.key.String(), b.key.String()) })
	return watches
}

// due is when the first watch is due and may be read.
func (s *Sampler) due(e *endpoint) (time.Time, bool) {
	var first time.Time
	for _, w := range s.of(e) {
		if due := w.dueAt(); first.IsZero() || due.Before(first) {
			first = due
		}
	}
	return later(first, e.next), !first.IsZero()
}

func (w *watch) dueAt() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.due
}

// company is how much too early a watch may be read to share a query with another.
const company = 30 * time.Millisecond

// round asks for all watches that are due.
func (s *Sampler) round(ctx context.Context, e *endpoint) {
	asked := s.clock.Now()
	var plans []plan
	for _, w := range s.of(e) {
		if !w.dueAt().After(asked.Add(company)) {
			plans = append(plans, w.plan(asked))
		}
	}
	if len(plans) == 0 {
		return
	}
	s.measureSkew(ctx, e)
	answers := s.ask(ctx, e, plans)
	if ctx.Err() != nil {
		return
	}
	e.next = asked.Add(apart(plans))
	for i, p := range plans {
		changed := p.watch.absorb(p, answers[i], asked, e.skew.ahead, e.ScrapeInterval)
		if changed && s.find(p.watch.key) == p.watch {
			s.notify(p.watch.key)
		}
	}
}

// measureSkew asks for the server's time now and then. When it cannot be had, the last difference stays.
func (s *Sampler) measureSkew(ctx context.Context, e *endpoint) {
	before := s.clock.Now()
	if !e.skew.due(before) {
		return
	}
	e.skew.tried = before
	server, err := e.client.now(ctx)
	after := s.clock.Now()
	s.metrics.observe(e.Name, after.Sub(before), 0, err)
	if err == nil {
		e.skew.learn(server, before, after)
	}
}

// atOnce is how many queries are under way to an endpoint at the same time.
const atOnce = 4

// ask sends the queries of a round and sorts what comes.
func (s *Sampler) ask(ctx context.Context, e *endpoint, plans []plan) []answer {
	r := &replies{answers: make([]answer, len(plans))}
	for i, p := range plans {
		r.answers[i].failed = make([]string, len(p.selectors))
	}
	var queries sync.WaitGroup
	slots := make(chan struct{}, atOnce)
	for _, b := range planBatches(plans) {
		slots <- struct{}{}
		queries.Go(func() {
			defer func() { <-slots }()
			s.fetch(ctx, e, b, r)
		})
	}
	queries.Wait()
	return r.answers
}

// replies collects the answers of a round.
type replies struct {
	mu      sync.Mutex
	answers []answer
}

// fetch sends one query. When the server refuses it, it is sent again in halves, so that a release that asks for too
// much spoils the query of no other.
func (s *Sampler) fetch(ctx context.Context, e *endpoint, b batch, r *replies) {
	before := s.clock.Now()
	series, err := e.client.samples(ctx, b.text())
	s.metrics.observe(e.Name, s.clock.Since(before), b.releases(), err)
	if err != nil && causeOf(err) == causeRefused && b.releases() > 1 {
		for _, half := range b.halves() {
			s.fetch(ctx, e, half, r)
		}
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if err != nil {
		b.fail(fmt.Sprintf("Prometheus endpoint %q %s", e.Name, causeOf(err).text()), r.answers)
		return
	}
	b.deliver(series, r.answers)
}
