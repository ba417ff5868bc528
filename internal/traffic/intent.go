package traffic

import (
	"errors"
	"time"
)

// ErrOvertaken means that the target follows a later record of the same split. The record at hand is old: read again.
var ErrOvertaken = errors.New("route follows a later record of the split")

// Intent is the whole wanted state of one target: what it is to carry, and nothing else. The zero value is the target as
// its user wrote it.
type Intent struct {
	Splits  []Split `json:"splits,omitempty"`
	Retries []Retry `json:"retries,omitempty"`
}

// Empty says whether nothing is wanted of the target.
func (i Intent) Empty() bool { return len(i.Splits) == 0 && len(i.Retries) == 0 }

// Backend is a Service and its proportion of the traffic. Weights need not sum to anything.
type Backend struct {
	Name   string `json:"name"`
	Weight int32  `json:"weight"`
}

// Split is one split as one target is to carry it.
type Split struct {
	// Name is the name of the TrafficSplit, in the namespace of the target.
	Name string `json:"name"`
	// UID and Sequence are the identity of the record that Backends come from. A target never goes back in Sequence.
	UID      string `json:"uid,omitempty"`
	Sequence int64  `json:"sequence,omitempty"`
	// Created decides between two splits that want the same: the older one has it.
	Created time.Time `json:"-"`
	// Service is the Service whose traffic is split.
	Service string `json:"service"`
	// SectionName is the only rule that is changed; empty means every rule that sends to the Service.
	SectionName string `json:"section,omitempty"`
	// Backends are the shares of the Service's traffic, in the order in which they entered. A Service that is not among
	// them gets nothing.
	Backends []Backend `json:"backends"`
	// Matches are requests that go to one backend whatever the weights are. The first that holds decides.
	Matches []Match `json:"matches,omitempty"`
	// Mirror is where copies of the requests go; nil: nowhere.
	Mirror *Mirror `json:"mirror,omitempty"`
	// Affinity keeps users on the backend that they got; nil: nobody is kept.
	Affinity *Affinity `json:"affinity,omitempty"`
	// Dormant means that the rules that Matches and Affinity need are to be there and to take no request: what a data plane
	// makes for them is known to it before the first request depends on it, and stays until the last has gone. Where rules
	// come and go without that, a translator leaves them out.
	Dormant bool `json:"dormant,omitempty"`
}

// Pair is the name and the whole value of a header or cookie.
type Pair struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// Match is a description of requests: all of its headers and cookies must be there.
type Match struct {
	Backend string `json:"backend"`
	Headers []Pair `json:"headers,omitempty"`
	Cookies []Pair `json:"cookies,omitempty"`
}

// Mirror is where copies of requests go. Their answers are thrown away.
type Mirror struct {
	Backend string `json:"backend"`
	// Percent is how many of 100 requests are copied, from 1 to 100.
	Percent int32 `json:"percent"`
}

// Affinity keeps users on the backend that they got, by a cookie whose value says which one it was. It holds for both
// arms: pinning the canary alone would drain stable.
type Affinity struct {
	// Cookie is the cookie's name.
	Cookie string `json:"cookie"`
	// MaxAge is how long the cookie lasts; zero: as long as the browser's session.
	MaxAge time.Duration `json:"maxAge,omitempty"`
	// Set has, for each backend that users are drawn to, the value that the cookie gets with its answer.
	Set []Pin `json:"set"`
	// Known are the values that users have already, and where they go. A user with none of them is drawn by the split's
	// weights. No value is in two of them.
	Known []Known `json:"known"`
}

// Pin is the value of the cookie that says Backend.
type Pin struct {
	Backend string `json:"backend"`
	Value   string `json:"value"`
}

// Known says where users go whose cookie has one of Values. With one backend they stay there and get no new cookie; with
// several they are drawn anew in these proportions, and get the cookie of the one that they are drawn to.
type Known struct {
	Values   []string  `json:"values"`
	Backends []Backend `json:"backends"`
}
