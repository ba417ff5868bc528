package telemetry

import (
	"math"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// pairQuery is a small dialect: label arm names the arm, label code tells good from bad, label target the target.
type pairQuery struct {
	key      string
	bothArms bool
	pods     bool
	slower   float64
	started  map[string]time.Time
}

func (q pairQuery) Key() string { return q.key }
func (q pairQuery) Selector(le []string) Selector {
	return Selector{Names: []string{"rq"}, Route: "arm", Values: le}
}
func (q pairQuery) SlowerThan() Boundary { return Boundary{Value: q.slower, Unit: "ms"} }
func (q pairQuery) PodsUnknown() bool    { return !q.pods }
func (q pairQuery) Role(l Labels) (Role, bool) {
	r := Role{Target: l["target"] + l["job"], BothArms: q.bothArms, Subjects: []string{l["target"]}}
	r.Arm = map[string]Arm{"canary": Canary, "stable": Stable}[l["arm"]]
	if q.pods {
		r.Pod, r.Started = l["target"], q.started[l["target"]]
	}
	switch l[NameLabel] {
	case "up":
		r.Part = Presence
	case "count":
		r.Part, r.Histogram = HistogramCount, l["arm"]
	case "bucket":
		r.Part, r.Histogram, r.LE = HistogramBucket, l["arm"], l["le"]
	case "rq":
		r.Part = Requests
		if l["code"] == "500" {
			r.Part = RequestsAndBad
		}
	default:
		return Role{}, false
	}
	return r, true
}

// at makes samples of pairs of seconds and values.
func at(pairs ...float64) []Sample {
	var s []Sample
	for i := 0; i < len(pairs); i += 2 {
		s = append(s, Sample{UnixMillis: int64(1e6 + pairs[i]*1000), Value: pairs[i+1]})
	}
	return s
}

func rq(target, arm, code string, samples []Sample) Series {
	return Series{Labels: Labels{NameLabel: "rq", "target": target, "arm": arm, "code": code}, Samples: samples}
}

func one(arm Arm, requests, bad float64) Counts {
	c := Counts{PodsUnknown: true}
	if arm == Canary {
		c.Canary = []PodCount{{Requests: requests, Bad: bad}}
	} else {
		c.Stable = []PodCount{{Requests: requests, Bad: bad}}
	}
	return c
}

func sec(s float64) time.Time { return time.UnixMilli(int64(1e6 + s*1000)).UTC() }

func TestOneTarget(t *testing.T) {
	cases := map[string]struct {
		fed  [][]Series
		want []Look
	}{
		"a counter's growth between scrapes is a look each": {
			fed: [][]Series{{rq("e", "stable", "200", at(0, 100, 2, 150, 4, 10, 6, 30))}},
			want: []Look{
				{From: sec(0), To: sec(2), Metrics: []Counts{one(Stable, 50, 0)}},
				{From: sec(2), To: sec(4), Metrics: []Counts{one(Stable, 10, 0)}},
				{From: sec(4), To: sec(6), Metrics: []Counts{one(Stable, 20, 0)}},
			},
		},
		"the first error's series counts from 0, because the target was scraped before": {
			fed: [][]Series{
				{rq("e", "stable", "200", at(0, 100, 2, 150))},
				{rq("e", "stable", "200", at(0, 100, 2, 150, 4, 150)), rq("e", "canary", "500", at(4, 7))},
			},
			want: []Look{
				{From: sec(0), To: sec(2), Metrics: []Counts{one(Stable, 50, 0)}},
				{From: sec(2), To: sec(4), Metrics: []Counts{one(Canary, 7, 7)}},
			},
		},
		"the canary's very first series counts from 0 too": {
			fed: [][]Series{{
				rq("e", "stable", "200", at(0, 100, 2, 100, 4, 100)),
				rq("e", "canary", "200", at(2, 9, 4, 9)),
			}},
			want: []Look{
				{From: sec(0), To: sec(2), Metrics: []Counts{one(Canary, 9, 0)}},
				{From: sec(2), To: sec(4), Metrics: []Counts{{PodsUnknown: true}}},
			},
		},
		"a target that was never scraped before is only a base": {
			fed: [][]Series{{rq("e", "stable", "200", at(0, 100, 2, 110)), rq("f", "stable", "500", at(2, 1e6))}},
			want: []Look{
				{From: sec(0), To: sec(2), Metrics: []Counts{one(Stable, 10, 0)}},
			},
		},
		"series that come when all others go have been given other labels, and count nothing": {
			fed: [][]Series{{
				rq("e", "stable", "200", at(0, 1000, 2, 1010)),
				rq("e", "canary", "200", at(4, 5000, 6, 5001)),
			}},
			want: []Look{
				{From: sec(0), To: sec(2), Metrics: []Counts{one(Stable, 10, 0)}},
				{From: sec(2), To: sec(4), Metrics: []Counts{{PodsUnknown: true}}},
				{From: sec(4), To: sec(6), Metrics: []Counts{one(Canary, 1, 0)}},
			},
		},
		"NaN, infinite and negative values are no samples": {
			fed: [][]Series{{rq("e", "stable", "200", at(0, 100, 2, math.NaN(), 4, math.Inf(1), 6, -1, 8, 130))}},
			want: []Look{
				{From: sec(0), To: sec(8), Metrics: []Counts{one(Stable, 30, 0)}},
			},
		},
		"repeated and older samples change nothing": {
			fed: [][]Series{
				{rq("e", "stable", "200", at(0, 100, 2, 150, 2, 170))},
				{rq("e", "stable", "200", at(0, 100, 1, 3, 2, 180, 4, 160))},
			},
			want: []Look{
				{From: sec(0), To: sec(2), Metrics: []Counts{one(Stable, 50, 0)}},
				{From: sec(2), To: sec(4), Metrics: []Counts{one(Stable, 10, 0)}},
			},
		},
		"a missed scrape is no look, and its traffic comes with the next one": {
			fed: [][]Series{{rq("e", "stable", "200", at(0, 100, 2, 110, 6, 130))}},
			want: []Look{
				{From: sec(0), To: sec(2), Metrics: []Counts{one(Stable, 10, 0)}},
				{From: sec(2), To: sec(6), Metrics: []Counts{one(Stable, 20, 0)}},
			},
		},
		"a counter that was away for longer than the lookback starts anew": {
			fed: [][]Series{{rq("e", "stable", "200", at(0, 100, 2, 110, 400, 9000, 402, 9001))}},
			want: []Look{
				{From: sec(0), To: sec(2), Metrics: []Counts{one(Stable, 10, 0)}},
				{From: sec(2), To: sec(400), Metrics: []Counts{{PodsUnknown: true}}},
				{From: sec(400), To: sec(402), Metrics: []Counts{one(Stable, 1, 0)}},
			},
		},
		"a series that comes back higher than it was has gone on counting": {
			fed: [][]Series{{
				rq("e", "stable", "200", at(0, 100, 2, 100, 4, 100, 6, 100)),
				rq("e", "stable", "500", at(0, 1000, 6, 1001)),
			}},
			want: []Look{
				{From: sec(0), To: sec(2), Metrics: []Counts{{PodsUnknown: true}}},
				{From: sec(2), To: sec(4), Metrics: []Counts{{PodsUnknown: true}}},
				{From: sec(4), To: sec(6), Metrics: []Counts{one(Stable, 1, 1)}},
			},
		},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			tr := NewTracker(time.Time{}, []Metric{{Name: "errors", Query: pairQuery{key: "k", bothArms: true}}})
			var got []Look
			for _, f := range c.fed {
				got = append(got, tr.Feed(f)...)
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("looks (-want +got):\n%s", diff)
			}
		})
	}
}

