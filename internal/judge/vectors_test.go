package judge

import (
	"encoding/json"
	"errors"
	"flag"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"slices"
	"testing"
)

var vectorFile = flag.String("vectors", "testdata/vectors.json", "file of golden numbers to reproduce")

// vector is one case of a file of golden numbers; which fields it has depends on its kind.
type vector struct {
	Kind     string          `json:"kind"`
	Want     []*float64      `json:"want"`
	Entries  []int           `json:"entries"`
	K        float64         `json:"k"`
	Rho      float64         `json:"rho"`
	Delta    float64         `json:"delta"`
	P        float64         `json:"p"`
	NC       float64         `json:"nc"`
	NS       float64         `json:"ns"`
	XC       float64         `json:"xc"`
	XS       float64         `json:"xs"`
	PC       float64         `json:"pc"`
	PS       float64         `json:"ps"`
	Phi      float64         `json:"phi"`
	Grid     string          `json:"grid"`
	Cap      *float64        `json:"cap"`
	Rows     [][]float64     `json:"rows"`
	Wanted   float64         `json:"wanted"`
	Pods     [][]float64     `json:"pods"`
	NextV    float64         `json:"nextV"`
	Values   []float64       `json:"values"`
	Weights  []float64       `json:"weights"`
	NSOverNC float64         `json:"nsOverNc"`
	Risk     float64         `json:"risk"`
	E        float64         `json:"E"`
	Risks    []float64       `json:"risks"`
	Cuts     [][]float64     `json:"cuts"`
	Which    string          `json:"which"`
	Samples  json.RawMessage `json:"samples"`
}

func (v vector) margin() margin { return margin{rho: v.Rho, delta: v.Delta} }

func (v vector) counts() counts { return counts{nc: v.NC, ns: v.NS, xc: v.XC, xs: v.XS} }

// vectorKinds computes each kind. A kind that is not here fails the test.
var vectorKinds = map[string]func(*testing.T, vector) []float64{
	"grid": func(_ *testing.T, v vector) []float64 {
		var got []float64
		for _, entry := range v.Entries {
			got = append(got, harmGrid[entry-1])
		}
		return got
	},
	"bet": func(_ *testing.T, v vector) []float64 {
		return []float64{bet(v.K, v.margin(), v.P, v.margin().kappa(v.counts()))}
	},
	"logE": func(_ *testing.T, v vector) []float64 {
		kappa := v.margin().kappa(v.counts())
		return []float64{logEvidence(v.counts(), v.margin(), kappa, bet(v.K, v.margin(), v.P, kappa)) / max(1, v.Phi)}
	},
	"E": vectorE,
	"share": func(_ *testing.T, v vector) []float64 {
		var got []float64
		for _, row := range v.Rows {
			got = append(got, logMixtureAgainst(logBeta(row[0]+1, row[1]-row[0]+1), row[0], row[1]-row[0], v.Wanted))
		}
		return got
	},
	"sign": func(_ *testing.T, v vector) []float64 {
		var got []float64
		for _, row := range v.Rows {
			got = append(got, SignEvidence(int(row[0]), int(row[1])))
		}
		return got
	},
	"chi2": func(_ *testing.T, v vector) []float64 {
		var pods []tally
		for _, pod := range v.Pods {
			pods = append(pods, tally{N: pod[0], X: pod[1]})
		}
		var n noise
		n.addPods(chiSquare(pods))
		return []float64{n.Chi, n.pods()}
	},
	"residual": func(_ *testing.T, v vector) []float64 {
		r := newResidual(v.counts(), v.counts())
		return []float64{r.ratio, r.variance, r.square}
	},
	"tempering": func(_ *testing.T, v vector) []float64 {
		var n noise
		var run armTally
		for _, row := range v.Rows {
			interval := armTally{Canary: tally{N: v.NC, X: row[0]}, Stable: tally{N: v.NS, X: row[1]}}
			run.add(interval.Canary, interval.Stable)
			n.add(newResidual(interval.counts(), run.counts()))
		}
		return []float64{n.SumD, n.dispersion(v.NextV), n.spread(v.NextV), n.temper(v.NextV, 1)}
	},
	"concentration": func(_ *testing.T, v vector) []float64 {
		var got []float64
		for _, row := range v.Rows {
			var pods []tally
			for _, x := range row {
				pods = append(pods, tally{N: 1000, X: x})
			}
			got = append(got, concentration(pods, false))
		}
		return got
	},
	"combine":  vectorCombine,
	"growth":   vectorGrowth,
	"nullMean": func(_ *testing.T, v vector) []float64 { return []float64{exactMean(v)} },
	"progress": func(_ *testing.T, v vector) []float64 {
		var got []float64
		for _, risk := range v.Risks {
			got = append(got, progress(math.Log(v.E), risk))
		}
		return got
	},
	"meanOverCuts": func(_ *testing.T, v vector) []float64 {
		s := Shape{Relative: v.Rho - 1, Absolute: v.Delta, CanaryRequests: v.NC, StableRequests: v.NS}
		for _, c := range v.Cuts {
			s.Cuts = append(s.Cuts, Cut{CanaryAbove: c[0], StableAbove: c[1], Baseline: c[2]})
		}
		return []float64{s.HarmEvidence()}
	},
	"bound": vectorBound,
	"delta": vectorDelta,
}

