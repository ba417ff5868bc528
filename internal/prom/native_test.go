package prom

import (
	"encoding/json"
	"math"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/common/model"

	"slipway.dev/slipway/internal/telemetry"
)

// TestNativeHistogramsAreReadFromTheAnswer: the answers are as Prometheus writes them, with the bounds of buckets that are
// not empty.
func TestNativeHistogramsAreReadFromTheAnswer(t *testing.T) {
	cases := map[string]struct {
		buckets string
		schema  int
		zero    float64
		want    map[int]float64
		custom  bool
	}{
		"powers of two, with what is nearly nothing": {
			buckets: `[[3,"-0.001","0.001","2"],[0,"0.5","1","3"],[0,"2","4","5"]]`, schema: 0, zero: 2, want: map[int]float64{0: 3, 2: 5},
		},
		"eight buckets to each power of two": {
			buckets: `[[0,"0.9170040432046712","1","7"],[0,"1.0905077326652577","1.189207115002721","1"]]`, schema: 3, want: map[int]float64{0: 7, 2: 1},
		},
		"coarser than powers of two": {buckets: `[[0,"1","16","4"]]`, schema: -2, want: map[int]float64{1: 4}},
		"nothing counted":            {buckets: `[]`, schema: schemaUnknown, want: map[int]float64{}},
		"less than nothing":          {buckets: `[[1,"-4","-2","6"],[0,"0.5","1","3"]]`, schema: 0, zero: 6, want: map[int]float64{0: 3}},
		"boundaries of its own":      {buckets: `[[0,"0.1","0.25","4"],[0,"0.25","0.5","4"]]`, custom: true},
		"… from nothing on":          {buckets: `[[0,"-Inf","0.25","4"],[0,"0.25","0.5","4"]]`, custom: true},
		"… up to anything":           {buckets: `[[0,"0.5","1","4"],[0,"1","+Inf","4"]]`, custom: true},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			var stream model.SampleStream
			answer := `{"metric":{"__name__":"pay_seconds"},"histograms":[[1700000000.5,{"count":"10","sum":"12","buckets":` + c.buckets + `}]]}`
			if err := json.Unmarshal([]byte(answer), &stream); err != nil {
				t.Fatal(err)
			}
			got := convert(&stream).Histograms
			if len(got) != 1 || got[0].UnixMillis != 1700000000500 || got[0].Custom != c.custom {
				t.Fatalf("histograms %+v", got)
			}
			if c.custom {
				return
			}
			if diff := cmp.Diff(c.want, got[0].Buckets); diff != "" || got[0].Schema != c.schema || got[0].Zero != c.zero {
				t.Errorf("schema %d, zero %v, buckets (-want +got):\n%s", got[0].Schema, got[0].Zero, diff)
			}
		})
	}
}

func TestEveryBoundOfEverySchemaIsRead(t *testing.T) {
	for schema := -4; schema <= 8; schema++ {
		for _, i := range []int{-2000, -37, -1, 0, 1, 12, 901} {
			lower, upper := math.Exp2(math.Ldexp(float64(i-1), -schema)), math.Exp2(math.Ldexp(float64(i), -schema))
			if lower < 1e-300 || upper > 1e300 {
				continue
			}
			h := nativeSample(1, &model.SampleHistogram{Buckets: model.HistogramBuckets{{Lower: model.FloatString(lower), Upper: model.FloatString(upper), Count: 4}}})
			want := telemetry.HistogramSample{UnixMillis: 1}
			want.Schema, want.Buckets = schema, map[int]float64{i: 4}
			if diff := cmp.Diff(want, h); diff != "" {
				t.Errorf("schema %d, bucket %d (-want +got):\n%s", schema, i, diff)
			}
		}
	}
}
