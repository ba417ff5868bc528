package judge

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"
)

// TestCutAndResume writes the state down and reads it back after every look: the evidence must be the same bit for bit.
func TestCutAndResume(t *testing.T) {
	p := errorsAndLatency(2)
	p.Metrics[0].Limit = .05
	whole, cut := NewState(p), NewState(p)
	for i, l := range randomLooks(rand.New(rand.NewPCG(3, 4)), 200) {
		mustObserve(t, whole, p, l)
		mustObserve(t, cut, p, l)
		text, err := cut.MarshalText()
		if err != nil {
			t.Fatal(err)
		}
		cut = &State{}
		if err := cut.UnmarshalText(text); err != nil {
			t.Fatalf("look %d: %v", i, err)
		}
		if !whole.Equal(cut) {
			t.Fatalf("look %d: the states differ", i)
		}
	}
	a, b := whole.Assess(p, 1), cut.Assess(p, 1)
	if a.Detail != b.Detail || math.Float64bits(a.HarmEvidence) != math.Float64bits(b.HarmEvidence) {
		t.Errorf("assessed as %q and %q", a.Detail, b.Detail)
	}
}

func TestOrderDoesNotMatter(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	p := errorsAndLatency(2)
	turned := p
	turned.Metrics = []MetricPolicy{p.Metrics[1], p.Metrics[0]}
	a, b := NewState(p), NewState(turned)
	for _, l := range randomLooks(r, 150) {
		other := l
		other.WantedShare, l.WantedShare = 0, 0 // the split is measured by the first metric
		other.Metrics = []Counts{shuffled(r, l.Metrics[1]), shuffled(r, l.Metrics[0])}
		mustObserve(t, a, p, l)
		mustObserve(t, b, turned, other)
		if x, y := a.harm(p, -1).log, b.harm(turned, -1).log; !near(x, y) {
			t.Fatalf("harm %v and %v", x, y)
		}
		for i := range p.Metrics {
			if x, y := a.mem.Metrics[i].logPromote(), b.mem.Metrics[1-i].logPromote(); !near(x, y) {
				t.Fatalf("metric %d: health %v and %v", i, x, y)
			}
		}
	}
}

func shuffled(r *rand.Rand, c Counts) Counts {
	out := Counts{Canary: slices.Clone(c.Canary), Stable: slices.Clone(c.Stable)}
	for _, pods := range [][]PodCount{out.Canary, out.Stable} {
		r.Shuffle(len(pods), func(i, j int) { pods[i], pods[j] = pods[j], pods[i] })
	}
	return out
}

// TestEmptyIntervalSaysNothing: without restart mass, an interval in which the canary served nothing changes no
// evidence.
func TestEmptyIntervalSaysNothing(t *testing.T) {
	p := errorsAndLatency(1)
	p.MaxDuration = time.Second // no minute boundaries
	s, at := NewState(p), stream{now: epoch, every: 10 * time.Second}
	c := Counts{Canary: pods("canary", 2, 50, 1), Stable: pods("stable", 4, 100, 1)}
	for range 5 {
		mustObserve(t, s, p, at.next(c, c))
	}
	harm, health := s.harm(p, -1).log, s.mem.Metrics[0].logPromote()
	c.Canary = pods("canary", 2, 0, 0)
	mustObserve(t, s, p, at.next(c, c))
	if got := s.harm(p, -1).log; got != harm {
		t.Errorf("harm went from %v to %v", harm, got)
	}
	if got := s.mem.Metrics[0].logPromote(); got != health {
		t.Errorf("health went from %v to %v", health, got)
	}
}