// vectorE runs rows of nc, ns, xc, xs, p̃, φ, ν through a whole mixture.
func vectorE(t *testing.T, v vector) []float64 {
	t.Helper()
	grid, ok := map[string][]float64{"harm": harmGrid, "promote": promoteGrid}[v.Grid]
	if !ok {
		t.Fatalf("unknown grid %q", v.Grid)
	}
	logCap := uncapped
	if v.Cap != nil {
		logCap = math.Log(*v.Cap)
	}
	var w wealth
	var got []float64
	steps := make([]float64, len(grid))
	idle := 1.0
	for _, row := range v.Rows {
		idle = max(0, idle-row[6])
		w = w.invest(len(grid), row[6])
		increments(steps, grid, terms{
			counts: counts{nc: row[0], ns: row[1], xc: row[2], xs: row[3]}, margin: v.margin(),
			baseline: row[4], noise: row[5], logCap: logCap,
		})
		w.grow(steps)
		got = append(got, math.Exp(w.logValue(idle)))
	}
	return got[len(got)-len(v.Want):]
}

// vectorCombine is the plain and the weighted mean, by the same sum that the decision takes.
func vectorCombine(_ *testing.T, v vector) []float64 {
	equal := Policy{}
	weighted := Policy{}
	s := State{mem: memory{}}
	for i, value := range v.Values {
		equal.Metrics = append(equal.Metrics, MetricPolicy{})
		weighted.Metrics = append(weighted.Metrics, MetricPolicy{Importance: v.Weights[i]})
		s.mem.Metrics = append(s.mem.Metrics, metricMemory{Harm: wealth{math.Log(value)}})
	}
	return []float64{math.Exp(s.harm(equal, -1).log), math.Exp(s.harm(weighted, -1).log)}
}

func vectorGrowth(_ *testing.T, v vector) []float64 {
	e := Expectation{
		Relative: v.Rho - 1, Absolute: v.Delta, CanaryBad: v.PC, StableBad: v.PS,
		StablePerCanary: v.NSOverNC, BadPromotionRisk: v.Risk,
	}
	u, gain := e.growth()
	return []float64{u, gain, Forecast(e)}
}

func vectorBound(t *testing.T, v vector) []float64 {
	t.Helper()
	s := snapshot{counts: v.counts(), baseline: v.P, noise: max(1, v.Phi)}
	switch v.Which {
	case "ratioLower":
		return []float64{s.ratioLower(v.Risk)}
	case "ratioUpper":
		return []float64{s.ratioUpper(v.Risk)}
	case "differenceUpper":
		return []float64{s.differenceUpper(v.Risk)}
	case "differenceLower":
		low, _ := s.differenceExceeded(v.Risk)
		return []float64{low}
	}
	t.Fatalf("unknown bound %q", v.Which)
	return nil
}

func vectorDelta(t *testing.T, v vector) []float64 {
	t.Helper()
	var series [][]float64
	if json.Unmarshal(v.Samples, &series) != nil {
		series = make([][]float64, 1)
		if err := json.Unmarshal(v.Samples, &series[0]); err != nil {
			t.Fatalf("samples: %v", err)
		}
	}
	sum := 0.0
	for _, samples := range series {
		sum += Increase(samples)
	}
	return []float64{sum}
}

// exactMean is E[e] over both arms' binomials, one bet.
func exactMean(v vector) float64 {
	kappa := v.margin().kappa(v.counts())
	u := bet(v.K, v.margin(), v.P, kappa)
	mean := 0.0
	for xc := 0.0; xc <= v.NC; xc++ {
		for xs := 0.0; xs <= v.NS; xs++ {
			c := counts{nc: v.NC, ns: v.NS, xc: xc, xs: xs}
			mean += math.Exp(logEvidence(c, v.margin(), kappa, u) + logBinomial(v.NC, xc, v.PC) + logBinomial(v.NS, xs, v.PS))
		}
	}
	return mean
}

// logBinomial is log P(Bin(n, p) = x).
func logBinomial(n, x, p float64) float64 {
	return -logBeta(x+1, n-x+1) - math.Log(n+1) + x*math.Log(p) + (n-x)*math.Log1p(-p)
}

func TestVectors(t *testing.T) {
	raw, err := os.ReadFile(*vectorFile)
	if errors.Is(err, fs.ErrNotExist) && !filepath.IsAbs(*vectorFile) {
		raw, err = os.ReadFile(filepath.Join("..", "..", *vectorFile)) // named from the root of the repository
	}
	if err != nil {
		t.Fatal(err)
	}
	var vectors map[string]vector
	if err := json.Unmarshal(raw, &vectors); err != nil {
		t.Fatalf("read %s: %v", *vectorFile, err)
	}
	if len(vectors) == 0 {
		t.Fatalf("%s has no vectors", *vectorFile)
	}
	names := make([]string, 0, len(vectors))
	for name := range vectors {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		t.Run(name, func(t *testing.T) { checkVector(t, vectors[name]) })
	}
}

func checkVector(t *testing.T, v vector) {
	t.Helper()
	compute, known := vectorKinds[v.Kind]
	if !known {
		t.Fatalf("unknown kind %q", v.Kind)
	}
	got := compute(t, v)
	if len(got) != len(v.Want) {
		t.Fatalf("%d numbers where %d are wanted", len(got), len(v.Want))
	}
	for i, want := range v.Want {
		if want == nil {
			continue
		}
		if math.IsNaN(got[i]) || math.Abs(got[i]-*want) > 1e-9*math.Abs(*want) {
			t.Errorf("number %d is %.13g, want %.13g", i+1, got[i], *want)
		}
	}
}
