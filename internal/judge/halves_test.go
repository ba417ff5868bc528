package judge

import (
	"errors"
	"math/rand/v2"
	"strings"
	"testing"
	"time"
)

// service draws looks of a service in which nothing is released.
type quietService struct {
	stream
	r       *rand.Rand
	factors []float64 // how many times worse than the mean each pod is
	perPod  float64   // requests of a pod in a look
	rate    float64
	cluster float64 // bad requests come in groups of this size
}

func newService(seed uint64, factors ...float64) *quietService {
	return &quietService{
		stream: stream{now: epoch, every: 10 * time.Second}, r: rand.New(rand.NewPCG(seed, 1)),
		factors: factors, perPod: 100, rate: .005, cluster: 1,
	}
}

func (q *quietService) look() Look {
	c := Counts{Stable: pods("stable", len(q.factors), 0, 0)}
	for i := range c.Stable {
		n := poisson(q.r, q.perPod)
		c.Stable[i].Requests = n
		c.Stable[i].Bad = min(n, q.cluster*poisson(q.r, n*q.rate*q.factors[i]/q.cluster))
	}
	return q.next(c)
}

var (
	evenPods   = []float64{1, 1, 1, 1, 1, 1, 1, 1, 1, 1}
	unevenPods = []float64{.2, 2.5, .3, .4, 2.2, .5, 1.9, .3, .6, 1.1}
	trial      = Trial{Shares: []float64{.05, .2, .5}, CanaryPods: 2, Every: 10 * time.Second}
)

// halvesOf makes every second pod the other half.
func halvesOf(l Look) Look {
	for i := range l.Metrics {
		all := l.Metrics[i].Stable
		l.Metrics[i].Stable = nil
		for k, pod := range all {
			if k%2 == 0 {
				l.Metrics[i].Stable = append(l.Metrics[i].Stable, pod)
			} else {
				l.Metrics[i].Canary = append(l.Metrics[i].Canary, pod)
			}
		}
	}
	return l
}

// compared is a service after so many looks.
func compared(t *testing.T, p Policy, q *quietService, looks int) *State {
	t.Helper()
	s := NewState(p)
	for range looks {
		if err := s.ObserveHalves(p, halvesOf(q.look())); err != nil {
			t.Fatal(err)
		}
	}
	return s
}

func TestHalvesOfAnEvenService(t *testing.T) {
	p := oneMetric(MetricPolicy{Name: "errors", Relative: .1, Absolute: .001})
	a := compared(t, p, newService(1, evenPods...), 400).Calibrate(p, trial)
	m := a.Metrics[0]
	switch {
	case a.Looks != 400 || m.RolledBack || a.HarmPeak >= 20:
		t.Errorf("looks %d, rolled back %v, peak %v", a.Looks, m.RolledBack, a.HarmPeak)
	case !m.Shown || !strings.Contains(m.Proposed(), "proposed: relative 10%, absolute "):
		t.Errorf("not shown: %s", m.Proposed())
	case m.Noise > 2 || m.PodSpread > .15:
		t.Errorf("noise %v, spread %v", m.Noise, m.PodSpread)
	case !m.Reached || m.Relative != .1 || m.Absolute <= 0 || m.Takes > p.MaxDuration/2:
		t.Errorf("proposed %v + %v in %v (%v)", m.Relative, m.Absolute, m.Takes, m.Reached)
	}
	if first, second := m.First.Requests, m.Second.Requests; first < .9*second || second < .9*first {
		t.Errorf("the halves have %v and %v requests", first, second)
	}
}

// TestRougherServicesNeedMore: noise and uneven pods are measured, and what is proposed grows with them.
func TestRougherServicesNeedMore(t *testing.T) {
	p := oneMetric(MetricPolicy{Name: "errors", Relative: .1, Absolute: .001})
	even := compared(t, p, newService(2, evenPods...), 180).Calibrate(p, trial).Metrics[0]
	clustered := newService(2, evenPods...)
	clustered.cluster = 6
	retried := compared(t, p, clustered, 180).Calibrate(p, trial).Metrics[0]
	if retried.Noise < 2*even.Noise || retried.Absolute < even.Absolute || retried.Takes+time.Second < even.Takes && retried.Absolute == even.Absolute {
		t.Errorf("clusters: noise %v of %v, %v in %v, was %v in %v",
			retried.Noise, even.Noise, retried.Absolute, retried.Takes, even.Absolute, even.Takes)
	}
	uneven := compared(t, p, newService(2, unevenPods...), 180).Calibrate(p, trial).Metrics[0]
	if uneven.PodSpread < .5 || uneven.Relative <= even.Relative {
		t.Errorf("uneven pods: spread %v, relative %v", uneven.PodSpread, uneven.Relative)
	}
}

