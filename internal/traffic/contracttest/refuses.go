package contracttest

import (
	"errors"
	"slices"
	"time"

	"slipway.dev/slipway/api/v1alpha1"
	"slipway.dev/slipway/internal/traffic"
)

// refuses gives the translator an intent that needs each capability that it has not declared.
func (c *checker) refuses() {
	if len(c.cases) == 0 {
		return
	}
	able := c.Router.Capabilities(c.Kind)
	for _, capability := range traffic.All() {
		if slices.Contains(able, capability) {
			continue
		}
		tc := c.cases[0]
		_, err := c.Router.Render(tc.seen, needing(capability))
		unsupported, ok := errors.AsType[*traffic.UnsupportedError](err)
		if !ok || !slices.Contains(unsupported.Missing, string(capability)) {
			c.found(CheckRefuses, tc, "%s is not declared, and an intent that needs it gives %v", capability, err)
		}
	}
}

// needing is an intent that needs the capability, and little else.
func needing(capability traffic.Capability) traffic.Intent {
	split := traffic.Split{
		Name: "checkout", UID: "u", Sequence: 2, Service: "checkout",
		Backends: []traffic.Backend{{Name: "checkout", Weight: 90}, {Name: "checkout-canary", Weight: 10}},
	}
	retry := traffic.Retry{Name: "checkout", UID: "r", Retries: new(int32(2))}
	ofSplit := func(change func(*traffic.Split)) traffic.Intent {
		change(&split)
		return traffic.Intent{Splits: []traffic.Split{split}}
	}
	ofRetry := func(change func(*traffic.Retry)) traffic.Intent {
		change(&retry)
		return traffic.Intent{Retries: []traffic.Retry{retry}}
	}
	value := []traffic.Pair{{Name: "x-beta", Value: "yes"}}
	switch capability {
	case traffic.WeightedBackends:
		return ofSplit(func(*traffic.Split) {})
	case traffic.SplitOfRule:
		return ofSplit(func(s *traffic.Split) { s.SectionName = "pay" })
	case traffic.HeaderMatch:
		return ofSplit(func(s *traffic.Split) { s.Matches = []traffic.Match{{Backend: "checkout-canary", Headers: value}} })
	case traffic.CookieMatch:
		return ofSplit(func(s *traffic.Split) { s.Matches = []traffic.Match{{Backend: "checkout-canary", Cookies: value}} })
	case traffic.MirrorRequests:
		return ofSplit(func(s *traffic.Split) { s.Mirror = &traffic.Mirror{Backend: "checkout-canary", Percent: 100} })
	case traffic.MirrorPercent:
		return ofSplit(func(s *traffic.Split) { s.Mirror = &traffic.Mirror{Backend: "checkout-canary", Percent: 10} })
	case traffic.CookieAffinity:
		return ofSplit(func(s *traffic.Split) {
			s.Affinity = traffic.Pinned(traffic.Cookie{Name: "c", Round: "r"}, []traffic.Draw{{Number: 2, Backends: s.Backends}})
		})
	case traffic.Retries:
		return ofRetry(func(*traffic.Retry) {})
	case traffic.RetryOff:
		return ofRetry(func(r *traffic.Retry) { r.Retries = new(int32(0)) })
	case traffic.RetryOfRule:
		return ofRetry(func(r *traffic.Retry) { r.SectionName = "pay" })
	case traffic.RetryStatusCodes:
		return ofRetry(func(r *traffic.Retry) { r.Codes = []int32{503} })
	case traffic.RetryGRPCStatuses:
		return ofRetry(func(r *traffic.Retry) { r.Statuses = []v1alpha1.GRPCStatus{v1alpha1.GRPCUnavailable} })
	case traffic.RetryAllMethods:
		return ofRetry(func(r *traffic.Retry) { r.AllMethods = true })
	case traffic.RetryTimedOutTry:
		return ofRetry(func(r *traffic.Retry) {
			r.PerTry, r.Triggers = time.Second, []v1alpha1.RetryTrigger{v1alpha1.RetryGatewayError}
		})
	case traffic.RequestTimeout:
		return ofRetry(func(r *traffic.Retry) { r.Request = time.Second })
	case traffic.PerTryTimeout:
		return ofRetry(func(r *traffic.Retry) { r.PerTry = time.Second })
	case traffic.BackoffBase:
		return ofRetry(func(r *traffic.Retry) { r.BackoffBase = 25 * time.Millisecond })
	case traffic.BackoffMax:
		return ofRetry(func(r *traffic.Retry) { r.BackoffBase, r.BackoffMax = 25*time.Millisecond, time.Second })
	case traffic.BudgetPercent:
		return ofRetry(func(r *traffic.Retry) { r.Budget = &traffic.Budget{Percent: 20} })
	case traffic.BudgetMinConcurrent:
		return ofRetry(func(r *traffic.Retry) { r.Budget = &traffic.Budget{Percent: 20, MinConcurrent: new(int32(3))} })
	case traffic.BudgetMinPerSecond:
		return ofRetry(func(r *traffic.Retry) { r.Budget = &traffic.Budget{Percent: 20, MinPerSecond: new(int32(3))} })
	case traffic.RetryConnectFailure, traffic.RetryRefusedStream, traffic.RetryGatewayError, traffic.RetryReset,
		traffic.RetryResetBeforeRequest, traffic.RetryServerError, traffic.RetryRetriable4xx:
		return ofRetry(func(r *traffic.Retry) {
			r.Triggers = []v1alpha1.RetryTrigger{v1alpha1.RetryTrigger(capability[len("Retry"):])}
		})
	}
	return traffic.Intent{}
}