func TestNonsenseChangesNothing(t *testing.T) {
	p := errorsAndLatency(1)
	fine := func() Look {
		c := Counts{Canary: pods("canary", 2, 50, 1), Stable: pods("stable", 4, 100, 1)}
		return Look{From: epoch.Add(10 * time.Second), To: epoch.Add(20 * time.Second), Metrics: []Counts{c, c}}
	}
	bad := func(requests, bad float64) func(*Look) {
		return func(l *Look) { l.Metrics[1].Canary = []PodCount{{Pod: "canary-0", Requests: requests, Bad: bad}} }
	}
	for name, spoil := range map[string]func(*Look){
		"requests are not a number":     bad(math.NaN(), 0),
		"bad is not a number":           bad(10, math.NaN()),
		"requests without end":          bad(math.Inf(1), 0),
		"negative requests":             bad(-1, 0),
		"negative bad":                  bad(10, -1),
		"more bad than requests":        bad(10, 11),
		"a stable pod of nonsense":      func(l *Look) { l.Metrics[0].Stable[3].Bad = math.NaN() },
		"the end is before the begin":   func(l *Look) { l.To = l.From },
		"time goes back":                func(l *Look) { l.From, l.To = epoch.Add(-time.Hour), epoch.Add(-time.Minute) },
		"it overlaps the last look":     func(l *Look) { l.From = epoch.Add(5 * time.Second) },
		"one metric too few":            func(l *Look) { l.Metrics = l.Metrics[:1] },
		"one metric too many":           func(l *Look) { l.Metrics = append(l.Metrics, Counts{}) },
		"a step before the first":       func(l *Look) { l.Step = -1 },
		"a next share over one":         func(l *Look) { l.NextShare = 1.5 },
		"a next share of no number":     func(l *Look) { l.NextShare = math.NaN() },
		"a wanted share of no number":   func(l *Look) { l.WantedShare = math.NaN() },
		"history after the release ran": func(l *Look) { l.History = true },
	} {
		t.Run(name, func(t *testing.T) {
			s := NewState(p)
			first := fine()
			first.From, first.To = epoch, epoch.Add(10*time.Second)
			mustObserve(t, s, p, first)
			before := s.Clone()
			l := fine()
			spoil(&l)
			if err := s.Observe(p, l); !errors.Is(err, ErrNonsense) {
				t.Fatalf("error %v", err)
			}
			if !s.Equal(before) {
				t.Error("the state changed")
			}
		})
	}
}

func TestPolicyThatCannotBeJudgedBy(t *testing.T) {
	for name, spoil := range map[string]func(*Policy){
		"no risk of a false rollback":      func(p *Policy) { p.FalseRollbackRisk = 0 },
		"a promotion risk of one":          func(p *Policy) { p.BadPromotionRisk = 1 },
		"a risk that is not a number":      func(p *Policy) { p.BadPromotionRisk = math.NaN() },
		"a negative tolerance":             func(p *Policy) { p.Metrics[0].Absolute = -.1 },
		"a tolerance that is not a number": func(p *Policy) { p.Metrics[0].Relative = math.NaN() },
		"lower is worse, all tolerated":    func(p *Policy) { p.Metrics[0].LowerIsWorse, p.Metrics[0].Relative = true, 1 },
		"a limit of everything":            func(p *Policy) { p.Metrics[0].Limit = 1 },
		"no metrics":                       func(p *Policy) { p.Metrics = nil },
		"negative duration":                func(p *Policy) { p.MaxDuration = -1 },
		"negative steps":                   func(p *Policy) { p.Steps = -1 },
		"negative importance":              func(p *Policy) { p.Metrics[0].Importance = -1 },
		"warm-up tolerance over one":       func(p *Policy) { p.WarmupTolerance = 2 },
		"a metric more than it began with": func(p *Policy) { p.Metrics = append(p.Metrics, MetricPolicy{}) },
	} {
		t.Run(name, func(t *testing.T) {
			p := errorsAndLatency(1)
			s := NewState(p)
			p.Metrics = slices.Clone(p.Metrics)
			spoil(&p)
			at := stream{now: epoch, every: time.Second}
			if err := s.Observe(p, at.next(Counts{}, Counts{})); !errors.Is(err, ErrPolicy) {
				t.Errorf("error %v", err)
			}
			if a := s.Assess(p, 1); a.Verdict != Hold {
				t.Errorf("verdict %v", a.Verdict)
			}
		})
	}
}

