package telemetry

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// mixed is a proxy that tells about both arms, and a pod.
type mixed struct{ pairQuery }

func (q mixed) Role(l Labels) (Role, bool) {
	r, ok := q.pairQuery.Role(l)
	r.BothArms = l["target"][0] == 'e'
	return r, ok
}

func TestWaiting(t *testing.T) {
	proxy := func(pairs ...float64) Series { return rq("e1", "stable", "200", at(pairs...)) }
	other := func(pairs ...float64) Series { return rq("e2", "stable", "200", at(pairs...)) }
	pod := func(pairs ...float64) Series { return rq("p1", "canary", "200", at(pairs...)) }
	warm := []Series{proxy(0, 1, 2, 2, 4, 3, 6, 4), pod(1.9, 1, 3.9, 2, 5.9, 3)}
	twin := []Series{proxy(0, 1, 2, 2, 4, 3, 6, 4), other(0.06, 1, 2.06, 2, 4.06, 3, 6.06, 4)}
	cases := map[string]struct {
		fed [][]Series
		// wantEnds are the ends of the looks of each feed, in seconds.
		wantEnds [][]float64
	}{
		"the proxy's scrape ends the look, and the pod's are in it": {
			fed:      [][]Series{warm, {proxy(8, 5), pod(7.9, 4)}},
			wantEnds: [][]float64{{2, 4, 6}, {8}},
		},
		"a pod that should have come is waited for during one more feed": {
			fed:      [][]Series{warm, {proxy(8, 5)}, {proxy(8, 5), pod(7.9, 4)}},
			wantEnds: [][]float64{{2, 4, 6}, nil, {8}},
		},
		"and not longer": {
			fed:      [][]Series{warm, {proxy(8, 5)}, {proxy(8, 5)}, {proxy(8, 5)}},
			wantEnds: [][]float64{{2, 4, 6}, nil, {8}, nil},
		},
		"who has not come is not waited for again": {
			fed:      [][]Series{warm, {proxy(8, 5)}, {proxy(8, 5)}, {proxy(10, 6)}},
			wantEnds: [][]float64{{2, 4, 6}, nil, {8}, {10}},
		},
		"without the proxy, the pods set the pace": {
			fed:      [][]Series{warm, {pod(7.9, 4)}, {pod(9.9, 5)}, {pod(11.9, 6)}},
			wantEnds: [][]float64{{2, 4, 6}, nil, {7.9, 9.9}, {11.9}},
		},
		"two proxies that are scraped together share a look": {
			fed:      [][]Series{twin, {proxy(8, 5)}, {proxy(8, 5), other(8.06, 5)}},
			wantEnds: [][]float64{{0.06, 2, 2.06, 4.06, 6.06}, nil, {8.06}},
		},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			tr := NewTracker(time.Time{}, []Metric{{Name: "errors", Query: mixed{pairQuery{key: "k"}}}})
			var got [][]float64
			for _, f := range c.fed {
				var ends []float64
				for _, l := range tr.Feed(f) {
					ends = append(ends, float64(l.To.UnixMilli()-1e6)/1000)
				}
				got = append(got, ends)
			}
			if diff := cmp.Diff(c.wantEnds, got); diff != "" {
				t.Errorf("ends (-want +got):\n%s", diff)
			}
		})
	}
}

func TestALateSampleBelongsToTheNextLook(t *testing.T) {
	tr := NewTracker(time.Time{}, []Metric{{Name: "errors", Query: pairQuery{key: "k", bothArms: true}}})
	tr.Feed([]Series{rq("e1", "stable", "200", at(0, 1, 2, 2, 4, 3)), rq("e2", "stable", "200", at(0.5, 1, 2.5, 2))})
	tr.Feed([]Series{rq("e1", "stable", "200", at(6, 5))})
	tr.Feed([]Series{rq("e1", "stable", "200", at(6, 5))})
	got := tr.Feed([]Series{rq("e1", "stable", "200", at(8, 6)), rq("e2", "stable", "200", at(4.5, 9, 6.5, 10))})
	if len(got) == 0 {
		t.Fatal("no look")
	}
	want := Look{From: sec(6), To: sec(6.5), Metrics: []Counts{one(Stable, 8, 0)}}
	if diff := cmp.Diff(want, got[0]); diff != "" {
		t.Errorf("look (-want +got):\n%s", diff)
	}
}
