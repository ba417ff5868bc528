package judge

import "slices"

// Clone is a copy that shares nothing with s.
func (s *State) Clone() *State {
	mem := s.mem
	mem.Canary, mem.Stable = slices.Clone(mem.Canary), slices.Clone(mem.Stable)
	mem.Halves.Crossed = slices.Clone(mem.Halves.Crossed)
	mem.Metrics = slices.Clone(mem.Metrics)
	for i := range mem.Metrics {
		mem.Metrics[i].unshare()
	}
	return &State{mem: mem}
}

// unshare gives a copied metric memory of its own.
func (m *metricMemory) unshare() {
	m.Harm, m.Wide, m.Limit = slices.Clone(m.Harm), slices.Clone(m.Wide), slices.Clone(m.Limit)
	m.Promote, m.LimitPromote = slices.Clone(m.Promote), slices.Clone(m.LimitPromote)
	m.Waiting.Canary, m.Waiting.Stable = slices.Clone(m.Waiting.Canary), slices.Clone(m.Waiting.Stable)
	m.CanaryPods, m.StablePods = slices.Clone(m.CanaryPods), slices.Clone(m.StablePods)
	for i := range m.CanaryPods {
		pod := &m.CanaryPods[i]
		pod.Harm, pod.Wide, pod.Limit = slices.Clone(pod.Harm), slices.Clone(pod.Wide), slices.Clone(pod.Limit)
	}
}
