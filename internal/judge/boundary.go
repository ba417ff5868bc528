package judge

import (
	"errors"
	"math"
)

// Buckets is a classic histogram: how many requests took at most Bounds[i]. Bounds rise; the last may be +Inf.
type Buckets struct {
	Bounds     []float64
	Cumulative []float64
}

// ErrBoundary is the class of errors of a histogram that cannot answer what is asked of it.
var ErrBoundary = errors.New("histogram has no boundary for it")

// possible reports whether bounds and counts are those of a histogram with requests.
func (b Buckets) possible() bool {
	if len(b.Bounds) == 0 || len(b.Bounds) != len(b.Cumulative) {
		return false
	}
	for i := range b.Bounds {
		if math.IsNaN(b.Bounds[i]) || !(b.Cumulative[i] >= 0) || math.IsInf(b.Cumulative[i], 0) {
			return false
		}
		if i > 0 && !(b.Bounds[i] > b.Bounds[i-1] && b.Cumulative[i] >= b.Cumulative[i-1]) {
			return false
		}
	}
	return b.total() > 0
}

func (b Buckets) total() float64 { return b.Cumulative[len(b.Cumulative)-1] }

// AtOrAbove is the first finite boundary at or above x. It is never interpolated: what is said is what is counted.
func (b Buckets) AtOrAbove(x float64) (bound float64, err error) {
	for _, v := range b.Bounds {
		if v >= x && !math.IsInf(v, 1) {
			return v, nil
		}
	}
	return 0, ErrBoundary
}

// Quantile is about where a share q of the requests lies, for who chooses a boundary of a histogram that has more of them
// than were seen (a native one); +Inf for no histogram.
func (b Buckets) Quantile(q float64) float64 {
	if !b.possible() || !inside(q) {
		return math.Inf(1)
	}
	return b.quantile(q)
}

// quantile is about where a share q of the requests lies. It only guides the choice of a boundary, so that the bucket may
// be taken as even.
func (b Buckets) quantile(q float64) float64 {
	want, low, below := q*b.total(), 0.0, 0.0
	for i, bound := range b.Bounds {
		if b.Cumulative[i] >= want && b.Cumulative[i] > below {
			return low + (bound-low)*(want-below)/(b.Cumulative[i]-below)
		}
		low, below = bound, b.Cumulative[i]
	}
	return math.Inf(1)
}

// QuantileBoundary chooses at the start where a quantile is watched: the first boundary at or above (1 + slowdown) times
// stable's quantile. From then on the share above it is judged with an absolute tolerance of 1 − q (judging-method
// section 7). Where that lies above all boundaries nothing can be watched, and it is said at the start.
func QuantileBoundary(history Buckets, q, slowdown float64) (bound float64, err error) {
	if !history.possible() || !inside(q) || !(slowdown >= 0) {
		return 0, ErrBoundary
	}
	return history.AtOrAbove((1 + slowdown) * history.quantile(q))
}

const (
	mostCuts            = 9
	greatestCut         = .5
	smallestCut         = .005
	differentBy float64 = 1e-12
)

// ShapeBoundaries chooses at the start the boundaries at which a whole distribution is compared: up to nine, spread
// evenly by the logarithm of stable's share above them, from a half to half a percent (judging-method section 7).
// Fewer where the histogram has no more there.
func ShapeBoundaries(history Buckets) []float64 {
	if !history.possible() {
		return nil
	}
	var out []float64
	last := -1
	for k := range mostCuts {
		want := greatestCut * math.Pow(smallestCut/greatestCut, float64(k)/(mostCuts-1))
		if i := history.nearest(want); i > last {
			out = append(out, history.Bounds[i])
			last = i
		}
	}
	return out
}

// nearest is the finite boundary whose share above is nearest to one on a log scale, among those within the range; −1 for
// none.
func (b Buckets) nearest(share float64) int {
	best, distance := -1, math.Inf(1)
	for i, bound := range b.Bounds {
		above := 1 - b.Cumulative[i]/b.total()
		if math.IsInf(bound, 1) || above > greatestCut+differentBy || above < smallestCut-differentBy {
			continue
		}
		if d := math.Abs(math.Log(above / share)); d < distance {
			best, distance = i, d
		}
	}
	return best
}
