package hearing

import (
	"slices"

	"slipway.dev/slipway/internal/judge"
)

// What is remembered of each pod is remembered for each comparison, and all of it is kept in status. So the more
// comparisons there are, the fewer pods are told apart. The counts of the others are in all sums.
const (
	mostCanaryPods, canaryBudget = 64, 320
	mostStablePods, stableBudget = 256, 1280
)

// room is how many pods of each arm are told apart in so many comparisons.
func room(comparisons int) (canary, stable int) {
	return min(mostCanaryPods, canaryBudget/max(1, comparisons)), min(mostStablePods, stableBudget/max(1, comparisons))
}

// admit takes the names from pods that come when there is no room left to tell them apart.
func (h *Hearing) admit(counted []judge.Counts) {
	canary, stable := room(len(counted))
	for i := range counted {
		if counted[i].PodsUnknown {
			continue
		}
		h.record.CanaryPods = admitted(h.record.CanaryPods, counted[i].Canary, canary)
		h.record.StablePods = admitted(h.record.StablePods, counted[i].Stable, stable)
	}
}

func admitted(known []string, pods []judge.PodCount, most int) []string {
	for i := range pods {
		switch {
		case pods[i].Pod == "" || slices.Contains(known, pods[i].Pod):
		case len(known) < most:
			known = append(known, pods[i].Pod)
		default:
			pods[i].Pod = ""
		}
	}
	return known
}
