package controllers

import (
	"slices"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/utils/ptr"

	"slipway.dev/slipway/api/v1alpha1"
	"slipway.dev/slipway/internal/traffic"
)

// splitReleaseLimit is how long a deleted split waits for data planes to confirm that its backends are at a feather.
// After that the route is restored all the same: what is left on those backends is one request in a million.
const splitReleaseLimit = time.Minute

// splitFacts is everything that a decision about a split depends on.
type splitFacts struct {
	split    *v1alpha1.TrafficSplit
	conflict *traffic.Conflict
	routes   []splitRoute
	// left are routes that the spec names no longer and that carry the split still.
	left []splitRoute
	// ready is the number of ready endpoints of each Service that the split names.
	ready map[string]int
	// adopt is what a route carries of this split when that is later than the split's own record: the record was lost.
	adopt     *traffic.Split
	now       time.Time
	goodSince time.Time
	// known are backends of the record that were applied at some time since they entered.
	known []string
}

// splitRoute is one of the routes of a split as it is now.
type splitRoute struct {
	ref  v1alpha1.RouteReference
	key  targetKey
	live *unstructured.Unstructured // nil: it does not exist
	// router and seen are what the route is looked at by; router is nil when none was found.
	router traffic.Router
	seen   traffic.Seen
	// carried is what the route carries of the split; nil: nothing.
	carried *traffic.Split
	// parts is into how many parts traffic can be divided there; zero: a million.
	parts       int64
	refusal     error
	contestedBy string
}

// splitDecision is what follows from the facts.
type splitDecision struct {
	status v1alpha1.TrafficSplitStatus
	// goodSince is to be kept for the next decision on the same record.
	goodSince time.Time
	// known is to be kept too.
	known []string
	// restored means that a deleted split is on no route any more: it may go.
	restored bool
	// wake is when to decide again without an event; zero: only on an event.
	wake time.Duration
}

// decideSplit says what the routes are to carry next and how things stand. It is a function of the facts alone.
func decideSplit(f splitFacts) splitDecision {
	run := recordedRun(f)
	want := wantedBackends(f.split)
	verdicts := splitVerdicts(f, run, want)
	leaving := nextLeaving(f, run, verdicts[len(f.routes):])
	d := splitDecision{goodSince: goodSince(f, verdicts), wake: longestWake(verdicts)}
	refusal := splitRefusal(f)
	done := true
	if run.Sequence != nil || (refusal == nil && f.split.DeletionTimestamp.IsZero()) {
		applied := allApplied(verdicts)
		var next v1alpha1.SplitRun
		next, done = nextRun(f, run, towards{want: want, leaving: leaving, applied: applied, refused: refusal != nil})
		d.known = stillKnown(f.known, plannedBackends(f, run), trafficBackends(next.Backends), applied)
		if ptr.Deref(next.Sequence, 0) != ptr.Deref(run.Sequence, 0) || f.adopt != nil {
			run = next
			d.goodSince, d.wake = time.Time{}, 0
			verdicts = splitVerdicts(f, run, want)
		} else {
			d.restored = isReleased(f, run)
		}
		run.Generation = new(f.split.Generation)
	} else {
		d.restored = isReleased(f, run)
	}
	finished := done && len(run.Leaving) == 0 && allApplied(verdicts) && refusal == nil
	if finished && run.AppliedAt == nil {
		run.AppliedAt = &metav1.MicroTime{Time: f.now}
	}
	d.wake = soonest(soonest(d.wake, untilRelease(f)), untilForgotten(f, run))
	d.status = splitStatus(f, statusInput{run: run, verdicts: verdicts, refusal: refusal, done: done})
	return d
}

// plannedBackends are those of the record. Before the first record a route carries the Service alone.
func plannedBackends(f splitFacts, run v1alpha1.SplitRun) []traffic.Backend {
	if run.Sequence == nil {
		return []traffic.Backend{{Name: f.split.Spec.ServiceRef.Name, Weight: 1}}
	}
	return trafficBackends(run.Backends)
}

// recordedRun is the split's record, or what a route still knows of one that was lost.
func recordedRun(f splitFacts) v1alpha1.SplitRun {
	run := *f.split.Status.Run.DeepCopy()
	if f.adopt != nil {
		run = v1alpha1.SplitRun{Sequence: new(f.adopt.Sequence), Backends: apiBackends(f.adopt.Backends)}
		if hasRules(*f.adopt) {
			// Which rules they are follows from the spec; whoever is on them is taken off, and let on again.
			run.Rules = v1alpha1.SplitRulesDormant
		}
	}
	return run
}