func TestCorruptedStateIsRefused(t *testing.T) {
	p := errorsAndLatency(1)
	s, at := NewState(p), stream{now: epoch, every: 10 * time.Second}
	c := Counts{Canary: pods("canary", 2, 50, 1), Stable: pods("stable", 4, 100, 1)}
	mustObserve(t, s, p, at.next(c, c))
	raw, err := s.MarshalText()
	if err != nil {
		t.Fatal(err)
	}
	signed := func(content string) string { return "1:" + checksum([]byte(content)) + ":" + content }
	_, content, _ := strings.Cut(strings.TrimPrefix(string(raw), "1:"), ":")
	for name, text := range map[string]string{
		"nothing":                        "",
		"cut short":                      string(raw[:len(raw)-2]),
		"one digit changed":              strings.Replace(string(raw), `[1`, `[2`, 1),
		"another version":                "9" + string(raw[1:]),
		"something after it":             signed(content + "{}"),
		"a field that is not known":      signed(`{"zzz":1,` + content[1:]),
		"restart mass out of nothing":    signed(strings.Replace(content, `"i":0.6`, `"i":6`, 1)),
		"evidence of the wrong length":   signed(`{"b":true,"i":0.5,"m":[{"h":[1,2]}]}`),
		"more bad than requests":         signed(`{"i":1,"m":[{"s":[1,2]}]}`),
		"a pod twice":                    signed(`{"i":1,"d":["a","a"],"m":[]}`),
		"pods without their metric part": signed(`{"i":1,"d":["a"],"m":[{}]}`),
	} {
		t.Run(name, func(t *testing.T) {
			got := NewState(p)
			if text == string(raw) || text == signed(content) {
				t.Fatal("nothing was corrupted")
			}
			if err := got.UnmarshalText([]byte(text)); !errors.Is(err, ErrCorrupted) {
				t.Errorf("error %v", err)
			}
			if !got.Equal(NewState(p)) {
				t.Error("the state changed")
			}
		})
	}
}

func TestWrittenStateIsSmall(t *testing.T) {
	p := errorsAndLatency(2)
	s, at := NewState(p), stream{now: epoch, every: 10 * time.Second}
	r := rand.New(rand.NewPCG(7, 8))
	for range 300 {
		c := Counts{
			Canary:      []PodCount{{Requests: 500, Bad: poisson(r, 1)}},
			Stable:      []PodCount{{Requests: 4500, Bad: poisson(r, 9)}},
			PodsUnknown: true,
		}
		mustObserve(t, s, p, at.next(c, c))
	}
	text, err := s.MarshalText()
	if err != nil {
		t.Fatal(err)
	}
	if len(text) > 2048 {
		t.Errorf("%d bytes for two metrics without pods: %s", len(text), text)
	}
}

// TestThousandsOfPods: pods beyond those that are remembered one by one are in all sums.
func TestThousandsOfPods(t *testing.T) {
	p := errorsAndLatency(1)
	s, at := NewState(p), stream{now: epoch, every: 10 * time.Second}
	c := Counts{Canary: pods("canary", 2000, 5, 0), Stable: pods("stable", 3000, 10, 0)}
	for range 3 {
		mustObserve(t, s, p, at.next(c, c))
	}
	if got := s.mem.Metrics[0].Canary.N; got != 30000 {
		t.Errorf("%v canary requests", got)
	}
	text, err := s.MarshalText()
	if err != nil || len(text) > 100_000 {
		t.Errorf("%d bytes, error %v", len(text), err)
	}
	if err := (&State{}).UnmarshalText(text); err != nil {
		t.Error(err)
	}
}

