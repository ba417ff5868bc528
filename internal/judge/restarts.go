package judge

import (
	"math"
	"time"
)

// The restart budget of judging-method section 4: a regression may begin late, so part of the stake is kept back and
// invested over the release. The parts sum to at most 1, fixed in advance.
const (
	startMass  = 0.4
	stepMass   = 0.2
	minuteMass = 0.4
)

// startShare is the mass for the first interval. A release of one step has no later one to keep a part for.
func startShare(steps int) float64 {
	if steps < 2 {
		return startMass + stepMass
	}
	return startMass
}

// stepShare is the mass for the first interval of one later step.
func stepShare(steps int) float64 {
	if steps < 2 {
		return 0
	}
	return stepMass / float64(steps-1)
}

// minuteShare is the mass of all minute boundaries in (prev, now], both measured from the start of the release.
// With maxDuration = 0 the release is unbounded and boundary i has a part that falls as 1/i².
func minuteShare(prev, now, maxDuration time.Duration) float64 {
	first, last := int64(prev/time.Minute)+1, int64(now/time.Minute)
	if maxDuration == 0 {
		return endlessShare(first, last)
	}
	boundaries := int64(maxDuration / time.Minute)
	last = min(last, boundaries)
	if boundaries == 0 || last < first {
		return 0
	}
	return minuteMass * float64(last-first+1) / float64(boundaries)
}

// endlessShare sums 0.4·6/(π²i²) over the boundaries first..last. After a long silence the tail is closed by the
// telescoping bound 1/i² > 1/i − 1/(i+1), which invests a little less and never more.
func endlessShare(first, last int64) float64 {
	const exact = 1000
	sum := 0.0
	for i := first; i <= min(last, first+exact); i++ {
		sum += 1 / (float64(i) * float64(i))
	}
	if last > first+exact {
		sum += 1/float64(first+exact+1) - 1/float64(last+1)
	}
	return minuteMass * 6 / (math.Pi * math.Pi) * sum
}
