package judge

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// sentence is the metric's numbers in words: evidence, never a probability. Evidence of harm is counted against what this
// metric would need if it were alone: its part of the risk is its weight.
func (m *MetricAssessment) sentence(p Policy) string {
	what, harm := "harm evidence", m.LogHarm
	if m.limited && m.LogLimit > harm {
		what, harm = "evidence over the limit", m.LogLimit
	}
	return fmt.Sprintf("canary %s, stable %s; %s %s; promote evidence %s of %s",
		m.Canary.words(), m.Stable.words(), what, reached(harm, p.FalseRollbackRisk*m.Weight),
		number(plain(m.LogPromote)), number(1/p.BadPromotionRisk))
}

// signSentence is that of a gauge, which has blocks of time instead of requests.
func (m *MetricAssessment) signSentence(p Policy) string {
	return fmt.Sprintf("worse than tolerated in %s of %s blocks of this step; harm evidence %s; promote evidence %s of %s",
		grouped(m.Canary.Bad), grouped(m.Canary.Requests), reached(m.LogHarm, p.FalseRollbackRisk*m.Weight),
		number(plain(m.LogPromote)), number(1/p.BadPromotionRisk))
}

// sentence says what was concluded and from which numbers.
func (s *State) sentence(p Policy, a *Assessment, decider int) string {
	var b strings.Builder
	b.WriteString(s.headline(a))
	if a.Metric != "" {
		b.WriteString(a.Metric + ": ")
	}
	m := &a.Metrics[decider]
	b.WriteString(m.Detail)
	switch a.Reason {
	case NotEnoughTraffic:
		b.WriteString("; " + s.stillNeeded(p, a))
	case LimitExceeded:
		b.WriteString("; the limit is " + shortPercent(p.Metrics[decider].Limit) + s.provenAfter())
	case HarmProven:
		b.WriteString(m.differs() + s.provenAfter())
	case WithinTolerance:
		b.WriteString(m.differs())
	case OneBadPod, NoData, ShareNotAsWanted:
	}
	return b.String()
}

// headline is the reason in words; nothing for evidence that is still gathered.
func (s *State) headline(a *Assessment) string {
	switch a.Reason {
	case HarmProven:
		if s.mem.Promoting {
			return "harm is proven while the version is promoted: "
		}
		return "harm is proven: "
	case LimitExceeded:
		return "the limit is exceeded: "
	case OneBadPod:
		return fmt.Sprintf("harm is on one canary pod alone, %q: ", a.BadPod)
	case NoData:
		return s.whoIsMissing()
	case ShareNotAsWanted:
		return s.mem.Split.sentence()
	case WithinTolerance:
		return "within tolerance: "
	case NotEnoughTraffic:
		return ""
	}
	return ""
}

// sentence is a split that is not the wanted one, in words.
func (s *split) sentence() string {
	share, looksRight := s.now()
	if looksRight {
		return fmt.Sprintf("the canary got a share of the requests that is not the wanted one; now it gets %s where %s is wanted, for too short a time to go on: ",
			percent(share), percent(s.Wanted))
	}
	return fmt.Sprintf("the canary gets %s of the requests where %s is wanted: ", percent(share), percent(s.Wanted))
}

// whoIsMissing names the arm that is not seen.
func (s *State) whoIsMissing() string {
	m, who := &s.mem.Metrics[max(0, s.unseen())], "stable was"
	switch {
	case m.NoCanary >= unseenLooks && m.NoStable >= unseenLooks:
		who = "neither canary nor stable was"
	case m.NoCanary >= unseenLooks:
		who = "the canary was"
	}
	return fmt.Sprintf("%s not seen in %d looks or more: ", who, unseenLooks)
}

// differs is how much worse or better the canary is, with what the requests of this step bound it to.
func (m *MetricAssessment) differs() string {
	if m.Canary.Requests <= 0 || m.Stable.Requests <= 0 {
		return ""
	}
	low, high := "anything", "anything"
	if m.DifferenceLow > -1 {
		low = points(m.DifferenceLow)
	}
	if m.DifferenceHigh < 1 {
		high = points(m.DifferenceHigh)
	}
	return fmt.Sprintf("; difference %s points, between %s and %s", points(m.Difference), low, high)
}

// provenAfter is how long it took until harm was proven.
func (s *State) provenAfter() string {
	if s.mem.CrossedAt == 0 {
		return ""
	}
	return fmt.Sprintf("; proven %s after the canary's first traffic", time.Duration(s.mem.CrossedAt-s.mem.Start).Round(time.Second))
}

// stillNeeded says how far away the gate is, and names the metric that it is farthest for where there are several.
func (s *State) stillNeeded(p Policy, a *Assessment) string {
	unserved, slowest := a.limiting(p)
	of := func(metric int) string {
		if len(a.Metrics) < 2 || metric < 0 {
			return ""
		}
		return " for " + a.Metrics[metric].Name
	}
	switch {
	case a.PromoteProgress >= 1:
		return fmt.Sprintf("harm evidence over all metrics is %s, and no gate is passed above %d", number(a.HarmEvidence), healthGate)
	case unserved >= 0:
		return "no canary requests are counted in this step" + of(unserved)
	case !s.anyWarm() && slowest >= 0:
		return "so far the canary's traffic is all warm-up or settling, or has nothing to be compared with"
	case slowest < 0 || a.CanaryRequestsNeeded == 0:
		return "more blocks of time are needed"
	case math.IsInf(a.CanaryRequestsNeeded, 1):
		return "at the present rates the gate is not in reach" + of(slowest)
	}
	return fmt.Sprintf("about %s more canary requests are needed%s", grouped(math.Ceil(a.CanaryRequestsNeeded)), of(slowest))
}

// limiting is the first metric without canary requests and the one that needs most of them, of those that count requests;
// −1 for none.
func (a *Assessment) limiting(p Policy) (unserved, slowest int) {
	unserved, slowest = -1, -1
	for i := range a.Metrics {
		if p.Metrics[i].Signs {
			continue
		}
		if unserved < 0 && a.Metrics[i].Canary.Requests == 0 {
			unserved = i
		}
		if slowest < 0 || a.Metrics[i].CanaryRequestsNeeded > a.Metrics[slowest].CanaryRequestsNeeded {
			slowest = i
		}
	}
	return unserved, slowest
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

// grouped is a count with commas between the thousands; a count that is not whole, but for what rounding leaves over, has
// one decimal.
func grouped(v float64) string {
	const rounding = 1e-6
	decimals := 0
	if math.Abs(v-math.Round(v)) > rounding {
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

// points is a difference of shares in points, signed.
func points(difference float64) string {
	return fmt.Sprintf("%+.2f", 100*difference)
}
