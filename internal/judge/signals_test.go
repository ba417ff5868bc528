package judge

import (
	"errors"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

// wander is an hour of readings, one every 15 s, of which a part stays from one to the next.
func wander(stays float64, seed uint64) []Reading {
	r := rand.New(rand.NewPCG(seed, 9))
	var out []Reading
	v := 0.0
	for i := range 240 {
		v = stays*v + r.NormFloat64()
		out = append(out, Reading{At: epoch.Add(time.Duration(i) * 15 * time.Second), Value: 100 + v})
	}
	return out
}

func TestBlockLength(t *testing.T) {
	holes := wander(0, 2)
	for i := range holes {
		if i%3 == 0 {
			holes[i].Value = math.NaN()
		}
	}
	climbing := wander(0, 3)
	for i := range climbing {
		climbing[i].Value += float64(i)
	}
	constant := slices.Repeat([]Reading{{At: epoch, Value: 3}}, 240)
	for i := range constant {
		constant[i].At = epoch.Add(time.Duration(i) * 15 * time.Second)
	}
	for name, c := range map[string]struct {
		readings []Reading
		least    time.Duration
		most     time.Duration
	}{
		"independent readings need the shortest":      {wander(0, 1), time.Minute, time.Minute},
		"readings with holes do too":                  {holes, time.Minute, 2 * time.Minute},
		"a value that does not move does too":         {constant, time.Minute, time.Minute},
		"readings that linger need longer ones":       {wander(.95, 4), 2 * time.Minute, 10 * time.Minute},
		"what climbs for an hour needs the longest":   {climbing, 10 * time.Minute, 10 * time.Minute},
		"nothing known: the longest":                  {nil, 10 * time.Minute, 10 * time.Minute},
		"one reading is nothing":                      {wander(0, 1)[:1], 10 * time.Minute, 10 * time.Minute},
		"readings that go back in time are left out":  {append(wander(0, 1), Reading{At: epoch.Add(-time.Hour), Value: 1e9}), time.Minute, time.Minute},
		"a reading of next year does not fill memory": {append(wander(0, 1), Reading{At: epoch.Add(9000 * time.Hour), Value: 1}), time.Minute, time.Minute},
	} {
		t.Run(name, func(t *testing.T) {
			if got := BlockLength(c.readings); got < c.least || got > c.most {
				t.Errorf("%v, want %v to %v", got, c.least, c.most)
			}
		})
	}
}

func TestBlockSign(t *testing.T) {
	for name, c := range map[string]struct {
		canary, stable, tolerance float64
		worse, counted            bool
	}{
		"over the tolerance":   {112, 100, .1, true, true},
		"within the tolerance": {109, 100, .1, false, true},
		"better":               {50, 100, .1, false, true},
		"nothing to compare":   {112, 0, .1, false, false},
		"no number":            {math.NaN(), 100, .1, false, false},
		"negative":             {-1, 100, .1, false, false},
	} {
		if worse, counted := BlockSign(c.canary, c.stable, c.tolerance); worse != c.worse || counted != c.counted {
			t.Errorf("%s: worse %v, counted %v", name, worse, counted)
		}
	}
}

var latencies = Buckets{
	Bounds:     []float64{.1, .25, .5, 1, 2.5, math.Inf(1)},
	Cumulative: []float64{500, 900, 980, 995, 999, 1000},
}

func TestQuantileBoundary(t *testing.T) {
	for name, c := range map[string]struct {
		history     Buckets
		q, slowdown float64
		want        float64 // 0: refused
	}{
		"the 90th percentile is on a boundary":   {latencies, .9, 0, .25},
		"ten percent slower is in the next one":  {latencies, .9, .1, .5},
		"the 99th is between two":                {latencies, .99, .1, 1},
		"twice the 99.5th is above half of them": {latencies, .995, 1, 2.5},
		"above all boundaries":                   {latencies, .9999, .1, 0},
		"no requests":                            {Buckets{Bounds: []float64{1}, Cumulative: []float64{0}}, .9, 0, 0},
		"counts that fall":                       {Buckets{Bounds: []float64{1, 2}, Cumulative: []float64{5, 3}}, .9, 0, 0},
		"bounds that fall":                       {Buckets{Bounds: []float64{2, 1}, Cumulative: []float64{3, 5}}, .9, 0, 0},
		"no bounds":                              {Buckets{}, .9, 0, 0},
		"a quantile of all":                      {latencies, 1, 0, 0},
		"a slowdown of no number":                {latencies, .9, math.NaN(), 0},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := QuantileBoundary(c.history, c.q, c.slowdown)
			if got != c.want || (c.want == 0) != errors.Is(err, ErrBoundary) {
				t.Errorf("%v, %v; want %v", got, err, c.want)
			}
		})
	}
}

