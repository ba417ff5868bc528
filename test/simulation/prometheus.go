package simulation

import (
	"math"
	"sort"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"slipway.dev/slipway/internal/prom"
	"slipway.dev/slipway/internal/telemetry"
)

const (
	scrapeEvery = 5 * time.Second
)

// counters are what the data plane has counted for an arm since the beginning.
type counters struct{ requests, bad float64 }

// crowd sends requests through the data plane and counts them.
type crowd struct {
	server *server
	plane  *dataPlane
	loop   *loop
	until  time.Time
	// perSecond is how many requests there are.
	perSecond float64
	// answers are the versions of the ready pods behind each Service.
	answers map[string][]string
	// badShare is the share of bad answers of a version.
	badShare       map[string]float64
	canary, stable counters
	// unanswered are requests that went to a Service without a ready pod, by Service.
	unanswered map[string]float64
	// byVersion counts requests that a version has answered.
	byVersion map[string]float64
}

// flow counts the requests since it was last called. Until now nothing has changed for them.
func (t *crowd) flow() {
	seconds := t.loop.now.Sub(t.until).Seconds()
	if seconds <= 0 {
		return
	}
	t.until = t.loop.now
	var total int64
	for _, weight := range t.plane.weights {
		total += weight
	}
	if total == 0 {
		return
	}
	for _, service := range []string{appName, twinName, holdName} {
		weight := t.plane.weights[service]
		if weight == 0 {
			continue
		}
		t.answer(service, t.perSecond*seconds*float64(weight)/float64(total))
	}
}

// look finds out who answers from now on.
func (t *crowd) look() {
	t.flow()
	t.answers = map[string][]string{}
	for _, service := range []string{appName, twinName, holdName} {
		for _, pod := range readyPods(t.server, service) {
			t.answers[service] = append(t.answers[service], pod.Spec.Containers[0].Image)
		}
	}
}

func (t *crowd) answer(service string, requests float64) {
	versions := t.answers[service]
	bad := requests
	if len(versions) == 0 {
		t.unanswered[service] += requests
	} else {
		bad = 0
	}
	for _, version := range versions {
		each := requests / float64(len(versions))
		t.byVersion[version] += each
		bad += each * t.badShare[version]
	}
	switch service {
	case appName:
		t.stable.requests, t.stable.bad = t.stable.requests+requests, t.stable.bad+bad
	case twinName:
		t.canary.requests, t.canary.bad = t.canary.requests+requests, t.canary.bad+bad
	}
}

// scrape is what Prometheus has read at a moment.
type scrape struct {
	at             time.Time
	canary, stable counters
	// lie is what becomes of the interval that ends with it; nil: it is told as it was.
	lie *lie
}

// lie is nonsense that a Prometheus tells, such as samples of a broken exporter.
type lie struct {
	name string
	of   func(c telemetry.Counts) telemetry.Counts
}

func lies() []lie {
	each := func(change func(p telemetry.PodCount) telemetry.PodCount) func(telemetry.Counts) telemetry.Counts {
		return func(c telemetry.Counts) telemetry.Counts {
			for _, arm := range [][]telemetry.PodCount{c.Canary, c.Stable} {
				for i := range arm {
					arm[i] = change(arm[i])
				}
			}
			return c
		}
	}
	return []lie{
		{"no number", each(func(p telemetry.PodCount) telemetry.PodCount { p.Bad = math.NaN(); return p })},
		{"more bad answers than answers", each(func(p telemetry.PodCount) telemetry.PodCount { p.Bad = 2*p.Requests + 1; return p })},
		{"fewer than no requests", each(func(p telemetry.PodCount) telemetry.PodCount { p.Requests = -p.Requests - 1; return p })},
		{"requests without end", each(func(p telemetry.PodCount) telemetry.PodCount { p.Requests = math.Inf(1); return p })},
	}
}

