package telemetry

import (
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
