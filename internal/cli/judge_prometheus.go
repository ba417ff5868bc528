package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/client_golang/api"
	promv1 "github.com/prometheus/client_golang/api/prometheus/v1"
	"github.com/prometheus/common/model"

	"slipway.dev/slipway/internal/judge"
)

// lookBack is a release of the past, as Prometheus remembers it.
type lookBack struct {
	url            string
	canary, stable string // selectors of the counter of requests
	bad            string // matchers that a bad request has beside them
	pod            string // label that tells pods apart
	from, to       string
}

const (
	// chunk is how much is asked for at once: raw samples of many pods are large.
	chunk = 30 * time.Minute
	// answerWithin is how long Prometheus may take for a chunk.
	answerWithin = time.Minute
	// lookBackName is how a release of the past is called in the output.
	lookBackName = "past"
)

// errLookBack is what flags must be given together.
var errLookBack = errors.New("look back: give --canary, --stable, --from and --to with --prometheus, times such as 2026-01-02T15:04:05Z")

// run judges the release and writes what the other recordings write. Seconds count from --from; the time until the canary
// is there is history.
func (b lookBack) run(ctx context.Context, r rules, everyLook bool, out, complain io.Writer) error {
	from, errFrom := time.Parse(time.RFC3339, b.from)
	to, errTo := time.Parse(time.RFC3339, b.to)
	if errFrom != nil || errTo != nil || !to.After(from) || b.canary == "" || b.stable == "" {
		return errLookBack
	}
	client, err := api.NewClient(api.Config{Address: b.url})
	if err != nil {
		return fmt.Errorf("reach Prometheus: %w", err)
	}
	arms := map[bool][]increase{}
	for isCanary, selector := range map[bool]string{true: b.canary, false: b.stable} {
		if arms[isCanary], err = b.arm(ctx, promv1.NewAPI(client), selector, from, to); err != nil {
			return err
		}
	}
	replay := newReplay(r, everyLook, out, complain)
	for _, l := range looksOfPast(arms[true], arms[false], from, r.every) {
		replay.line++
		replay.look = l
		if err := replay.judgeLook(); err != nil {
			replay.refuse(err)
		}
	}
	return replay.finish(io.EOF)
}

// increase is what a pod's counter grew by at a scrape.
type increase struct {
	at            time.Time
	pod           string
	requests, bad float64
}

// arm is one arm's increases, in the order of time.
func (b lookBack) arm(ctx context.Context, from promv1.API, selector string, begin, end time.Time) ([]increase, error) {
	all, err := samples(ctx, from, selector, begin, end)
	if err != nil {
		return nil, err
	}
	bad, err := samples(ctx, from, narrowed(selector, b.bad), begin, end)
	if err != nil {
		return nil, err
	}
	if len(all) == 0 {
		return nil, fmt.Errorf("look back: Prometheus has no series %s in that time; give the selector of a counter of requests", selector)
	}
	out := increases(all, bad, model.LabelName(b.pod))
	slices.SortFunc(out, func(a, b increase) int { return cmp.Or(a.at.Compare(b.at), strings.Compare(a.pod, b.pod)) })
	return out, nil
}

// narrowed adds matchers to a selector.
func narrowed(selector, matchers string) string {
	open := strings.TrimSuffix(strings.TrimSpace(selector), "}")
	switch {
	case open == strings.TrimSpace(selector):
		return open + "{" + matchers + "}"
	case strings.HasSuffix(strings.TrimSpace(open), "{"), strings.HasSuffix(strings.TrimSpace(open), ","):
		return open + matchers + "}"
	}
	return open + "," + matchers + "}"
}

// samples are the raw samples of all series that are selected, chunk by chunk.
func samples(ctx context.Context, from promv1.API, selector string, begin, end time.Time) (map[string]*model.SampleStream, error) {
	out := map[string]*model.SampleStream{}
	for at := begin; at.Before(end); at = at.Add(chunk) {
		until := at.Add(chunk)
		if until.After(end) {
			until = end
		}
		matrix, err := ask(ctx, from, fmt.Sprintf("%s[%dms]", selector, until.Sub(at).Milliseconds()), until)
		if err != nil {
			return nil, err
		}
		for _, s := range matrix {
			join(out, s)
		}
	}
	return out, nil
}

