package load

import (
	"math"
	"time"
)

const (
	shortest = 100 * time.Microsecond // all below are in the first bucket
	growth   = 1.05                   // of each bucket's upper bound over the one before: the error of a quantile
	buckets  = 280                    // up to 80 s
)

// histogram of latencies, of constant size however long a run is.
type histogram struct {
	counts  [buckets]int64
	total   int64
	longest time.Duration
}

func (h *histogram) add(latency time.Duration) {
	index := 0
	if latency > shortest {
		index = int(math.Ceil(math.Log(float64(latency)/float64(shortest)) / math.Log(growth)))
	}
	h.counts[min(index, buckets-1)]++
	h.total++
	h.longest = max(h.longest, latency)
}

// quantile is the upper bound of the bucket that holds it, but never above what was seen.
func (h *histogram) quantile(share float64) time.Duration {
	rank := int64(math.Ceil(share * float64(h.total)))
	for index, count := range h.counts {
		if rank -= count; rank <= 0 {
			bound := time.Duration(float64(shortest) * math.Pow(growth, float64(index)))
			return min(bound, h.longest)
		}
	}
	return h.longest
}

func (h *histogram) summary() Latency {
	return Latency{
		P50Seconds: h.quantile(0.5).Seconds(),
		P90Seconds: h.quantile(0.9).Seconds(),
		P99Seconds: h.quantile(0.99).Seconds(),
		MaxSeconds: h.longest.Seconds(),
	}
}