func TestRestartMass(t *testing.T) {
	for name, c := range map[string]struct {
		maxDuration, length time.Duration
		steps               int
		wantIdle            float64
	}{
		"all is invested at the end":                         {maxDuration: time.Hour, length: time.Hour, steps: 4, wantIdle: 0},
		"one step: the part of later ones is invested first": {maxDuration: time.Hour, length: time.Hour, steps: 1, wantIdle: 0},
		"half of the time, half of the minutes":              {maxDuration: time.Hour, length: 30 * time.Minute, steps: 1, wantIdle: .2},
		"longer than planned: nothing is left":               {maxDuration: time.Hour, length: 2 * time.Hour, steps: 4, wantIdle: 0},
		"too short for a minute":                             {maxDuration: 30 * time.Second, length: time.Minute, steps: 1, wantIdle: .4},
	} {
		t.Run(name, func(t *testing.T) {
			p := errorsAndLatency(1)
			p.MaxDuration, p.Steps = c.maxDuration, c.steps
			s, at := NewState(p), stream{now: epoch, every: 10 * time.Second}
			for i := range int(c.length / at.every) {
				l := at.next(Counts{}, Counts{})
				l.Step = i / 20
				mustObserve(t, s, p, l)
			}
			if math.Abs(s.mem.Idle-c.wantIdle) > 1e-9 {
				t.Errorf("idle mass %v, want %v", s.mem.Idle, c.wantIdle)
			}
		})
	}
}

// TestEndlessRestarts: an unbounded release never invests more than it has, also after a long silence.
func TestEndlessRestarts(t *testing.T) {
	sum, prev := 0.0, time.Duration(0)
	for _, now := range []time.Duration{time.Second, time.Minute, time.Hour, 1000 * time.Hour, 200_000 * time.Hour} {
		sum += minuteShare(prev, now, 0)
		prev = now
	}
	if sum > minuteMass || sum < minuteMass*.999 {
		t.Errorf("invested %v of %v", sum, minuteMass)
	}
	if got, want := minuteShare(0, 3*time.Minute, 0), .4*6/(math.Pi*math.Pi)*(1+.25+1./9); !near(got, want) {
		t.Errorf("three minutes invest %v, want %v", got, want)
	}
}

func TestWaitingForTheOtherArm(t *testing.T) {
	p := errorsAndLatency(1)
	p.MaxDuration = time.Second
	together, apart := NewState(p), NewState(p)
	history := Counts{Stable: pods("stable", 4, 1000, 10)}
	canary := Counts{Canary: pods("canary", 2, 50, 2)}
	stable := Counts{Stable: pods("stable", 4, 100, 1)}
	both := Counts{Canary: canary.Canary, Stable: stable.Stable}
	for i, looks := range [][][]Counts{
		{{history, history}, {both, both}, {{}, {}}},
		{{history, history}, {canary, canary}, {stable, stable}},
	} {
		s := []*State{together, apart}[i]
		at := stream{now: epoch, every: 10 * time.Second}
		for k, c := range looks {
			l := at.next(c...)
			l.History = k == 0
			mustObserve(t, s, p, l)
		}
	}
	if a, b := together.harm(p, -1).log, apart.harm(p, -1).log; a != b || a == 0 {
		t.Errorf("harm %v together, %v apart", a, b)
	}
	if a, b := together.mem.Metrics[0].logPromote(), apart.mem.Metrics[0].logPromote(); a != b || a == 0 {
		t.Errorf("health %v together, %v apart", a, b)
	}
}

