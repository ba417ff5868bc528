package judge

import "math"

// Verdict is what the evidence allows. The zero value is the careful one.
type Verdict int

// The verdicts.
const (
	Hold     Verdict = iota // neither is shown
	Advance                 // the gate to the next share is passed
	Rollback                // harm is proven: final for the release
)

// String is the verdict's name.
func (v Verdict) String() string {
	switch v {
	case Advance:
		return "Advance"
	case Rollback:
		return "Rollback"
	case Hold:
		return "Hold"
	}
	return "Unknown"
}

// Reason says why a verdict is what it is. The set is closed.
type Reason string

// The reasons.
const (
	HarmProven       Reason = "HarmProven"       // the canary is worse than tolerated
	LimitExceeded    Reason = "LimitExceeded"    // … than a fixed limit
	WithinTolerance  Reason = "WithinTolerance"  // the canary is shown to be within tolerance
	NotEnoughTraffic Reason = "NotEnoughTraffic" // neither is shown yet
	OneBadPod        Reason = "OneBadPod"        // harm is on one canary pod alone
	NoData           Reason = "NoData"           // an arm was not seen three times in a row
	ShareNotAsWanted Reason = "ShareNotAsWanted" // the traffic is not split as asked for
)

const (
	// unseenLooks in a row without an arm are no data.
	unseenLooks = 3
	// healthGate is the combined evidence of harm above which no gate is passed.
	healthGate = 2
	// largestEvidence keeps evidence that overflows a finite number.
	largestEvidence = 1e300
)

// Assessment is the verdict with all that explains it; a function of policy and state.
type Assessment struct {
	Verdict Verdict
	Reason  Reason
	// Metric decided, or is furthest from its gate.
	Metric string
	// Detail is one sentence with the numbers.
	Detail string
	// BadPod is the canary pod without which harm is not proven; empty if there is none.
	BadPod string
	// HarmEvidence is the combined Σ w·E; it proves harm at 1/FalseRollbackRisk.
	HarmEvidence float64
	// PromoteEvidence is the least over the metrics; the gate is at 1/BadPromotionRisk.
	PromoteEvidence float64
	// HarmProgress and PromoteProgress are how far the evidence has come, 0 to 1, on a log scale.
	HarmProgress, PromoteProgress float64
	// CanaryRequests is the canary's requests in this step: of the metric with fewest.
	CanaryRequests float64
	// CanaryRequestsNeeded is how many more are expected to be needed for the gate; +Inf where the gate cannot be
	// expected to be passed at the present rates.
	CanaryRequestsNeeded float64
	Metrics              []MetricAssessment
}

// ArmCount is one arm's counts.
type ArmCount struct {
	Requests, Bad float64
}

// Rate is the share that is bad; 0 without requests.
func (a ArmCount) Rate() float64 {
	if a.Requests <= 0 {
		return 0
	}
	return a.Bad / a.Requests
}

// MetricAssessment is one metric's part.
type MetricAssessment struct {
	Name   string
	Weight float64 // its part of the risk of a false rollback; a limit has another of the same size
	// Canary and Stable are the counts of this step, for display; warm-up and settling are in them.
	Canary, Stable ArmCount
	// RatioLow and RatioHigh bound the ratio of the rates, canary to stable. 0 and +Inf where nothing is shown.
	RatioLow, RatioHigh float64
	// Difference of the rates, canary less stable, and the interval for it. ±1 where nothing is shown.
	Difference, DifferenceLow, DifferenceHigh float64
	LogHarm, LogLimit, LogPromote             float64
	// Noise is φ: how many times rougher than independent requests the traffic is taken to be. 0 before the first look.
	Noise float64
	// CanaryRequestsNeeded as in Assessment.
	CanaryRequestsNeeded float64
	// StableLeftOut are stable pods that are bad alone and are left out of the comparison.
	StableLeftOut []string
	// Detail is the metric's numbers in words.
	Detail string

	limited bool // there is a limit
}

// Assess judges what was observed. nextShare is the share of the next step, 1 for promotion; evidence that was gathered
// for a greater share counts, for a smaller one it does not.
func (s *State) Assess(p Policy, nextShare float64) Assessment {
	if p.Validate() != nil || len(p.Metrics) != len(s.mem.Metrics) {
		return Assessment{Reason: NoData, Detail: "the policy is not one to judge by"}
	}
	a := Assessment{BadPod: s.mem.BadPod, CanaryRequests: math.Inf(1)}
	harm := s.harm(p, -1)
	furthest, logPromote := 0, math.Inf(1)
	for i := range p.Metrics {
		m := s.assessMetric(p, i)
		a.Metrics = append(a.Metrics, m)
		if !p.Metrics[i].Signs {
			a.CanaryRequests = min(a.CanaryRequests, m.Canary.Requests)
			a.CanaryRequestsNeeded = max(a.CanaryRequestsNeeded, m.CanaryRequestsNeeded)
		}
		if m.LogPromote < logPromote {
			furthest, logPromote = i, m.LogPromote
		}
	}
	a.HarmEvidence, a.PromoteEvidence = plain(harm.log), plain(logPromote)
	a.HarmProgress = progress(harm.log, p.FalseRollbackRisk)
	a.PromoteProgress = progress(logPromote, p.BadPromotionRisk)
	c := s.conclude(p, evidenceNow{harm: harm, logPromote: logPromote, furthest: furthest, nextShare: nextShare})
	a.Verdict, a.Reason, a.Metric = c.Verdict, c.Reason, p.Metrics[c.Metric].Name
	a.Detail = s.sentence(p, &a, c.Metric)
	return a
}

