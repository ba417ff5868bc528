package main

import (
	"cmp"
	"hash/fnv"
	"math"
	"runtime"
	"slices"
	"sync"
	"time"
)

// setting is one simulated situation: a world, how long a release looks at it, and the steps if it has some.
type setting struct {
	Name      string
	Traffic   traffic
	Tolerance tolerance
	Minutes   int
	// Share and Pods are the canary's, where the release has no steps.
	Share float64
	Pods  int
	// Steps are the shares one after the other. Their changes are the rule's, or every MinutesEach.
	Steps       []step
	MinutesEach int
}

// step is a share, the canary's pods and the least time that it lasts.
type step struct {
	share        float64
	pods         int
	leastMinutes int
}

// outcome is how one rule ended one release.
type outcome struct {
	decision decision // advance: promoted; wait: neither
	minutes  float64
	excess   float64
}

// outcomes are those of many runs, by rule.
type outcomes struct {
	runs   int
	byRule [][]outcome
}

// rolledBack is the share that was rolled back and its standard error.
func (o outcomes) rolledBack(rule int) proportion { return o.share(rule, rollBack) }

// promoted is the share that was promoted and its standard error.
func (o outcomes) promoted(rule int) proportion { return o.share(rule, advance) }

func (o outcomes) share(rule int, d decision) proportion {
	n := 0
	for _, x := range o.byRule[rule] {
		if x.decision == d {
			n++
		}
	}
	return proportion{n: o.runs, k: n}
}

// medianMinutes is the median time to a decision over all runs; those without it took for ever.
func (o outcomes) medianMinutes(rule int, d decision) float64 {
	var all []float64
	for _, x := range o.byRule[rule] {
		if x.decision != d {
			x.minutes = math.Inf(1)
		}
		all = append(all, x.minutes)
	}
	slices.Sort(all)
	return all[len(all)/2]
}

// meanExcess is the mean number of bad requests that the change cost, and its standard error.
func (o outcomes) meanExcess(rule int) (mean, se float64) {
	sum, square, n := 0.0, 0.0, float64(o.runs)
	for _, x := range o.byRule[rule] {
		sum += x.excess
		square += x.excess * x.excess
	}
	mean = sum / n
	return mean, math.Sqrt(max(0, square/n-mean*mean) / n)
}

// proportion is k of n.
type proportion struct{ n, k int }

func (p proportion) value() float64 { return float64(p.k) / float64(max(1, p.n)) }

// se is the standard error, that of one case where there is none.
func (p proportion) se() float64 {
	v := max(p.value(), 1/float64(max(1, p.n)))
	return math.Sqrt(v * max(1-v, 1/float64(p.n)) / float64(max(1, p.n)))
}

// simulator runs settings.
type simulator struct {
	runs  int
	seed  uint64
	rules []ruleKind
}

// run runs a setting as many times as asked for, on all cores. Each run has its own seed, so the order does not matter.
func (s simulator) run(c setting) outcomes {
	o := outcomes{runs: s.runs, byRule: make([][]outcome, len(s.rules))}
	for i := range o.byRule {
		o.byRule[i] = make([]outcome, s.runs)
	}
	h := fnv.New64a()
	_, _ = h.Write([]byte(c.Name))
	seed := s.seed ^ h.Sum64()
	next := make(chan int)
	var workers sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		workers.Go(func() {
			for run := range next {
				for i, x := range s.release(c, seed, run) {
					o.byRule[i][run] = x
				}
			}
		})
	}
	for run := range s.runs {
		next <- run
	}
	close(next)
	workers.Wait()
	return o
}

// release runs one release. Where rules choose the steps, each has its own world from the same seed; otherwise they all
// see the same looks.
func (s simulator) release(c setting, seed uint64, run int) []outcome {
	if len(c.Steps) == 0 || c.MinutesEach > 0 {
		return c.watch(s.rules, seed, run)
	}
	var out []outcome
	for _, kind := range s.rules {
		out = append(out, c.lead(kind, seed, run))
	}
	return out
}

func (c *setting) looks() int { return c.Minutes * int(time.Minute/every) }

// begin is a world with its rule after the time before the release.
func (c *setting) begin(kinds []ruleKind, seed uint64, run int) (*world, []rule) {
	w := newWorld(c.Traffic, c.looks(), seed, run)
	length := releaseLength{steps: max(1, len(c.Steps)), atMost: time.Duration(c.Minutes) * time.Minute}
	var all []rule
	for _, k := range kinds {
		all = append(all, k.start(c.Tolerance, length))
	}
	for range historyLooks {
		l := look{counts: w.next(split{}), history: true}
		for _, r := range all {
			r.see(l)
		}
	}
	return w, all
}

// see draws the next look.
func see(w *world, s step, settling bool) look {
	l := look{share: s.share, settling: settling, promoting: w.promoting()}
	l.counts = w.next(split{share: s.share, pods: s.pods})
	l.canary.add(l.counts.Canary)
	l.stable.add(l.counts.Stable)
	return l
}

// watch lets all rules see the same looks; who has rolled back is out.
func (c *setting) watch(kinds []ruleKind, seed uint64, run int) []outcome {
	w, all := c.begin(kinds, seed, run)
	out := make([]outcome, len(all))
	open := len(all)
	for i := 0; i < c.looks() && open > 0; i++ {
		at, now, settling := 0, step{share: c.Share, pods: c.Pods}, false
		if len(c.Steps) > 0 {
			at = min(len(c.Steps)-1, i/(c.MinutesEach*6))
			now, settling = c.Steps[at], i > 0 && i%(c.MinutesEach*6) == 0 && i/(c.MinutesEach*6) < len(c.Steps)
		}
		l := see(w, now, settling)
		l.step, l.nextShare = at, 1
		for k, r := range all {
			if out[k].decision != rollBack && r.see(l) == rollBack {
				out[k] = outcome{decision: rollBack, minutes: c.minutesTo(w, i), excess: w.excess}
				open--
			}
		}
	}
	return out
}

// minutesTo is how long it took to a look, from when there was something to find.
func (c *setting) minutesTo(w *world, look int) float64 {
	if c.Traffic.TurnsBad > 0 {
		look -= w.promotionFrom() - historyLooks
	}
	return minutesAfter(look)
}

func minutesAfter(looks int) float64 { return float64(looks+1) * every.Minutes() }

// lead lets one rule choose when each step is left.
func (c *setting) lead(kind ruleKind, seed uint64, run int) outcome {
	w, all := c.begin([]ruleKind{kind}, seed, run)
	at, since := 0, 0
	for i := range c.looks() {
		l := see(w, c.Steps[at], since == 0 && at > 0)
		l.step, l.nextShare = at, 1
		if at+1 < len(c.Steps) {
			l.nextShare = c.Steps[at+1].share
		}
		since++
		end := outcome{minutes: minutesAfter(i), excess: w.excess}
		switch d := all[0].see(l); {
		case d == rollBack:
			end.decision = rollBack
			return end
		case d == advance && since >= c.Steps[at].leastMinutes*6:
			at, since = at+1, 0
		}
		if at == len(c.Steps) {
			end.decision = advance
			end.excess += w.afterwards(c.looks() - i - 1)
			return end
		}
	}
	return outcome{minutes: float64(c.Minutes), excess: w.excess}
}

// worst is the setting in which a rule rolls most back.
func worst(all []outcomes, rule int) int {
	best := 0
	for i := range all {
		if cmp.Compare(all[i].rolledBack(rule).k, all[best].rolledBack(rule).k) > 0 {
			best = i
		}
	}
	return best
}
