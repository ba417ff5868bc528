package prom

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/types"

	"slipway.dev/slipway/internal/telemetry"
)

func TestEachScrapeIsReadSoonAfterItsTimestamp(t *testing.T) {
	for name, skew := range map[string]time.Duration{
		"clocks agree":                   0,
		"the server's clock is ahead":    7 * time.Second,
		"the server's clock lags behind": -time.Hour,
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			b.server.skew = skew
			key, w := b.release(t, "checkout")
			b.Watch(key, w)
			b.pass(20 * time.Second)
			b.server.asked = nil
			b.Take(key)
			b.pass(10 * time.Second)
			if got := len(b.Take(key).Looks); got != 5 {
				t.Errorf("%d looks in 10 s of scrapes every 2 s, want 5", got)
			}
			for _, at := range b.server.asked {
				if late := at.Sub(start) % (2 * time.Second); late > 200*time.Millisecond {
					t.Errorf("asked %s after a scrape, want at most 200ms", late)
				}
			}
			if len(b.server.asked) != 5 {
				t.Errorf("%d queries for 5 scrapes", len(b.server.asked))
			}
		})
	}
}

func TestEveryIsTheLongestTimeBetweenQueries(t *testing.T) {
	b := newBench(t)
	key, w := b.release(t, "checkout")
	w.Every = 10 * time.Second
	b.Watch(key, w)
	b.pass(20 * time.Second)
	b.server.asked = nil
	b.Take(key)
	b.pass(40 * time.Second)
	if n := len(b.server.asked); n != 4 {
		t.Errorf("%d queries in 40 s, want 4", n)
	}
	if got := len(b.Take(key).Looks); got != 20 {
		t.Errorf("%d looks, want one for each of the 20 scrapes", got)
	}
}

func TestQueriesDoNotGrowWithReleases(t *testing.T) {
	for name, c := range map[string]struct{ releases, wantQueries int }{
		"no release, no query":      {0, 0},
		"one release":               {1, 1},
		"as many as fit into 8 KiB": {50, 1},
		"200 releases":              {200, 2},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			for i := range c.releases {
				key, w := b.release(t, fmt.Sprintf("app-%d", i))
				b.Watch(key, w)
			}
			b.pass(10 * time.Second)
			b.server.queries = nil
			b.pass(2 * time.Second)
			if got := len(b.server.sent()); got != c.wantQueries {
				t.Errorf("%d queries a scrape, want %d", got, c.wantQueries)
			}
			for _, q := range b.server.sent() {
				if len(q) > longestQuery {
					t.Errorf("a query has %d bytes", len(q))
				}
			}
			for i := range c.releases {
				key, _ := b.release(t, fmt.Sprintf("app-%d", i))
				r := b.Take(key)
				if len(r.Looks) < 5 || r.Problem != "" || r.NoData {
					t.Fatalf("release %d: %d looks, problem %q", i, len(r.Looks), r.Problem)
				}
			}
		})
	}
}

func TestTheThirdBadScrapeIsSeenAtOnce(t *testing.T) {
	b := newBench(t)
	key, w := b.release(t, "checkout")
	b.server.counts = func(cluster, code string, scrape int) float64 {
		if strings.Contains(cluster, "canary") && code == "503" {
			return float64(max(0, 40*(scrape-9))) // born with the tenth scrape
		}
		if code == "503" {
			return 0
		}
		return float64(100 + 10*scrape)
	}
	b.Watch(key, w)
	b.pass(24*time.Second + 130*time.Millisecond)
	looks := b.Take(key).Looks
	var bad []float64
	for _, l := range looks[len(looks)-4:] {
		sum := 0.0
		for _, p := range l.Metrics[0].Canary {
			sum += p.Bad
		}
		bad = append(bad, sum)
	}
	if diff := cmp.Diff([]float64{0, 40, 40, 40}, bad); diff != "" {
		t.Errorf("bad requests in the last four looks (-want +got):\n%s", diff)
	}
}

func TestWatchAgain(t *testing.T) {
	b := newBench(t)
	key, w := b.release(t, "checkout")
	b.Watch(key, w)
	b.pass(10 * time.Second)
	first := b.Take(key).Looks
	b.Watch(key, w)
	if again := b.Take(key).Looks; len(again) != 0 {
		t.Errorf("the same watch again gives %d looks again, want none", len(again))
	}
	b.Again(key)
	if diff := cmp.Diff(first, b.Take(key).Looks); diff != "" {
		t.Errorf("looks given again (-want +got):\n%s", diff)
	}
	w.After = first[1].To
	b.Watch(key, w)
	if diff := cmp.Diff(first[2:], b.Take(key).Looks); diff != "" {
		t.Errorf("looks that were not recorded (-want +got):\n%s", diff)
	}
}

func TestARestartGoesOnWhereItWas(t *testing.T) {
	b := newBench(t)
	key, w := b.release(t, "checkout")
	b.Watch(key, w)
	b.pass(10 * time.Second)
	whole := b.Take(key).Looks
	b.pass(60 * time.Second)
	whole = append(whole, b.Take(key).Looks...)
	b.Forget(key)
	w.After = whole[3].To
	b.Watch(key, w)
	b.pass(0)
	if diff := cmp.Diff(whole[4:], b.Take(key).Looks); diff != "" {
		t.Errorf("looks (-want +got):\n%s", diff)
	}
}

