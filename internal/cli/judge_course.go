package cli

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"slipway.dev/slipway/api/v1alpha1"
	"slipway.dev/slipway/internal/analysis"
	"slipway.dev/slipway/internal/judge"
)

// The verdicts as they are written.
const (
	saidRollback     = "Rollback"
	saidPromote      = "Promote"
	saidInconclusive = "Inconclusive"
)

// assumedSteps is how many steps restarts are budgeted for where --steps does not say it: with weights taken as they
// come, the first four changes of weight look for a regression anew.
const assumedSteps = 5

// rules are what every release of a recording is judged by.
type rules struct {
	block v1alpha1.AnalysisSpec
	steps []float64 // weights in percent, rising; empty: the weights are taken as given
	every time.Duration
	// warmup is applied where the block names it: how old a pod is, is not in a recording.
	warmup time.Duration
	extend bool
}

// newRules reads what the flags and the block say.
func newRules(block v1alpha1.AnalysisSpec, steps []float64) (rules, error) {
	r := rules{block: block, extend: block.OnInconclusive == v1alpha1.InconclusiveExtend}
	for _, w := range steps {
		if w < 100 {
			r.steps = append(r.steps, w)
		}
	}
	var err error
	if r.every, err = analysis.Duration("analysis.every", block.Every, analysis.DefaultEvery); err != nil {
		return r, err
	}
	if r.warmup, err = analysis.Duration("analysis.warmup", block.Warmup, 0); err != nil {
		return r, err
	}
	_, err = r.policy(nil)
	return r, err
}

// policy is what a release is judged by. Where the block names no metrics, the release's first look does.
func (r *rules) policy(metrics []recordedMetric) (judge.Policy, error) {
	block := r.block
	if len(block.Metrics) == 0 && len(metrics) > 0 {
		block.Metrics = metricsOfLook(metrics)
	}
	steps := assumedSteps
	if len(r.steps) > 0 {
		steps = len(r.steps)
	}
	return analysis.Policy(block, steps)
}

// metricsOfLook gives the metrics of a look the tolerances of those that are judged by default, by their names.
func metricsOfLook(metrics []recordedMetric) []v1alpha1.Metric {
	var out []v1alpha1.Metric
	for _, m := range metrics {
		metric := v1alpha1.Metric{Name: string(m.name)}
		for _, known := range analysis.DefaultMetrics() {
			if known.Name == metric.Name {
				metric = known
			}
		}
		out = append(out, metric)
	}
	slices.SortFunc(out, func(a, b v1alpha1.Metric) int { return strings.Compare(a.Name, b.Name) })
	return out
}

// nextShare is the share that leaving a step of this weight leads to; 1 where that is the promotion.
func (r *rules) nextShare(weight float64) float64 {
	for _, w := range r.steps {
		if w > weight {
			return w / 100
		}
	}
	return 1
}

// course is one release of a recording.
type course struct {
	name   string
	policy judge.Policy
	state  *judge.State
	look   judge.Look
	warm   []time.Time // when the canary's pods, by their places, have had traffic for long enough
	begun  time.Time   // of the release; zero before
	weight float64
	said   saidOfRelease
}

// saidOfRelease is what a line of output says of a release.
type saidOfRelease struct {
	verdict string
	second  float64
	metric  int
	reason  judge.Reason
	logs    []logs
	left    []passedGate
}

// logs are one metric's evidence in natural logarithms.
type logs struct {
	harm, limit, promote float64
}

// passedGate says when the gate of a step was passed.
type passedGate struct {
	weight, second float64
}

// newCourse begins a release with the metrics of its first look.
func newCourse(r *rules, l *recordedLook) (*course, error) {
	p, err := r.policy(l.metrics)
	if err != nil {
		return nil, err
	}
	c := &course{name: string(l.release), policy: p, state: judge.NewState(p)}
	c.look.Metrics = make([]judge.Counts, len(p.Metrics))
	c.said = saidOfRelease{verdict: saidInconclusive, reason: judge.NoData, logs: make([]logs, len(p.Metrics))}
	return c, nil
}

// decided reports whether the verdict has fallen.
func (c *course) decided() bool { return c.state == nil }

// observe takes in one look. A look that is refused changes nothing.
func (c *course) observe(r *rules, l *recordedLook) error {
	look, err := c.lookOf(r, l)
	if err != nil {
		return err
	}
	if err := c.state.Observe(c.policy, look); err != nil {
		return fmt.Errorf("%w: correct the line", err)
	}
	c.look = look
	if l.history {
		return nil
	}
	if c.begun.IsZero() {
		c.begun = look.From
	}
	c.weight = l.weight
	c.noteWarm(r, l)
	c.conclude(r, l)
	return nil
}

