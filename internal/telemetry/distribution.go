package telemetry

import (
	"cmp"
	"maps"
	"math"
	"slices"
	"strconv"

	"slipway.dev/slipway/internal/judge"
)

// HistogramSample is a native histogram at the moment of a scrape.
type HistogramSample struct {
	UnixMillis int64
	judge.NativeHistogram
	// Custom says that its buckets are not powers of two, so that they cannot be merged.
	Custom bool
}

// Distribution is how long requests of one pod (or arm) took in an interval, in the histogram's unit.
type Distribution struct {
	Arm      Arm
	Pod      string
	Requests float64
	// AtMost is how many requests took at most so long, of a classic histogram.
	AtMost map[float64]float64
	// Native is the histogram itself where it is a native one: its Buckets are not nil.
	Native judge.NativeHistogram
}

// Reading is a gauge of one pod in an interval: how often it was read, and the sum of what was read.
type Reading struct {
	Arm Arm
	Pod string
	N   float64
	Sum float64
}

// addBucket adds what a bucket has counted.
func (s *sum) addBucket(le string, d float64) {
	bound, err := strconv.ParseFloat(le, 64)
	if err != nil || math.IsNaN(bound) {
		return
	}
	if s.atMost == nil {
		s.atMost = map[float64]float64{}
	}
	s.atMost[bound] += d
}

// gatherNative sorts the samples of a native histogram by target and time.
func (m *meter) gatherNative(byTarget map[string]map[int64][]reading, s *series, samples []HistogramSample) {
	if s.role.Part != NativeHistogram || len(samples) == 0 {
		return
	}
	s.fed = max(s.fed, samples[len(samples)-1].UnixMillis)
	for i := range samples {
		sample := &samples[i]
		if sample.Custom {
			m.unreadable[s.key] = true
			continue
		}
		if m.began == 0 || sample.UnixMillis < m.began {
			m.began = sample.UnixMillis
		}
		byTime := byTarget[s.role.Target]
		if byTime == nil {
			byTime = map[int64][]reading{}
			byTarget[s.role.Target] = byTime
		}
		byTime[sample.UnixMillis] = append(byTime[sample.UnixMillis], reading{series: s, native: sample})
	}
}

// addNative adds what a native histogram has counted since its last sample.
func (m *meter) addNative(sums map[sumKey]*sum, r reading, at int64, born bool) {
	now, before, was := r.native.NativeHistogram, r.series.native, r.series.at
	r.series.at, r.series.native = at, now
	grown, known := now, born
	if was > 0 && at-was <= lookback {
		grown, known = grownSince(before, now)
	}
	key := sumKey{arm: r.series.role.Arm, pod: r.series.role.Pod, histogram: r.series.role.Histogram}
	s, ok := sums[key]
	if !ok {
		s = &sum{}
		sums[key] = s
	}
	if !known {
		return
	}
	if s.native.Buckets == nil {
		s.native = judge.NativeHistogram{Schema: grown.Schema, Buckets: map[int]float64{}}
	}
	if merged, err := judge.MergeNative(s.native, grown); err == nil {
		s.native, s.counted = merged, true
	}
}

// grownSince is what a native histogram has counted between two samples, at the coarser of their schemas: a client that
// has too many buckets makes them coarser. A bucket that is lower than before says that the histogram began again.
func grownSince(before, now judge.NativeHistogram) (judge.NativeHistogram, bool) {
	schema := min(before.Schema, now.Schema)
	old, err := before.At(schema)
	if err != nil {
		return now, false
	}
	grown, err := now.At(schema)
	if err != nil {
		return now, false
	}
	again := grown.Zero < old.Zero
	for i, count := range old.Buckets {
		again = again || grown.Buckets[i] < count
	}
	if again {
		return grown, true
	}
	grown.Zero -= old.Zero
	for i, count := range old.Buckets {
		grown.Buckets[i] -= count
	}
	return grown, true
}

