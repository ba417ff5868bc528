package telemetry

import (
	"cmp"
	"maps"
	"math"
	"slices"
	"time"

	"slipway.dev/slipway/internal/judge"
)

// lookback is how long a sample stays the base of the next difference. It is also how far back a tracker must be fed
// when it starts again, so that every difference that can be made is made again.
const lookback = int64(Lookback / time.Millisecond)

// Lookback is how much older than the interval of interest the samples must reach.
const Lookback = 5 * time.Minute

// increment is what one scrape adds to one arm.
type increment struct {
	at     int64
	target *target
	arm    Arm
	pod    string
	counts PodCount
	// distribution and reading are of a whole histogram and of a gauge.
	distribution *Distribution
	reading      *Reading
}

// meter follows the series of one metric: it makes increments of their samples.
type meter struct {
	name  string
	query Query
	// discardUntil is the end of what was judged before this meter was fed for the first time.
	discardUntil int64
	fed          bool
	// began is the oldest scrape: what was started later is known from its start.
	began   int64
	newest  int64
	counted bool
	series  map[string]*series
	targets map[string]*meterTarget
	bounds  boundaries
	pending []increment
	// bad and requests are sums over everything, to find selectors that do not fit together.
	bad, requests float64
	refused       map[string]int64
	// unreadable are native histograms whose buckets are no powers of two.
	unreadable map[string]bool
}

// meterTarget is what a meter knows of a target.
type meterTarget struct {
	target *target
	// last is the newest scrape of this metric's series, series how many counters it had.
	last   int64
	series int
}

// series is a counter and its last sample.
type series struct {
	key    string
	labels Labels
	role   Role
	ours   bool
	at     int64
	value  float64
	native judge.NativeHistogram
	// fed is the newest sample's time, whatever became of the sample.
	fed int64
}

// reading is a series' sample in one scrape.
type reading struct {
	series *series
	value  float64
	native *HistogramSample
}

func newMeter(m Metric, discardUntil int64) *meter {
	return &meter{
		name: m.Name, query: m.Query, discardUntil: discardUntil,
		unreadable: map[string]bool{},
		series:     map[string]*series{}, targets: map[string]*meterTarget{}, refused: map[string]int64{},
		bounds: boundaries{want: m.Query.SlowerThan()},
	}
}

// follow takes over a query with the same key: series may have other roles now.
func (m *meter) follow(metric Metric) {
	m.name, m.query = metric.Name, metric.Query
	m.refused = map[string]int64{}
	for _, s := range m.series {
		s.role, s.ours = m.query.Role(s.labels)
	}
}

// feed makes increments of new samples and returns the scrapes that it found.
func (m *meter) feed(fed []Series, targets map[string]*target) []scrape {
	byTarget := m.gather(fed)
	m.bounds.choose()
	var scrapes []scrape
	for _, key := range slices.Sorted(maps.Keys(byTarget)) {
		mt := m.target(key, targets)
		byTime := byTarget[key]
		for _, at := range slices.Sorted(maps.Keys(byTime)) {
			if at <= mt.last {
				continue
			}
			identify(mt.target, byTime[at], at)
			m.scrape(mt, at, byTime[at])
			scrapes = append(scrapes, scrape{at: at, target: mt.target})
		}
	}
	m.fed = m.fed || len(byTarget) > 0
	m.bounds.settle()
	slices.SortStableFunc(m.pending, func(a, b increment) int {
		return cmp.Or(cmp.Compare(a.at, b.at), cmp.Compare(a.target.key, b.target.key))
	})
	return scrapes
}

func (m *meter) target(key string, targets map[string]*target) *meterTarget {
	mt, ok := m.targets[key]
	if !ok {
		t, ok := targets[key]
		if !ok {
			t = &target{key: key, proofs: map[string]int64{}}
			targets[key] = t
		}
		mt = &meterTarget{target: t}
		m.targets[key] = mt
	}
	return mt
}

