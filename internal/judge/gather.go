package judge

// gather sums one metric's interval and lays its pods out by their places. Stable pods that warm up are left out where
// others are warm, and so are stable pods that were found to be bad alone.
func (s *State) gather(i int, c *Counts) arms {
	m := &s.mem.Metrics[i]
	a := arms{podsKnown: !c.PodsUnknown}
	s.work.reset(len(m.CanaryPods), len(m.StablePods))
	s.gatherCanary(&a, c.Canary)
	s.gatherStable(&a, m, c.Stable)
	return a
}

// reset empties the workspace and fits it to the number of pods.
func (w *workspace) reset(canary, stable int) {
	w.canary = emptied(w.canary, canary)
	w.cold = emptied(w.cold, canary)
	w.stable = emptied(w.stable, stable)
	w.entries = w.entries[:0]
}

// emptied is n zero tallies in the given memory where it suffices.
func emptied(t []tally, n int) []tally {
	if cap(t) < n {
		return make([]tally, n)
	}
	t = t[:n]
	clear(t)
	return t
}

// gatherCanary sums the canary's pods.
func (s *State) gatherCanary(a *arms, pods []PodCount) {
	for i := range pods {
		t := tally{N: pods[i].Requests, X: pods[i].Bad}
		if t.N <= 0 {
			continue
		}
		a.canaryPods++
		a.canary.add(t)
		if pods[i].Warming {
			a.cold.add(t)
		} else {
			a.warm.add(t)
		}
		place, known := s.canary[pods[i].Pod]
		if !a.podsKnown || !known {
			continue
		}
		s.work.canary[place].add(t)
		if pods[i].Warming {
			s.work.cold[place].add(t)
		}
	}
}

// gatherStable sums the stable pods that count.
func (s *State) gatherStable(a *arms, m *metricMemory, pods []PodCount) {
	someWarm := false
	for i := range pods {
		someWarm = someWarm || (!pods[i].Warming && pods[i].Requests > 0)
	}
	for i := range pods {
		t := tally{N: pods[i].Requests, X: pods[i].Bad}
		a.served += t.N
		if t.N <= 0 || (someWarm && pods[i].Warming) {
			continue
		}
		place, known := s.stable[pods[i].Pod]
		known = known && a.podsKnown
		if known && m.StablePods[place].Out {
			continue
		}
		a.stablePods++
		a.stable.add(t)
		s.work.entries = append(s.work.entries, t)
		if known {
			s.work.stable[place].add(t)
		}
	}
}
