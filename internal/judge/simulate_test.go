package judge

import (
	"flag"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

var (
	simulationRuns = flag.Int("runs", 150, "simulated releases for each setting")
	simulationSeed = flag.Uint64("seed", 1, "seed of the simulations")
)

// world is traffic as it might be: twenty stable pods, a look every ten seconds.
type world struct {
	perSecond  float64
	share      float64 // of the canary
	canaryPods int
	base       float64 // stable's rate
	canary     float64 // the canary's rate as a multiple of stable's
	lasting    float64 // CV of pods that differ for good
	fleeting   float64 // CV of pods, drawn anew each look
	cluster    float64 // bad requests come in clusters of this size
	bursts     bool    // both arms are twenty times as bad for a tenth of the time
	onePodBad  bool    // one canary pod has 20 % errors for two minutes
	minutes    int
}

const stablePods = 20

// gamma draws a factor with mean 1 and the given coefficient of variation (Marsaglia and Tsang).
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
		v := math.Pow(1+x/math.Sqrt(9*d), 3)
		if v > 0 && math.Log(r.Float64()) < x*x/2+d-d*v+d*math.Log(v) {
			return d * v * boost / (1 / (cv * cv))
		}
	}
}

// arm draws one arm's pods in one look.
func (w world) arm(r *rand.Rand, name string, factors []float64, requests, rate float64) []PodCount {
	out := make([]PodCount, len(factors))
	size := max(1, w.cluster)
	for i := range out {
		n := poisson(r, requests/float64(len(factors)))
		p := min(1, rate*factors[i]*gamma(r, w.fleeting))
		out[i] = PodCount{Pod: fmt.Sprintf("%s-%d", name, i), Requests: n, Bad: min(n, size*poisson(r, n*p/size))}
	}
	return out
}

// simulation is one run of a world.
type simulation struct {
	world
	r              *rand.Rand
	stable, canary []float64 // pods' lasting factors
	at             stream
	burstLeft      int
}

func (w world) start(seed uint64, run int) *simulation {
	s := &simulation{world: w, r: rand.New(rand.NewPCG(seed, uint64(run))), at: stream{now: epoch, every: 10 * time.Second}}
	for range stablePods {
		s.stable = append(s.stable, gamma(s.r, w.lasting))
	}
	for range w.canaryPods {
		s.canary = append(s.canary, gamma(s.r, w.lasting))
	}
	return s
}

// look draws the next interval; history has no canary.
func (s *simulation) look(history bool) Look {
	rate, requests := s.base, s.perSecond*s.at.every.Seconds()
	if s.bursts {
		if s.burstLeft == 0 && s.r.Float64() < .03 {
			s.burstLeft = 3
		}
		if s.burstLeft > 0 {
			s.burstLeft--
			rate *= 20
		}
	}
	share := s.share
	if history {
		share = 0
	}
	c := Counts{Stable: s.arm(s.r, "stable", s.stable, requests*(1-share), rate)}
	if !history {
		c.Canary = s.arm(s.r, "canary", s.canary, requests*share, rate*s.world.canary)
	}
	l := s.at.next(c)
	l.History, l.NextShare = history, 1
	return l
}

// run is one release without steps; it returns the last assessment and after how many looks it came.
func (s *simulation) run(t *testing.T, p Policy) (Assessment, int) {
	t.Helper()
	state := NewState(p)
	for range 30 {
		mustObserve(t, state, p, s.look(true))
	}
	looks := s.minutes * 6
	from := s.r.IntN(looks / 2)
	for i := range looks {
		l := s.look(false)
		if s.onePodBad && i >= from && i < from+12 {
			pod := &l.Metrics[0].Canary[0]
			pod.Bad = min(pod.Requests, pod.Bad+poisson(s.r, .2*pod.Requests))
		}
		mustObserve(t, state, p, l)
		if state.mem.Crossed {
			return state.Assess(p, 1), i + 1
		}
	}
	return state.Assess(p, 1), looks
}

// intolerant tolerates nothing, which is the edge of the null when nothing changed.
func intolerant() Policy {
	p := oneMetric(MetricPolicy{Name: "errors"})
	p.MaxDuration, p.Steps = 30*time.Minute, 1
	return p
}

