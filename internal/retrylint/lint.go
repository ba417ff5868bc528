package retrylint

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
)

// Finding is a path on which retries multiply beyond the threshold for as long as a failure lasts.
type Finding struct {
	Path Path
	// Amplification is that of the failure that is worst on the path.
	Amplification Amplification
	// Uncounted are the hops of the path whose policy is not known, from the outside inwards.
	Uncounted []string
	// Message is a sentence for the condition RetryAmplification; it is the same for the same path.
	Message string
}

// Report is what retries do in a graph.
type Report struct {
	// Worst and Sustained are the largest of all paths and failures; 1 for none.
	Worst, Sustained float64
	// Findings are the paths beyond the threshold, the worst first. One that is only a longer way around the hops of
	// another is not said again.
	Findings []Finding
	// Uncounted are the hops that count 1 because their policy is not known, sorted.
	Uncounted []string
}

// Lint looks at every path of a graph. threshold is how many tries of a request may be made while a failure lasts; 0
// means DefaultThreshold. A *CycleError, a *LongPathError or ErrTooManyPaths says that nothing was looked at.
func Lint(g Graph, threshold float64) (Report, error) {
	if threshold <= 0 || math.IsNaN(threshold) {
		threshold = DefaultThreshold
	}
	paths, err := g.Paths()
	if err != nil {
		return Report{}, err
	}
	r := Report{Worst: 1, Sustained: 1}
	for _, p := range paths {
		uncounted := uncountedOf(p.Hops)
		r.Uncounted = append(r.Uncounted, uncounted...)
		found := Amplify(p.Hops)
		for _, a := range found {
			r.Worst, r.Sustained = max(r.Worst, a.Worst), max(r.Sustained, a.Sustained)
		}
		if len(found) > 0 && found[0].Sustained > threshold {
			f := Finding{Path: p, Amplification: found[0], Uncounted: uncounted}
			f.Message = f.message(threshold)
			r.Findings = append(r.Findings, f)
		}
	}
	slices.SortFunc(r.Findings, compareFindings)
	seen := map[string]bool{}
	r.Findings = slices.DeleteFunc(r.Findings, func(f Finding) bool {
		again := seen[f.Message]
		seen[f.Message] = true
		return again
	})
	slices.Sort(r.Uncounted)
	r.Uncounted = slices.Compact(r.Uncounted)
	return r, nil
}

func uncountedOf(hops []Hop) []string {
	var names []string
	for _, h := range hops {
		if !h.Known {
			names = append(names, h.Name)
		}
	}
	return names
}

func compareFindings(a, b Finding) int {
	if d := b.Amplification.Sustained - a.Amplification.Sustained; d != 0 {
		return sign(d)
	}
	if d := b.Amplification.Worst - a.Amplification.Worst; d != 0 {
		return sign(d)
	}
	if len(a.Path.Hops) != len(b.Path.Hops) {
		return len(a.Path.Hops) - len(b.Path.Hops)
	}
	return strings.Compare(a.Message, b.Message)
}

// Message is what the condition RetryAmplification says; empty when there is nothing to say. At most three findings are
// told in full.
func (r Report) Message() string {
	const inFull = 3
	var said []string
	for i, f := range r.Findings {
		if i == inFull {
			said = append(said, fmt.Sprintf("and %d more paths", len(r.Findings)-inFull))
			break
		}
		said = append(said, f.Message)
	}
	return strings.Join(said, "; ")
}

func (f Finding) message(threshold float64) string {
	a := f.Amplification
	var hops []string
	for _, h := range a.Hops {
		hops = append(hops, h.text())
	}
	text := fmt.Sprintf("while requests to %s fail with %s, each is tried %s times", f.Path.End, a.Failure, number(a.Sustained))
	if a.Worst != a.Sustained {
		text += fmt.Sprintf(" (%s at worst)", number(a.Worst))
	}
	text += fmt.Sprintf(", more than %s: %s; %s", number(threshold), strings.Join(hops, " × "), a.advice(threshold))
	if len(f.Uncounted) > 0 {
		text += "; not counted, because their retries are not known: " + strings.Join(f.Uncounted, ", ")
	}
	return text
}

func (h Factor) text() string {
	tries := "1 retry"
	if h.Policy.Retries != 1 {
		tries = fmt.Sprintf("%d retries", h.Policy.Retries)
	}
	text := fmt.Sprintf("%s (%s on %s", h.Hop, tries, h.Sees)
	if h.Sustained < h.Worst {
		text += fmt.Sprintf(", %s with its budget", number(h.Sustained))
	}
	return text + ")"
}

// usual is the budget that is suggested where it is small enough: a fifth, as most data planes have it.
const usual = 20

// advice is a budget for each hop with which the whole stays within the threshold.
func (a Amplification) advice(threshold float64) string {
	percent := int(math.Floor(100 * (1 - math.Pow(threshold, -1/float64(len(a.Hops))))))
	percent = min(usual, percent)
	if percent < 1 {
		return "retry on one of these hops only, best the last (retries: 0 on the others)"
	}
	with := 1.0
	for _, h := range a.Hops {
		with *= min(h.Sustained, 1/(1-float64(percent)/100))
	}
	text := fmt.Sprintf("with a retry budget of %d %% on each of these hops (budget: {percent: %d}) it would be %s", percent, percent, number(with))
	if last := a.Hops[len(a.Hops)-1]; len(a.Hops) > 1 {
		text += fmt.Sprintf(", with retries on the last of them only %s", number(last.Sustained))
	}
	return text
}

// number writes with at most two decimals, and none that says nothing.
func number(v float64) string {
	return strconv.FormatFloat(math.Round(v*100)/100, 'f', -1, 64)
}
