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
	// First and Second are the halves' counts; of a gauge, First has its blocks, bad where one half was worse.
	First, Second ArmCount
	// RolledBack says that the policy would have rolled back by this metric although nothing was released: its tolerance is
	// too tight for this service.
	RolledBack bool
	// Noise is φ, how many times rougher than independent requests the traffic would be taken to be in the trial's first
	// step: so many times as much traffic is needed.
	Noise float64
	// PodSpread is τ, the coefficient of variation between pods that differ for good, beyond chance.
	PodSpread float64
	// Relative and Absolute are the proposed tolerance, from a ladder of round numbers: the least that a release without a
	// change passes in half of MaxDuration (one hour where that is unbounded), and within which the halves are shown to be.
	Relative, Absolute float64
	// Takes is how long the steps of such a release would take with it, at the traffic that was seen; Present, with the
	// tolerance as it is.
	Takes, Present time.Duration
	// Within is what Takes was to be at most.
	Within time.Duration
	// Reached is false where even the greatest tolerance of the ladder takes too long or is contradicted. What is proposed is
	// then that one. Shown is false while too little was seen for the halves to be shown to be within what is proposed.
	Reached, Shown bool
}

// Calibration is what the comparison of stable with itself has shown so far (mode AA).
type Calibration struct {
	// Looks is how many looks were compared.
	Looks int
	// HarmPeak is the greatest combined evidence of harm so far; it would have proven harm at 1/FalseRollbackRisk.
	HarmPeak float64
	// Metrics are in the order of the policy; none before the first look, nor for a trial that makes no sense.
	Metrics []Proposal
}

// The ladders of round tolerances; a share is at most 100 %.
var (
	relativeLadder = []float64{.1, .15, .2, .25, .3, .4, .5, .75, 1}
	absoluteLadder = []float64{.0001, .0002, .0005, .001, .002, .005, .01, .02, .03, .05}
)

// Calibrate says how noisy the service is and which tolerances a release like the trial could live with. It changes
// nothing.
func (s *State) Calibrate(p Policy, t Trial) Calibration {
	h := s.mem.Halves
	out := Calibration{Looks: h.Looks, HarmPeak: plain(h.Peak)}
	if h.Looks == 0 || t.wrong() || p.Validate() != nil || len(p.Metrics) != len(s.mem.Metrics) {
		return out
	}
	for i := range p.Metrics {
		one := s.propose(p, i, t)
		one.RolledBack = slices.Contains(h.Crossed, i)
		out.Metrics = append(out.Metrics, one)
	}
	return out
}

// wrong reports whether the trial makes no sense.
func (t Trial) wrong() bool {
	bad := func(share float64) bool { return !(share > 0 && share <= 1) }
	return len(t.Shares) == 0 || slices.ContainsFunc(t.Shares, bad) || !slices.IsSorted(t.Shares) || t.Every <= 0 || t.CanaryPods < 0
}

// propose finds one metric's tolerance. The blocks of a gauge have their tolerance in them: nothing is proposed of it.
func (s *State) propose(p Policy, i int, t Trial) Proposal {
	m, mp := &s.mem.Metrics[i], p.Metrics[i]
	if mp.Signs {
		return Proposal{Name: mp.Name, First: ArmCount{Requests: m.Signs.Worse + m.Signs.NotWorse, Bad: m.Signs.Worse}}
	}
	service := s.serviceOf(m)
	out := Proposal{
		Name:      mp.Name,
		First:     ArmCount{Requests: m.Step.Canary.N, Bad: m.Step.Canary.X},
		Second:    ArmCount{Requests: m.Step.Stable.N, Bad: m.Step.Stable.X},
		PodSpread: service.podSpread,
		Noise:     service.noise(t, t.Shares[0]),
		Present:   service.takes(p, &mp, t),
		Within:    p.MaxDuration / 2,
	}
	if out.Within == 0 {
		out.Within = time.Hour
	}
	out.Relative, out.Reached = service.relative(&mp, t)
	mp.Relative = out.Relative
	fits := false
	for _, absolute := range absoluteLadder {
		mp.Absolute, out.Absolute = absolute, absolute
		out.Takes = service.takes(p, &mp, t)
		fits, out.Shown = out.Takes <= out.Within && !m.contradict(&mp), m.show(&mp, p.BadPromotionRisk)
		if fits && (out.Shown || service.seen < out.Within) { // a wider one would be shown earlier, and be wider than needed
			break
		}
	}
	out.Reached = out.Reached && fits
	return out
}

// contradict reports whether the halves speak against a tolerance, one way or the other.
func (m *metricMemory) contradict(mp *MetricPolicy) bool {
	first, second := m.views()
	most := math.Log(healthGate)
	return first.log(harmGrid, mp.margin(mp.Absolute)) > most || second.log(harmGrid, mp.margin(mp.Absolute)) > most
}

// show reports whether the halves are shown to be within a tolerance, both ways.
func (m *metricMemory) show(mp *MetricPolicy, risk float64) bool {
	first, second := m.views()
	least := logGate(risk)
	return first.log(promoteGrid, mp.margin(mp.Absolute)) >= least && second.log(promoteGrid, mp.margin(mp.Absolute)) >= least
}

// views are the halves as one interval, and the other way round.
func (m *metricMemory) views() (first, second snapshot) {
	c := m.StepWarm.counts()
	view := func(c counts) snapshot {
		return snapshot{counts: c, baseline: tally{N: c.ns, X: c.xs}.rate(), noise: max(1, m.Phi)}
	}
	return view(c), view(c.swapped())
}

// service is what the halves have shown of the service itself.
type service struct {
	memory    *metricMemory
	all       tally
	seen      time.Duration
	perSecond float64
	pods      float64 // that serve now
	podSpread float64
}

// serviceOf sums both halves.
func (s *State) serviceOf(m *metricMemory) service {
	v := service{memory: m, all: m.Step.Canary}
	v.all.add(m.Step.Stable)
	v.seen = time.Duration(s.mem.Last - s.mem.Start)
	v.perSecond = v.all.N / max(1, v.seen.Seconds())
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

// String is the metric's part in words.
func (o Proposal) String() string {
	seen := fmt.Sprintf("halves of stable: %s and %s; noise %s; pods differ by %.0f%%",
		o.First.words(), o.Second.words(), strconv.FormatFloat(min(o.Noise, 1e6), 'f', 2, 64), 100*o.PodSpread)
	if o.RolledBack {
		seen += "; by the tolerance as it is, a healthy release would have been rolled back"
	}
	return seen
}

// Proposed is the proposal in words.
func (o Proposal) Proposed() string {
	switch {
	case o.Reached && o.Shown:
		return fmt.Sprintf("proposed: relative %s, absolute %s, with which the steps take about %s",
			shortPercent(o.Relative), shortPercent(o.Absolute), max(o.Takes, time.Second))
	case o.Reached:
		return "too little was seen yet to propose a tolerance"
	}
	return fmt.Sprintf("no tolerance up to relative %s, absolute %s is sure to let an unchanged version through within %s at this traffic",
		shortPercent(o.Relative), shortPercent(o.Absolute), o.Within)
}
