package telemetry

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// world is what a Prometheus would hold after a while: series with births, resets, gaps and pods that come and go.
type world struct {
	series []Series
	end    int64
}

type simTarget struct {
	name         string
	phase, every int64
	from, to     int64
	bothArms     bool
	missed       float64
	resets       float64
}

// build scrapes targets. Each has a counter for good and one for bad requests of each arm; a counter is born with its
// first request.
func build(r *rand.Rand, targets []simTarget, until int64) world {
	w := world{end: until}
	for _, t := range targets {
		arms := []string{"canary", "stable"}
		if !t.bothArms {
			arms = arms[:1]
			if t.name[0] == 's' {
				arms = []string{"stable"}
			}
		}
		series := map[string]*Series{}
		values := map[string]float64{}
		for at := t.from + t.phase; at < min(until, t.to); at += t.every {
			if r.Float64() < t.resets {
				values = map[string]float64{}
			}
			for _, arm := range arms {
				for _, code := range []string{"200", "500"} {
					key := arm + code
					if r.Float64() < 0.5 {
						values[key] += float64(r.IntN(50))
					}
				}
			}
			if r.Float64() < t.missed {
				continue
			}
			for key, v := range values {
				if v == 0 {
					continue
				}
				if series[key] == nil {
					s := rq(t.name, key[:len(key)-3], key[len(key)-3:], nil)
					series[key] = &s
				}
				series[key].Samples = append(series[key].Samples, Sample{UnixMillis: at, Value: v})
			}
		}
		for _, s := range series {
			w.series = append(w.series, *s)
		}
	}
	return w
}

// read is what an instant query of a range selector returns at a moment.
func (w world) read(from, to int64) []Series {
	var out []Series
	for _, s := range w.series {
		cut := Series{Labels: s.Labels}
		for _, sample := range s.Samples {
			if sample.UnixMillis > from && sample.UnixMillis <= to {
				cut.Samples = append(cut.Samples, sample)
			}
		}
		if len(cut.Samples) > 0 {
			out = append(out, cut)
		}
	}
	return out
}

func randomTargets(r *rand.Rand, bothArms bool) []simTarget {
	every := []int64{1000, 2000, 5000, 15000}[r.IntN(4)]
	var targets []simTarget
	for i := range 1 + r.IntN(4) {
		name := fmt.Sprintf("s%d", i)
		if !bothArms && i%2 == 1 {
			name = fmt.Sprintf("c%d", i)
		}
		t := simTarget{
			name: name, phase: r.Int64N(every), every: every, from: 1e6, to: 1e9, bothArms: bothArms,
			missed: []float64{0, 0, 0.1}[r.IntN(3)], resets: []float64{0, 0.02}[r.IntN(2)],
		}
		if r.IntN(4) == 0 {
			t.from += r.Int64N(120_000)
		}
		if r.IntN(4) == 0 {
			t.to = t.from + r.Int64N(120_000)
		}
		targets = append(targets, t)
	}
	return targets
}

func follow(after time.Time, bothArms bool) *Tracker {
	return NewTracker(after, []Metric{{Name: "errors", Query: pairQuery{key: "k", bothArms: bothArms, pods: !bothArms}}})
}

// TestAnyCutGivesTheSameLooks stops a tracker after each of its looks and starts another one.
func TestAnyCutGivesTheSameLooks(t *testing.T) {
	for seed := range uint64(24) {
		r := rand.New(rand.NewPCG(seed, 1))
		bothArms := seed%2 == 0
		w := build(r, randomTargets(r, bothArms), 1e6+200_000)
		whole := follow(time.Time{}, bothArms).Feed(w.read(0, w.end))
		for i, l := range whole {
			if len(whole) > 40 && i%7 != int(seed%7) {
				continue
			}
			got := follow(l.To, bothArms).Feed(w.read(l.To.UnixMilli()-lookback, w.end))
			want := whole[i+1:]
			if len(want) == 0 {
				want = nil
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Fatalf("seed %d: after look %d (-never stopped +started again):\n%s", seed, i, diff)
			}
		}
	}
}

// TestPollingGivesTheSameLooks polls at random moments, with overlapping windows, while scrapes are visible at once.
func TestPollingGivesTheSameLooks(t *testing.T) {
	for seed := range uint64(200) {
		r := rand.New(rand.NewPCG(seed, 2))
		bothArms := seed%2 == 0
		w := build(r, randomTargets(r, bothArms), 1e6+200_000)
		whole := follow(time.Time{}, bothArms).Feed(w.read(0, w.end))
		polled := follow(time.Time{}, bothArms)
		var got []Look
		for now := int64(1e6); now < w.end; now += 250 + r.Int64N(3000) {
			got = append(got, polled.Feed(w.read(now-30_000, now))...)
		}
		got = append(got, polled.Feed(w.read(w.end-30_000, w.end))...)
		// What was waited for at the end may have ended only one of them.
		n := min(len(got), len(whole))
		if max(len(got), len(whole))-n > 3 {
			t.Fatalf("seed %d: %d looks at once, %d polled", seed, len(whole), len(got))
		}
		if diff := cmp.Diff(whole[:n], got[:n]); diff != "" {
			t.Fatalf("seed %d: (-at once +polled):\n%s", seed, diff)
		}
	}
}

func total(looks []Look) map[string]float64 {
	sums := map[string]float64{}
	for _, l := range looks {
		for _, c := range l.Metrics {
			for _, p := range c.Canary {
				sums["canary requests"] += p.Requests
				sums["canary bad"] += p.Bad
			}
			for _, p := range c.Stable {
				sums["stable requests"] += p.Requests
				sums["stable bad"] += p.Bad
			}
		}
	}
	return sums
}

// TestNothingIsLostOrCountedTwice compares with the growth of the counters themselves.
func TestNothingIsLostOrCountedTwice(t *testing.T) {
	for seed := range uint64(100) {
		r := rand.New(rand.NewPCG(seed, 3))
		targets := randomTargets(r, true)
		for i := range targets {
			targets[i].resets, targets[i].missed = 0, 0
		}
		w := build(r, targets, 1e6+200_000)
		want := map[string]float64{}
		got := total(follow(time.Time{}, true).Feed(w.read(0, w.end)))
		for _, s := range w.series {
			last := s.Samples[len(s.Samples)-1].Value
			if s.Samples[0].UnixMillis == firstScrape(w, s.Labels["target"]) {
				last -= s.Samples[0].Value
			}
			want[s.Labels["arm"]+" requests"] += last
			if s.Labels["code"] == "500" {
				want[s.Labels["arm"]+" bad"] += last
			}
		}
		for key, sum := range got {
			if sum > want[key] {
				t.Fatalf("seed %d: %s are %v, but the counters grew by %v", seed, key, sum, want[key])
			}
		}
	}
}

func firstScrape(w world, target string) int64 {
	first := w.end
	for _, s := range w.series {
		if s.Labels["target"] == target {
			first = min(first, s.Samples[0].UnixMillis)
		}
	}
	return first
}

// TestTheOrderOfTheAnswerDoesNotMatter feeds the same series in another order.
func TestTheOrderOfTheAnswerDoesNotMatter(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 4))
	w := build(r, randomTargets(r, true), 1e6+60_000)
	want := follow(time.Time{}, true).Feed(w.series)
	slices.Reverse(w.series)
	if diff := cmp.Diff(want, follow(time.Time{}, true).Feed(w.series)); diff != "" {
		t.Errorf("looks (-in order +reversed):\n%s", diff)
	}
}
