package telemetry

import (
	"cmp"
	"maps"
	"slices"
	"time"
)

// Tracker makes looks of the samples of one release.
//
// Where one look ends and the next begins follows from the timestamps of the samples alone (see next), so that a tracker
// that starts again after the last recorded look, and is fed the samples since Lookback before it, makes the same looks
// as one that never stopped. Samples that come to be seen only after a look with their timestamp has ended belong to the
// next look; if the operator is restarted in between, they are lost, and never counted twice.
type Tracker struct {
	meters  []*meter
	targets map[string]*target
	// waiting are the scrapes that no look has used, oldest first.
	waiting []scrape
	// to is the end of the last look in Unix milliseconds; 0 before the first scrape.
	to int64
	// patience is the end of the look after which a target was late at the last feed; 0 for none.
	patience int64
	behind   bool
	twice    map[string]bool
}

// NewTracker returns a tracker whose looks begin after a moment; zero: with the first scrape that it is fed.
func NewTracker(after time.Time, metrics []Metric) *Tracker {
	t := &Tracker{targets: map[string]*target{}, twice: map[string]bool{}}
	if !after.IsZero() {
		t.to = after.UnixMilli()
	}
	t.Follow(metrics)
	return t
}

// Follow replaces the metrics. The state of a metric whose query has the same key is kept.
func (t *Tracker) Follow(metrics []Metric) {
	old := t.meters
	t.meters = make([]*meter, len(metrics))
	for i, m := range metrics {
		j := slices.IndexFunc(old, func(o *meter) bool { return o != nil && o.query.Key() == m.Query.Key() })
		if j < 0 {
			t.meters[i] = newMeter(m, t.to)
			continue
		}
		t.meters[i], old[j] = old[j], nil
		t.meters[i].follow(m)
	}
	t.twice = map[string]bool{}
}

// Selectors are what to fetch for each metric.
func (t *Tracker) Selectors() []Selector {
	s := make([]Selector, len(t.meters))
	for i, m := range t.meters {
		s[i] = m.query.Selector(m.bounds.labels())
	}
	return s
}

// Feed takes the samples of one answer and returns the looks that have ended. Samples that were fed before do no harm.
func (t *Tracker) Feed(fed []Series) []Look {
	known := map[scrape]bool{}
	for _, s := range t.waiting {
		known[s] = true
	}
	for _, m := range t.meters {
		for _, s := range m.feed(fed, t.targets) {
			if !known[s] && s.at > s.target.last {
				known[s] = true
				t.waiting = append(t.waiting, s)
			}
		}
	}
	slices.SortFunc(t.waiting, byTime)
	t.begin()
	looks := t.cut()
	t.forget()
	return looks
}

// begin uses the scrapes from before the first look: they are what differences are made from.
func (t *Tracker) begin() {
	if t.to == 0 && len(t.waiting) > 0 {
		t.to = t.waiting[0].at
		t.useUntil(t.to)
	}
	for _, target := range t.targets {
		if target.last > 0 {
			return
		}
	}
	t.useUntil(t.to)
}

// useUntil uses the scrapes up to a moment.
func (t *Tracker) useUntil(to int64) {
	n := 0
	for n < len(t.waiting) && t.waiting[n].at <= to {
		t.waiting[n].target.use(t.waiting[n].at)
		n++
	}
	t.waiting = t.waiting[n:]
}

func (t *Tracker) cut() []Look {
	var looks []Look
	patient := t.patience == 0 || t.patience != t.to
	for {
		to, v := t.next(patient)
		if v != ends {
			t.behind = v == late
			break
		}
		looks = append(looks, t.end(to))
		patient = true
	}
	t.patience = 0
	if t.behind {
		t.patience = t.to
	}
	return looks
}

// end ends a look.
func (t *Tracker) end(to int64) Look {
	from := t.to
	t.useUntil(to)
	t.to = to
	look := Look{From: millis(from), To: millis(to), Metrics: make([]Counts, len(t.meters))}
	for i, m := range t.meters {
		look.Metrics[i] = m.take(to)
		t.twice[m.name] = m.duplicated(from, to)
		if t.twice[m.name] {
			// Half of it would be right, but which half is not for us to say.
			look.Metrics[i] = Counts{PodsUnknown: look.Metrics[i].PodsUnknown}
		}
	}
	return look
}