// TestFalseRollbacks: of releases in which nothing changed, at most the stated risk is rolled back, whatever the traffic
// is like. The bound is the 99.9 % quantile of that many runs at a risk of 5 %.
func TestFalseRollbacks(t *testing.T) {
	for name, w := range map[string]world{
		"clean":                              {},
		"bursts in both arms":                {bursts: true},
		"pods that are noisy":                {fleeting: 1},
		"pods that differ for good, by half": {lasting: .5},
		"pods that differ for good, by all":  {lasting: 1},
		"errors that are retried":            {cluster: 4},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w.perSecond, w.share, w.canaryPods, w.base, w.canary, w.minutes = 100, .2, 5, .01, 1, 15
			rolled := 0
			for run := range *simulationRuns {
				if a, _ := w.start(*simulationSeed, run).run(t, intolerant()); a.Verdict == Rollback {
					rolled++
				}
			}
			if most := binomialQuantile(float64(*simulationRuns), .05, .001); float64(rolled) > most {
				t.Errorf("%d of %d rolled back, at most %v were expected", rolled, *simulationRuns, most)
			}
		})
	}
}

// TestOneBadPodIsNotTheVersion: a burst of errors on one canary pod of several rolls few releases back.
func TestOneBadPodIsNotTheVersion(t *testing.T) {
	w := world{onePodBad: true, perSecond: 100, share: .2, canaryPods: 5, base: .001, canary: 1, minutes: 15}
	rolled := 0
	for run := range *simulationRuns {
		if a, _ := w.start(*simulationSeed, run).run(t, intolerant()); a.Verdict == Rollback {
			rolled++
		}
	}
	if most := binomialQuantile(float64(*simulationRuns), .05, .001); float64(rolled) > most {
		t.Errorf("%d of %d rolled back, at most %v were expected", rolled, *simulationRuns, most)
	}
}

// TestBadPromotions: a canary at the tolerance passes a gate with at most the stated risk, looked at every ten seconds.
func TestBadPromotions(t *testing.T) {
	p := oneMetric(MetricPolicy{Name: "errors", Relative: .1, Absolute: .001})
	w := world{perSecond: 1000, share: .2, canaryPods: 5, base: .001, canary: 2.1}
	passed := 0
	for run := range *simulationRuns {
		s, state := w.start(*simulationSeed, run), NewState(p)
		for look := range 120 {
			mustObserve(t, state, p, s.look(look < 30))
			if state.mem.Metrics[0].logPromote() >= logGate(p.BadPromotionRisk) {
				passed++
				break
			}
		}
	}
	if most := binomialQuantile(float64(*simulationRuns), .05, .001); float64(passed) > most {
		t.Errorf("%d of %d passed the gate, at most %v were expected", passed, *simulationRuns, most)
	}
}

// TestRegressionsAreFound: real regressions are rolled back, the median within a few looks of ten seconds.
func TestRegressionsAreFound(t *testing.T) {
	for name, c := range map[string]struct {
		world
		wantMinutes float64
	}{
		"0.1 to 1 %, 100 a second":    {world: world{perSecond: 100, base: .001, canary: 10}, wantMinutes: 1.7},
		"1 to 5 %, 100 a second":      {world: world{perSecond: 100, base: .01, canary: 5}, wantMinutes: 1},
		"0.1 to 0.5 %, 1000 a second": {world: world{perSecond: 1000, base: .001, canary: 5}, wantMinutes: 1.2},
	} {
		t.Run(name, func(t *testing.T) {
			p := oneMetric(MetricPolicy{Name: "errors", Relative: .1, Absolute: .001})
			c.share, c.canaryPods, c.minutes = .2, 5, 30
			var looks []int
			for run := range 50 {
				a, n := c.start(*simulationSeed, run).run(t, p)
				if a.Verdict != Rollback {
					t.Fatalf("run %d: %s", run, a.Detail)
				}
				looks = append(looks, n)
			}
			slices.Sort(looks)
			if got := float64(looks[25]) / 6; got > c.wantMinutes {
				t.Errorf("median %.1f minutes, want %v", got, c.wantMinutes)
			}
		})
	}
}

// binomialQuantile is the least x with P(Bin(n, p) > x) < tail.
func binomialQuantile(n, p, tail float64) float64 {
	x := 0.0
	for upperTail(n, p, x+1) >= tail {
		x++
	}
	return x
}
