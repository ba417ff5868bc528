package traffic

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// SettleTime is how long everything has to be in order before it counts as applied: control planes say that they have
// taken a change up before their proxies have it.
const SettleTime = 2 * time.Second

// Behind says whether something answers behind each backend that gets requests of the splits or copies of them. The
// splits' own Services are not asked: what is on its way back to them must not wait for them to be repaired.
func Behind(splits []Split, observed Observed) Verdict {
	var empty []string
	for _, s := range splits {
		for _, name := range answering(s, observed) {
			if name != s.Service && observed.ReadyEndpoints[name] == 0 {
				empty = append(empty, name)
			}
		}
	}
	if len(empty) == 0 {
		return Verdict{State: True, Good: true}
	}
	slices.Sort(empty)
	return Verdict{State: False, Cause: NoReadyEndpoints, Message: "no ready endpoints behind Service " + strings.Join(slices.Compact(empty), ", ")}
}

// answering are the Services that requests or copies of a split go to and that are to keep them.
func answering(s Split, observed Observed) []string {
	var out []string
	for _, b := range s.Backends {
		if b.Weight > 0 && !slices.Contains(observed.Leaving, b.Name) {
			out = append(out, b.Name)
		}
	}
	for _, m := range Taking(s) {
		out = append(out, m.Backend)
	}
	if s.Mirror != nil {
		out = append(out, s.Mirror.Backend)
	}
	return out
}

// Taking are the matches of a split that are to take requests. Translators whose rules come and go without a failed request
// render these and no others.
func Taking(s Split) []Match { return s.Matches }

// Settled is the last question of an Applied: whether everything has been in order for the settle time.
func Settled(observed Observed) Verdict {
	left := SettleTime
	if !observed.GoodSince.IsZero() {
		left -= observed.Now.Sub(observed.GoodSince)
	}
	if left <= 0 {
		return Verdict{State: True, Good: true}
	}
	return Verdict{
		State: Unknown, Cause: Settling, Good: true, Wake: left,
		Message: fmt.Sprintf("accepted by the data plane; waiting %s for its proxies", SettleTime),
	}
}
