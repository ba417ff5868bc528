package prom

import (
	"math"

	"github.com/prometheus/common/model"

	"slipway.dev/slipway/internal/judge"
	"slipway.dev/slipway/internal/telemetry"
)

// schemaUnknown is taken for a histogram without buckets: the finest, which merges with every other.
const schemaUnknown = 8

// nativeSample reads a native histogram from what Prometheus answers: the bounds of its buckets that are not empty. Its
// schema is not in the answer, but in the bounds: bucket i reaches up to 2^(i·2^−schema).
func nativeSample(at int64, h *model.SampleHistogram) telemetry.HistogramSample {
	out := telemetry.HistogramSample{UnixMillis: at, NativeHistogram: judge.NativeHistogram{Schema: schemaUnknown, Buckets: map[int]float64{}}}
	known := false
	for _, b := range h.Buckets {
		lower, upper, count := float64(b.Lower), float64(b.Upper), float64(b.Count)
		if lower <= 0 {
			if upper > 0 && lower != -upper { // only the bucket around zero reaches over it
				return telemetry.HistogramSample{UnixMillis: at, Custom: true}
			}
			out.Zero += count // what is nearly nothing, or less, is below every boundary
			continue
		}
		schema, ok := schemaOf(lower, upper)
		if !ok || known && schema != out.Schema {
			return telemetry.HistogramSample{UnixMillis: at, Custom: true}
		}
		out.Schema, known = schema, true
		out.Buckets[int(math.Round(math.Ldexp(math.Log2(upper), schema)))] += count
	}
	return out
}

// schemaOf is the schema of which two neighbouring bounds are; false for bounds of no schema.
func schemaOf(lower, upper float64) (int, bool) {
	const rounding = 1e-6
	width := -math.Log2(math.Log2(upper / lower))
	schema := math.Round(width)
	if math.IsNaN(width) || math.Abs(width-schema) > rounding || schema < -4 || schema > 8 {
		return 0, false
	}
	place := math.Ldexp(math.Log2(upper), int(schema))
	return int(schema), math.Abs(place-math.Round(place)) < rounding*max(1, math.Abs(place))
}