// keepOther stores a whole histogram or a gauge's value of a scrape, unless it was judged before.
func (m *meter) keepOther(mt *meterTarget, at int64, key sumKey, s *sum) {
	if at <= m.discardUntil && !m.fed {
		return
	}
	in := increment{at: at, target: mt.target, arm: key.arm, pod: key.pod}
	if s.valued {
		in.reading = &Reading{Arm: key.arm, Pod: key.pod, N: 1, Sum: s.value}
		m.pending = append(m.pending, in)
		return
	}
	d := Distribution{Arm: key.arm, Pod: key.pod, Requests: s.requests, AtMost: s.atMost, Native: s.native}
	if s.native.Buckets != nil {
		d.Requests = s.native.Zero
		for _, i := range slices.Sorted(maps.Keys(s.native.Buckets)) {
			d.Requests += s.native.Buckets[i]
		}
	}
	if !s.counted || d.Requests <= 0 || d.AtMost == nil && d.Native.Buckets == nil {
		return
	}
	in.distribution = &d
	m.pending = append(m.pending, in)
}

// takeOther adds an increment of a whole histogram or a gauge to what an interval has.
func (c *Counts) takeOther(in increment) {
	if in.reading != nil {
		i := slices.IndexFunc(c.Readings, func(r Reading) bool { return r.Arm == in.arm && r.Pod == in.pod })
		if i < 0 {
			c.Readings = append(c.Readings, *in.reading)
			return
		}
		c.Readings[i].N += in.reading.N
		c.Readings[i].Sum += in.reading.Sum
		return
	}
	for i := range c.Distributions {
		if c.Distributions[i].Arm == in.arm && c.Distributions[i].Pod == in.pod && c.Distributions[i].Add(*in.distribution) {
			return
		}
	}
	d := *in.distribution
	d.AtMost = maps.Clone(d.AtMost)
	c.Distributions = append(c.Distributions, d)
}

func (c *Counts) sortOther() {
	slices.SortStableFunc(c.Distributions, func(a, b Distribution) int {
		return cmp.Or(cmp.Compare(a.Arm, b.Arm), cmp.Compare(a.Pod, b.Pod))
	})
	slices.SortStableFunc(c.Readings, func(a, b Reading) int {
		return cmp.Or(cmp.Compare(a.Arm, b.Arm), cmp.Compare(a.Pod, b.Pod))
	})
}

// Add puts another distribution to this one; false where they have no boundary in common.
func (d *Distribution) Add(o Distribution) bool {
	if (d.Native.Buckets == nil) != (o.Native.Buckets == nil) {
		return false
	}
	if d.Native.Buckets != nil {
		merged, err := judge.MergeNative(d.Native, o.Native)
		if err != nil {
			return false
		}
		d.Native, d.Requests = merged, d.Requests+o.Requests
		return true
	}
	common := map[float64]float64{}
	for bound, n := range d.AtMost {
		if more, ok := o.AtMost[bound]; ok {
			common[bound] = n + more
		}
	}
	if len(common) == 0 {
		return false
	}
	d.AtMost, d.Requests = common, d.Requests+o.Requests
	return true
}

// Above is how many requests took longer than a boundary; false where the histogram does not have it.
func (d *Distribution) Above(bound float64) (float64, bool) {
	if d.Native.Buckets != nil {
		_, above, _ := d.Native.Above(bound)
		return above, true
	}
	below, ok := d.AtMost[bound]
	return max(0, d.Requests-below), ok
}

// Buckets are the distribution as a classic histogram.
func (d *Distribution) Buckets() judge.Buckets {
	if d.Native.Buckets != nil {
		return nativeBuckets(d.Native)
	}
	var b judge.Buckets
	last := 0.0
	for _, bound := range slices.Sorted(maps.Keys(d.AtMost)) {
		last = min(max(last, d.AtMost[bound]), d.Requests)
		b.Bounds, b.Cumulative = append(b.Bounds, bound), append(b.Cumulative, last)
	}
	if n := len(b.Bounds); n > 0 && !math.IsInf(b.Bounds[n-1], 1) {
		b.Bounds, b.Cumulative = append(b.Bounds, math.Inf(1)), append(b.Cumulative, d.Requests)
	}
	return b
}

func nativeBuckets(h judge.NativeHistogram) judge.Buckets {
	b := judge.Buckets{Bounds: []float64{0}, Cumulative: []float64{h.Zero}}
	last := h.Zero
	for _, i := range slices.Sorted(maps.Keys(h.Buckets)) {
		last += h.Buckets[i]
		b.Bounds, b.Cumulative = append(b.Bounds, math.Exp2(math.Ldexp(float64(i), -h.Schema))), append(b.Cumulative, last)
	}
	b.Bounds, b.Cumulative = append(b.Bounds, math.Inf(1)), append(b.Cumulative, last)
	return b
}
