package scale

import (
	"context"
	"fmt"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/util/wait"
)

// What the operator may cost. See docs/operations.md.
const (
	maxMemoryMiB    = 150
	maxKnownSeconds = 10
)

// TestScale lives through the operator's days with many releases: all idle, a restart, some active, many active.
func TestScale(t *testing.T) {
	var f figures
	defer f.report(t)
	startControllers(t)
	startStandIns(t)
	prometheus := startPrometheus(t)
	binary := buildOperator(t)
	writeKubeconfig(t, operatorUser)
	o := startOperator(t, binary, prometheus.URL)
	createFleet(t)
	await(t, "Idle", *idle)
	f.idle(t, o, prometheus)

	before := writes(t)
	o.stop()
	o = startOperator(t, binary, prometheus.URL)
	known := o.awaitKnown(t, *idle)
	f.limited(fmt.Sprintf("until all %d releases are known after a restart", *idle), known.Seconds(), "s", maxKnownSeconds)
	f.told("processor time until then", o.processorSeconds(), "s")
	pass(t, *window)
	f.limited("writes by a restart", float64(sum(less(writes(t), before))), "requests", 0)
	rss, most := o.memory()
	f.limited("memory (RSS) after a restart", rss, "MiB", maxMemoryMiB)
	f.told("memory (RSS) at most, since the restart", most, "MiB")

	took := change(t, 0, *few)
	f.told("a change of a Deployment, which is held", float64(took.Milliseconds()), "ms")
	await(t, "Judging", *few)
	f.active(t, o, prometheus, *few)
	change(t, *few, *active)
	await(t, "Judging", *active)
	f.active(t, o, prometheus, *active)
}

// idle measures while nothing is to be done.
func (f *figures) idle(t *testing.T, o *operator, prometheus *front) {
	t.Helper()
	awaitQuiet(t)
	asked, _ := prometheus.asked()
	before := writes(t)
	pass(t, *window)
	now, _ := prometheus.asked()
	wrote := less(writes(t), before)
	if len(wrote) > 0 {
		t.Logf("written while idle: %v", wrote)
	}
	minutes := window.Minutes()
	f.limited(fmt.Sprintf("API writes with %d idle releases", *idle), float64(sum(wrote))/minutes, "a minute", 0)
	f.limited(fmt.Sprintf("Prometheus queries with %d idle releases", *idle), float64(now-asked)/minutes, "a minute", 0)
	rss, most := o.memory()
	f.limited(fmt.Sprintf("memory (RSS) with %d idle releases", *idle), rss, "MiB", maxMemoryMiB)
	f.told("memory (RSS) at most, while they were adopted", most, "MiB")
}

// queriesInInterval is how many queries there may be between two scrapes, however many releases run: eight rounds, each
// for what the data plane measures and for what applications measure, and now and then one for Prometheus' time. There
// are more only because of their length: of what a round asks, all queries but the last of its kind are long.
const queriesInInterval = 8*2 + 1

// active measures while n releases run.
func (f *figures) active(t *testing.T, o *operator, prometheus *front, n int) {
	t.Helper()
	pass(t, 2*scrapeEvery*time.Second) // each has been asked for the first time
	asked, long := prometheus.asked()
	wrote := writes(t)
	pass(t, *window)
	askedNow, longNow := prometheus.asked()
	intervals := window.Seconds() / scrapeEvery
	all, full := float64(askedNow-asked)/intervals, float64(longNow-long)/intervals
	f.limited(fmt.Sprintf("Prometheus queries with %d active releases, without long ones", n), all-full, "an interval", queriesInInterval)
	f.told("long ones", full, "an interval")
	f.told(fmt.Sprintf("API writes with %d active releases", n), float64(sum(less(writes(t), wrote)))/window.Minutes()/float64(n), "a minute and release")
	rss, _ := o.memory()
	f.told(fmt.Sprintf("memory (RSS) with %d active releases", n), rss, "MiB")
}

// awaitQuiet waits until the operator has written nothing for a while.
func awaitQuiet(t *testing.T) {
	t.Helper()
	before, since := sum(writes(t)), time.Now()
	err := wait.PollUntilContextTimeout(t.Context(), time.Second, patience, true, func(context.Context) (bool, error) {
		if now := sum(writes(t)); now != before {
			before, since = now, time.Now()
		}
		return time.Since(since) > 5*time.Second, nil
	})
	if err != nil {
		stuck.Store(true)
		t.Fatalf("the operator goes on writing: %v", writes(t))
	}
}

// pass lets time pass: what is counted is counted over a time.
func pass(t *testing.T, d time.Duration) {
	t.Helper()
	select {
	case <-time.After(d):
	case <-t.Context().Done():
		t.Fatal(t.Context().Err())
	}
}