// lookOf is a line as the judge takes it.
func (c *course) lookOf(r *rules, l *recordedLook) (judge.Look, error) {
	look := c.look
	look.From, look.To = c.look.To, moment(l.second)
	if look.From.IsZero() {
		look.From = look.To.Add(-r.every)
	}
	if !look.To.After(look.From) {
		return look, fmt.Errorf("second %v is not after the last look of release %q: sort its lines by second", l.second, c.name)
	}
	look.History, look.Settling = l.history, false
	if !l.history {
		look.NextShare, look.WantedShare = r.nextShare(l.weight), l.weight/100
		if !c.begun.IsZero() && l.weight != c.weight {
			look.Settling = true
			look.Step++
		}
	}
	return look, c.fill(look.Metrics, r, l)
}

// moment is a second as a time. What no time can hold is refused by the judge as a year that cannot be.
func moment(second float64) time.Time {
	const most = 1e10
	second = max(-most, min(most, second))
	whole := math.Floor(second)
	return time.Unix(int64(whole), int64((second-whole)*float64(time.Second)))
}

// fill puts the line's counts in the order of the policy.
func (c *course) fill(counts []judge.Counts, r *rules, l *recordedLook) error {
	clear(counts)
	for i := range l.metrics {
		m := &l.metrics[i]
		place := c.place(m.name)
		if place < 0 {
			return fmt.Errorf("metric %q is not among those that release %q is judged by: name it in the policy, or leave it out", m.name, c.name)
		}
		c.warmUp(r, m.canary, l)
		counts[place] = judge.Counts{
			Canary: m.canary, Stable: m.stable,
			PodsUnknown: len(m.canary) <= 1 && len(m.stable) <= 1,
		}
	}
	return nil
}

// place finds a metric; −1 for none.
func (c *course) place(name []byte) int {
	for i := range c.policy.Metrics {
		if c.policy.Metrics[i].Name == string(name) {
			return i
		}
	}
	return -1
}

// warmUp marks the canary's pods that have not had traffic for long enough.
func (c *course) warmUp(r *rules, pods []judge.PodCount, l *recordedLook) {
	if r.warmup <= 0 || l.history {
		return
	}
	to := moment(l.second)
	for i := range pods {
		pods[i].Warming = i >= len(c.warm) || c.warm[i].IsZero() || to.Before(c.warm[i])
	}
}

// noteWarm remembers from when on pods with traffic are warm.
func (c *course) noteWarm(r *rules, l *recordedLook) {
	if r.warmup <= 0 {
		return
	}
	for k := range l.metrics {
		for i, pod := range l.metrics[k].canary {
			for len(c.warm) <= i {
				c.warm = append(c.warm, time.Time{})
			}
			if c.warm[i].IsZero() && pod.Requests > 0 {
				c.warm[i] = c.look.From.Add(r.warmup)
			}
		}
	}
}

// conclude draws what is to be said after a look.
func (c *course) conclude(r *rules, l *recordedLook) {
	found := c.state.Conclude(c.policy, c.look.NextShare)
	said := &c.said
	said.second, said.metric, said.reason = l.second, found.Metric, found.Reason
	late := c.policy.MaxDuration > 0 && c.look.To.Sub(c.begun) >= c.policy.MaxDuration
	switch {
	case found.Verdict == judge.Rollback:
		said.verdict = saidRollback
	case found.Verdict == judge.Advance && c.look.NextShare >= 1:
		said.verdict = saidPromote
		c.noteLeft(r, l)
	case late && !r.extend:
	default:
		if found.Verdict == judge.Advance {
			c.noteLeft(r, l)
		}
		return
	}
	c.noteLogs()
	c.state = nil
}

// noteLogs notes the evidence as it stands, for what is to be written now.
func (c *course) noteLogs() {
	if c.decided() {
		return
	}
	for i := range c.said.logs {
		e := &c.said.logs[i]
		e.harm, e.limit, e.promote = c.state.LogEvidence(c.policy, i)
	}
}

// noteLeft notes when the gate of this step was passed first.
func (c *course) noteLeft(r *rules, l *recordedLook) {
	left := c.said.left
	if len(r.steps) == 0 || (len(left) > 0 && left[len(left)-1].weight == l.weight) {
		return
	}
	c.said.left = append(c.said.left, passedGate{weight: l.weight, second: l.second})
}
