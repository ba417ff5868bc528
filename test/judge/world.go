package main

import (
	"fmt"
	"math/rand/v2"
	"time"

	"slipway.dev/slipway/internal/judge"
)

const (
	// stablePods serve what the canary does not.
	stablePods = 20
	// every is how often a look is taken.
	every = 10 * time.Second
	// historyLooks are the five minutes before a release.
	historyLooks = 30
)

// traffic is what a service is like. Its zero value is the kindest one: independent requests, equal pods, no change.
type traffic struct {
	// PerSecond is requests a second of both arms together.
	PerSecond float64
	// Base is stable's share of bad requests, BaseAtEnd what it has drifted to at the end; 0: no drift.
	Base, BaseAtEnd float64
	// Lasting is the coefficient of variation of pods that differ for good, Fleeting of pods drawn anew each look.
	Lasting, Fleeting float64
	// Cluster: bad requests come in groups of this size, as retries do. Geometric draws that size, with this mean.
	Cluster   float64
	Geometric bool
	// SharedBursts: both arms are twenty times as bad in a tenth of the time, for half a minute each.
	SharedBursts bool
	// OwnBursts: each pod by itself is twenty times as bad for half a minute, in a fiftieth of the time.
	OwnBursts bool
	// BadCanaryPod and BadStablePod have 20 % errors for two minutes at some time.
	BadCanaryPod, BadStablePod bool
	// Replaced: the canary's pods are replaced by new ones in the middle.
	Replaced bool
	// Promoted: from the middle on, stable's pods are replaced one by one with pods of the new version, over two minutes.
	// TurnsBad is then the new version's share of bad requests; 0: it goes on as before.
	Promoted bool
	TurnsBad float64
	// Change is the canary's share of bad requests when it has a share of the traffic and stable has a rate; nil: stable's.
	Change func(share, stable float64) float64
}

// arm is the pods of one version.
type arm struct {
	prefix  string
	factors []float64
	bursts  []int // looks that a pod's own burst still lasts
	out     []judge.PodCount
	first   int // number of the first pod's name
}

// world draws traffic, look by look.
type world struct {
	traffic
	r              *rand.Rand
	canary, stable arm
	looks          int // of the release
	at             int // looks drawn so far, history included
	burst          int
	badFrom        int
	excess         float64 // bad requests of the canary that stable would not have had, in the mean
}

// newWorld is a world in which a release of so many looks will run. The same seed and run give the same world.
func newWorld(t traffic, looks int, seed uint64, run int) *world {
	source := rand.NewPCG(seed, uint64(run))                   //nolint:gosec // runs are counted from 0
	w := &world{traffic: t, r: rand.New(source), looks: looks} //nolint:gosec // a simulation is to be repeated
	w.stable = arm{prefix: "stable"}
	w.canary = arm{prefix: "canary"}
	w.grow(&w.stable, stablePods)
	w.badFrom = historyLooks + w.r.IntN(max(1, looks/2))
	return w
}

// grow gives an arm at least so many pods.
func (w *world) grow(a *arm, pods int) {
	for len(a.factors) < pods {
		a.factors = append(a.factors, gamma(w.r, w.Lasting))
		a.bursts = append(a.bursts, 0)
	}
}

// podNames keeps names from being written again and again.
var podNames = map[string][]string{"stable": namesOf("stable"), "canary": namesOf("canary"), "new": namesOf("new")}

func namesOf(prefix string) []string {
	const most = 4 * stablePods
	names := make([]string, most)
	for i := range names {
		names[i] = fmt.Sprintf("%s-%d", prefix, i)
	}
	return names
}

// split is how the traffic is divided.
type split struct {
	share float64
	pods  int
}

// next draws a look. Before the release the canary has no share. What is returned is valid until the next look.
func (w *world) next(s split) judge.Counts {
	rate := w.rate()
	if s.pods > 0 {
		w.grow(&w.canary, s.pods)
		if w.Replaced && w.at == historyLooks+w.looks/2 {
			w.replaceCanary()
		}
	}
	requests := w.PerSecond * every.Seconds()
	changed := rate
	if w.Change != nil {
		changed = w.Change(s.share, rate)
	}
	if w.TurnsBad > 0 && w.promoting() {
		changed = w.TurnsBad
	}
	c := judge.Counts{Stable: w.serve(&w.stable, stablePods, requests*(1-s.share), rates{old: rate, replaced: w.replaced(), new: changed})}
	if s.share > 0 {
		c.Canary = w.serve(&w.canary, s.pods, requests*s.share, rates{old: changed})
		w.excess += requests * s.share * (changed - rate)
	}
	w.turnOnePodBad(c)
	w.at++
	return c
}