// TestProposalsAreLivedThrough: a release without a change passes all steps with the proposed tolerance, mostly within
// MaxDuration.
func TestProposalsAreLivedThrough(t *testing.T) {
	p := oneMetric(MetricPolicy{Name: "errors", Relative: .1, Absolute: .001})
	proposed := compared(t, p, newService(3, evenPods...), 360).Calibrate(p, trial).Metrics[0]
	p.Metrics[0].Relative, p.Metrics[0].Absolute = proposed.Relative, proposed.Absolute
	const runs = 20
	passed := 0
	for seed := range uint64(runs) {
		if unchangedPasses(t, p, seed) {
			passed++
		}
	}
	if passed < runs-2 {
		t.Errorf("%d of %d unchanged releases passed with %+v", passed, runs, proposed)
	}
}

// unchangedPasses runs a release without a change through the trial's steps.
func unchangedPasses(t *testing.T, p Policy, seed uint64) bool {
	t.Helper()
	q := newService(100+seed, evenPods...)
	s := NewState(p)
	for range 30 {
		l := q.look()
		l.History = true
		mustObserve(t, s, p, l)
	}
	step := 0
	for range int(p.MaxDuration / trial.Every) {
		l := q.look()
		n := 1000 * trial.Shares[step] / 2
		l.Metrics[0].Canary = pods("canary", 2, n, 0)
		for i := range l.Metrics[0].Canary {
			l.Metrics[0].Canary[i].Bad = min(n, poisson(q.r, n*q.rate))
		}
		for i := range l.Metrics[0].Stable {
			l.Metrics[0].Stable[i].Requests *= 1 - trial.Shares[step]
			l.Metrics[0].Stable[i].Bad = poisson(q.r, l.Metrics[0].Stable[i].Requests*q.rate)
		}
		l.Step, l.NextShare = step, 1
		if step+1 < len(trial.Shares) {
			l.NextShare = trial.Shares[step+1]
		}
		mustObserve(t, s, p, l)
		switch s.Conclude(p, l.NextShare).Verdict {
		case Rollback:
			return false
		case Advance:
			step++
		case Hold:
		}
		if step == len(trial.Shares) {
			return true
		}
	}
	return false
}

// TestFalseRollbackIsSaid: where the halves themselves differ more than the policy tolerates, that is the finding, and
// the comparison goes on.
func TestFalseRollbackIsSaid(t *testing.T) {
	p := oneMetric(MetricPolicy{Name: "errors", Relative: 0, Absolute: 0})
	q := newService(4, 1, 1, 1, 1)
	s := NewState(p)
	for i := range 120 {
		l := halvesOf(q.look())
		for k := range l.Metrics[0].Canary {
			if i > 10 {
				l.Metrics[0].Canary[k].Bad += 5
			}
		}
		if err := s.ObserveHalves(p, l); err != nil {
			t.Fatal(err)
		}
	}
	m := s.Calibrate(p, trial).Metrics[0]
	if !m.RolledBack || !strings.Contains(m.String(), "would have been rolled back") || m.First.Requests < 100*2*100 {
		t.Errorf("%+v", m)
	}
	if m.Absolute < .03 {
		t.Errorf("the halves differ by 5 points, and %v is proposed", m.Absolute)
	}
	text, err := s.MarshalText()
	if err != nil {
		t.Fatal(err)
	}
	var again State
	if err := again.UnmarshalText(text); err != nil || !again.Calibrate(p, trial).Metrics[0].RolledBack {
		t.Errorf("after a restart it is forgotten: %v", err)
	}
}

// TestNothingToCalibrate: nothing is said of what was not seen, nor for steps that make no sense.
func TestNothingToCalibrate(t *testing.T) {
	p := oneMetric(MetricPolicy{Name: "errors", Relative: .1, Absolute: .001})
	s, at := NewState(p), stream{now: epoch, every: 10 * time.Second}
	history := at.next(Counts{Stable: pods("stable", 4, 100, 1)})
	history.History = true
	if err := s.ObserveHalves(p, history); !errors.Is(err, ErrNonsense) {
		t.Errorf("history: %v", err)
	}
	if err := s.ObserveHalves(p, at.next(Counts{Stable: pods("stable", 4, 1, 2)})); !errors.Is(err, ErrNonsense) {
		t.Errorf("nonsense: %v", err)
	}
	if found := s.Calibrate(p, trial); found.Looks != 0 || len(found.Metrics) != 0 {
		t.Errorf("of nothing: %+v", found)
	}
	seen := compared(t, p, newService(7, evenPods...), 2)
	if m := seen.Calibrate(p, trial).Metrics[0]; m.Shown || !strings.Contains(m.Proposed(), "too little was seen") {
		t.Errorf("two looks: %s", m.Proposed())
	}
	if found := seen.Calibrate(p, Trial{Shares: []float64{.5, .2}, Every: time.Second}); len(found.Metrics) != 0 {
		t.Errorf("wrong steps: %+v", found)
	}
}

// TestLittleTraffic: where no tolerance of the ladder would do, that is said.
func TestLittleTraffic(t *testing.T) {
	p := oneMetric(MetricPolicy{Name: "errors", Relative: .1, Absolute: .001})
	q := newService(6, 1, 1)
	q.perPod = .5
	m := compared(t, p, q, 100).Calibrate(p, trial).Metrics[0]
	if m.Reached || !strings.Contains(m.Proposed(), "no tolerance up to") {
		t.Errorf("%+v", m)
	}
}
