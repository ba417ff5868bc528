package prom

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"slipway.dev/slipway/internal/telemetry"
)

// Watch is what to read for a release.
type Watch struct {
	// Endpoint is the name of a configured endpoint.
	Endpoint string
	// Every is the longest time between queries. Where it is longer than the scrape interval, several scrapes are read at
	// once, each a look; where it is not, each scrape is read as soon as it is there.
	Every time.Duration
	// History is how far back the first query reads; at most an hour.
	History time.Duration
	// After is the end of the last look that the caller has recorded; zero: none, and all history is given.
	After time.Time
	// Metrics are followed in this order.
	Metrics []MetricWatch
}

// MetricWatch is a metric to follow.
type MetricWatch struct {
	Name  string
	Query telemetry.Query
}

// Report is what is new of a release, and how well it is measured.
type Report struct {
	// Looks have ended since the last Take, oldest first.
	Looks []telemetry.Look
	// LastSuccess is when Prometheus last answered, by our clock; LastSample the newest sample's time, by its own.
	LastSuccess, LastSample time.Time
	// Problem is why there is less evidence than there should be, as a sentence that is the same for the same state;
	// empty when all is well.
	Problem string
	// Notes say what the user should know of how metrics are counted. They are no problem.
	Notes []string
	// NoData says that a metric has missed three scrapes in a row, or has had none in the time of three.
	NoData bool
}

const (
	// maxHistory bounds Watch.History.
	maxHistory = time.Hour
	// maxKept bounds the looks that are kept for a caller that does not come for them, or might ask again.
	maxKept = 8192
)

// watch is a release that is followed.
type watch struct {
	key      types.NamespacedName
	endpoint string

	mu      sync.Mutex
	spec    Watch
	tracker *telemetry.Tracker
	// ready are looks that were not taken, taken those that might be wanted again.
	ready, taken []telemetry.Look
	// fetched are the keys of the queries that have been answered once.
	fetched map[string]bool
	// lastLook is the end of the last look, since when the watch exists.
	lastLook, since time.Time
	success         time.Time
	health          telemetry.Health
	problem         string
	noData          bool
	pace            pace
	due             time.Time
}

func newWatch(key types.NamespacedName, spec Watch, now time.Time) *watch {
	w := &watch{key: key, endpoint: spec.Endpoint, spec: spec, fetched: map[string]bool{}, lastLook: spec.After, since: now, due: now}
	w.tracker = telemetry.NewTracker(spec.After, metricsOf(spec))
	return w
}

func metricsOf(spec Watch) []telemetry.Metric {
	metrics := make([]telemetry.Metric, len(spec.Metrics))
	for i, m := range spec.Metrics {
		metrics[i] = telemetry.Metric(m)
	}
	return metrics
}

// update takes a changed spec. The state of the series that are still followed is kept.
func (w *watch) update(spec Watch, now time.Time) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !spec.After.Equal(w.spec.After) {
		w.resume(spec.After)
	}
	if !sameMetrics(w.spec.Metrics, spec.Metrics) {
		w.tracker.Follow(metricsOf(spec))
		if w.unfetched(spec) {
			w.due = now
		}
	}
	w.spec = spec
	w.pace.every = spec.Every
	if !w.pace.asked.IsZero() {
		w.due = earlier(w.due, w.pace.next())
	}
}

// resume makes ready again what the caller has taken and not recorded, and drops what it has recorded.
func (w *watch) resume(after time.Time) {
	all := slices.Concat(w.taken, w.ready)
	w.taken = nil
	w.ready = slices.DeleteFunc(all, func(l telemetry.Look) bool { return !l.To.After(after) })
}

func (w *watch) unfetched(spec Watch) bool {
	return slices.ContainsFunc(spec.Metrics, func(m MetricWatch) bool { return !w.fetched[m.Query.Key()] })
}

func (w *watch) take() Report {
	w.mu.Lock()
	defer w.mu.Unlock()
	r := Report{
		Looks: w.ready, LastSuccess: w.success, LastSample: w.health.Newest,
		Problem: w.problem, NoData: w.noData, Notes: w.notes(),
	}
	w.taken = bounded(append(w.taken, w.ready...))
	w.ready = nil
	return r
}

// again makes ready what was taken.
func (w *watch) again() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.resume(w.spec.After)
}

func bounded(looks []telemetry.Look) []telemetry.Look {
	return looks[max(0, len(looks)-maxKept):]
}

func (w *watch) notes() []string {
	var notes []string
	for _, m := range w.health.Metrics {
		if m.Note != "" {
			notes = append(notes, fmt.Sprintf("metric %q: %s", m.Name, m.Note))
		}
	}
	slices.Sort(notes)
	return notes
}