func hasRules(s traffic.Split) bool { return len(s.Matches) > 0 || s.Affinity != nil }

// nextRun is the record of what routes are to carry next on the way to what is wanted; the same one if that is what they
// are to carry now. A wish that is refused changes nothing, unless all that it does is to send users home.
func nextRun(f splitFacts, run v1alpha1.SplitRun, to towards) (v1alpha1.SplitRun, bool) {
	now := plannedBackends(f, run)
	backends, rules, done := now, besideOf(run), true
	if !to.refused || !f.split.DeletionTimestamp.IsZero() || wantsHome(f.split) || f.adopt != nil {
		var settled bool
		backends, done = nextBackends(f, now, to.want, to.applied)
		rules, settled = nextBeside(rules, wantedBeside(f.split, backends), to.applied)
		if releaseOverdue(f) {
			rules, settled = beside{}, true
		}
		rules = drawn(rules, run.Affinity, f.split, backends)
		done = done && settled
	}
	if run.Sequence != nil && f.adopt == nil && slices.Equal(backends, now) && sameBeside(rules, besideOf(run)) && slices.Equal(to.leaving, run.Leaving) {
		return run, done
	}
	return v1alpha1.SplitRun{
		Sequence: new(ptr.Deref(run.Sequence, 0) + 1), Backends: apiBackends(backends), Leaving: to.leaving,
		Rules: rules.rules, Matches: rules.matches, Mirror: rules.mirror, Affinity: rules.affinity,
	}, done
}

// towards is where a record goes.
type towards struct {
	want    []traffic.Backend
	leaving []v1alpha1.LeavingRoute
	// applied says that the present record is, refused that the spec cannot be followed.
	applied, refused bool
}

// wantsHome says whether the spec sends everything to the Service.
func wantsHome(split *v1alpha1.TrafficSplit) bool {
	return len(split.Spec.Matches) == 0 && split.Spec.Mirror.Backend == "" &&
		!slices.ContainsFunc(split.Spec.Backends, func(b v1alpha1.WeightedBackend) bool {
			return b.Name != split.Spec.ServiceRef.Name && ptr.Deref(b.Weight, 0) > 0
		})
}

// wantedBackends are those of the spec; a split that is being deleted wants its Service alone.
func wantedBackends(split *v1alpha1.TrafficSplit) []traffic.Backend {
	if !split.DeletionTimestamp.IsZero() {
		return []traffic.Backend{{Name: split.Spec.ServiceRef.Name, Weight: 1}}
	}
	return trafficBackends(split.Spec.Backends)
}

func nextBackends(f splitFacts, planned, want []traffic.Backend, applied bool) ([]traffic.Backend, bool) {
	if releaseOverdue(f) || coarse(f.routes) {
		return want, true
	}
	return traffic.FeatherKnowing(withoutDeadLeaving(planned, want, f.ready), want, applied, f.known)
}

// coarse says whether a feather would be more than a feather on some route. There backends come and go in one step.
func coarse(routes []splitRoute) bool {
	return slices.ContainsFunc(routes, func(r splitRoute) bool { return r.parts > 0 && r.parts < traffic.FeatherTotal })
}

// stillKnown are the backends of next that were applied before, or are now.
func stillKnown(known []string, planned, next []traffic.Backend, applied bool) []string {
	var out []string
	for _, b := range next {
		before := slices.ContainsFunc(planned, func(p traffic.Backend) bool { return p.Name == b.Name })
		if before && (applied || slices.Contains(known, b.Name)) {
			out = append(out, b.Name)
		}
	}
	return out
}

// withoutDeadLeaving drops backends that are on their way out and have nothing that answers: no confirmation will come
// for them, and nobody can lose an answer there.
func withoutDeadLeaving(planned, want []traffic.Backend, ready map[string]int) []traffic.Backend {
	var total int64
	for _, b := range planned {
		total += int64(b.Weight)
	}
	return slices.DeleteFunc(slices.Clone(planned), func(b traffic.Backend) bool {
		atFeather := int64(b.Weight)*traffic.FeatherTotal <= total
		return atFeather && ready[b.Name] == 0 && !wants(want, b.Name)
	})
}

