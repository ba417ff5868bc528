package judge

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
)

// TestNullMean enumerates both arms' binomials at the edge of the null: the mean of one interval's evidence is at most 1,
// in both directions, for every bet.
func TestNullMean(t *testing.T) {
	margins := map[string]margin{
		"no tolerance":          {rho: 1},
		"a ratio":               {rho: 1.5},
		"points":                {rho: 1, delta: .05},
		"a ratio and points":    {rho: 1.1, delta: .01},
		"a fixed limit":         {delta: .2},
		"an arm of ten against": {rho: 1.1, delta: .02},
	}
	for name, m := range margins {
		for _, n := range [][2]float64{{12, 30}, {30, 12}, {5, 60}} {
			for _, ps := range []float64{.02, .2, .5} {
				t.Run(fmt.Sprintf("%s %v %v", name, n, ps), func(t *testing.T) {
					checkNullMean(t, vector{Rho: m.rho, Delta: m.delta, NC: n[0], NS: n[1], PS: ps, P: .1})
				})
			}
		}
	}
}

func checkNullMean(t *testing.T, v vector) {
	t.Helper()
	v.PC = v.Rho*v.PS + v.Delta
	for _, grid := range [][]float64{harmGrid, promoteGrid} {
		for _, k := range grid {
			v.K = k
			if mean := exactMean(v); !(mean <= 1+1e-9) {
				t.Errorf("bet on %v times the margin: mean evidence %v", k, mean)
			}
		}
	}
}

func TestBetsStayInRange(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 20000 {
		m := margin{rho: r.Float64() * 3, delta: math.Pow(10, -6*r.Float64())}
		if r.IntN(4) == 0 {
			m.delta = 0
		}
		c := counts{nc: math.Pow(10, 9*r.Float64()-3), ns: math.Pow(10, 9*r.Float64()-3)}
		p, kappa := math.Pow(10, -12*r.Float64()), m.kappa(c)
		for _, k := range harmGrid {
			if u := bet(k, m, p, kappa); !(u > 0 && u*kappa < 1) {
				t.Fatalf("harm bet %v on k %v, margin %+v, p %v, kappa %v", u, k, m, p, kappa)
			}
		}
		for _, k := range promoteGrid {
			if u := bet(k, m, p, kappa); !(u < 0 && u > -1) {
				t.Fatalf("promote bet %v on k %v, margin %+v, p %v, kappa %v", u, k, m, p, kappa)
			}
		}
	}
}

// TestBetGrowsBest compares the closed form with its neighbours under the alternative.
func TestBetGrowsBest(t *testing.T) {
	for _, m := range []margin{{rho: 1}, {rho: 1.1, delta: .001}, {rho: 1.1, delta: .05}} {
		for _, kappa := range []float64{.01, .3, 1, 5} {
			for _, k := range append([]float64{.1, .5, .9}, harmGrid...) {
				checkBest(t, k, m, .01, kappa)
			}
		}
	}
}

func checkBest(t *testing.T, k float64, m margin, p, kappa float64) {
	t.Helper()
	scale := m.rho*p + m.delta
	gain := func(u float64) float64 {
		return k*scale*math.Log1p(u) + m.rho*p/kappa*math.Log1p(-kappa*u) - m.delta*u
	}
	u := bet(k, m, p, kappa)
	for _, off := range []float64{.999, 1.001} {
		if v := u * off; v > -1 && v*kappa < 1 && gain(v) > gain(u)+1e-12 {
			t.Errorf("k %v, margin %+v, kappa %v: %v gains more than %v", k, m, kappa, v, u)
		}
	}
}

// TestSplitInterval: with no points of tolerance, no tempering and no cap, an interval is worth what its parts are.
func TestSplitInterval(t *testing.T) {
	whole, parts := make([]float64, harmBets), make([]float64, harmBets)
	sum := make([]float64, harmBets)
	base := terms{margin: margin{rho: 1.1}, baseline: .01, noise: 1, logCap: uncapped}
	all := base
	all.counts = counts{nc: 1000, ns: 9000, xc: 25, xs: 90}
	increments(whole, harmGrid, all)
	for _, c := range []counts{{nc: 100, ns: 900, xc: 20, xs: 3}, {nc: 900, ns: 8100, xc: 5, xs: 87}} {
		part := base
		part.counts = c
		increments(parts, harmGrid, part)
		for j := range sum {
			sum[j] += parts[j]
		}
	}
	for j := range sum {
		if !near(sum[j], whole[j]) {
			t.Errorf("bet %d: parts %v, whole %v", j, sum[j], whole[j])
		}
	}
}

// TestTemperingShrinks: more noise moves the evidence of an interval towards nothing, whichever way it spoke.
func TestTemperingShrinks(t *testing.T) {
	for _, xc := range []float64{0, 5, 12, 40} {
		for _, grid := range [][]float64{harmGrid, promoteGrid} {
			var last []float64
			for _, phi := range []float64{1, 1.5, 3, 10, 1000} {
				now := make([]float64, len(grid))
				increments(now, grid, terms{
					counts: counts{nc: 1000, ns: 9000, xc: xc, xs: 90}, margin: margin{rho: 1.1, delta: .001},
					baseline: .01, noise: phi, logCap: uncapped,
				})
				for j := range last {
					if math.Abs(now[j]) > math.Abs(last[j]) || now[j]*last[j] < 0 {
						t.Errorf("noise %v, bet %d: from %v to %v", phi, j, last[j], now[j])
					}
				}
				last = now
			}
		}
	}
}

func TestSilentIntervals(t *testing.T) {
	for name, c := range map[string]counts{
		"nothing at all": {},
		"no canary":      {ns: 100, xs: 50},
		"no stable":      {nc: 100, xc: 100},
	} {
		t.Run(name, func(t *testing.T) {
			got := make([]float64, harmBets)
			increments(got, harmGrid, terms{counts: c, margin: margin{rho: 1, delta: .01}, baseline: .01, noise: 1, logCap: uncapped})
			for _, v := range got {
				if v != 0 {
					t.Fatalf("evidence %v", v)
				}
			}
		})
	}
}

func TestIncompleteBeta(t *testing.T) {
	for _, n := range []float64{1, 7, 40, 300} {
		for _, p := range []float64{.01, .25, .5, .9} {
			sum := 0.0
			for x := n; x >= 0; x-- {
				sum += math.Exp(logBinomial(n, x, p))
				if got := upperTail(n, p, x); math.Abs(got-sum) > 1e-11 {
					t.Fatalf("P(Bin(%v, %v) ≥ %v) is %v, want %v", n, p, x, got, sum)
				}
			}
		}
	}
}