func TestADeadPrometheus(t *testing.T) {
	b := newBench(t)
	key, w := b.release(t, "checkout")
	b.Watch(key, w)
	b.pass(10 * time.Second)
	b.Take(key)
	b.server.fail = func(string) error { return errDown }
	b.told = nil
	b.pass(10 * time.Second)
	r := b.Take(key)
	want := `Prometheus endpoint "default" cannot be reached; see its url, tls and bearerTokenFile in the operator's configuration`
	if diff := cmp.Diff(Report{LastSuccess: r.LastSuccess, LastSample: r.LastSample, Problem: want, NoData: true}, r); diff != "" {
		t.Errorf("report (-want +got):\n%s", diff)
	}
	if len(b.told) != 2 {
		t.Errorf("told %d times, want once of the problem and once of the missing data", len(b.told))
	}
	b.server.fail = nil
	b.pass(2 * time.Second)
	if r := b.Take(key); r.Problem != "" || r.NoData || len(r.Looks) < 5 {
		t.Errorf("after it is back: problem %q, no data %t, %d looks; want the scrapes of the outage", r.Problem, r.NoData, len(r.Looks))
	}
}

func TestAReleaseThatAsksForTooMuchSpoilsNoOther(t *testing.T) {
	b := newBench(t)
	for i := range 9 {
		key, w := b.release(t, fmt.Sprintf("app-%d", i))
		b.Watch(key, w)
	}
	b.server.fail = func(query string) error {
		if strings.Contains(query, "app-3/") {
			return &queryError{causeRefused, errDown.err}
		}
		return nil
	}
	b.pass(10 * time.Second)
	for i := range 9 {
		key, _ := b.release(t, fmt.Sprintf("app-%d", i))
		r := b.Take(key)
		if got, want := r.Problem != "", i == 3; got != want {
			t.Errorf("release %d: problem %q", i, r.Problem)
		}
	}
}

func TestAnUnknownEndpointIsAProblemAtOnce(t *testing.T) {
	b := newBench(t)
	key, w := b.release(t, "checkout")
	w.Endpoint = "other"
	b.Watch(key, w)
	want := Report{Problem: `Prometheus endpoint "other" is not in the operator's configuration, which has: default`, NoData: true}
	if diff := cmp.Diff(want, b.Take(key)); diff != "" {
		t.Errorf("report (-want +got):\n%s", diff)
	}
	w.Endpoint = "default"
	b.Watch(key, w)
	b.pass(6 * time.Second)
	if r := b.Take(key); r.Problem != "" || len(r.Looks) == 0 {
		t.Errorf("after the correction: %q, %d looks", r.Problem, len(r.Looks))
	}
}

func TestAReplacedMetricKeepsTheOthers(t *testing.T) {
	b := newBench(t)
	key, w := b.release(t, "checkout")
	b.Watch(key, w)
	b.pass(10 * time.Second)
	before := b.Take(key).Looks
	_, other := b.release(t, "cart")
	w.Metrics = append([]MetricWatch{{Name: "cart", Query: other.Metrics[0].Query}}, w.Metrics...)
	b.Watch(key, w)
	b.pass(4 * time.Second)
	looks := b.Take(key).Looks
	if len(looks) != 2 || !looks[0].From.Equal(before[len(before)-1].To) {
		t.Fatalf("%d looks from %s, want 2 from %s", len(looks), looks[0].From, before[len(before)-1].To)
	}
	want := telemetry.Counts{
		Canary: []telemetry.PodCount{{Requests: 10}}, Stable: []telemetry.PodCount{{Requests: 10}}, PodsUnknown: true,
	}
	for i, c := range looks[0].Metrics {
		if diff := cmp.Diff(want, c); diff != "" {
			t.Errorf("metric %d (-want +got):\n%s", i, diff)
		}
	}
}

func TestReleasesThatAreScrapedAtDifferentMomentsShareRounds(t *testing.T) {
	const releases, intervals = 40, 10
	b := newBench(t)
	b.server.offset = map[string]time.Duration{}
	for i := range releases {
		key, w := b.release(t, fmt.Sprintf("checkout-%d", i))
		for _, cluster := range b.server.names[len(b.server.names)-2:] {
			b.server.offset[cluster] = time.Duration(i) * b.server.every / releases
		}
		b.Watch(key, w)
	}
	b.pass(10 * b.server.every)
	before := len(b.server.sent())
	b.pass(intervals * b.server.every)
	if n := len(b.server.sent()) - before; n > roundsInInterval*intervals {
		t.Errorf("%d queries in %d intervals, want %d in each at most", n, intervals, roundsInInterval)
	}
	for i := range releases {
		r := b.Take(types.NamespacedName{Namespace: "shop", Name: fmt.Sprintf("checkout-%d", i)})
		if len(r.Looks) < 2*intervals-2 || r.Problem != "" {
			t.Errorf("release %d has %d looks and the problem %q, want a look of each scrape", i, len(r.Looks), r.Problem)
		}
	}
}
