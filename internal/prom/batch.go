package prom

import (
	"cmp"
	"fmt"
	"reflect"
	"slices"
	"time"

	"slipway.dev/slipway/internal/telemetry"
)

// longestQuery bounds a merged query in bytes. A release that needs more by itself gets a query of its own.
const longestQuery = 8 << 10

// part is one selector of one plan.
type part struct {
	plan  int
	index int
	telemetry.Selector
}

// batch is one query for many releases.
type batch struct {
	selector telemetry.Selector
	window   time.Duration
	parts    []part
}

// text is the query in PromQL.
func (b batch) text() string { return text(b.selector, b.window) }

func text(s telemetry.Selector, window time.Duration) string {
	return fmt.Sprintf("%s[%ds]", s, int(window/time.Second))
}

// planBatches puts the selectors of all plans into as few queries as fit.
func planBatches(plans []plan) []batch {
	var parts []part
	for i, p := range plans {
		for j, s := range p.selectors {
			parts = append(parts, part{plan: i, index: j, Selector: s})
		}
	}
	window := func(p part) time.Duration { return plans[p.plan].window }
	slices.SortStableFunc(parts, func(a, b part) int {
		return cmp.Or(cmp.Compare(window(a), window(b)), cmp.Compare(a.Class(), b.Class()))
	})
	var batches []batch
	for _, p := range parts {
		if n := len(batches) - 1; n >= 0 && batches[n].takes(p, window(p)) {
			batches[n].add(p)
			continue
		}
		batches = append(batches, batch{selector: p.Selector, window: window(p), parts: []part{p}})
	}
	return batches
}

func (b *batch) add(p part) {
	b.selector = b.selector.Merge(p.Selector)
	b.parts = append(b.parts, p)
}

// takes says whether the part fits into the batch.
func (b batch) takes(p part, window time.Duration) bool {
	return b.window == window && b.selector.Class() == p.Class() && len(text(b.selector.Merge(p.Selector), window)) <= longestQuery
}

// releases is how many plans share the batch.
func (b batch) releases() int {
	seen := map[int]bool{}
	for _, p := range b.parts {
		seen[p.plan] = true
	}
	return len(seen)
}

// halves are two batches of half of the releases each.
func (b batch) halves() []batch {
	sorted := slices.Clone(b.parts)
	slices.SortStableFunc(sorted, func(x, y part) int { return cmp.Compare(x.plan, y.plan) })
	middle := sorted[len(sorted)/2].plan
	if middle == sorted[0].plan {
		middle++
	}
	var halves [2]batch
	for _, p := range sorted {
		half := &halves[0]
		if p.plan >= middle {
			half = &halves[1]
		}
		if len(half.parts) == 0 {
			*half = batch{selector: p.Selector, window: b.window}
		}
		half.add(p)
	}
	return halves[:]
}

// fail notes a failed query on the answers of the releases that it was for.
func (b batch) fail(text string, answers []answer) {
	for _, p := range b.parts {
		answers[p.plan].failed[p.index] = text
	}
}

// deliver adds fetched series to the answers of the releases that asked for them.
func (b batch) deliver(series []telemetry.Series, answers []answer) {
	byValue := map[string][]int{}
	for _, p := range b.parts {
		for _, v := range p.Values {
			if !slices.Contains(byValue[v], p.plan) {
				byValue[v] = append(byValue[v], p.plan)
			}
		}
	}
	for _, s := range series {
		for _, i := range byValue[s.Labels[b.selector.Route]] {
			answers[i].series = append(answers[i].series, s)
		}
	}
}

// sameQuery says whether two queries are the same in everything.
func sameQuery(a, b telemetry.Query) bool { return reflect.DeepEqual(a, b) }
