package judge

import "math"

// judgement is what one interval is judged by. All of it is known before the interval's bad requests are.
type judgement struct {
	policy       *MetricPolicy
	harm, health margin
	wide         float64 // tolerance added for each cold request
	baseline     float64
	past         float64 // the share that a new version is held to while it is promoted; 0: there is no past to hold it to
	compared     bool    // a baseline is known
	noise        float64
}

// judgement draws up the margins, the baseline and the tempering of an interval.
func (m *metricMemory) judgement(mp *MetricPolicy, a *arms, wide, nextShare float64) judgement {
	base := m.Stable
	if mp.LowerIsWorse {
		base = m.Canary
	}
	j := judgement{policy: mp, wide: wide, baseline: base.rate(), compared: base.N > 0}
	if a.promoting {
		j.past = m.Times.holds(mp, wide)
	}
	j.harm = mp.margin(mp.Absolute)
	j.harm.rho *= m.podsWiden(a)
	j.health = mp.margin(mp.gateTolerance(nextShare))
	v := 0.0
	if j.compared {
		v = expectedVariance(j.baseline, a.canary.N, a.stable.N)
	}
	j.noise = m.Noise.temper(v, a.load())
	return j
}

// podsWiden is 1 + 2τ√(1/P_c + 1/P_s): with few pods, a difference between pods looks like one between versions
// (judging-method section 5.5).
func (m *metricMemory) podsWiden(a *arms) float64 {
	if !a.podsKnown || a.canaryPods == 0 || a.stablePods == 0 {
		return 1
	}
	var sums lasting
	for i := range m.StablePods {
		if !m.StablePods[i].Out {
			sums.add(m.StablePods[i].All)
		}
	}
	return 1 + 2*sums.tau()*math.Sqrt(1/a.canaryPods+1/a.stablePods)
}

// harmTerms is the comparison of an interval, its margin widened.
func (j *judgement) harmTerms(canary, stable tally, widen float64) terms {
	m := j.harm
	m.delta += j.policy.margin(widen).delta
	return terms{
		counts:   j.policy.arrange(counts{nc: canary.N, xc: canary.X, ns: stable.N, xs: stable.X}),
		margin:   m,
		baseline: j.baseline,
		noise:    j.noise,
		logCap:   logMostPerLook,
	}
}

// limitTerms is the fixed limit in an interval, widened; stable has no part in it.
func (j *judgement) limitTerms(canary tally, widen, logCap float64) terms {
	return terms{
		counts: counts{nc: canary.N, xc: canary.X},
		margin: j.policy.limitMargin(widen),
		noise:  j.noise,
		logCap: logCap,
	}
}

// growHarm multiplies the evidence of harm by that of the interval, with all pods and with each pod left out.
func (m *metricMemory) growHarm(j *judgement, a *arms, w *workspace) {
	warm, cold := a.parts()
	clear(w.steps[:])
	clear(w.limits[:])
	if j.compared {
		increments(w.steps[:], harmGrid, j.harmTerms(warm, a.stable, 0))
	}
	grid, _ := j.policy.limitGrids()
	if j.policy.Limit > 0 {
		increments(w.limits[:], grid, j.limitTerms(warm, 0, logMostPerLook))
	}
	m.Harm.grow(w.steps[:])
	m.Limit.grow(w.limits[:])
	m.Wide = m.Harm.lend(m.Wide, a)
	m.Wide.grow(j.wideIncrements(w.wide[:], a.wide(cold, tally{}), a.stable))
	for i := range m.CanaryPods {
		m.growWithout(i, j, a, w)
	}
}

// growWithout does the same with one canary pod left out (judging-method section 5.3).
func (m *metricMemory) growWithout(i int, j *judgement, a *arms, w *workspace) {
	warm, cold := a.parts()
	pod, own, ownCold := &m.CanaryPods[i], w.canary[i], w.cold[i]
	ownWarm := own.less(ownCold)
	if a.settling {
		ownWarm, ownCold = tally{}, own
	}
	pod.Wide = pod.Harm.lend(pod.Wide, a)
	pod.Wide.growCoarsely(j.wideIncrements(w.wide[:], a.wide(cold.less(ownCold), own), a.stable))
	if ownWarm.N <= 0 {
		pod.Harm.growCoarsely(w.steps[:])
		pod.Limit.growCoarsely(w.limits[:])
		return
	}
	rest := warm.less(ownWarm)
	if j.compared {
		increments(w.spare[:], harmGrid, j.harmTerms(rest, a.stable, 0))
		pod.Harm.growCoarsely(w.spare[:])
	}
	if j.policy.Limit > 0 {
		grid, _ := j.policy.limitGrids()
		increments(w.spare[:], grid, j.limitTerms(rest, 0, logMostPerLook))
		pod.Limit.growCoarsely(w.spare[:])
	}
}

// growHealth multiplies the evidence of health by that of the warm part of the interval.
func (m *metricMemory) growHealth(j *judgement, a *arms, w *workspace) {
	warm := a.warm
	if a.settling || a.promoting || warm.N <= 0 {
		return
	}
	if j.compared {
		increments(w.spare[:], promoteGrid, terms{
			counts:   j.policy.arrange(counts{nc: warm.N, xc: warm.X, ns: a.stable.N, xs: a.stable.X}),
			margin:   j.health,
			baseline: j.baseline,
			noise:    j.noise,
			logCap:   uncapped,
		})
		m.Promote.grow(w.spare[:])
	}
	if j.policy.Limit > 0 {
		_, grid := j.policy.limitGrids()
		increments(w.spare[:], grid, j.limitTerms(warm, 0, uncapped))
		m.LimitPromote.grow(w.spare[:])
	}
}

// learn takes in what the interval teaches for the next ones.
func (m *metricMemory) learn(j *judgement, a *arms, w *workspace, slot int64) {
	m.Phi = j.noise
	m.Canary.add(a.canary)
	m.Step.add(a.canary, a.stable)
	warm := a.warm
	if !a.settling && !a.promoting && warm.N > 0 && a.stable.N > 0 {
		m.StepWarm.add(warm, a.stable)
		m.Ratio.add(warm, a.stable)
		interval := armTally{Canary: warm, Stable: a.stable}
		m.Noise.add(newResidual(interval.counts(), m.Ratio.counts()))
	}
	for i := range m.CanaryPods {
		m.CanaryPods[i].add(w.canary[i], slot)
	}
	if !a.promoting {
		m.learnStable(a, w, slot)
	}
}

// learnStable takes in what an interval teaches of stable alone.
func (m *metricMemory) learnStable(a *arms, w *workspace, slot int64) {
	m.Stable.add(a.stable)
	m.Times.add(a.stable, slot)
	if !a.podsKnown {
		return
	}
	if !a.settling {
		m.Noise.addPods(chiSquare(w.entries))
	}
	for i := range m.StablePods {
		m.StablePods[i].add(w.stable[i], slot)
	}
}
