package judge

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"time"
)

// Trial is the release for which tolerances are proposed.
type Trial struct {
	// Shares are the canary's shares of the traffic, step by step, each in (0, 1], growing. One of 1 has no stable beside it
	// and takes no time.
	Shares []float64
	// CanaryPods is how many pods the canary has at the first step. 0 means 1.
	CanaryPods int
	// Every is how often a look is taken.
	Every time.Duration
}

// Proposal is what a comparison of stable's halves says about one metric.
type Proposal struct {
	Name string
	// First and Second are the halves' counts.
	First, Second ArmCount
	// Noise is φ, how many times rougher than independent requests the traffic would be taken to be in the trial's first
	// step: so many times as much traffic is needed.
	Noise float64
	// PodSpread is τ, the coefficient of variation between pods that differ for good, beyond chance.
	PodSpread float64
	// Relative and Absolute are the proposed tolerance, from a ladder of round numbers: the least that a release without a
	// change passes in half of MaxDuration (one hour where that is unbounded), and that the halves do not contradict.
	Relative, Absolute float64
	// Takes is how long the steps of such a release would take with it, at the traffic that was seen.
	Takes time.Duration
	// Reached is false where even the greatest tolerance of the ladder takes too long or is contradicted. What is proposed is
	// then that one.
	Reached bool
	Detail  string
}

// HalvesAssessment is what the comparison of stable with itself has shown so far (mode AA).
type HalvesAssessment struct {
	// Looks is how many looks were compared. 0: nothing is known, and Detail says why.
	Looks int
	// RolledBack says that the policy would have rolled back although nothing was released: its tolerances are too tight
	// for this service.
	RolledBack bool
	// HarmPeak is the greatest combined evidence of harm so far; it would have proven harm at 1/FalseRollbackRisk.
	HarmPeak float64
	Metrics  []Proposal
	Detail   string
}

// The ladders of round tolerances.
var (
	relativeLadder = []float64{.1, .15, .2, .25, .3, .4, .5, .75, 1, 1.5, 2}
	absoluteLadder = []float64{.0001, .0002, .0005, .001, .002, .005, .01, .02, .03, .05}
)

// AssessHalves says how noisy the service is and which tolerances a release like the trial could live with. It changes
// nothing.
func (s *State) AssessHalves(p Policy, t Trial) HalvesAssessment {
	h := s.mem.Halves
	a := HalvesAssessment{Looks: h.Looks, RolledBack: h.Crossed, HarmPeak: plain(h.Peak)}
	switch {
	case p.Validate() != nil || len(p.Metrics) != len(s.mem.Metrics):
		return HalvesAssessment{Detail: "the policy is not one to judge by"}
	case t.wrong():
		return HalvesAssessment{Detail: "the steps are not ones to forecast by"}
	case h.Unsplit:
		a.Detail = "stable has fewer than two pods that are told apart, so there are no halves to compare"
	}
	if h.Looks == 0 {
		return a
	}
	for i := range p.Metrics {
		a.Metrics = append(a.Metrics, s.propose(p, i, t))
	}
	if a.Detail == "" {
		a.Detail = a.sentence(p)
	}
	return a
}

// wrong reports whether the trial makes no sense.
func (t Trial) wrong() bool {
	bad := func(share float64) bool { return !(share > 0 && share <= 1) }
	return len(t.Shares) == 0 || slices.ContainsFunc(t.Shares, bad) || !slices.IsSorted(t.Shares) || t.Every <= 0 || t.CanaryPods < 0
}

// propose finds one metric's tolerance.
func (s *State) propose(p Policy, i int, t Trial) Proposal {
	m, mp := &s.mem.Metrics[i], p.Metrics[i]
	service := s.serviceOf(m)
	out := Proposal{
		Name:      mp.Name,
		First:     ArmCount{Requests: m.Step.Canary.N, Bad: m.Step.Canary.X},
		Second:    ArmCount{Requests: m.Step.Stable.N, Bad: m.Step.Stable.X},
		PodSpread: service.podSpread,
		Noise:     service.noise(t, t.Shares[0]),
	}
	out.Relative, out.Reached = service.relative(&mp, t)
	mp.Relative = out.Relative
	within, fits := p.MaxDuration/2, false
	if within == 0 {
		within = time.Hour
	}
	for _, absolute := range absoluteLadder {
		mp.Absolute, out.Absolute = absolute, absolute
		out.Takes = service.takes(p, &mp, t)
		if fits = out.Takes <= within && !m.contradicts(&mp); fits {
			break
		}
	}
	out.Reached = out.Reached && fits
	out.Detail = out.sentence(within)
	return out
}