// gather sorts the samples by target and time. What is no value of a counter is no sample.
func (m *meter) gather(fed []Series) map[string]map[int64][]reading {
	byTarget := map[string]map[int64][]reading{}
	for _, f := range fed {
		s := m.find(f.Labels)
		if len(f.Samples) > 0 {
			s.fed = max(s.fed, f.Samples[len(f.Samples)-1].UnixMillis)
		}
		if !s.ours {
			continue
		}
		for _, sample := range f.Samples {
			if !counts(s.role.Part, sample.Value) {
				continue
			}
			if m.began == 0 || sample.UnixMillis < m.began {
				m.began = sample.UnixMillis
			}
			byTime := byTarget[s.role.Target]
			if byTime == nil {
				byTime = map[int64][]reading{}
				byTarget[s.role.Target] = byTime
			}
			byTime[sample.UnixMillis] = append(byTime[sample.UnixMillis], reading{series: s, value: sample.Value})
		}
		m.gatherNative(byTarget, s, f.Histograms)
		m.note(s, f.Samples)
	}
	return byTarget
}

func counts(p Part, v float64) bool {
	switch p {
	case Presence:
		return v == 1
	case GaugeValue:
		return !math.IsNaN(v) && !math.IsInf(v, 0)
	case NativeHistogram:
		return false // a number is no histogram
	case Requests, Bad, RequestsAndBad, HistogramCount, HistogramBucket:
	}
	return v >= 0 && !math.IsInf(v, 1)
}

func (m *meter) note(s *series, samples []Sample) {
	if len(samples) == 0 {
		return
	}
	if s.role.Refused != "" {
		m.refused[s.role.Refused] = max(m.refused[s.role.Refused], samples[len(samples)-1].UnixMillis)
	}
	if s.role.Part == HistogramBucket {
		m.bounds.add(s.role.LE)
	}
}

func (m *meter) find(labels Labels) *series {
	key := labels.Key()
	s, ok := m.series[key]
	if !ok {
		s = &series{key: key, labels: labels}
		s.role, s.ours = m.query.Role(labels)
		m.series[key] = s
	}
	return s
}

// identify notes on the target what its series say of it.
func identify(t *target, readings []reading, at int64) {
	t.newest = max(t.newest, at)
	for _, r := range readings {
		t.bothArms = r.series.role.BothArms
		t.subjects = r.series.role.Subjects
		if r.series.role.Part == Presence {
			t.proofs[r.series.key] = at
		}
	}
}

// scrape makes increments of one scrape of one target.
//
// A counter that is there for the first time counts from 0 when the target was scraped before without it: all that it
// has counted has happened since. This is how the first errors of a version are seen at once, because proxies and most
// client libraries make the series of a status code with its first request. It does not count from 0 when all the other
// counters of the target went away at the same time: then the series have been given other labels.
func (m *meter) scrape(mt *meterTarget, at int64, readings []reading) {
	m.newest = max(m.newest, at)
	known := mt.last > 0 && at-mt.last <= lookback
	born := known && (mt.series == 0 || continues(readings, mt.last))
	sums := map[sumKey]*sum{}
	counters := 0
	for _, r := range sortedReadings(readings) {
		if r.series.role.Part == Presence || r.series.at >= at {
			continue
		}
		counters++
		sawStart := born || mt.last == 0 && m.sawStart(r.series.role)
		if r.native != nil {
			m.addNative(sums, r, at, sawStart)
			continue
		}
		d, ok := r.delta(at, sawStart)
		r.series.at, r.series.value = at, r.value
		m.add(sums, r.series.role, d, ok)
	}
	mt.last, mt.series = at, counters
	m.counted = m.counted || counters > 0
	m.keep(mt, at, sums)
}

// sortedReadings makes sums of floating-point numbers independent of the order of the answer.
func sortedReadings(readings []reading) []reading {
	slices.SortFunc(readings, func(a, b reading) int { return cmp.Compare(a.series.key, b.series.key) })
	return readings
}

// sawStart says whether the pod was started while this metric was already followed.
func (m *meter) sawStart(r Role) bool { return !r.Started.IsZero() && r.Started.UnixMilli() > m.began }

func continues(readings []reading, last int64) bool {
	return slices.ContainsFunc(readings, func(r reading) bool {
		return r.series.role.Part != Presence && r.series.at == last
	})
}

