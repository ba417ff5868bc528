package hearing

import (
	"hash/fnv"

	"slipway.dev/slipway/internal/telemetry"
)

// Halves makes of two looks one that compares stable with itself: its pods in two halves where they are told apart, and
// otherwise one look against the other. One half is called the canary.
func Halves(first, second telemetry.Look) telemetry.Look {
	out := telemetry.Look{From: first.From, To: second.To}
	for i := range first.Metrics {
		a, b := first.Metrics[i], telemetry.Counts{}
		if i < len(second.Metrics) {
			b = second.Metrics[i]
		}
		out.Metrics = append(out.Metrics, halves(a, b))
	}
	return out
}

func halves(a, b telemetry.Counts) telemetry.Counts {
	out := telemetry.Counts{PodsUnknown: a.PodsUnknown}
	for i, c := range []telemetry.Counts{a, b} {
		armOf := func(pod string) telemetry.Arm {
			if c.PodsUnknown && i == 0 || !c.PodsUnknown && even(pod) {
				return telemetry.Canary
			}
			return telemetry.Stable
		}
		for _, p := range c.Stable {
			if armOf(p.Pod) == telemetry.Canary {
				out.Canary = addPod(out.Canary, p)
			} else {
				out.Stable = addPod(out.Stable, p)
			}
		}
		for _, d := range c.Distributions {
			if d.Arm == telemetry.Stable {
				d.Arm = armOf(d.Pod)
				out.Distributions = append(out.Distributions, d)
			}
		}
		for _, r := range c.Readings {
			if r.Arm == telemetry.Stable {
				r.Arm = armOf(r.Pod)
				out.Readings = append(out.Readings, r)
			}
		}
	}
	return out
}

func addPod(into []telemetry.PodCount, p telemetry.PodCount) []telemetry.PodCount {
	for i := range into {
		if into[i].Pod == p.Pod {
			into[i].Requests += p.Requests
			into[i].Bad += p.Bad
			return into
		}
	}
	return append(into, p)
}

// even puts a pod into a half, the same one always.
func even(pod string) bool {
	sum := fnv.New32a()
	_, _ = sum.Write([]byte(pod)) // a hash never fails
	return sum.Sum32()%2 == 0
}