// promotionFrom is the look with which stable's pods begin to be replaced.
func (w *world) promotionFrom() int { return historyLooks + w.looks/2 }

// promoting reports whether stable's pods are being replaced.
func (w *world) promoting() bool { return w.Promoted && w.at >= w.promotionFrom() }

// replaced is how many of stable's pods are the new version's.
func (w *world) replaced() int {
	const looks = 12
	if !w.promoting() {
		return 0
	}
	return min(stablePods, (w.at-w.promotionFrom()+1)*stablePods/looks)
}

// rates is the share of bad requests of an arm's pods; the first so many are the new version's.
type rates struct {
	old      float64
	replaced int
	new      float64
}

// of is a pod's rate, and the arm that it is named after.
func (r rates) of(pod int, prefix string) (rate float64, name string) {
	if pod < r.replaced {
		return r.new, "new"
	}
	return r.old, prefix
}

// rate is stable's rate of the moment.
func (w *world) rate() float64 {
	rate := w.Base
	if w.BaseAtEnd > 0 {
		gone := float64(max(0, w.at-historyLooks)) / float64(w.looks)
		rate += (w.BaseAtEnd - w.Base) * min(1, gone)
	}
	if w.SharedBursts && w.burst == 0 && w.r.Float64() < 1./27 {
		w.burst = 3
	}
	if w.burst > 0 {
		w.burst--
		rate *= 20
	}
	return min(1, rate)
}

// serve draws what an arm's pods served.
func (w *world) serve(a *arm, pods int, requests float64, all rates) []judge.PodCount {
	a.out = a.out[:0]
	for i := range pods {
		n := poisson(w.r, requests/float64(pods))
		rate, prefix := all.of(i, a.prefix)
		p := rate * a.factors[i]
		if w.Fleeting > 0 {
			p *= gamma(w.r, w.Fleeting)
		}
		if w.OwnBursts {
			p *= w.ownBurst(a, i)
		}
		name := podNames[prefix][(a.first+i)%len(podNames[prefix])]
		a.out = append(a.out, judge.PodCount{Pod: name, Requests: n, Bad: min(n, w.bad(n*min(1, p)))})
	}
	return a.out
}

// ownBurst is 20 while a pod has a burst of its own.
func (w *world) ownBurst(a *arm, pod int) float64 {
	if a.bursts[pod] == 0 && w.r.Float64() < 1./147 {
		a.bursts[pod] = 3
	}
	if a.bursts[pod] == 0 {
		return 1
	}
	a.bursts[pod]--
	return 20
}

// bad draws bad requests, one by one or in clusters.
func (w *world) bad(mean float64) float64 {
	if w.Cluster <= 1 {
		return poisson(w.r, mean)
	}
	clusters := poisson(w.r, mean/w.Cluster)
	if !w.Geometric {
		return clusters * w.Cluster
	}
	sum := 0.0
	for range int(clusters) {
		sum++
		for w.r.Float64() < 1-1/w.Cluster {
			sum++
		}
	}
	return sum
}

// afterwards is the bad requests that the change costs in so many looks in which it serves everybody.
func (w *world) afterwards(looks int) float64 {
	if w.Change == nil {
		return 0
	}
	return float64(looks) * w.PerSecond * every.Seconds() * (w.Change(1, w.Base) - w.Base)
}

// turnOnePodBad gives one pod 20 % errors for two minutes.
func (w *world) turnOnePodBad(c judge.Counts) {
	const looks = 12
	if w.at < w.badFrom || w.at >= w.badFrom+looks {
		return
	}
	for _, pods := range [][]judge.PodCount{pick(c.Canary, w.BadCanaryPod), pick(c.Stable, w.BadStablePod)} {
		if len(pods) > 0 {
			pods[0].Bad = min(pods[0].Requests, pods[0].Bad+poisson(w.r, .2*pods[0].Requests))
		}
	}
}

func pick(pods []judge.PodCount, yes bool) []judge.PodCount {
	if yes {
		return pods
	}
	return nil
}

// replaceCanary gives the canary new pods with new names.
func (w *world) replaceCanary() {
	for i := range w.canary.factors {
		w.canary.factors[i] = gamma(w.r, w.Lasting)
	}
	w.canary.first += len(w.canary.factors)
}
