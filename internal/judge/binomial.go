package judge

import "math"

// upperTail is P(Bin(n, p) ≥ x). n and x need not be whole.
func upperTail(n, p, x float64) float64 {
	switch {
	case x <= 0:
		return 1
	case x > n || p <= 0:
		return 0
	case p >= 1:
		return 1
	}
	return incompleteBeta(p, x, n-x+1)
}

// incompleteBeta is the regularised I_x(a, b), by Lentz's continued fraction on the side where it converges fast.
func incompleteBeta(x, a, b float64) float64 {
	if x <= 0 {
		return 0
	}
	if x >= 1 {
		return 1
	}
	front := math.Exp(a*math.Log(x) + b*math.Log1p(-x) - logBeta(a, b))
	if x < (a+1)/(a+b+2) {
		return min(1, front*betaFraction(x, a, b)/a)
	}
	return max(0, 1-front*betaFraction(1-x, b, a)/b)
}

// logBeta is log B(a, b). Great arguments go by Stirling's series, in which the great terms are taken together before
// they cancel.
func logBeta(a, b float64) float64 {
	if min(a, b) >= stirlingFrom {
		if a > b {
			a, b = b, a
		}
		sum := a + b
		return (a-.5)*math.Log(a/sum) + b*math.Log1p(-a/sum) - .5*math.Log(b) + .5*math.Log(2*math.Pi) +
			stirling(a) + stirling(b) - stirling(sum)
	}
	la, _ := math.Lgamma(a)
	lb, _ := math.Lgamma(b)
	lab, _ := math.Lgamma(a + b)
	return la + lb - lab
}

// stirlingFrom is where the series below has all the digits.
const stirlingFrom = 20

// stirling is what Stirling's formula for log Γ(z) lacks (DLMF 5.11.1).
func stirling(z float64) float64 {
	w := 1 / (z * z)
	return (1./12 - w*(1./360-w*(1./1260-w*(1./1680-w/1188)))) / z
}

// betaFraction is the continued fraction of the incomplete beta function (DLMF 8.17.22).
func betaFraction(x, a, b float64) float64 {
	c, d := 1.0, 1/nonZero(1-(a+b)*x/(a+1))
	h := d
	// The number of rounds grows as the square root of the greater argument.
	rounds := 200 + int(5*math.Sqrt(min(max(a, b), 1e8)))
	for i := 1; i <= rounds; i++ {
		m := float64(i)
		even := m * (b - m) * x / ((a + 2*m - 1) * (a + 2*m))
		d = 1 / nonZero(1+even*d)
		c = nonZero(1 + even/c)
		h *= d * c
		odd := -(a + m) * (a + b + m) * x / ((a + 2*m) * (a + 2*m + 1))
		d = 1 / nonZero(1+odd*d)
		c = nonZero(1 + odd/c)
		h *= d * c
		if math.Abs(d*c-1) < 1e-15 {
			break
		}
	}
	return h
}

// nonZero keeps a divisor of the continued fraction away from zero.
func nonZero(v float64) float64 {
	const tiny = 1e-300
	if math.Abs(v) < tiny {
		return tiny
	}
	return v
}
