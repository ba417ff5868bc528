package judge

// Increase is how much a counter grew over its samples, the first being where it stood before. A sample below the one
// before it is a reset: the counter began again at zero (judging-method section 7).
func Increase(samples []float64) float64 {
	sum := 0.0
	for i := 1; i < len(samples); i++ {
		if samples[i] < samples[i-1] {
			sum += samples[i]
			continue
		}
		sum += samples[i] - samples[i-1]
	}
	return sum
}