// gathersFor reports whether the evidence of health was gathered for this share or a greater one.
func (s *State) gathersFor(share float64) bool {
	return share > 0 && share <= s.mem.Share
}

// unseen is the first metric of which an arm was not seen for long; −1 for none.
func (s *State) unseen() int {
	for i := range s.mem.Metrics {
		if s.mem.Metrics[i].missing() >= unseenLooks {
			return i
		}
	}
	return -1
}

// assessMetric draws up one metric's numbers.
func (s *State) assessMetric(p Policy, i int) MetricAssessment {
	m, mp := &s.mem.Metrics[i], &p.Metrics[i]
	out := MetricAssessment{
		Name:          mp.Name,
		Weight:        mp.importance() / p.totalImportance(),
		Canary:        ArmCount{Requests: m.Step.Canary.N, Bad: m.Step.Canary.X},
		Stable:        ArmCount{Requests: m.Step.Stable.N, Bad: m.Step.Stable.X},
		LogHarm:       harmLog(m.Harm, m.Wide, s.mem.Idle) + m.Signs.logHarm(),
		LogPromote:    m.logPromote(),
		Noise:         m.Phi,
		StableLeftOut: s.leftOut(m),
	}
	if mp.Signs {
		out.Canary = ArmCount{Requests: m.Signs.StepWorse + m.Signs.StepNotWorse, Bad: m.Signs.StepWorse}
		out.RatioHigh, out.DifferenceLow, out.DifferenceHigh = math.Inf(1), -1, 1
		out.Detail = out.signSentence(p)
		return out
	}
	if mp.Limit > 0 {
		out.limited, out.LogLimit = true, m.Limit.logValue(s.mem.Idle)
	}
	out.Difference = out.Canary.Rate() - out.Stable.Rate()
	view := snapshot{counts: m.Step.counts(), baseline: m.Stable.rate(), noise: max(1, m.Phi)}
	out.DifferenceLow, out.DifferenceHigh = view.difference(p.FalseRollbackRisk, p.BadPromotionRisk)
	out.RatioLow, out.RatioHigh = view.ratio(p.FalseRollbackRisk, p.BadPromotionRisk)
	out.CanaryRequestsNeeded = m.needed(p, mp, s.mem.Share)
	out.Detail = out.sentence(p)
	return out
}

// logPromote is the log evidence of health of this step, the lesser of comparison and limit.
func (m *metricMemory) logPromote() float64 {
	log := m.Signs.logHealth()
	if len(m.Promote) > 0 {
		log += m.Promote.logValue(0)
	}
	if len(m.LimitPromote) > 0 {
		log = min(log, m.LimitPromote.logValue(0))
	}
	return log
}

// needed is how many canary requests are still needed at the present rates (judging-method section 8).
func (m *metricMemory) needed(p Policy, mp *MetricPolicy, share float64) float64 {
	missing := logGate(p.BadPromotionRisk) - m.logPromote()
	if missing <= 0 {
		return 0
	}
	c := m.StepWarm.counts()
	if c.nc <= 0 || c.ns <= 0 {
		return math.Inf(1)
	}
	arranged := mp.arrange(c)
	_, gain := mp.margin(mp.gateTolerance(share)).growth(arranged.xc/arranged.nc, arranged.xs/arranged.ns, arranged.ns/arranged.nc)
	if !(gain > 0) {
		return math.Inf(1)
	}
	return max(1, m.Phi) * missing / gain * arranged.nc / c.nc
}

// leftOut names the stable pods that are left out, in the order in which they came.
func (s *State) leftOut(m *metricMemory) []string {
	var names []string
	for i := range m.StablePods {
		if m.StablePods[i].Out {
			names = append(names, s.mem.Stable[i])
		}
	}
	return names
}

// plain is evidence on its own scale, kept finite.
func plain(log float64) float64 {
	return min(math.Exp(log), largestEvidence)
}

// progress is log E / log(1/risk), clipped to 0..1.
func progress(log, risk float64) float64 {
	return min(1, max(0, log/logGate(risk)))
}