func FuzzObserve(f *testing.F) {
	f.Add(10.0, 1.0, 100.0, 1.0, int64(10), 0, .2, .2, uint16(0))
	f.Add(math.NaN(), 1.0, math.Inf(1), -1.0, int64(-10), -1, math.NaN(), 7.0, uint16(255))
	f.Add(1e15, 1e15, 1e-6, 1e-7, int64(1), 3, 1e-300, 1.0, uint16(7))
	f.Add(100.0, 50.0, 100.0, 1.0, int64(60), 1, .5, .5, uint16(256|512))
	f.Add(100.0, 50.0, 100.0, 1.0, int64(60), 1, .5, .5, uint16(256|2|16))
	f.Add(1e6, 1.0, 1.0, 1.0, int64(10), 0, .5, 5e-324, uint16(0))
	f.Add(1e6, 1.0, 1.0, 1.0, int64(10), 0, .5, .1, uint16(0))
	f.Fuzz(func(t *testing.T, nc, xc, ns, xs float64, seconds int64, step int, next, wanted float64, flags uint16) {
		p := errorsAndLatency(2)
		p.Metrics[0].Limit = .05
		p.Metrics[1].LowerIsWorse = flags&1 != 0
		s := NewState(p)
		from := epoch
		for i := range 4 {
			c := Counts{
				Canary:      []PodCount{{Pod: "a", Requests: nc, Bad: xc, Warming: flags&2 != 0}, {Pod: "b", Requests: ns, Bad: xs}},
				Stable:      []PodCount{{Pod: fmt.Sprint(i), Requests: ns, Bad: xs, Warming: flags&4 != 0}, {Pod: "b", Requests: 1}},
				PodsUnknown: flags&8 != 0,
			}
			other := Counts{Canary: c.Stable, Stable: c.Canary}
			if flags&16 != 0 && i%2 == 0 {
				c.Stable = nil
			}
			l := Look{
				From: from, To: from.Add(time.Duration(seconds) * time.Second), Step: step, NextShare: next,
				WantedShare: wanted, Settling: flags&32 != 0, History: flags&64 != 0 && i == 0, Metrics: []Counts{c, other},
				Promoting: flags&256 != 0 && (i > 1 || flags&512 != 0) && (i != 2 || flags&1024 == 0),
			}
			checkHostile(t, s, p, l)
			if flags&128 != 0 && i == 1 {
				from = from.Add(-2 * time.Minute) // time goes back
			}
			from = from.Add(time.Minute)
		}
	})
}

// checkHostile observes a look and requires that nonsense changed nothing and that all that is remembered is finite.
func checkHostile(t *testing.T, s *State, p Policy, l Look) {
	t.Helper()
	before := s.Clone()
	if err := s.Observe(p, l); err != nil && !s.Equal(before) {
		t.Fatalf("refused (%v), and changed", err)
	}
	text, err := s.MarshalText()
	if err != nil {
		t.Fatalf("write: %v", err)
	}
	after := &State{}
	if err := after.UnmarshalText(text); err != nil {
		t.Fatalf("read back: %v", err)
	}
	a := after.Assess(p, 1)
	for name, v := range map[string]float64{
		"harm": a.HarmEvidence, "health": a.PromoteEvidence, "harm progress": a.HarmProgress, "health progress": a.PromoteProgress,
	} {
		if math.IsNaN(v) || math.IsInf(v, 0) || v < 0 {
			t.Fatalf("%s is %v", name, v)
		}
	}
}

func FuzzUnmarshalText(f *testing.F) {
	f.Add(`{"i":1,"m":[{},{}]}`)
	f.Add(`{"b":true,"i":0.6,"m":[{"h":[1]}]}`)
	f.Fuzz(func(t *testing.T, content string) {
		p := errorsAndLatency(1)
		s := NewState(p)
		if s.UnmarshalText([]byte("1:"+checksum([]byte(content))+":"+content)) != nil {
			return
		}
		at := stream{now: epoch, every: 10 * time.Second}
		c := Counts{Canary: pods("canary", 2, 50, 1), Stable: pods("stable", 4, 100, 1)}
		_ = s.Observe(p, at.next(c, c))
		_ = s.Assess(p, 1)
	})
}