func wants(want []traffic.Backend, name string) bool {
	return slices.ContainsFunc(want, func(b traffic.Backend) bool { return b.Name == name && b.Weight > 0 })
}

// releaseOverdue says that a deleted split has waited long enough for data planes.
func releaseOverdue(f splitFacts) bool {
	at := f.split.DeletionTimestamp
	return !at.IsZero() && f.now.Sub(at.Time) >= splitReleaseLimit
}

func untilRelease(f splitFacts) time.Duration {
	at := f.split.DeletionTimestamp
	if at.IsZero() || releaseOverdue(f) {
		return 0
	}
	return splitReleaseLimit - f.now.Sub(at.Time)
}

// isReleased says whether a split that is being deleted is on no route any more.
func isReleased(f splitFacts, run v1alpha1.SplitRun) bool {
	if f.split.DeletionTimestamp.IsZero() || (run.Sequence != nil && !isHome(f.split, run)) {
		return false
	}
	return !slices.ContainsFunc(f.all(), func(r splitRoute) bool { return r.carried != nil })
}

func onlyService(split *v1alpha1.TrafficSplit, backends []traffic.Backend) bool {
	return len(backends) == 1 && backends[0].Name == split.Spec.ServiceRef.Name
}

// splitVerdicts says for each route whether it carries the record. A route that does not exist carries nothing, which is
// as it should be when the split is being deleted.
func splitVerdicts(f splitFacts, run v1alpha1.SplitRun, want []traffic.Backend) []traffic.Verdict {
	var leaving []string
	for _, b := range run.Backends {
		if !wants(want, b.Name) {
			leaving = append(leaving, b.Name)
		}
	}
	out := make([]traffic.Verdict, len(f.routes), len(f.routes)+len(f.left))
	for i, r := range f.routes {
		switch {
		case r.live == nil && !f.split.DeletionTimestamp.IsZero():
			out[i] = traffic.Verdict{State: traffic.True, Good: true}
		case r.live == nil:
			out[i] = traffic.Verdict{State: traffic.False, Cause: traffic.NotWritten, Message: "the route does not exist"}
		case r.router == nil:
			out[i] = traffic.Verdict{State: traffic.False, Cause: traffic.NotWritten, Message: "no data plane is known to serve the route"}
		default:
			seen := r.seen
			seen.ReadyEndpoints, seen.Now, seen.GoodSince, seen.Leaving = f.ready, f.now, f.goodSince, leaving
			out[i] = r.router.Applied(seen, traffic.Intent{Splits: []traffic.Split{routeSplit(f.split, r.ref, run)}})
		}
	}
	return append(out, leftVerdicts(f, run)...)
}

func allApplied(verdicts []traffic.Verdict) bool {
	return !slices.ContainsFunc(verdicts, func(v traffic.Verdict) bool { return v.State != traffic.True })
}

// goodSince is since when only the settle time was left to wait for, on all routes.
func goodSince(f splitFacts, verdicts []traffic.Verdict) time.Time {
	if slices.ContainsFunc(verdicts, func(v traffic.Verdict) bool { return !v.Good }) {
		return time.Time{}
	}
	if f.goodSince.IsZero() {
		return f.now
	}
	return f.goodSince
}

// longestWake is when the last route will have settled, if all are about to.
func longestWake(verdicts []traffic.Verdict) time.Duration {
	var longest time.Duration
	for _, v := range verdicts {
		if !v.Good {
			return 0
		}
		longest = max(longest, v.Wake)
	}
	return longest
}

func soonest(a, b time.Duration) time.Duration {
	if a == 0 || (b != 0 && b < a) {
		return b
	}
	return a
}

func trafficBackends(in []v1alpha1.WeightedBackend) []traffic.Backend {
	out := make([]traffic.Backend, 0, len(in))
	for _, b := range in {
		out = append(out, traffic.Backend{Name: b.Name, Weight: ptr.Deref(b.Weight, 0)})
	}
	return out
}

func apiBackends(in []traffic.Backend) []v1alpha1.WeightedBackend {
	out := make([]v1alpha1.WeightedBackend, 0, len(in))
	for _, b := range in {
		out = append(out, v1alpha1.WeightedBackend{Name: b.Name, Weight: new(b.Weight)})
	}
	return out
}
