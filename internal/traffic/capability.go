package traffic

import (
	"slices"

	"slipway.dev/slipway/api/v1alpha1"
)

// Capability is something that an intent may need and that a data plane may lack. The set is closed: what an intent can
// say is covered by Needs, and the contract test goes through All.
type Capability string

// The capabilities.
const (
	// WeightedBackends is the division of traffic by the weights of backends.
	WeightedBackends Capability = "WeightedBackends"
	// SplitOfRule is a split for one rule of a route, by its name.
	SplitOfRule Capability = "SplitOfRule"
	// HeaderMatch and CookieMatch send requests to a backend by the whole value of headers and cookies.
	HeaderMatch Capability = "HeaderMatch"
	CookieMatch Capability = "CookieMatch"
	// Mirror copies every request; MirrorPercent copies some.
	MirrorRequests Capability = "Mirror"
	MirrorPercent  Capability = "MirrorPercent"
	// CookieAffinity sets a cookie by the backend that answers, and sends requests where their cookie says.
	CookieAffinity Capability = "Affinity"
	// Retries is a number of tries after the first; RetryOff is none, not even those that the data plane makes by itself.
	Retries  Capability = "Retries"
	RetryOff Capability = "RetryOff"
	// RetryOfRule is a policy for one rule of a route, by its name.
	RetryOfRule Capability = "RetryOfRule"
	// One for each trigger.
	RetryConnectFailure     Capability = "RetryConnectFailure"
	RetryRefusedStream      Capability = "RetryRefusedStream"
	RetryGatewayError       Capability = "RetryGatewayError"
	RetryReset              Capability = "RetryReset"
	RetryResetBeforeRequest Capability = "RetryResetBeforeRequest"
	RetryServerError        Capability = "RetryServerError"
	RetryRetriable4xx       Capability = "RetryRetriable4xx"
	// RetryStatusCodes and RetryGRPCStatuses retry certain answers.
	RetryStatusCodes  Capability = "RetryStatusCodes"
	RetryGRPCStatuses Capability = "RetryGRPCStatuses"
	// RetryAllMethods retries also requests that change something.
	RetryAllMethods Capability = "RetryAllMethods"
	// RetryTimedOutTry retries a try that took longer than PerTryTimeout.
	RetryTimedOutTry Capability = "RetryTimedOutTry"
	// RequestTimeout is for the whole request, all tries included; PerTryTimeout is for each try and shortens nothing else.
	RequestTimeout Capability = "RequestTimeout"
	PerTryTimeout  Capability = "PerTryTimeout"
	// BackoffBase is the pause before the second try, BackoffMax the longest.
	BackoffBase Capability = "BackoffBase"
	BackoffMax  Capability = "BackoffMax"
	// BudgetPercent limits retries to a part of the requests, and the minima are what is always allowed.
	BudgetPercent       Capability = "BudgetPercent"
	BudgetMinConcurrent Capability = "BudgetMinConcurrent"
	BudgetMinPerSecond  Capability = "BudgetMinPerSecond"
)

// fields are the capabilities, in the order in which people read them, each with the field of the API that needs it.
var fields = []struct {
	capability Capability
	field      string
}{
	{WeightedBackends, "backends"},
	{SplitOfRule, "routeRefs[].sectionName"},
	{HeaderMatch, "matches[].headers"},
	{CookieMatch, "matches[].cookies"},
	{MirrorRequests, "mirror"},
	{MirrorPercent, "mirror.percent"},
	{CookieAffinity, "affinity"},
	{Retries, "retries"},
	{RetryOff, "retries: 0"},
	{RetryOfRule, "targetRefs[].sectionName"},
	{RetryConnectFailure, "triggers: ConnectFailure"},
	{RetryRefusedStream, "triggers: RefusedStream"},
	{RetryGatewayError, "triggers: GatewayError"},
	{RetryReset, "triggers: Reset"},
	{RetryResetBeforeRequest, "triggers: ResetBeforeRequest"},
	{RetryServerError, "triggers: ServerError"},
	{RetryRetriable4xx, "triggers: Retriable4xx"},
	{RetryStatusCodes, "httpStatusCodes"},
	{RetryGRPCStatuses, "grpcStatuses"},
	{RetryAllMethods, "methods: All"},
	{RetryTimedOutTry, "timeouts.perTry with a trigger that retries timeouts"},
	{RequestTimeout, "timeouts.request"},
	{PerTryTimeout, "timeouts.perTry"},
	{BackoffBase, "backoff.base"},
	{BackoffMax, "backoff.max"},
	{BudgetPercent, "budget.percent"},
	{BudgetMinConcurrent, "budget.minConcurrent"},
	{BudgetMinPerSecond, "budget.minPerSecond"},
}

