package judge

import (
	"errors"
	"fmt"
	"math"
	"time"
)

// Policy is what the user tolerates and which risks they take.
type Policy struct {
	// FalseRollbackRisk is α: the chance that a release within tolerance is ever rolled back, over all metrics.
	FalseRollbackRisk float64
	// BadPromotionRisk is β: the chance that a canary at or over tolerance passes a gate.
	BadPromotionRisk float64
	// Warmup is how long the traffic of a new canary pod is judged with the wide margin. The judge has no clock: who
	// fills PodCount.Warming applies it.
	Warmup time.Duration
	// WarmupTolerance is added to the absolute tolerance while warming or settling.
	WarmupTolerance float64
	// MaxDuration bounds the release and so the times at which a late regression is bet on. 0: unbounded.
	MaxDuration time.Duration
	// Steps is the number of steps of the release.
	Steps int
	// Metrics are judged together. Their number and order must not change within a release.
	Metrics []MetricPolicy
}

// MetricPolicy is what is tolerated of one metric: canary ≤ stable × (1 + Relative) + Absolute.
type MetricPolicy struct {
	Name string
	// Relative and Absolute are the tolerance, as shares: 0.1 is ten percent.
	Relative, Absolute float64
	// Importance is this metric's part of the risk, relative to the others. 0 means 1.
	Importance float64
	// Limit is a share that the canary must not exceed, whatever stable does (lower is worse: must not fall below).
	// 0: none.
	Limit float64
	// LowerIsWorse turns the comparison round: canary ≥ stable × (1 − Relative) − Absolute.
	LowerIsWorse bool
	// Signs says that the metric is a gauge: its counts are blocks of time, each worse or not. Its tolerances are in the
	// blocks already.
	Signs bool
}

// ErrPolicy is the class of errors that only an edit of the policy cures.
var ErrPolicy = errors.New("policy cannot be judged by")

// ErrNonsense is the class of errors of a look that cannot be true. It changed nothing.
var ErrNonsense = errors.New("look is not evidence")

// Validate names the first field that makes no sense.
func (p Policy) Validate() error {
	switch {
	case !inside(p.FalseRollbackRisk):
		return fmt.Errorf("%w: false rollback risk %v is not between 0 and 1", ErrPolicy, p.FalseRollbackRisk)
	case !inside(p.BadPromotionRisk):
		return fmt.Errorf("%w: bad promotion risk %v is not between 0 and 1", ErrPolicy, p.BadPromotionRisk)
	case !(p.WarmupTolerance >= 0 && p.WarmupTolerance <= 1):
		return fmt.Errorf("%w: warm-up tolerance %v is not a share", ErrPolicy, p.WarmupTolerance)
	case p.MaxDuration < 0:
		return fmt.Errorf("%w: longest duration %v is negative", ErrPolicy, p.MaxDuration)
	case p.Steps < 0:
		return fmt.Errorf("%w: %d steps", ErrPolicy, p.Steps)
	case len(p.Metrics) == 0:
		return fmt.Errorf("%w: no metrics", ErrPolicy)
	}
	for i := range p.Metrics {
		if err := p.Metrics[i].validate(); err != nil {
			return err
		}
	}
	return nil
}

// validate names the first field of a metric that makes no sense.
func (m *MetricPolicy) validate() error {
	switch {
	case !(m.Relative >= 0 && m.Relative <= 1000), m.LowerIsWorse && m.Relative >= 1:
		return fmt.Errorf("%w: metric %q: relative tolerance %v", ErrPolicy, m.Name, m.Relative)
	case !(m.Absolute >= 0 && m.Absolute <= 1):
		return fmt.Errorf("%w: metric %q: absolute tolerance %v is not a share", ErrPolicy, m.Name, m.Absolute)
	case !(m.Importance >= 0 && m.Importance <= 1e6):
		return fmt.Errorf("%w: metric %q: importance %v", ErrPolicy, m.Name, m.Importance)
	case !(m.Limit >= 0 && m.Limit < 1):
		return fmt.Errorf("%w: metric %q: limit %v is not a share", ErrPolicy, m.Name, m.Limit)
	}
	return nil
}

// inside reports whether v is strictly between 0 and 1; NaN is not.
func inside(v float64) bool {
	return v > 0 && v < 1
}

// importance is the metric's part before it is normalised.
func (m *MetricPolicy) importance() float64 {
	if m.Importance == 0 {
		return 1
	}
	return m.Importance
}

// totalImportance sums the parts of all comparisons and of all limits: a limit joins with its metric's weight.
func (p Policy) totalImportance() float64 {
	sum := 0.0
	for i := range p.Metrics {
		sum += p.Metrics[i].importance()
		if p.Metrics[i].Limit > 0 {
			sum += p.Metrics[i].importance()
		}
	}
	return sum
}

// gateTolerance is the absolute tolerance δ' at the gate to a step with this share of the traffic: what the step could
// do to the whole service stays within the tolerance (judging-method section 6).
func (m *MetricPolicy) gateTolerance(share float64) float64 {
	most := .5
	if m.Limit > 0 && !m.LowerIsWorse {
		most = m.Limit
	}
	return min(m.Absolute/share, most)
}

// margin is the tolerance with the given absolute part, for arms in the order that the kernel takes them.
func (m *MetricPolicy) margin(absolute float64) margin {
	if m.LowerIsWorse {
		return margin{rho: 1 / (1 - m.Relative), delta: absolute / (1 - m.Relative)}
	}
	return margin{rho: 1 + m.Relative, delta: absolute}
}

// arrange puts the arms in the order that the kernel takes them: first the one that may be worse.
func (m *MetricPolicy) arrange(c counts) counts {
	if m.LowerIsWorse {
		return c.swapped()
	}
	return c
}

// limitGrids are the bets that the limit is broken and that it is kept.
func (m *MetricPolicy) limitGrids() (harm, promote []float64) {
	if m.LowerIsWorse {
		return promoteGrid, harmGrid
	}
	return harmGrid, promoteGrid
}

// limitMargin is the limit, widened.
func (m *MetricPolicy) limitMargin(widen float64) margin {
	if m.LowerIsWorse {
		return margin{delta: max(0, m.Limit-widen)}
	}
	return margin{delta: min(1, m.Limit+widen)}
}

// logGate is the log evidence at a risk: log 1/risk.
func logGate(risk float64) float64 {
	return -math.Log(risk)
}