// contradicts reports whether the halves speak against a tolerance, one way or the other.
func (m *metricMemory) contradicts(mp *MetricPolicy) bool {
	c := m.StepWarm.counts()
	if c.nc <= 0 || c.ns <= 0 {
		return false
	}
	for _, way := range []counts{c, c.swapped()} {
		view := snapshot{counts: way, baseline: tally{N: way.ns, X: way.xs}.rate(), noise: max(1, m.Phi)}
		if view.log(harmGrid, mp.margin(mp.Absolute)) > math.Log(healthGate) {
			return true
		}
	}
	return false
}

// service is what the halves have shown of the service itself.
type service struct {
	memory    *metricMemory
	all       tally
	perSecond float64
	pods      float64 // that serve now
	podSpread float64
}

// serviceOf sums both halves.
func (s *State) serviceOf(m *metricMemory) service {
	v := service{memory: m, all: m.Step.Canary}
	v.all.add(m.Step.Stable)
	seconds := time.Duration(s.mem.Last - s.mem.Start).Seconds()
	v.perSecond = v.all.N / max(1, seconds)
	var sums lasting
	for _, half := range [][]podMemory{m.CanaryPods, m.StablePods} {
		for i := range half {
			sums.add(half[i].All)
			if half[i].recent().N > 0 {
				v.pods++
			}
		}
	}
	v.podSpread = sums.tau()
	return v
}

// noise is φ at a share of the trial.
func (v service) noise(t Trial, share float64) float64 {
	n := v.perSecond * t.Every.Seconds()
	nc, ns := n*share, n*(1-share)
	load := 1.0
	if v.pods > 0 && ns > 0 {
		load = (nc / max(1, float64(t.CanaryPods))) / (ns / v.pods)
	}
	return v.memory.Noise.temper(expectedVariance(v.all.rate(), nc, ns), load)
}

// relative is the least relative tolerance of the ladder that covers two standard deviations of what pods differ.
func (v service) relative(mp *MetricPolicy, t Trial) (relative float64, reached bool) {
	need := 2 * v.podSpread * math.Sqrt(1/max(1, float64(t.CanaryPods))+1/max(1, v.pods))
	for _, relative = range relativeLadder {
		if mp.LowerIsWorse && relative >= 1 {
			return .75, false
		}
		if relative >= need {
			return relative, true
		}
	}
	return relative, false
}

// longest stands for never.
const longest = time.Duration(math.MaxInt64)

// takes is how long a release without a change takes through all steps.
func (v service) takes(p Policy, mp *MetricPolicy, t Trial) time.Duration {
	seconds := 0.0
	for i, share := range t.Shares {
		if share >= 1 {
			break
		}
		next := 1.0
		if i+1 < len(t.Shares) {
			next = t.Shares[i+1]
		}
		c := mp.arrange(counts{nc: share, ns: 1 - share})
		rate := v.all.X / max(1, v.all.N)
		_, gain := mp.margin(mp.gateTolerance(next)).growth(rate, rate, c.ns/c.nc)
		seconds += v.noise(t, share) * logGate(p.BadPromotionRisk) / (gain * v.perSecond * c.nc)
	}
	if !(seconds < longest.Seconds()) {
		return longest
	}
	return time.Duration(seconds * float64(time.Second)).Round(time.Second)
}

// sentence says what the policy would have done.
func (a *HalvesAssessment) sentence(p Policy) string {
	if a.RolledBack {
		return fmt.Sprintf("the policy would have rolled back although nothing was released: harm evidence between stable's halves came to %s of %s in %d looks",
			number(a.HarmPeak), number(1/p.FalseRollbackRisk), a.Looks)
	}
	return fmt.Sprintf("harm evidence between stable's halves came to %s of %s in %d looks",
		number(a.HarmPeak), number(1/p.FalseRollbackRisk), a.Looks)
}

// sentence is the metric's part in words.
func (o *Proposal) sentence(within time.Duration) string {
	seen := fmt.Sprintf("halves %s and %s; noise %s; pods differ by %.0f%%",
		o.First.words(), o.Second.words(), strconv.FormatFloat(o.Noise, 'f', 1, 64), 100*o.PodSpread)
	if !o.Reached {
		return seen + fmt.Sprintf("; no tolerance up to relative %s, absolute %s lets an unchanged version through within %s at this traffic",
			shortPercent(o.Relative), shortPercent(o.Absolute), within)
	}
	return seen + fmt.Sprintf("; proposed: relative %s, absolute %s, with which the steps take about %s",
		shortPercent(o.Relative), shortPercent(o.Absolute), max(o.Takes, time.Second))
}
