package judge

// waiting is counts of one arm that wait for the other: arms are scraped at different moments, and a comparison needs
// both (judging-method section 9).
type waiting struct {
	Canary   []PodCount `json:"c,omitempty"`
	Stable   []PodCount `json:"s,omitempty"`
	Settling bool       `json:"t,omitempty"`
	Unknown  bool       `json:"u,omitempty"`
}

// empty reports whether nothing waits.
func (w *waiting) empty() bool {
	return len(w.Canary) == 0 && len(w.Stable) == 0
}

// IsZero leaves it out of the written state.
func (w waiting) IsZero() bool {
	return w.empty() && !w.Settling && !w.Unknown
}

// add puts a look's counts to those that wait.
func (w *waiting) add(c *Counts, settling bool) {
	w.Canary = mergePods(w.Canary, c.Canary)
	w.Stable = mergePods(w.Stable, c.Stable)
	w.Settling = w.Settling || settling
	w.Unknown = w.Unknown || c.PodsUnknown
}

// mergePods sums counts by pod. Some traffic of a pod that warmed up makes all of it warming: the careful side.
func mergePods(into, pods []PodCount) []PodCount {
	for i := range pods {
		into = mergePod(into, pods[i])
	}
	return into
}

// mergePod adds one pod's counts.
func mergePod(into []PodCount, pod PodCount) []PodCount {
	for i := range into {
		if into[i].Pod == pod.Pod {
			into[i].Requests += pod.Requests
			into[i].Bad += pod.Bad
			into[i].Warming = into[i].Warming || pod.Warming
			return into
		}
	}
	return append(into, pod)
}

// missing is how many looks in a row an arm was not seen.
func (m *metricMemory) missing() int {
	return max(m.NoCanary, m.NoStable)
}

// collect counts what was not seen and puts the look's counts together with those that wait. It reports false while one
// arm still waits for the other; after three looks it waits no longer.
func (m *metricMemory) collect(c *Counts, l Look) (counts Counts, settled, ready bool) {
	settling := l.Settling
	m.NoCanary, m.NoStable = unseenFor(m.NoCanary, c.Canary), unseenFor(m.NoStable, c.Stable)
	both := len(c.Canary) > 0 && len(c.Stable) > 0
	neither := len(c.Canary) == 0 && len(c.Stable) == 0
	alone := l.Promoting && len(c.Canary) > 0 // stable is going, and the past stands in for it
	if m.Waiting.empty() && (both || neither || alone || m.missing() >= unseenLooks) {
		return *c, settling, true
	}
	m.Waiting.add(c, settling)
	w := &m.Waiting
	if (len(w.Canary) == 0 || len(w.Stable) == 0) && m.missing() < unseenLooks {
		return Counts{}, false, false
	}
	counts, settled = Counts{Canary: w.Canary, Stable: w.Stable, PodsUnknown: w.Unknown}, w.Settling
	*w = waiting{Canary: w.Canary[:0], Stable: w.Stable[:0]}
	return counts, settled, true
}

// unseenFor counts looks in a row without an arm.
func unseenFor(before int, pods []PodCount) int {
	if len(pods) > 0 {
		return 0
	}
	return before + 1
}
