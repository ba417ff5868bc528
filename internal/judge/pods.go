package judge

import (
	"encoding/json"
	"math"
	"strconv"
)

// tally is requests and bad requests.
type tally struct {
	N, X float64
}

// MarshalJSON writes it as [requests, bad].
func (t tally) MarshalJSON() ([]byte, error) {
	out := strconv.AppendFloat([]byte{'['}, t.N, 'g', -1, 64)
	out = strconv.AppendFloat(append(out, ','), t.X, 'g', -1, 64)
	return append(out, ']'), nil
}

// UnmarshalJSON reads [requests, bad].
func (t *tally) UnmarshalJSON(text []byte) error {
	var pair [2]float64
	if err := json.Unmarshal(text, &pair); err != nil {
		return err
	}
	t.N, t.X = pair[0], pair[1]
	return nil
}

// add sums two tallies.
func (t *tally) add(o tally) {
	t.N += o.N
	t.X += o.X
}

// less takes a part away; what rounding leaves of nothing is nothing.
func (t tally) less(part tally) tally {
	if t.N-part.N < leastRequests {
		return tally{}
	}
	return tally{N: t.N - part.N, X: min(max(0, t.X-part.X), t.N-part.N)}
}

// rate is the share that is bad, drawn towards ½ by one request: p̃ of judging-method section 2.
func (t tally) rate() float64 {
	return (t.X + .5) / (t.N + 1)
}

// chiSquare is how far the pods of one interval are apart, and its degrees of freedom (judging-method section 5.1).
// An interval without bad requests is left out: 0, 0.
func chiSquare(pods []tally) (chi, freedom float64) {
	var sum tally
	live := 0.0
	for _, p := range pods {
		if p.N > 0 {
			sum.add(p)
			live++
		}
	}
	if sum.X <= 0 || live < 2 {
		return 0, 0
	}
	for _, p := range pods {
		if p.N > 0 {
			want := max(sum.X*p.N/sum.N, math.SmallestNonzeroFloat64)
			chi += (p.X - want) * (p.X - want) / want
		}
	}
	return chi, live - 1
}

// fewestForTau is the number of bad requests under which differences between pods are not measured.
const fewestForTau = 10

// tauSigmas is how many standard deviations beyond chance pods must be apart to count as different.
const tauSigmas = 1.5

// lasting sums what τ needs of the pods' counts over all time.
type lasting struct {
	pods, n, x, nn, nx, xx float64
}

// add takes in one pod; one without requests is not there.
func (l *lasting) add(t tally) {
	if t.N <= 0 {
		return
	}
	l.pods++
	l.n += t.N
	l.x += t.X
	l.nn += t.N * t.N
	l.nx += t.N * t.X
	l.xx += t.X * t.X
}

// tau is the coefficient of variation between pods that differ for good, beyond what chance explains
// (judging-method section 5.5). Chance alone gives a spread of x·(1 − 1/pods) with a standard deviation of about
// √(2·scale + x). One and a half of these are taken off: with few errors the square root of what chance leaves over would
// otherwise widen the margin by half for pods that are equal. Where it matters, that pods do differ for good, the spread
// grows with the square of the counts and the deviation does not.
func (l lasting) tau() float64 {
	if l.x < fewestForTau || l.pods < 2 {
		return 0
	}
	mean := l.x / l.n
	scale := mean * mean * l.nn
	spread := l.xx - 2*mean*l.nx + scale
	chance := l.x*(1-1/l.pods) + tauSigmas*math.Sqrt(2*scale+l.x)
	return math.Sqrt(max(0, (spread-chance)/scale))
}

// concentration is how surprising it is that one pod has as many of the bad requests as it has, with the pods equally
// bad: min(1, pods · least upper tail) (judging-method section 5.3). Where lower is worse the lower tail counts.
func concentration(pods []tally, lowerIsWorse bool) float64 {
	var sum tally
	live := 0.0
	for _, t := range pods {
		if t.N > 0 {
			sum.add(t)
			live++
		}
	}
	if live < 2 || sum.X <= 0 {
		return 1
	}
	p := 1.0
	for _, t := range pods {
		if t.N > 0 {
			p = min(p, live*podTail(sum.X, t.N/sum.N, t.X, lowerIsWorse))
		}
	}
	return p
}

// podTail is the chance that a pod with this share of the requests has at least (lower is worse: at most) x of all bad
// ones.
func podTail(all, share, x float64, lowerIsWorse bool) float64 {
	if lowerIsWorse {
		return 1 - upperTail(all, share, x+1)
	}
	return upperTail(all, share, x)
}
