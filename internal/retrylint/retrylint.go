// Package retrylint says how much load the retries along a path of calls can make of one request. Retries of several hops
// multiply: two proxies that retry twice make nine tries of a request that fails for good.
//
// It is pure: what the hops do comes in as plain values, and nothing is said of what is not known.
package retrylint

import (
	"fmt"
	"math"
	"slices"
	"time"
)

// MaxHops is the longest path that is looked at.
const MaxHops = 8

// DefaultThreshold is how many tries of a request may be made for as long as a failure lasts before it is said.
const DefaultThreshold = 4.0

// Failure is how a try ends that is not answered well: one of the names below, or the status code as three digits.
type Failure string

// The failures that are no answers.
const (
	// Connect is a connection that could not be made.
	Connect Failure = "connect"
	// Refused is a stream that the server refused before it did anything.
	Refused Failure = "refused"
	// Reset is a connection that broke off.
	Reset Failure = "reset"
	// Timeout is a try that took too long.
	Timeout Failure = "timeout"
)

// Code is the failure that a status code is.
func Code(code int) Failure { return Failure(fmt.Sprintf("%03d", code)) }

// said is what the caller sees of a failure: a proxy answers for what did not.
func (f Failure) said() Failure {
	switch f {
	case Connect, Refused, Reset:
		return Code(503)
	case Timeout:
		return Code(504)
	}
	return f
}

// BudgetKind is what a budget bounds.
type BudgetKind int

const (
	// NoBudget bounds nothing.
	NoBudget BudgetKind = iota
	// Concurrency bounds the share of retries among the requests that are under way.
	Concurrency
	// Ratio bounds the retries to a share of the requests of a while.
	Ratio
)

// Budget is a limit on a hop's retries as long as a failure lasts.
type Budget struct {
	Kind BudgetKind
	// Share is the budget: of all that is under way for Concurrency, of the first tries for Ratio. 0.2 is 20 %.
	Share float64
}

// Policy is what a hop does with a request that fails. The zero value retries nothing.
type Policy struct {
	// Retries are the tries after the first.
	Retries int
	// Triggers are the failures that are retried.
	Triggers []Failure
	// Request bounds all tries together, PerTry each of them; zero: they do not.
	Request, PerTry time.Duration
	Budget          Budget
}

// Hop is one proxy on the way of a request, from the outside inwards.
type Hop struct {
	// Name is how messages call it, such as gateway infra/gw or the calls of shop/web.
	Name string
	// Known says that its policy is; otherwise it counts 1.
	Known  bool
	Policy Policy
}

// worst is m: how many tries the hop makes of one request that fails so, as long as nothing but the counts limits it.
func (p Policy) worst(f Failure) float64 {
	if p.Retries <= 0 || !slices.Contains(p.Triggers, f) {
		return 1
	}
	m := float64(p.Retries) + 1
	if f == Timeout && p.Request > 0 && p.PerTry > 0 {
		m = min(m, math.Ceil(float64(p.Request)/float64(p.PerTry)))
	}
	return max(1, m)
}

// sustained is the same for as long as the failure lasts, when a budget limits it.
func (p Policy) sustained(f Failure) float64 {
	m := p.worst(f)
	share := p.Budget.Share
	if math.IsNaN(share) || share < 0 {
		share = 0
	}
	switch p.Budget.Kind {
	case Concurrency:
		if share < 1 {
			m = min(m, 1/(1-share))
		}
	case Ratio:
		m = min(m, 1+share)
	case NoBudget:
	}
	return m
}

// Amplification is what the hops of a path make of one failure at its end.
type Amplification struct {
	// Failure is what happens at the end of the path.
	Failure Failure
	// Worst and Sustained are the tries that reach the end for each request at the beginning.
	Worst, Sustained float64
	// Hops are those that retry it, from the outside inwards.
	Hops []Factor
}

// Factor is one hop's part.
type Factor struct {
	Hop string
	// Sees is what the hop sees of the failure, which hops within it may have made a status code.
	Sees             Failure
	Worst, Sustained float64
	Policy           Policy
}

// Amplify walks a path upstream from its end, for each failure that can happen there, and returns the failures that are
// tried more than once, the worst ones first. The hops are ordered from the outside inwards.
func Amplify(path []Hop) []Amplification {
	var out []Amplification
	for _, f := range Failures(path) {
		if a := amplify(path, f); len(a.Hops) > 0 {
			out = append(out, a)
		}
	}
	slices.SortStableFunc(out, func(a, b Amplification) int {
		switch {
		case a.Sustained != b.Sustained:
			return sign(b.Sustained - a.Sustained)
		case a.Worst != b.Worst:
			return sign(b.Worst - a.Worst)
		}
		return compareFailures(a.Failure, b.Failure)
	})
	return out
}

func amplify(path []Hop, f Failure) Amplification {
	a := Amplification{Failure: f, Worst: 1, Sustained: 1}
	sees := f
	for _, hop := range slices.Backward(path) {
		if hop.Known {
			if m := hop.Policy.worst(sees); m > 1 {
				s := hop.Policy.sustained(sees)
				a.Worst, a.Sustained = a.Worst*m, a.Sustained*s
				a.Hops = append(a.Hops, Factor{Hop: hop.Name, Sees: sees, Worst: m, Sustained: s, Policy: hop.Policy})
			}
		}
		sees = sees.said()
	}
	slices.Reverse(a.Hops)
	return a
}

// Failures are those that can happen at the end of a path and that matter there: what is no answer, and each code that a
// hop retries, sorted.
func Failures(path []Hop) []Failure {
	all := []Failure{Connect, Refused, Reset, Timeout}
	for _, hop := range path {
		if hop.Known {
			all = append(all, hop.Policy.Triggers...)
		}
	}
	slices.SortFunc(all, compareFailures)
	return slices.Compact(all)
}

// compareFailures puts what is no answer first, then the codes.
func compareFailures(a, b Failure) int {
	order := []Failure{Connect, Refused, Reset, Timeout}
	i, j := slices.Index(order, a), slices.Index(order, b)
	switch {
	case i >= 0 && j >= 0:
		return i - j
	case i >= 0:
		return -1
	case j >= 0:
		return 1
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}

func sign(v float64) int {
	switch {
	case v > 0:
		return 1
	case v < 0:
		return -1
	}
	return 0
}
