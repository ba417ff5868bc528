package judge

import "math"

// Increase is how much a counter grew over its samples, the first being where it stood before. A sample below the one
// before it is a reset: the counter began again at zero (judging-method section 7). What is no value of a counter is no
// sample.
func Increase(samples []float64) float64 {
	sum, last, known := 0.0, 0.0, false
	for _, v := range samples {
		if !(v >= 0) || math.IsInf(v, 1) {
			continue
		}
		switch {
		case !known:
		case v < last:
			sum += v
		default:
			sum += v - last
		}
		last, known = v, true
	}
	return sum
}
