package judge

import "math"

const (
	// suspicion is how small the chance must be to leave a stable pod out. It is looked at in every interval, so it is
	// far smaller than for a canary pod, which is looked at once.
	suspicion = 1e-4
	// fewestForSuspicion is the number of stable pods under which none is left out.
	fewestForSuspicion = 4
	// suspicionSpread is how many times the lasting differences between pods one pod may be over their mean.
	suspicionSpread = 4
	// suspicionSigmas spares the exact tail where it cannot be small.
	suspicionSigmas = 3
)

// suspectStable leaves a stable pod out of the comparison from the next interval on, if over the last two minutes bad
// requests are on it alone: it would hide harm (judging-method section 5.3). Only a pod that turned bad is left out,
// against the others and against its own past. Leaving out pods that are always worse would make stable look better
// than it is and roll healthy releases back. At most one pod in ten is left out.
func (m *metricMemory) suspectStable(mp *MetricPolicy) {
	sums, out := m.recentStable()
	if sums.x < fewestForTau || sums.pods < fewestForSuspicion || out*10 >= max(10, len(m.StablePods)) {
		return
	}
	worst, height := -1, float64(suspicionSigmas*suspicionSigmas)
	for i := range m.StablePods {
		if m.StablePods[i].Out {
			continue
		}
		if h := standsOut(m.StablePods[i].recent(), sums, mp.LowerIsWorse); h > height {
			worst, height = i, h
		}
	}
	if worst >= 0 && m.turnedBad(worst, sums, mp.LowerIsWorse) {
		m.StablePods[worst].Out = true
	}
}

// recentStable sums the last two minutes of the stable pods that are compared, and counts those that are left out.
func (m *metricMemory) recentStable() (sums lasting, out int) {
	for i := range m.StablePods {
		if m.StablePods[i].Out {
			out++
			continue
		}
		sums.add(m.StablePods[i].recent())
	}
	return sums, out
}

// standsOut is the square of how many standard deviations a pod is worse than the mean of all; 0 where it is better.
func standsOut(t tally, sums lasting, lowerIsWorse bool) float64 {
	want := sums.x / sums.n * t.N
	diff := t.X - want
	if lowerIsWorse {
		diff = -diff
	}
	if want <= 0 || diff <= 0 {
		return 0
	}
	return diff * diff / want
}

// turnedBad reports whether a pod's last two minutes are more than chance, its own past, the lasting differences
// between pods and the noise between them explain.
func (m *metricMemory) turnedBad(i int, sums lasting, lowerIsWorse bool) bool {
	pod := m.StablePods[i].recent()
	share := pod.N / sums.n * m.usual(i, lowerIsWorse)
	share /= share + 1 - pod.N/sums.n
	tail := podTail(sums.x, share, pod.X, lowerIsWorse)
	return math.Log(sums.pods)+math.Log(tail)/max(1, m.Noise.pods()) < math.Log(suspicion)
}

// usual is how many times worse than the others a pod may be without having turned bad: by its own past, with two bad
// requests in its favour, and by what pods differ.
func (m *metricMemory) usual(i int, lowerIsWorse bool) float64 {
	var past lasting
	for k := range m.StablePods {
		if k != i && !m.StablePods[k].Out {
			past.add(m.StablePods[k].past())
		}
	}
	own, mean := m.StablePods[i].past(), past.x/max(1, past.n)
	reach := suspicionSpread * past.tau()
	if lowerIsWorse {
		return min(max(.1, 1-reach), (own.X+.5)/(mean*own.N+2))
	}
	return max(1+reach, (own.X+2)/(mean*own.N+.5))
}

// past is the counts before the last two minutes.
func (p *podMemory) past() tally {
	return p.All.less(p.recent())
}