func pod(name string, series ...Series) []Series {
	for i := range series {
		series[i].Labels["target"] = name
	}
	return series
}

func up(job string, samples []Sample) Series {
	return Series{Labels: Labels{NameLabel: "up", "job": job, "arm": "canary"}, Samples: samples}
}

func TestPods(t *testing.T) {
	type feed = []Series
	cases := map[string]struct {
		started map[string]time.Time
		fed     []feed
		want    []Counts
		problem string
	}{
		"a pod that was scraped before its first request counts from 0": {
			fed:  []feed{pod("c1", up("", at(0, 1, 2, 1)), rq("", "canary", "500", at(2, 5)))},
			want: []Counts{{Canary: []PodCount{{"c1", 5, 5}}}},
		},
		"a failed scrape is no proof of anything": {
			fed:  []feed{pod("c1", up("", at(0, 0, 2, 1, 4, 1)), rq("", "canary", "500", at(2, 5, 4, 6)))},
			want: []Counts{{Canary: []PodCount{{"c1", 1, 1}}}},
		},
		"a pod that was started under observation counts from 0 with its first scrape": {
			started: map[string]time.Time{"c1": sec(1)},
			fed:     []feed{append(pod("s1", rq("", "stable", "200", at(0, 7, 2, 8))), pod("c1", rq("", "canary", "500", at(2, 5)))...)},
			want:    []Counts{{Canary: []PodCount{{"c1", 5, 5}}, Stable: []PodCount{{"s1", 1, 0}}}},
		},
		"a pod that is older than the observation is a base": {
			started: map[string]time.Time{"c1": sec(-5)},
			fed:     []feed{append(pod("s1", rq("", "stable", "200", at(0, 7, 2, 8))), pod("c1", rq("", "canary", "500", at(2, 5)))...)},
			want:    []Counts{{Stable: []PodCount{{"s1", 1, 0}}}},
		},
		"two jobs that scrape one pod give no counts, and it is said": {
			fed: []feed{append(
				pod("s1", rq("", "stable", "200", at(0, 7, 2, 8, 4, 9))),
				job("b", pod("s1", rq("", "stable", "200", at(0.5, 7, 2.5, 8, 4.5, 9))))...)},
			want: []Counts{{}, {}, {}},
			problem: "the same pod or proxy is scraped twice, so that its requests would be counted twice: " +
				"let one scrape job select it, or name the job in the selector",
		},
		"a look is a round of all pods": {
			fed: []feed{append(
				pod("s1", rq("", "stable", "200", at(0, 7, 2, 8, 4, 9))),
				pod("s2", rq("", "stable", "200", at(1, 7, 3, 8, 5, 9)))...)},
			want: []Counts{
				{},
				{Stable: []PodCount{{"s1", 1, 0}}},
				{Stable: []PodCount{{"s1", 1, 0}, {"s2", 1, 0}}},
			},
		},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			tr := NewTracker(time.Time{}, []Metric{{Name: "errors", Query: pairQuery{key: "k", pods: true, started: c.started}}})
			var got []Counts
			for _, f := range c.fed {
				for _, l := range tr.Feed(f) {
					got = append(got, l.Metrics...)
				}
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("counts (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(c.problem, tr.Health().Metrics[0].Problem); diff != "" {
				t.Errorf("problem (-want +got):\n%s", diff)
			}
		})
	}
}

func job(name string, series []Series) []Series {
	for i := range series {
		series[i].Labels["job"] = name
	}
	return series
}