func ask(ctx context.Context, from promv1.API, query string, at time.Time) (model.Matrix, error) {
	ctx, cancel := context.WithTimeout(ctx, answerWithin)
	defer cancel()
	value, warnings, _, err := from.Query(ctx, query, at)
	if err != nil {
		return nil, fmt.Errorf("ask Prometheus for %s: %w", query, err)
	}
	if len(warnings) > 0 {
		return nil, fmt.Errorf("ask Prometheus for %s: the answer is not whole: %s", query, warnings[0])
	}
	matrix, ok := value.(model.Matrix)
	if !ok {
		return nil, fmt.Errorf("ask Prometheus for %s: the answer is no range of samples; give a selector, without functions", query)
	}
	return matrix, nil
}

// join puts a series' chunks together. The sample between two chunks may come twice.
func join(all map[string]*model.SampleStream, s *model.SampleStream) {
	key := s.Metric.String()
	known, ok := all[key]
	if !ok {
		all[key] = s
		return
	}
	for _, v := range s.Values {
		if v.Timestamp > known.Values[len(known.Values)-1].Timestamp {
			known.Values = append(known.Values, v)
		}
	}
}

// increases are the differences of all samples. A series that comes later than others of its pod began at nothing: the
// pod was scraped before without it, as with the first error of a version.
func increases(all, bad map[string]*model.SampleStream, pod model.LabelName) []increase {
	first := map[model.LabelValue]model.Time{}
	for _, s := range all {
		if at, ok := first[s.Metric[pod]]; len(s.Values) > 0 && (!ok || s.Values[0].Timestamp < at) {
			first[s.Metric[pod]] = s.Values[0].Timestamp
		}
	}
	var out []increase
	for _, key := range slices.Sorted(maps.Keys(all)) {
		s := all[key]
		_, isBad := bad[key]
		last := []float64{}
		if len(s.Values) > 0 && s.Values[0].Timestamp > first[s.Metric[pod]] {
			last = append(last, 0)
		}
		for _, v := range s.Values {
			last = append(last, float64(v.Value))
			grown := judge.Increase(last)
			last = last[len(last)-1:]
			i := increase{at: v.Timestamp.Time(), pod: string(s.Metric[pod]), requests: grown}
			if isBad {
				i.bad = grown
			}
			out = append(out, i)
		}
	}
	return out
}

// looksOfPast puts both arms' increases into looks. A look is at least as long as the scrapes are apart, so that each arm
// is seen in it.
func looksOfPast(canary, stable []increase, from time.Time, every time.Duration) []recordedLook {
	length := max(every, apart(canary), apart(stable))
	places := map[string]int{}
	var out []recordedLook
	begun := false
	for at := from; len(canary)+len(stable) > 0; at = at.Add(length) {
		until := at.Add(length)
		l := recordedLook{release: []byte(lookBackName), second: until.Sub(from).Seconds()}
		m := recordedMetric{name: []byte("errors")}
		m.canary, canary = takeUntil(canary, until, places)
		m.stable, stable = takeUntil(stable, until, places)
		begun = begun || slices.ContainsFunc(m.canary, func(p judge.PodCount) bool { return p.Requests > 0 })
		l.history = !begun
		l.metrics = []recordedMetric{m}
		out = append(out, l)
	}
	return out
}

// apart is the median time between an arm's scrapes, rounded up to a second: of one pod, for pods are scraped apart.
func apart(all []increase) time.Duration {
	last := map[string]time.Time{}
	var gaps []time.Duration
	for _, i := range all {
		if before, ok := last[i.pod]; ok && i.at.After(before) {
			gaps = append(gaps, i.at.Sub(before))
		}
		last[i.pod] = i.at
	}
	if len(gaps) == 0 {
		return 0
	}
	slices.Sort(gaps)
	return (gaps[len(gaps)/2] + time.Second - 1).Truncate(time.Second)
}

// takeUntil sums the increases up to a moment by pod and returns the rest. A pod keeps its place.
func takeUntil(all []increase, until time.Time, places map[string]int) (pods []judge.PodCount, rest []increase) {
	for len(all) > 0 && !all[0].at.After(until) {
		i := all[0]
		all = all[1:]
		if _, ok := places[i.pod]; !ok {
			places[i.pod] = len(places)
		}
		name := podName(places[i.pod])
		at := slices.IndexFunc(pods, func(p judge.PodCount) bool { return p.Pod == name })
		if at < 0 {
			at, pods = len(pods), append(pods, judge.PodCount{Pod: name})
		}
		pods[at].Requests += i.requests
		pods[at].Bad += i.bad
	}
	return pods, all
}
