package traffic

import (
	"time"

	"slipway.dev/slipway/api/v1alpha1"
)

// Retry is one RetryPolicy as one target is to carry it. What it does not say is left as the data plane does it.
type Retry struct {
	// Name and UID are those of the RetryPolicy, Generation that of its spec.
	Name       string `json:"name"`
	UID        string `json:"uid,omitempty"`
	Generation int64  `json:"generation,omitempty"`
	// Created decides between two policies for the same target: the older one holds.
	Created time.Time `json:"-"`
	// SectionName is the only rule that it is for; empty means every rule that has no policy of its own.
	SectionName string `json:"section,omitempty"`
	// Retries is how many tries there are after the first; zero switches off even what the data plane does by itself; nil
	// leaves that as it is.
	Retries *int32 `json:"retries,omitempty"`
	// Triggers, Codes and Statuses are what is retried, sorted.
	Triggers []v1alpha1.RetryTrigger `json:"triggers,omitempty"`
	Codes    []int32                 `json:"codes,omitempty"`
	Statuses []v1alpha1.GRPCStatus   `json:"statuses,omitempty"`
	// AllMethods means that also requests are retried that change something. Unset, nothing is retried that could have
	// reached the application.
	AllMethods bool `json:"allMethods,omitempty"`
	// Request is the timeout of the whole request, all tries included, PerTry that of each try; zero: not said.
	Request time.Duration `json:"request,omitempty"`
	PerTry  time.Duration `json:"perTry,omitempty"`
	// BackoffBase is the pause before the second try, BackoffMax the longest pause; zero: not said.
	BackoffBase time.Duration `json:"backoffBase,omitempty"`
	BackoffMax  time.Duration `json:"backoffMax,omitempty"`
	// Budget limits the retries of all requests together; nil: not said.
	Budget *Budget `json:"budget,omitempty"`
}

// Budget is how many retries there may be beside the requests. At most one of the two minima is set.
type Budget struct {
	// Percent is how many retries there may be for 100 requests.
	Percent int32 `json:"percent"`
	// MinConcurrent is how many may be in flight, and MinPerSecond how many may begin in a second, however few requests
	// there are; nil: the data plane's own.
	MinConcurrent *int32 `json:"minConcurrent,omitempty"`
	MinPerSecond  *int32 `json:"minPerSecond,omitempty"`
}

// On says whether there are tries after the first.
func (r Retry) On() bool { return r.Retries != nil && *r.Retries > 0 }

// Off says whether retries are switched off.
func (r Retry) Off() bool { return r.Retries != nil && *r.Retries == 0 }

// RetryFor is the policy for one rule: that for the rule by its name, or else that for the whole target.
func RetryFor(retries []Retry, rule string) (Retry, bool) {
	var whole *Retry
	for i, r := range retries {
		if r.SectionName == "" {
			whole = &retries[i]
		}
		if r.SectionName != "" && r.SectionName == rule {
			return r, true
		}
	}
	if whole == nil {
		return Retry{}, false
	}
	return *whole, true
}
