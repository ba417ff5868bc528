package evidence

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"slipway.dev/slipway/internal/hearing"
	"slipway.dev/slipway/internal/judge"
	"slipway.dev/slipway/internal/telemetry"
	"slipway.dev/slipway/internal/telemetry/application"
)

// scrapes of a made release: a third before it, then two steps.
const scrapes = 75

// made writes series of one pod. Values are lists of samples as the engine's test language has them.
type made struct {
	*rand.Rand
	lines []string
}

func (m *made) line(series string, samples []string) {
	m.lines = append(m.lines, series+" "+strings.Join(samples, " "))
}

// pod has counters, a classic histogram, a native one and a gauge, all of which begin again once.
func (m *made) pod(labels string, born, requests int, slower float64) {
	bounds := []string{"0.1", "0.2", "0.4", "0.8", "+Inf"}
	upTo := []float64{.1, .2, .4, .8, math.Inf(1)}
	buckets, native, good := make([]int, len(bounds)), map[int]int{}, 0
	text := map[string][]string{}
	put := func(name, value string) { text[name] = append(text[name], value) }
	restart := born + 5 + m.IntN(scrapes-born-5)
	for i := range scrapes {
		if i < born {
			for _, b := range bounds {
				put("bucket "+b, "_")
			}
			put("good", "_")
			put("native", "_")
			put("gauge", "_")
			continue
		}
		if i == restart {
			clear(buckets)
			clear(native)
			good = 0
		}
		for range requests {
			took := m.ExpFloat64() * .1 * slower
			for k := range bounds {
				if took <= upTo[k] {
					buckets[k]++
				}
			}
			native[int(min(6, max(1, math.Ceil(math.Log2(took*10))+4)))]++
			if m.Float64() < .5 {
				good++
			}
		}
		for k, b := range bounds {
			put("bucket "+b, fmt.Sprint(buckets[k]))
		}
		put("good", fmt.Sprint(good))
		count, counts := 0, ""
		for b := 1; b <= 6; b++ {
			count += native[b]
			counts += fmt.Sprint(" ", native[b])
		}
		put("native", fmt.Sprintf("{{schema:0 count:%d sum:1 offset:1 buckets:[%s]}}", count, strings.TrimSpace(counts)))
		put("gauge", fmt.Sprintf("%.3f", slower*(10+m.Float64())))
	}
	for _, b := range bounds {
		m.line(fmt.Sprintf(`pay_seconds_bucket{%s,le="%s"}`, labels, b), text["bucket "+b])
	}
	m.line("pay_seconds_count{"+labels+"}", text["bucket +Inf"])
	m.line("good_total{"+labels+"}", text["good"])
	m.line("fast_seconds{"+labels+"}", text["native"])
	m.line("queue{"+labels+"}", text["gauge"])
}

func everyKind(t *testing.T) ([]telemetry.Metric, hearing.Terms) {
	t.Helper()
	good, err := application.Query(application.Pair{Good: "good_total", Total: "pay_seconds_count"}, arms)
	if err != nil {
		t.Fatal(err)
	}
	gauge, err := application.GaugeQuery("queue", arms)
	if err != nil {
		t.Fatal(err)
	}
	metrics := []telemetry.Metric{
		{Name: "good", Query: good},
		{Name: "p90", Query: histogram(t, application.Histogram{Selector: "pay_seconds", SlowerThan: whole})},
		{Name: "native", Query: histogram(t, application.Histogram{Selector: "fast_seconds", Native: true, SlowerThan: whole})},
		{Name: "queue", Query: gauge},
	}
	return metrics, hearing.Terms{
		Policy: judge.Policy{
			FalseRollbackRisk: .05, BadPromotionRisk: .05, WarmupTolerance: .05, MaxDuration: time.Hour, Steps: 2,
			Metrics: []judge.MetricPolicy{
				{Name: "good", Relative: .2, Absolute: .1, LowerIsWorse: true},
				{Name: "p90", Absolute: .1},
				{Name: "native", Relative: .2, Absolute: .1},
				{Name: "queue", Signs: true},
			},
		},
		Measures: []hearing.Measure{{}, {Kind: hearing.Quantile, Quantile: .9, Slowdown: .1, Unit: "s"}, {Kind: hearing.Shape, Unit: "s"}, {Kind: hearing.Gauge, Tolerance: .1}},
	}
}

func circumstances(look telemetry.Look) hearing.Circumstances {
	switch at := int(look.To.Unix() / 10); {
	case at > scrapes*2/3:
		return hearing.Circumstances{Step: 1, NextShare: 1, Settling: at < scrapes*2/3+3}
	case at > scrapes/3:
		return hearing.Circumstances{Step: 0, NextShare: .5, Warming: at < scrapes/3+3}
	}
	return hearing.Circumstances{Step: -1, NextShare: .5}
}

func hearAll(t *testing.T, h *hearing.Hearing, terms hearing.Terms, looks []telemetry.Look) {
	t.Helper()
	for _, look := range looks {
		if err := h.Hear(terms, look, circumstances(look)); err != nil {
			t.Fatal(err)
		}
	}
}

// TestARestartReadsPrometheusAgain: whatever look was the last on record when the operator was stopped, the one that comes
// after it reads what has been scraped since from Prometheus, and comes to the same evidence.
func TestARestartReadsPrometheusAgain(t *testing.T) {
	for name, slower := range map[string]float64{"a healthy version": .8, "a slow version": 1.4} {
		t.Run(name, func(t *testing.T) {
			m := &made{Rand: rand.New(rand.NewPCG(11, uint64(100*slower)))}
			m.pod(stablePod, 0, 60, 1)
			m.pod(canaryPod, scrapes/3, 30, slower)
			s := load(t, strings.Join(m.lines, "\n"))
			metrics, terms := everyKind(t)
			end := time.UnixMilli(0).Add((scrapes + 1) * every)

			whole, tracker := hearing.New(terms, "x"), telemetry.NewTracker(time.Time{}, metrics)
			var records []string
			for i := range scrapes + 1 {
				for _, look := range tracker.Feed(s.read(tracker, time.UnixMilli(0).Add(time.Duration(i+1)*every), time.Minute)) {
					hearAll(t, whole, terms, []telemetry.Look{look})
					records = append(records, record(t, whole))
				}
			}
			if len(records) < scrapes-2 {
				t.Fatalf("%d looks of %d scrapes", len(records), scrapes)
			}
			for i, text := range slices.Backward(records[:len(records)-1]) {
				again, found := hearing.Read(terms, "x", text)
				if !found {
					t.Fatalf("record %d cannot be read", i)
				}
				after := telemetry.NewTracker(again.LastLook(), metrics)
				window := end.Sub(again.LastLook()) + telemetry.Lookback + time.Minute
				hearAll(t, again, terms, after.Feed(s.read(after, end, window)))
				if diff := cmp.Diff(records[len(records)-1], record(t, again)); diff != "" {
					t.Fatalf("stopped after look %d (-never stopped +started again):\n%s", i, diff)
				}
			}
		})
	}
}

func record(t *testing.T, h *hearing.Hearing) string {
	t.Helper()
	text, err := h.Text()
	if err != nil {
		t.Fatal(err)
	}
	return text
}