// prometheus scrapes the data plane. It may be away: then there are no scrapes, or they cannot be had.
type prometheus struct {
	loop    *loop
	traffic *crowd
	scrapes []scrape
	// deafUntil: nothing is scraped. awayUntil: no query is answered.
	deafUntil, awayFrom, awayUntil time.Time
	// lie is told until then; lied is how many of the canary's requests nobody was told of truly.
	lie       lie
	liesUntil time.Time
	lied      float64
	// heard is called after each scrape.
	heard func()
}

func (p *prometheus) run() {
	p.traffic.flow()
	if p.loop.now.After(p.deafUntil) {
		t := p.traffic
		now := scrape{at: p.loop.now, canary: whole(t.canary), stable: whole(t.stable)}
		if n := len(p.scrapes); n > 0 && p.loop.now.Before(p.liesUntil) {
			lie := p.lie
			now.lie = &lie
			p.lied += now.canary.requests - p.scrapes[n-1].canary.requests
		}
		p.scrapes = append(p.scrapes, now)
	}
	p.heard()
	p.loop.after(scrapeEvery, p.run)
}

func whole(c counters) counters { return counters{math.Floor(c.requests), math.Floor(c.bad)} }

// counted is what the last scrape has of the canary, without what was lied about.
func (p *prometheus) counted() float64 {
	if len(p.scrapes) == 0 {
		return 0
	}
	return p.scrapes[len(p.scrapes)-1].canary.requests - p.lied
}

// sampler is a process's view of Prometheus, as the operator's own one is: looks between scrapes, each given once.
type sampler struct {
	prometheus *prometheus
	watches    map[types.NamespacedName]*watched
}

type watched struct {
	spec  prom.Watch
	since time.Time
	given time.Time
}

func newSampler(p *prometheus) *sampler {
	return &sampler{prometheus: p, watches: map[types.NamespacedName]*watched{}}
}

// Watch begins to follow a release.
func (s *sampler) Watch(key types.NamespacedName, w prom.Watch) {
	if has, ok := s.watches[key]; ok {
		has.spec = w
		return
	}
	now := s.prometheus.loop.now
	given := w.After
	if given.IsZero() {
		given = now.Add(-w.History)
	}
	s.watches[key] = &watched{spec: w, since: now, given: given}
}

// Forget ends it.
func (s *sampler) Forget(key types.NamespacedName) { delete(s.watches, key) }

// Take gives what is new.
func (s *sampler) Take(key types.NamespacedName) prom.Report {
	w, ok := s.watches[key]
	if !ok {
		return prom.Report{}
	}
	p, now := s.prometheus, s.prometheus.loop.now
	away := now.Before(p.awayUntil)
	newest := w.since
	report := prom.Report{}
	if away {
		report.Problem = "endpoint \"default\" does not answer"
	} else {
		report.Looks = p.looks(w)
	}
	if n := len(report.Looks); n > 0 {
		w.given = report.Looks[n-1].To
	}
	if w.given.After(newest) {
		newest = w.given
	}
	report.NoData = now.Sub(newest) > 3*scrapeEvery+time.Second
	return report
}

// looks are the intervals between scrapes that were not given yet.
func (p *prometheus) looks(w *watched) []telemetry.Look {
	var out []telemetry.Look
	first := sort.Search(len(p.scrapes), func(i int) bool { return p.scrapes[i].at.After(w.given) })
	for i := max(1, first); i < len(p.scrapes); i++ {
		from, to := p.scrapes[i-1], p.scrapes[i]
		if to.at.Sub(from.at) > telemetry.Lookback {
			continue
		}
		look := telemetry.Look{From: from.at, To: to.at}
		for range w.spec.Metrics {
			counts := telemetry.Counts{Canary: counted(from.canary, to.canary), Stable: counted(from.stable, to.stable), PodsUnknown: true}
			if to.lie != nil {
				counts = to.lie.of(counts)
			}
			look.Metrics = append(look.Metrics, counts)
		}
		out = append(out, look)
	}
	return out
}

func counted(from, to counters) []telemetry.PodCount {
	if to.requests <= from.requests {
		return nil
	}
	return []telemetry.PodCount{{Requests: to.requests - from.requests, Bad: min(to.bad-from.bad, to.requests-from.requests)}}
}
