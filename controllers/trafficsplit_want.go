package controllers

import (
	"fmt"
	"reflect"
	"slices"
	"strings"

	"k8s.io/utils/ptr"

	"slipway.dev/slipway/api/v1alpha1"
	"slipway.dev/slipway/internal/traffic"
)

// What a split's routes are to carry beside shares goes its own way to what the spec asks for: rules are there for a while
// before they take requests, and after they took the last one, for the same reason for which backends come and go by a
// feather.
//
//	none ──▶ dormant ──applied──▶ active
//	none ◀──applied── dormant ◀──at once── active

// maxDraws is how many draws a record has at most: the API's limit.
const maxDraws = 32

// beside is what routes are to carry beside shares.
type beside struct {
	rules    v1alpha1.SplitRules
	matches  []v1alpha1.TrafficMatch
	mirror   v1alpha1.TrafficMirror
	affinity v1alpha1.SplitAffinity
}

func besideOf(run v1alpha1.SplitRun) beside {
	return beside{rules: run.Rules, matches: run.Matches, mirror: run.Mirror, affinity: run.Affinity}
}

// ruled says whether it needs rules of its own.
func (b beside) ruled() bool { return len(b.matches) > 0 || b.affinity.Cookie.Name != "" }

// wantedBeside is what the spec asks for. A split that is being deleted asks for nothing; one that sends everything to one
// backend has nobody to keep apart.
func wantedBeside(split *v1alpha1.TrafficSplit, next []traffic.Backend) beside {
	if !split.DeletionTimestamp.IsZero() {
		return beside{}
	}
	out := beside{matches: split.Spec.Matches, mirror: split.Spec.Mirror}
	if split.Spec.Affinity.Cookie.Name != "" && len(next) > 1 {
		out.affinity = v1alpha1.SplitAffinity{Cookie: split.Spec.Affinity.Cookie}
	}
	if out.ruled() {
		out.rules = v1alpha1.SplitRulesActive
	}
	return out
}

// nextBeside is the next step from what is recorded to what is wanted, and whether that is the last one. What takes
// requests away from a backend is in the first write and waits for nothing.
func nextBeside(now, want beside, applied bool) (next beside, done bool) {
	switch {
	case !want.ruled() && now.rules == v1alpha1.SplitRulesActive, !want.ruled() && now.rules == v1alpha1.SplitRulesDormant && !applied:
		next = now
		next.rules, next.mirror = v1alpha1.SplitRulesDormant, want.mirror
		return next, false
	case want.ruled() && now.rules == "", want.ruled() && now.rules == v1alpha1.SplitRulesDormant && !applied:
		next = want
		next.rules = v1alpha1.SplitRulesDormant
		return next, false
	}
	return want, true
}

// drawn completes an affinity with its draws: those that are recorded, and the shares of next if they are others.
func drawn(b beside, was v1alpha1.SplitAffinity, split *v1alpha1.TrafficSplit, next []traffic.Backend) beside {
	if b.affinity.Cookie.Name == "" {
		return b
	}
	number := ptr.Deref(split.Status.Run.Sequence, 0) + 1
	if was.Cookie.Name == b.affinity.Cookie.Name {
		b.affinity.Round, b.affinity.Draws = was.Round, slices.Clone(was.Draws)
	} else {
		b.affinity.Round, b.affinity.Draws = fmt.Sprintf("%s%d", shortUID(split), number), nil
	}
	draws := b.affinity.Draws
	if len(draws) > 0 && sameShares(trafficBackends(draws[len(draws)-1].Backends), next) {
		return b
	}
	draws = append(draws, v1alpha1.SplitDraw{Number: number, Backends: apiBackends(next)})
	b.affinity.Draws = draws[max(0, len(draws)-maxDraws):]
	return b
}

// shortUID tells splits apart in cookies.
func shortUID(split *v1alpha1.TrafficSplit) string {
	uid := strings.ReplaceAll(string(split.UID), "-", "")
	return uid[:min(len(uid), 8)] + "-"
}

func sameShares(a, b []traffic.Backend) bool {
	total := func(list []traffic.Backend) (sum int64) {
		for _, b := range list {
			sum += int64(b.Weight)
		}
		return sum
	}
	at, bt := total(a), total(b)
	return len(a) == len(b) && !slices.ContainsFunc(a, func(x traffic.Backend) bool {
		return !slices.ContainsFunc(b, func(y traffic.Backend) bool { return x.Name == y.Name && int64(x.Weight)*bt == int64(y.Weight)*at })
	})
}

func sameBeside(a, b beside) bool { return reflect.DeepEqual(normal(a), normal(b)) }

// normal takes the difference between no list and an empty one away.
func normal(b beside) beside {
	if len(b.matches) == 0 {
		b.matches = nil
	}
	if len(b.affinity.Draws) == 0 {
		b.affinity.Draws = nil
	}
	return b
}

// isHome says whether a record sends everything to the split's Service, and nothing anywhere else.
func isHome(split *v1alpha1.TrafficSplit, run v1alpha1.SplitRun) bool {
	b := besideOf(run)
	return onlyService(split, trafficBackends(run.Backends)) && !b.ruled() && b.mirror.Backend == ""
}

// routeSplit is the split's record as one route is to carry it.
func routeSplit(split *v1alpha1.TrafficSplit, ref v1alpha1.RouteReference, run v1alpha1.SplitRun) traffic.Split {
	recorded := &v1alpha1.TrafficSplit{ObjectMeta: split.ObjectMeta}
	recorded.Spec = v1alpha1.TrafficSplitSpec{ServiceRef: split.Spec.ServiceRef, Backends: run.Backends, Matches: run.Matches, Mirror: run.Mirror}
	out := traffic.SplitOf(recorded, ref)
	out.Sequence = ptr.Deref(run.Sequence, 0)
	out.Dormant = run.Rules == v1alpha1.SplitRulesDormant
	out.Affinity = affinityOf(run.Affinity)
	return out
}

// wishSplit is what the spec asks of one route, at the end of the way there.
func wishSplit(split *v1alpha1.TrafficSplit, ref v1alpha1.RouteReference) traffic.Split {
	out := traffic.SplitOf(split, ref)
	out.Sequence = ptr.Deref(split.Status.Run.Sequence, 0) + 1
	want := drawn(wantedBeside(split, out.Backends), split.Status.Run.Affinity, split, out.Backends)
	out.Affinity = affinityOf(want.affinity)
	return out
}

func affinityOf(a v1alpha1.SplitAffinity) *traffic.Affinity {
	if a.Cookie.Name == "" {
		return nil
	}
	maxAge, err := traffic.ParseDuration(a.Cookie.MaxAge)
	if err != nil {
		maxAge = 0 // the API server takes nothing that is no duration
	}
	draws := make([]traffic.Draw, 0, len(a.Draws))
	for _, d := range a.Draws {
		draws = append(draws, traffic.Draw{Number: d.Number, Backends: trafficBackends(d.Backends)})
	}
	return traffic.Pinned(traffic.Cookie{Name: a.Cookie.Name, MaxAge: maxAge, Round: a.Round}, draws)
}
