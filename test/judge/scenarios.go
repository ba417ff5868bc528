package main

import "fmt"

// A row of the report is a list of settings. They are data: to add a situation, add a row.

// podsAt is how many pods a canary of a share has.
func podsAt(share float64) int {
	switch {
	case share >= .5:
		return 20
	case share >= .2:
		return 5
	}
	return 1
}

var (
	allTraffic = []float64{10, 100, 1000}
	allShares  = []float64{.05, .2, .5}
	allBases   = []float64{.001, .01}

	nothing   = tolerance{}
	default10 = tolerance{relative: .1, absolute: .001}
)

// row is one line of a table: a situation over its settings.
type row struct {
	name string
	// settings are all that are simulated.
	settings []setting
	bound    float64
}

// over makes settings of a situation for each traffic, share and base rate that is kept.
func over(name string, t traffic, keep func(setting) bool) row {
	r := row{name: name, bound: risk}
	for _, perSecond := range allTraffic {
		for _, share := range allShares {
			for _, base := range allBases {
				t.PerSecond, t.Base = perSecond, base
				s := setting{
					Name:    fmt.Sprintf("%s, %v rps, %v %% canary, %v %% errors", name, perSecond, 100*share, 100*base),
					Traffic: t, Tolerance: nothing, Minutes: 30, Share: share, Pods: podsAt(share),
				}
				if keep == nil || keep(s) {
					r.settings = append(r.settings, s)
				}
			}
		}
	}
	return r
}

func fivePods(s setting) bool { return s.Pods >= 5 }

// halfOfTraffic keeps the share from which versions are promoted.
func halfOfTraffic(s setting) bool { return s.Share == .5 }

// nullRows are situations in which nothing is wrong with the version: nobody should be rolled back.
func nullRows() []row {
	retried := over("every error retried, clusters of 4", traffic{Cluster: 4}, nil)
	tail := over("errors in clusters of all sizes, 4 in the mean", traffic{Cluster: 4, Geometric: true}, nil)
	edge := over("exactly at a tolerance of 10 % + 0.1 points", traffic{Change: atTolerance}, nil)
	for i := range edge.settings {
		edge.settings[i].Tolerance = default10
	}
	return []row{
		over("clean", traffic{}, nil),
		over("bursts ×20 in both arms", traffic{SharedBursts: true}, nil),
		over("per-pod noise, CV 1, drawn anew each look", traffic{Fleeting: 1}, nil),
		over("pods that differ for good, CV 0.25", traffic{Lasting: .25}, nil),
		over("pods that differ for good, CV 0.5", traffic{Lasting: .5}, nil),
		over("pods that differ for good, CV 1", traffic{Lasting: 1}, nil),
		retried,
		over("2-minute burst of 20 % errors on one canary pod, five or more", traffic{BadCanaryPod: true}, fivePods),
		climbing(),
		edge,
		tail,
		over("bursts ×20 pod by pod, five or more canary pods", traffic{OwnBursts: true}, fivePods),
		over("2-minute burst of 20 % errors on one stable pod", traffic{BadStablePod: true}, nil),
		over("canary pods replaced half-way, pods differ by CV 0.5", traffic{Lasting: .5, Replaced: true}, nil),
		over("promoted, bursts ×20 in both arms", traffic{Promoted: true, SharedBursts: true}, halfOfTraffic),
		over("promoted, bursts ×20 pod by pod", traffic{Promoted: true, OwnBursts: true}, halfOfTraffic),
		over("promoted, every error retried, clusters of 4", traffic{Promoted: true, Cluster: 4}, halfOfTraffic),
		over("promoted, pods differ by CV 1", traffic{Promoted: true, Lasting: 1}, halfOfTraffic),
	}
}

// climbing is the base rate that grows while the weights do.
func climbing() row {
	r := row{name: "weights 1→5→10→20→50 % while errors climb from 0.2 to 0.8 %", bound: risk}
	for _, perSecond := range allTraffic {
		r.settings = append(r.settings, setting{
			Name:    fmt.Sprintf("%s, %v rps", r.name, perSecond),
			Traffic: traffic{PerSecond: perSecond, Base: .002, BaseAtEnd: .008},
			Minutes: 30, MinutesEach: 6,
			Steps: []step{{share: .01, pods: 2}, {share: .05, pods: 2}, {share: .1, pods: 3}, {share: .2, pods: 5}, {share: .5, pods: 20}},
		})
	}
	return r
}

func atTolerance(_, stable float64) float64 {
	return stable*(1+default10.relative) + default10.absolute
}

// to makes the canary's rate a fixed one.
func to(rate float64) func(share, stable float64) float64 {
	return func(_, _ float64) float64 { return rate }
}

// fromHalf makes the canary bad from half of the traffic on.
func fromHalf(change func(share, stable float64) float64) func(share, stable float64) float64 {
	return func(share, stable float64) float64 {
		if share < .5 {
			return stable
		}
		return change(share, stable)
	}
}

// regression is a change that is to be found.
type regression struct {
	name     string
	from, to float64
	// promoted: the version is as good as stable until it is promoted.
	promoted bool
}

var regressions = []regression{
	{name: "0.1 → 1 %", from: .001, to: .01},
	{name: "1 → 5 %", from: .01, to: .05},
	{name: "0.1 → 0.5 %", from: .001, to: .005},
	{name: "0 → 40 % from its promotion on", to: .4, promoted: true},
	{name: "1 → 40 % from its promotion on", from: .01, to: .4, promoted: true},
}

// of is the regression at one traffic and share.
func (g regression) of(perSecond, share float64) setting {
	t := traffic{PerSecond: perSecond, Base: g.from}
	if g.promoted {
		t.Promoted, t.TurnsBad = true, g.to
	} else {
		t.Change = to(g.to)
	}
	return setting{
		Name:    fmt.Sprintf("%s, %v rps, %v %% canary", g.name, perSecond, 100*share),
		Traffic: t, Tolerance: default10,
		Minutes: 30, Share: share, Pods: podsAt(share),
	}
}

// whole is a whole release through all steps.
type whole struct {
	name   string
	base   float64
	change func(share, stable float64) float64
	held   bool // ten minutes at 20 %
}

var wholes = []whole{
	{name: "no change at 0.1 %", base: .001},
	{name: "no change at 1 %", base: .01},
	{name: "0.1 → 0.5 %", base: .001, change: to(.005)},
	{name: "exactly at the tolerance all the time", base: .001, change: atTolerance},
	{name: "healthy to 20 %, held ten minutes, at the tolerance at 50 %", base: .001, change: fromHalf(atTolerance), held: true},
	{name: "healthy to 20 %, held ten minutes, 0.3 % at 50 %", base: .001, change: fromHalf(to(.003)), held: true},
}

// of is the release at one traffic.
func (w whole) of(perSecond float64) setting {
	s := setting{
		Name:    fmt.Sprintf("%s, %v rps, steps", w.name, perSecond),
		Traffic: traffic{PerSecond: perSecond, Base: w.base, Change: w.change}, Tolerance: default10, Minutes: 120,
		Steps: []step{{share: .01, pods: 1}, {share: .05, pods: 1}, {share: .2, pods: 5}, {share: .5, pods: 20}},
	}
	if w.held {
		s.Steps[2].leastMinutes = 10
	}
	return s
}
