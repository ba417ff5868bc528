package main

import (
	"math"
	"math/rand/v2"
)

// gamma draws a factor with mean 1 and the given coefficient of variation (Marsaglia and Tsang 2000).
func gamma(r *rand.Rand, cv float64) float64 {
	if cv == 0 {
		return 1
	}
	shape, boost := 1/(cv*cv), 1.0
	if shape < 1 {
		boost = math.Pow(r.Float64(), 1/shape)
		shape++
	}
	d := shape - 1./3
	for {
		x := r.NormFloat64()
		root := 1 + x/math.Sqrt(9*d)
		v := root * root * root
		if v > 0 && math.Log(r.Float64()) < x*x/2+d-d*v+d*math.Log(v) {
			return d * v * boost * cv * cv
		}
	}
}

// poisson draws a count: by inversion, and from where its shape is a bell's by the normal distribution.
func poisson(r *rand.Rand, mean float64) float64 {
	const bell = 400
	if mean > bell {
		return max(0, math.Round(mean+math.Sqrt(mean)*r.NormFloat64()))
	}
	u, k := r.Float64(), 0.0
	p := math.Exp(-mean)
	for sum := p; u > sum && k < 2*bell; sum += p {
		k++
		p *= mean / k
	}
	return k
}

// binomial draws how many of n things have a share p.
func binomial(r *rand.Rand, n, p float64) float64 {
	const few = 200
	if n <= few {
		k := 0.0
		for range int(n) {
			if r.Float64() < p {
				k++
			}
		}
		return k
	}
	if n*p < few {
		return min(n, poisson(r, n*p))
	}
	return min(n, max(0, math.Round(n*p+math.Sqrt(n*p*(1-p))*r.NormFloat64())))
}