func TestShapeBoundaries(t *testing.T) {
	if got, want := ShapeBoundaries(latencies), []float64{.1, .25, .5, 1}; !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
	fine := Buckets{}
	for i := range 200 {
		fine.Bounds = append(fine.Bounds, float64(i+1))
		fine.Cumulative = append(fine.Cumulative, 1000*(1-math.Exp(-float64(i+1)/20)))
	}
	if got := ShapeBoundaries(fine); len(got) != mostCuts || !slices.IsSorted(got) {
		t.Errorf("%v", got)
	}
	if got := ShapeBoundaries(Buckets{}); got != nil {
		t.Errorf("%v of nothing", got)
	}
}

func TestNativeHistograms(t *testing.T) {
	fine := NativeHistogram{Schema: 1, Zero: 2, Buckets: map[int]float64{-3: 1, -2: 2, -1: 4, 0: 8, 1: 16, 2: 32, 3: 64}}
	got, err := fine.At(0)
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range map[int]float64{-1: 3, 0: 12, 1: 48, 2: 64} {
		if got.Buckets[i] != want {
			t.Errorf("bucket %d has %v, want %v", i, got.Buckets[i], want)
		}
	}
	if _, err := fine.At(2); !errors.Is(err, ErrBoundary) {
		t.Errorf("finer: %v", err)
	}
	sum, err := MergeNative(fine, NativeHistogram{Schema: 0, Zero: 1, Buckets: map[int]float64{2: 36}})
	if err != nil || sum.Schema != 0 || sum.Buckets[2] != 100 || sum.Zero != 3 {
		t.Errorf("%+v, %v", sum, err)
	}
	bound, above, all := sum.Above(1.5)
	if bound != 2 || above != 100 || all != 166 {
		t.Errorf("above %v are %v of %v", bound, above, all)
	}
}

// TestMergingKeepsBounds: on a bound of the coarser histogram, the coarser and the finer one count the same.
func TestMergingKeepsBounds(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 1))
	for range 200 {
		fine := NativeHistogram{Schema: r.IntN(8), Zero: 1, Buckets: map[int]float64{}}
		for range 50 {
			fine.Buckets[r.IntN(400)-200]++
		}
		schema := fine.Schema - r.IntN(fine.Schema+4)
		coarse, err := fine.At(schema)
		if err != nil {
			t.Fatal(err)
		}
		x := coarse.upperBound(r.IntN(5) - 2)
		boundFine, aboveFine, allFine := fine.Above(x)
		bound, above, all := coarse.Above(x)
		if above != aboveFine || all != allFine || !near(bound, boundFine) {
			t.Fatalf("schema %d to %d at %v: %v of %v, %v of %v", fine.Schema, schema, x, aboveFine, allFine, above, all)
		}
	}
}

func TestIncreaseOfHostileSamples(t *testing.T) {
	for name, c := range map[string]struct {
		samples []float64
		want    float64
	}{
		"it grows":                        {[]float64{1, 4, 9}, 8},
		"it is reset":                     {[]float64{5, 7, 2, 3}, 5},
		"a sample that is no number":      {[]float64{1, math.NaN(), 4}, 3},
		"a sample without end":            {[]float64{1, math.Inf(1), 4}, 3},
		"a negative sample is no counter": {[]float64{1, -7, 4}, 3},
		"the first is no number":          {[]float64{math.NaN(), 2, 4}, 2},
		"nothing":                         {nil, 0},
	} {
		if got := Increase(c.samples); got != c.want {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
	}
}

func FuzzSignals(f *testing.F) {
	f.Add(1.0, 2.0, 3.0, 5.0, .9, .1, int8(3))
	f.Add(math.NaN(), -1.0, math.Inf(1), 0.0, 2.0, -1.0, int8(-9))
	f.Fuzz(func(t *testing.T, a, b, c, d, q, slow float64, schema int8) {
		h := Buckets{Bounds: []float64{a, b, c}, Cumulative: []float64{b, c, d}}
		if bound, err := QuantileBoundary(h, q, slow); err == nil && (math.IsNaN(bound) || math.IsInf(bound, 0)) {
			t.Errorf("boundary %v", bound)
		}
		for _, bound := range ShapeBoundaries(h) {
			if math.IsNaN(bound) || math.IsInf(bound, 0) {
				t.Errorf("cut %v", bound)
			}
		}
		if v := Increase([]float64{a, b, c, d}); !(v >= 0) || math.IsInf(v, 0) && max(a, b, c, d) < math.MaxFloat64/8 {
			t.Errorf("increase %v", v)
		}
		if _, counted := BlockSign(a, b, slow); counted && (!(a > 0) || !(b > 0)) {
			t.Errorf("counted %v against %v", a, b)
		}
		_ = BlockLength([]Reading{{At: epoch, Value: a}, {At: epoch.Add(time.Minute), Value: b}, {At: epoch.Add(2 * time.Minute), Value: c}})
		_, _ = NativeHistogram{Schema: int(schema), Buckets: map[int]float64{int(schema): b, -3: c}}.At(int(schema) / 2)
	})
}