// plan is what to fetch for a watch in a round.
type plan struct {
	watch     *watch
	selectors []telemetry.Selector
	keys      []string
	window    time.Duration
}

func (w *watch) plan(now time.Time) plan {
	w.mu.Lock()
	defer w.mu.Unlock()
	p := plan{watch: w, selectors: w.tracker.Selectors(), window: w.window(now)}
	for _, m := range w.spec.Metrics {
		p.keys = append(p.keys, m.Query.Key())
	}
	return p
}

// window is how far back to read. What was read before does no harm.
func (w *watch) window(now time.Time) time.Duration {
	if !w.unfetched(w.spec) {
		margin := max(15*time.Second, 3*w.health.Interval)
		return roundWindow(now.Sub(w.success) + margin)
	}
	if w.lastLook.IsZero() {
		return roundWindow(max(min(w.spec.History, maxHistory), blind))
	}
	// The minute is for a clock that differs from ours.
	return roundWindow(now.Sub(w.lastLook) + telemetry.Lookback + time.Minute)
}

// answer is what a round has brought for a watch.
type answer struct {
	series []telemetry.Series
	// failed says for each of the plan's selectors what went wrong; empty for nothing.
	failed []string
}

// absorb takes an answer and reports whether the caller should look at the release.
func (w *watch) absorb(p plan, a answer, asked time.Time, skew, expected time.Duration) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	answered := false
	for i, failure := range a.failed {
		if failure == "" {
			answered = true
			w.fetched[p.keys[i]] = true
		}
	}
	before := w.health.Newest
	news := false
	if answered {
		news = w.feed(a.series)
		w.success = asked
	}
	w.schedule(asked, skew, answered, w.health.Newest.After(before))
	return w.judge(a.failed, asked.Add(skew), expected) || news
}

func (w *watch) feed(series []telemetry.Series) bool {
	looks := w.tracker.Feed(series)
	w.health = w.tracker.Health()
	if len(looks) == 0 {
		return false
	}
	w.lastLook = looks[len(looks)-1].To
	for _, l := range looks {
		if l.To.After(w.spec.After) {
			w.ready = append(w.ready, l)
		}
	}
	w.ready = bounded(w.ready)
	return len(w.ready) > 0
}

func (w *watch) schedule(asked time.Time, skew time.Duration, answered, progress bool) {
	w.pace.asked, w.pace.every = asked, w.spec.Every
	w.pace.interval, w.pace.behind = w.health.Interval, w.health.Behind
	w.pace.due = time.Time{}
	if !w.health.Due.IsZero() {
		w.pace.due = w.health.Due.Add(-skew)
	}
	switch {
	case !answered:
		w.pace.failed++
	case progress:
		w.pace.failed, w.pace.idle = 0, 0
	default:
		w.pace.failed, w.pace.idle = 0, w.pace.idle+1
	}
	w.due = w.pace.next()
}

// judge renews problem and noData, and reports whether they have changed. now is by the server's clock.
func (w *watch) judge(failed []string, now time.Time, expected time.Duration) bool {
	var problems []string
	for _, f := range failed {
		if f != "" {
			problems = append(problems, f)
		}
	}
	noData := false
	for i, m := range w.healthOf() {
		noData = noData || w.starved(m, now, expected)
		if i < len(failed) && failed[i] == "" && m.Problem != "" {
			problems = append(problems, fmt.Sprintf("metric %q: %s", m.Name, m.Problem))
		}
	}
	slices.Sort(problems)
	problem := strings.Join(slices.Compact(problems), "; ")
	changed := problem != w.problem || noData != w.noData
	w.problem, w.noData = problem, noData
	return changed
}

// interval is the time between the scrapes of what is followed; zero while that is not known.
func (w *watch) interval() time.Duration {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.health.Interval
}

// healthOf is the health of each metric, also when nothing was ever answered.
func (w *watch) healthOf() []telemetry.MetricHealth {
	if len(w.health.Metrics) == len(w.spec.Metrics) {
		return w.health.Metrics
	}
	return make([]telemetry.MetricHealth, len(w.spec.Metrics))
}

// starved says whether a metric has missed three scrapes in a row.
func (w *watch) starved(m telemetry.MetricHealth, now time.Time, expected time.Duration) bool {
	interval := m.Interval
	if interval == 0 {
		interval = max(expected, w.spec.Every)
	}
	since := m.Newest
	if since.IsZero() {
		since = w.since
	}
	return now.Sub(since) > 3*interval+closest
}

// sameMetrics says whether following b instead of a changes nothing.
func sameMetrics(a, b []MetricWatch) bool {
	return slices.EqualFunc(a, b, func(x, y MetricWatch) bool { return x.Name == y.Name && sameQuery(x.Query, y.Query) })
}