// delta is what the counter has counted since its last sample; false when that is not known.
func (r reading) delta(at int64, born bool) (float64, bool) {
	if r.series.role.Part == GaugeValue {
		return r.value, true
	}
	if r.series.at > 0 && at-r.series.at <= lookback {
		if r.value < r.series.value {
			return r.value, true
		}
		return r.value - r.series.value, true
	}
	return r.value, born
}

// sumKey tells apart what is counted for itself in one scrape.
type sumKey struct {
	arm       Arm
	pod       string
	histogram string
}

type sum struct {
	requests, bad float64
	below         float64
	counted       bool
	bucketed      bool
	// atMost and native are a whole histogram's, value and readings a gauge's.
	atMost map[float64]float64
	native judge.NativeHistogram
	value  float64
	valued bool
}

func (m *meter) add(sums map[sumKey]*sum, role Role, d float64, known bool) {
	key := sumKey{arm: role.Arm, pod: role.Pod, histogram: role.Histogram}
	s, ok := sums[key]
	if !ok {
		s = &sum{}
		sums[key] = s
	}
	switch role.Part {
	case HistogramCount:
		m.bounds.countSeen = true
		if known {
			s.requests, s.counted = s.requests+d, true
		}
	case HistogramBucket:
		if m.bounds.is(role.LE) {
			m.bounds.bucketSeen = true
			s.below, s.bucketed = s.below+d, known
		}
		if m.bounds.want.Whole && known {
			s.addBucket(role.LE, d)
		}
	case Requests:
		s.addIf(known, d, 0)
	case Bad:
		s.addIf(known, 0, d)
	case RequestsAndBad:
		s.addIf(known, d, d)
	case GaugeValue:
		s.value, s.valued = s.value+d, true
	case Presence, NativeHistogram:
	}
}

func (s *sum) addIf(known bool, requests, bad float64) {
	if known {
		s.requests, s.bad = s.requests+requests, s.bad+bad
	}
}

// keep stores the sums of a scrape, unless they were judged before.
func (m *meter) keep(mt *meterTarget, at int64, sums map[sumKey]*sum) {
	for key, s := range sums {
		if s.valued || m.bounds.want.Whole {
			m.keepOther(mt, at, key, s)
			continue
		}
		if key.histogram != "" {
			if !s.counted || !s.bucketed {
				continue // without its bucket, a count would make every request slow
			}
			s.bad = max(0, s.requests-s.below)
		}
		if at <= m.discardUntil && !m.fed || s.requests == 0 && s.bad == 0 {
			continue
		}
		m.requests, m.bad = m.requests+s.requests, m.bad+s.bad
		m.pending = append(m.pending, increment{
			at: at, target: mt.target, arm: key.arm, pod: key.pod,
			counts: PodCount{Pod: key.pod, Requests: s.requests, Bad: s.bad},
		})
	}
}

// take removes the increments up to a moment and adds them up.
func (m *meter) take(to int64) Counts {
	type podKey struct {
		arm Arm
		pod string
	}
	pods := map[podKey]PodCount{}
	n := 0
	c := Counts{PodsUnknown: m.query.PodsUnknown()}
	for ; n < len(m.pending) && m.pending[n].at <= to; n++ {
		in := m.pending[n]
		if in.distribution != nil || in.reading != nil {
			c.takeOther(in)
			continue
		}
		key := podKey{in.arm, in.pod}
		p := pods[key]
		pods[key] = PodCount{Pod: in.pod, Requests: p.Requests + in.counts.Requests, Bad: p.Bad + in.counts.Bad}
	}
	m.pending = m.pending[n:]
	for key, p := range pods {
		// A counter of bad requests may be ahead of the counter of all of them by what is in flight.
		p.Requests = max(p.Requests, p.Bad)
		switch key.arm {
		case Canary:
			c.Canary = append(c.Canary, p)
		case Stable:
			c.Stable = append(c.Stable, p)
		case UnknownArm:
		}
	}
	sortPods(c.Canary)
	sortPods(c.Stable)
	c.sortOther()
	return c
}

func sortPods(pods []PodCount) {
	slices.SortFunc(pods, func(a, b PodCount) int { return cmp.Compare(a.Pod, b.Pod) })
}
