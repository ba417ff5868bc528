package judge

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// sentence is the metric's numbers in words: evidence, never a probability.
func (m *MetricAssessment) sentence(p Policy) string {
	harm := m.LogHarm
	if m.LogLimit > harm {
		harm = m.LogLimit
	}
	return fmt.Sprintf("canary %s, stable %s; harm evidence %s; promote evidence %s of %s",
		m.Canary.words(), m.Stable.words(), reached(harm, p.FalseRollbackRisk),
		number(plain(m.LogPromote)), number(1/p.BadPromotionRisk))
}

// signSentence is that of a gauge, which has blocks of time instead of requests.
func (m *MetricAssessment) signSentence(p Policy) string {
	return fmt.Sprintf("worse than tolerated in %s of %s blocks of this step; harm evidence %s; promote evidence %s of %s",
		grouped(m.Canary.Bad), grouped(m.Canary.Requests), reached(m.LogHarm, p.FalseRollbackRisk),
		number(plain(m.LogPromote)), number(1/p.BadPromotionRisk))
}

// sentence says what was concluded and from which numbers.
func (s *State) sentence(a *Assessment, decider int) string {
	var b strings.Builder
	b.WriteString(s.headline(a))
	if a.Metric != "" {
		b.WriteString(a.Metric + ": ")
	}
	b.WriteString(a.Metrics[decider].Detail)
	if a.Reason == NotEnoughTraffic {
		b.WriteString("; " + s.stillNeeded(a))
	}
	return b.String()
}

// headline is the reason in words; nothing for evidence that is still gathered.
func (s *State) headline(a *Assessment) string {
	switch a.Reason {
	case HarmProven:
		return "harm is proven: "
	case LimitExceeded:
		return "the limit is exceeded: "
	case OneBadPod:
		return fmt.Sprintf("harm is on one canary pod alone, %q: ", a.BadPod)
	case NoData:
		return fmt.Sprintf("an arm was not seen in %d looks or more: ", unseenLooks)
	case ShareNotAsWanted:
		split := &s.mem.Split
		return fmt.Sprintf("the canary gets %s of the requests where %s is wanted: ",
			percent(split.Canary/(split.Canary+split.Stable)), percent(split.Wanted))
	case WithinTolerance:
		return "within tolerance: "
	case NotEnoughTraffic:
		return ""
	}
	return ""
}

// stillNeeded says how far away the gate is.
func (s *State) stillNeeded(a *Assessment) string {
	switch {
	case a.PromoteProgress >= 1:
		return fmt.Sprintf("harm evidence over all metrics is %s, and no gate is passed above %d", number(a.HarmEvidence), healthGate)
	case a.CanaryRequests == 0:
		return "the canary has served no requests in this step"
	case !s.anyWarm():
		return "all of it is warm-up or settling so far, or has nothing to be compared with"
	case math.IsInf(a.CanaryRequests, 1) || a.CanaryRequestsNeeded == 0:
		return "more blocks of time are needed"
	case math.IsInf(a.CanaryRequestsNeeded, 1):
		return "at the present rates the gate is not in reach"
	}
	return fmt.Sprintf("about %s more canary requests are needed", grouped(math.Ceil(a.CanaryRequestsNeeded)))
}

// anyWarm reports whether any interval of this step could be evidence of health.
func (s *State) anyWarm() bool {
	for i := range s.mem.Metrics {
		if s.mem.Metrics[i].StepWarm.Canary.N > 0 {
			return true
		}
	}
	return false
}

// words is "0.52% (26/5,000)".
func (a ArmCount) words() string {
	if a.Requests <= 0 {
		return "without requests"
	}
	return fmt.Sprintf("%s (%s/%s)", percent(a.Rate()), grouped(a.Bad), grouped(a.Requests))
}

// reached is "14.5 of 20 (89%)".
func reached(log, risk float64) string {
	return fmt.Sprintf("%s of %s (%.0f%%)", number(plain(log)), number(1/risk), 100*progress(log, risk))
}

// percent is a share with two decimals.
func percent(share float64) string {
	return strconv.FormatFloat(100*share, 'f', 2, 64) + "%"
}

// number is evidence in three digits, or "over 1,000,000".
func number(v float64) string {
	switch {
	case v > 1e6:
		return "over 1,000,000"
	case v >= 1000:
		return grouped(math.Round(v))
	case v < .005:
		return "under 0.005"
	}
	return strconv.FormatFloat(v, 'g', max(3, len(strconv.Itoa(int(v)))), 64)
}

// grouped is a count with commas between the thousands; a count that is not whole has one decimal.
func grouped(v float64) string {
	decimals := 0
	if v != math.Trunc(v) {
		decimals = 1
	}
	whole, fraction, _ := strings.Cut(strconv.FormatFloat(v, 'f', decimals, 64), ".")
	var b strings.Builder
	for i, digit := range whole {
		if i > 0 && (len(whole)-i)%3 == 0 {
			b.WriteByte(',')
		}
		b.WriteRune(digit)
	}
	if fraction != "" {
		b.WriteString("." + fraction)
	}
	return b.String()
}

// shortPercent is a share without needless zeros: "10%", "0.05%".
func shortPercent(share float64) string {
	return strconv.FormatFloat(100*share, 'g', 4, 64) + "%"
}