// duplicated says whether the same thing is measured twice in an interval.
func (m *meter) duplicated(from, to int64) bool {
	by := map[string]bool{}
	for _, mt := range m.targets {
		if mt.series == 0 || !mt.target.reports(from, to) {
			continue
		}
		if mt.target.twice() {
			return true
		}
		for _, subject := range mt.target.subjects {
			if by[subject] {
				return true
			}
			by[subject] = true
		}
	}
	return false
}

// forget drops what can no longer be the base of a difference.
func (t *Tracker) forget() {
	for _, m := range t.meters {
		maps.DeleteFunc(m.series, func(_ string, s *series) bool { return m.newest-s.fed > 2*lookback })
		maps.DeleteFunc(m.targets, func(_ string, mt *meterTarget) bool { return m.newest-mt.last > 2*lookback })
	}
	maps.DeleteFunc(t.targets, func(_ string, target *target) bool {
		return t.to-target.newest > 2*lookback
	})
}

// Health is how well a release is measured.
type Health struct {
	// Newest is the newest sample's time; zero for none.
	Newest time.Time
	// Due is when the next sample is expected, by the clock of the samples; zero while that is not known.
	Due time.Time
	// Interval is the shortest scrape interval; zero while it is not known.
	Interval time.Duration
	// Behind says that a look waits for a target that should have been scraped by now.
	Behind bool
	// Metrics are in the order in which they were given.
	Metrics []MetricHealth
}

// MetricHealth is how well a metric is measured.
type MetricHealth struct {
	Name string
	// Newest is the newest scrape's time; zero for none.
	Newest time.Time
	// Interval is the longest scrape interval of its targets; zero while it is not known.
	Interval time.Duration
	// Problem is why the metric gives no evidence, Note what the user should know of how it is counted. Both are functions
	// of the state: the same state has the same text.
	Problem, Note string
}

// Health returns how well the release is measured, as of the last Feed.
func (t *Tracker) Health() Health {
	h := Health{Behind: t.behind}
	var newest, due, shortest int64
	for _, target := range t.targets {
		newest = max(newest, target.newest)
		s := target.interval()
		if s == 0 || !target.alive(t.to) {
			continue
		}
		if next := target.newest + s; due == 0 || next < due {
			due = next
		}
		if shortest == 0 || s < shortest {
			shortest = s
		}
	}
	h.Newest, h.Due, h.Interval = moment(newest), moment(due), time.Duration(shortest)*time.Millisecond
	for _, m := range t.meters {
		h.Metrics = append(h.Metrics, m.health(t.twice[m.name]))
	}
	return h
}

func moment(at int64) time.Time {
	if at == 0 {
		return time.Time{}
	}
	return millis(at)
}

func (m *meter) health(twice bool) MetricHealth {
	h := MetricHealth{Name: m.name, Newest: moment(m.newest), Problem: m.problem(twice), Note: m.bounds.note()}
	for _, mt := range m.targets {
		h.Interval = max(h.Interval, time.Duration(mt.target.interval())*time.Millisecond)
	}
	return h
}

func (m *meter) problem(twice bool) string {
	switch {
	case twice:
		return "the same pod or proxy is scraped twice, so that its requests would be counted twice: " +
			"let one scrape job select it, or name the job in the selector"
	case m.bounds.problem() != "":
		return m.bounds.problem()
	case len(m.unreadable) > 0:
		return "its native histogram has boundaries of its own, which cannot be compared: have it scraped as a classic histogram and set type Classic"
	case len(m.refused) > 0:
		reasons := slices.SortedFunc(maps.Keys(m.refused), cmp.Compare[string])
		return reasons[0]
	case !m.counted:
		return "Prometheus has no series for it"
	case m.bad > 1.1*m.requests+10: // what is in flight is no mistake
		return "more bad requests than requests are counted: total must include the bad ones"
	}
	return ""
}