// All are all capabilities, in the order in which people read them.
func All() []Capability {
	out := make([]Capability, 0, len(fields))
	for _, f := range fields {
		out = append(out, f.capability)
	}
	return out
}

// Field is the field of the API that needs the capability, or empty.
func (c Capability) Field() string {
	for _, f := range fields {
		if f.capability == c {
			return f.field
		}
	}
	return ""
}

// OfTrigger is the capability that a trigger needs.
func OfTrigger(t v1alpha1.RetryTrigger) Capability { return Capability("Retry" + string(t)) }

// timesOut are the triggers that retry a try which timed out.
var timesOut = []v1alpha1.RetryTrigger{v1alpha1.RetryGatewayError, v1alpha1.RetryReset, v1alpha1.RetryServerError}

// Needs are the capabilities that an intent needs, sorted, each once.
func Needs(intent Intent) []Capability {
	var out []Capability
	for _, s := range intent.Splits {
		out = append(out, needsOfSplit(s)...)
	}
	for _, r := range intent.Retries {
		out = append(out, needsOfRetry(r)...)
	}
	slices.Sort(out)
	return slices.Compact(out)
}

type need struct {
	capability Capability
	needed     bool
}

func needed(needs []need) []Capability {
	var out []Capability
	for _, n := range needs {
		if n.needed {
			out = append(out, n.capability)
		}
	}
	return out
}

func needsOfSplit(s Split) []Capability {
	has := func(of func(Match) []Pair) bool {
		return slices.ContainsFunc(s.Matches, func(m Match) bool { return len(of(m)) > 0 })
	}
	return needed([]need{
		{WeightedBackends, true},
		{SplitOfRule, s.SectionName != ""},
		{HeaderMatch, has(func(m Match) []Pair { return m.Headers })},
		{CookieMatch, has(func(m Match) []Pair { return m.Cookies })},
		{MirrorRequests, s.Mirror != nil},
		{MirrorPercent, s.Mirror != nil && s.Mirror.Percent < 100},
		{CookieAffinity, s.Affinity != nil},
	})
}

func needsOfRetry(r Retry) []Capability {
	timedOut := r.PerTry > 0 && slices.ContainsFunc(timesOut, func(t v1alpha1.RetryTrigger) bool { return slices.Contains(r.Triggers, t) })
	out := needed([]need{
		{Retries, r.On()},
		{RetryOff, r.Off()},
		{RetryOfRule, r.SectionName != ""},
		{RetryStatusCodes, len(r.Codes) > 0},
		{RetryGRPCStatuses, len(r.Statuses) > 0},
		{RetryAllMethods, r.AllMethods},
		{RetryTimedOutTry, timedOut},
		{RequestTimeout, r.Request > 0},
		{PerTryTimeout, r.PerTry > 0},
		{BackoffBase, r.BackoffBase > 0},
		{BackoffMax, r.BackoffMax > 0},
		{BudgetPercent, r.Budget != nil},
		{BudgetMinConcurrent, r.Budget != nil && r.Budget.MinConcurrent != nil},
		{BudgetMinPerSecond, r.Budget != nil && r.Budget.MinPerSecond != nil},
	})
	for _, t := range r.Triggers {
		out = append(out, OfTrigger(t))
	}
	return out
}
