package judge

import (
	"fmt"
	"time"
)

// PodCount is what one pod served in an interval. Requests and Bad need not be whole numbers.
type PodCount struct {
	Pod           string
	Requests, Bad float64
	Warming       bool
}

// Counts is one metric in one interval. An arm that is empty was not seen, though a sample of it was due: counts of the
// other arm wait for it, and three such looks in a row are no data. An arm whose pods have no requests was seen to have
// none.
type Counts struct {
	Canary, Stable []PodCount
	// PodsUnknown says that an arm's entries are not pods: how much pods differ is then not known, nor whether one pod
	// alone is bad.
	PodsUnknown bool
}

// Look is one interval, fixed by sample timestamps and final once recorded.
type Look struct {
	// From and To bound the interval (From, To]. To strictly grows from look to look, and intervals do not overlap.
	From, To time.Time
	// Step is 0-based; a change of step starts the evidence of health anew.
	Step int
	// NextShare is the share of the traffic that the next step would have, in (0, 1]; 1 where that is the promotion. It
	// must be known before the interval: the evidence of health is gathered for this share. A change starts that
	// evidence anew. 0 means 1, the strictest.
	NextShare float64
	// WantedShare is the canary's share that the route asks for now, to see whether the split is what was asked for.
	// 0 or 1: not looked at.
	WantedShare float64
	// Settling says that a change of weight lands in this interval.
	Settling bool
	// Promoting says that stable's pods are being replaced by pods of the new version. What stable serves is then no
	// longer the old version's: it hides harm and proves no health. Pods that are told apart as new belong to Canary.
	Promoting bool
	// History says that the interval is before the release: it teaches how stable behaves, and is no evidence.
	History bool
	// Metrics are in the order of Policy.Metrics.
	Metrics []Counts
}

const (
	// largestCount is the count up to which floating point is exact with room to sum.
	largestCount = 1e15
	// leastRequests is the least part of a request that is taken for one; under it ratios of the arms overflow.
	leastRequests = 1e-6
)

// nextShare is the share that the evidence of health is for.
func (l Look) nextShare() float64 {
	if l.NextShare == 0 {
		return 1
	}
	return l.NextShare
}

// check refuses a look that cannot be true.
func (l Look) check(metrics int) error {
	switch {
	case !l.To.After(l.From):
		return fmt.Errorf("%w: it ends before it begins", ErrNonsense)
	case l.From.Year() < 1900 || l.To.Year() > 2200:
		return fmt.Errorf("%w: year %d", ErrNonsense, l.To.Year())
	case l.Step < 0:
		return fmt.Errorf("%w: step %d", ErrNonsense, l.Step)
	case !(l.NextShare >= 0 && l.NextShare <= 1):
		return fmt.Errorf("%w: next share %v", ErrNonsense, l.NextShare)
	case !(l.WantedShare >= 0 && l.WantedShare <= 1):
		return fmt.Errorf("%w: wanted share %v", ErrNonsense, l.WantedShare)
	case len(l.Metrics) != metrics:
		return fmt.Errorf("%w: %d metrics where the release has %d", ErrNonsense, len(l.Metrics), metrics)
	}
	for i := range l.Metrics {
		if err := checkPods(l.Metrics[i].Canary); err != nil {
			return err
		}
		if err := checkPods(l.Metrics[i].Stable); err != nil {
			return err
		}
	}
	return nil
}

// checkPods refuses counts that cannot be.
func checkPods(pods []PodCount) error {
	for i := range pods {
		c := &pods[i]
		countable := c.Requests == 0 || (c.Requests >= leastRequests && c.Requests <= largestCount)
		if !(countable && c.Bad >= 0 && c.Bad <= c.Requests) {
			return fmt.Errorf("%w: pod %q has %v bad of %v requests", ErrNonsense, c.Pod, c.Bad, c.Requests)
		}
	}
	return nil
}
