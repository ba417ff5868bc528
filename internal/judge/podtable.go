package judge

import "slices"

const (
	// mostCanaryPods and mostStablePods bound how many pods are remembered one by one. Counts of further pods are in
	// all sums; what is lost is only that they are told apart.
	mostCanaryPods = 64
	mostStablePods = 256

	// recentSlots slots of slotSeconds hold the counts of the last two minutes, the newest slot being begun.
	recentSlots = 4
	slotSeconds = 30
)

// podMemory is what is remembered of one pod for one metric.
type podMemory struct {
	All    tally              `json:"a,omitzero"`
	Recent [recentSlots]tally `json:"r,omitzero"`
	Harm   wealth             `json:"h,omitempty"` // evidence with this pod left out (canary)
	Wide   wealth             `json:"g,omitempty"`
	Limit  wealth             `json:"l,omitempty"`
	Out    bool               `json:"o,omitempty"` // left out of the comparison from the next interval on (stable)
}

// add takes in one interval's counts.
func (p *podMemory) add(t tally, slot int64) {
	p.All.add(t)
	p.Recent[slotIndex(slot)].add(t)
}

// recent is the counts of the last two minutes.
func (p *podMemory) recent() tally {
	var sum tally
	for _, t := range p.Recent {
		sum.add(t)
	}
	return sum
}

// slotIndex is where a slot stands in the ring, also for times before 1970.
func slotIndex(slot int64) int {
	return int((slot%recentSlots + recentSlots) % recentSlots)
}

// podIndex finds a pod's place by its name.
type podIndex map[string]int

// enter gives each pod of an arm that has a name a place, as far as there are places.
func (x *podIndex) enter(names []string, pods []PodCount, most int) []string {
	x.open(names, len(pods))
	for i := range pods {
		if _, known := (*x)[pods[i].Pod]; !known && pods[i].Pod != "" && len(names) < most {
			(*x)[pods[i].Pod] = len(names)
			names = append(names, pods[i].Pod)
		}
	}
	return names
}

// open makes the index of the names that are known, after the state was read back.
func (x *podIndex) open(names []string, room int) {
	if *x != nil {
		return
	}
	*x = make(podIndex, max(room, len(names)))
	for i, name := range names {
		(*x)[name] = i
	}
}

// enterPods gives the look's pods their places and sets up what is remembered of them for each metric. The evidence
// without a pod that is new is the common evidence: it has served nothing yet.
func (s *State) enterPods(l Look) {
	for i := range l.Metrics {
		if l.Metrics[i].PodsUnknown {
			continue
		}
		s.mem.Stable = s.stable.enter(s.mem.Stable, l.Metrics[i].Stable, mostStablePods)
		if !l.History {
			s.mem.Canary = s.canary.enter(s.mem.Canary, l.Metrics[i].Canary, mostCanaryPods)
		}
	}
	for i := range s.mem.Metrics {
		m := &s.mem.Metrics[i]
		for len(m.StablePods) < len(s.mem.Stable) {
			m.StablePods = append(m.StablePods, podMemory{})
		}
		for len(m.CanaryPods) < len(s.mem.Canary) {
			m.CanaryPods = append(m.CanaryPods, podMemory{Harm: slices.Clone(m.Harm), Wide: slices.Clone(m.Wide), Limit: slices.Clone(m.Limit)})
		}
	}
}

// turnSlots forgets recent counts that are over two minutes old.
func (s *State) turnSlots(slot int64) {
	if slot == s.mem.Slot {
		return
	}
	for old := max(s.mem.Slot+1, slot-recentSlots+1); old <= slot; old++ {
		for i := range s.mem.Metrics {
			forgetSlot(s.mem.Metrics[i].CanaryPods, slotIndex(old))
			forgetSlot(s.mem.Metrics[i].StablePods, slotIndex(old))
		}
	}
	s.mem.Slot = slot
}

// forgetSlot empties one slot of the ring.
func forgetSlot(pods []podMemory, index int) {
	for i := range pods {
		pods[i].Recent[index] = tally{}
	}
}
