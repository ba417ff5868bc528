package hearing

import (
	"math"
	"time"

	"slipway.dev/slipway/internal/judge"
	"slipway.dev/slipway/internal/telemetry"
)

// tally is requests and bad ones.
type tally struct {
	N float64 `json:"n"`
	X float64 `json:"x,omitempty"`
}

// recall adds an interval to what stable answered before the canary had users.
func (h *Hearing) recall(look telemetry.Look, counted []judge.Counts) {
	if len(h.record.Before) != len(counted) {
		h.record.Before = make([]tally, len(counted))
	}
	for i, c := range counted {
		for _, p := range c.Stable {
			h.record.Before[i].N += p.Requests
			h.record.Before[i].X += p.Bad
		}
	}
	h.record.BeforeFor += look.To.Sub(look.From)
}

// Need is what a step of a release needs by the traffic that stable had before it.
type Need struct {
	// Metric is the one that needs most, in the name that people know.
	Metric string
	// PerSecond is the service's requests, Share the part of them that is bad.
	PerSecond, Share float64
	// Requests of the canary are needed, which takes Time; +Inf and 0 where that cannot be reached.
	Requests float64
	Time     time.Duration
}

// leastBefore is how many requests must have been seen before anything is said of how many are needed.
const leastBefore = 20

// Forecast says what leaving a step of this share for the next one needs; false where too little is known.
func (h *Hearing) Forecast(t Terms, share, nextShare float64) (Need, bool) {
	policy := t.policy(h.record.Places)
	seconds := h.record.BeforeFor.Seconds()
	if len(h.record.Before) != len(policy.Metrics) || seconds <= 0 || share <= 0 || share >= 1 || nextShare <= 0 {
		return Need{}, false
	}
	var worst Need
	known := false
	for k, c := range t.comparisons() {
		before, m := h.record.Before[k], policy.Metrics[k]
		if m.Signs || before.N < leastBefore {
			continue
		}
		need := Need{Metric: t.Policy.Metrics[c.metric].Name, PerSecond: before.N / seconds, Share: before.X / before.N}
		need.Requests = judge.Forecast(judge.Expectation{
			Relative: m.Relative, Absolute: gateTolerance(m, nextShare), CanaryBad: need.Share, StableBad: need.Share,
			StablePerCanary: (1 - share) / share, BadPromotionRisk: policy.BadPromotionRisk,
		})
		if m.LowerIsWorse {
			need.Requests = forecastLower(m, need.Share, share, nextShare, policy.BadPromotionRisk)
		}
		if s := need.Requests / (need.PerSecond * share); s < float64(10000*time.Hour/time.Second) {
			need.Time = time.Duration(s * float64(time.Second))
		}
		if !known || need.Requests > worst.Requests {
			worst, known = need, true
		}
	}
	return worst, known
}

// gateTolerance is the absolute tolerance at the gate to a share (judging-method section 6).
func gateTolerance(m judge.MetricPolicy, nextShare float64) float64 {
	most := .5
	if m.Limit > 0 && !m.LowerIsWorse {
		most = m.Limit
	}
	return min(m.Absolute/nextShare, most)
}

// forecastLower is the forecast where lower is worse: the arms are swapped, and the answer is put back into requests of
// the canary.
func forecastLower(m judge.MetricPolicy, rate, share, nextShare, risk float64) float64 {
	canaryPerStable := share / (1 - share)
	needed := judge.Forecast(judge.Expectation{
		Relative: 1/(1-m.Relative) - 1, Absolute: gateTolerance(m, nextShare) / (1 - m.Relative), CanaryBad: rate, StableBad: rate,
		StablePerCanary: canaryPerStable, BadPromotionRisk: risk,
	})
	if math.IsInf(needed, 0) {
		return needed
	}
	return needed * canaryPerStable
}

// Before is how long stable was watched before the canary had users.
func (h *Hearing) Before() time.Duration { return h.record.BeforeFor }
