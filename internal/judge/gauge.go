package judge

import (
	"math"
	"time"
)

// Reading is a gauge's value at a moment.
type Reading struct {
	At    time.Time
	Value float64
}

// blockLengths are tried from the shortest on.
var blockLengths = []time.Duration{time.Minute, 2 * time.Minute, 3 * time.Minute, 5 * time.Minute, 10 * time.Minute}

const (
	// mostCorrelation is the lag-1 autocorrelation up to which neighbouring blocks are taken for independent.
	mostCorrelation = .2
	// fewestBlocks is the number of blocks under which a correlation says nothing.
	fewestBlocks = 4
)

// BlockLength is how long a block of a gauge must be for neighbouring blocks to be independent enough to count as signs:
// the shortest whose means over stable's last hour have a lag-1 autocorrelation, corrected by one over their number,
// under 0.2; the longest where none has (judging-method section 7). Readings must be in order; those that are no numbers
// are left out.
func BlockLength(stable []Reading) time.Duration {
	for _, length := range blockLengths {
		if r, blocks := blockCorrelation(stable, length); blocks >= fewestBlocks && r+1/float64(blocks) < mostCorrelation {
			return length
		}
	}
	return blockLengths[len(blockLengths)-1]
}

// blockCorrelation is the lag-1 autocorrelation of the block means and how many blocks have readings. A series that does
// not move has none.
func blockCorrelation(readings []Reading, length time.Duration) (correlation float64, blocks int) {
	means := blockMeans(readings, length)
	mean := 0.0
	for _, m := range means {
		if !math.IsNaN(m) {
			mean += m
			blocks++
		}
	}
	mean /= max(1, float64(blocks))
	product, square, last := 0.0, 0.0, math.NaN()
	for _, m := range means {
		off := m - mean
		if !math.IsNaN(off) {
			square += off * off
		}
		if both := off * last; !math.IsNaN(both) {
			product += both
		}
		last = off
	}
	if square <= 0 || math.IsInf(square, 0) {
		return 0, blocks
	}
	return product / square, blocks
}

// mostBlocks bounds what readings far apart could ask for: a day of the shortest blocks.
const mostBlocks = 24 * 60

// blockMeans are the means by block from the first reading on; NaN for a block without readings.
func blockMeans(readings []Reading, length time.Duration) []float64 {
	var means []float64
	sum, n, at := 0.0, 0.0, 0
	for _, r := range readings {
		if math.IsNaN(r.Value) || math.IsInf(r.Value, 0) {
			continue
		}
		block := int(r.At.Sub(readings[0].At) / length)
		if block < at || block >= mostBlocks {
			continue
		}
		for ; at < block; at++ {
			means = append(means, sum/n) // 0/0 is NaN: no readings
			sum, n = 0, 0
		}
		sum, n = sum+r.Value, n+1
	}
	return append(means, sum/n)
}

// BlockSign says whether the canary's mean of a block is worse than stable's by more than the tolerance:
// log mean_c − log mean_s − log(1 + tolerance) > 0. A block of which a mean is missing or not positive is not counted.
func BlockSign(canary, stable, tolerance float64) (worse, counted bool) {
	d := math.Log(canary) - math.Log(stable) - math.Log1p(tolerance)
	if math.IsNaN(d) || math.IsInf(d, 0) {
		return false, false
	}
	return d > 0, true
}
