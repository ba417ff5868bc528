package judge

import "math"

// The schemas of native histograms that have powers of two for their bounds.
const (
	coarsestSchema = -4
	finestSchema   = 8
)

// NativeHistogram is a histogram whose bucket i holds what is over 2^((i−1)·2^−schema) and at most 2^(i·2^−schema).
type NativeHistogram struct {
	Schema int
	// Zero is the count of what is nearly nothing; it is below every boundary.
	Zero float64
	// Buckets are counts by index.
	Buckets map[int]float64
}

// upperBound is the upper bound of a bucket.
func (h NativeHistogram) upperBound(index int) float64 {
	return math.Exp2(math.Ldexp(float64(index), -h.Schema))
}

// At is the histogram at a coarser schema: two neighbouring buckets become one, upper index i becoming ⌈i/2⌉, once for
// each schema between them. A finer one cannot be had, nor one that does not exist.
func (h NativeHistogram) At(schema int) (NativeHistogram, error) {
	if schema > h.Schema || schema < coarsestSchema || h.Schema > finestSchema {
		return NativeHistogram{}, ErrBoundary
	}
	out := NativeHistogram{Schema: schema, Zero: h.Zero, Buckets: make(map[int]float64, len(h.Buckets))}
	for i, count := range h.Buckets {
		for range h.Schema - schema {
			i = halfUp(i)
		}
		out.Buckets[i] += count
	}
	return out, nil
}

// halfUp is ⌈i/2⌉, also below zero.
func halfUp(i int) int {
	if i > 0 {
		return (i + 1) / 2
	}
	return i / 2
}

// MergeNative adds two histograms at the coarser of their schemas.
func MergeNative(a, b NativeHistogram) (NativeHistogram, error) {
	schema := min(a.Schema, b.Schema)
	sum, err := a.At(schema)
	if err != nil {
		return sum, err
	}
	other, err := b.At(schema)
	if err != nil {
		return other, err
	}
	sum.Zero += other.Zero
	for i, count := range other.Buckets {
		sum.Buckets[i] += count
	}
	return sum, nil
}

// Above is the first bound at or above x and how many requests are above it, of how many.
func (h NativeHistogram) Above(x float64) (bound, above, all float64) {
	index := 0
	if x > 0 {
		index = int(math.Ceil(math.Ldexp(math.Log2(x), h.Schema) - 1e-9)) // 2^(1/8)'s logarithm is not exact
	}
	all = h.Zero
	for i, count := range h.Buckets {
		all += count
		if i > index {
			above += count
		}
	}
	return h.upperBound(index), above, all
}
