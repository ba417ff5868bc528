package release

import (
	"fmt"
	"maps"
	"slices"
	"time"
)

// world is a cluster in memory that does what it is asked for, a little at a time. What is seen of it is old by some
// ticks, and a write that was decided on an old object is refused, as the API server does.
type world struct {
	plan  Plan
	run   Run
	now   time.Time
	live  objects
	past  []objects
	wrote int
	// lag is by how many ticks what is seen is old.
	lag int
	// known are the templates on record as rejected.
	known map[string]bool
	// stable is the template on record as stable, which outlives the loss of the run.
	stable string
	// faults are what is wrong with the world at present.
	faults faults
	done   bool
}

const podCount = 4

type objects struct {
	target target
	twin   twin
	hold   bool
	split  split
}

type target struct {
	version                  int
	exists, held, userPaused bool
	template                 string
	life                     int // grows when the Deployment is deleted and made again
	pods                     []string
}

type twin struct {
	version int
	exists  bool
	rev     string
	wanted  int32
	ready   int32
}

type split struct {
	version   int
	exists    bool
	spec      Shares
	applied   Shares
	appliedAt time.Time
	stamp     int64
}

type faults struct {
	noRoom, crashing, rollFails, stableDown, routeRefused bool
	verdict                                               Verdict
	request                                               Request
}

func newWorld(plan Plan) *world {
	plan.MinStepDuration = 4 * time.Second
	w := &world{plan: plan, now: now, known: map[string]bool{}}
	w.live.target = target{exists: true, template: "v1", pods: slices.Repeat([]string{"v1"}, podCount)}
	w.live.split.applied = Shares{Stable: Million}
	w.past = []objects{w.live.copy()}
	return w
}

func (o objects) copy() objects {
	o.target.pods = slices.Clone(o.target.pods)
	return o
}

func (w *world) seen() objects { return w.past[max(0, len(w.past)-1-w.lag)] }

// observe is what the shell would make of the objects.
func (w *world) observe() Observation {
	s, f := w.seen(), w.faults
	return Observation{
		Now: w.now, Target: w.targetFacts(s.target), Twin: w.twinFacts(s), Traffic: w.trafficFacts(s),
		Hold:    HoldFacts{Exists: s.hold, ReadyPods: w.oldPods(s.target), Enough: s.hold && w.oldPods(s.target) >= podCount/2},
		Verdict: f.verdict, Request: f.request, Stamped: s.split.stamp,
	}
}

func (t target) uid(rev string) string { return fmt.Sprintf("uid-%s-%d", rev, t.life) }

func (w *world) oldPods(t target) (n int32) {
	for _, pod := range t.pods {
		if t.uid(pod) == w.run.Stable.UID && !w.faults.stableDown {
			n++
		}
	}
	return n
}

func (w *world) targetFacts(t target) TargetFacts {
	if !t.exists {
		return TargetFacts{}
	}
	f := TargetFacts{
		Found: true, Held: t.held, PausedByUser: t.userPaused && !t.held, Revision: t.template,
		SameAsStable: t.template == w.run.Stable.Revision, Rejected: w.known[t.template],
		Mixed: len(slices.Compact(slices.Sorted(slices.Values(t.pods)))) > 1, Failed: w.faults.rollFails,
	}
	rolled := !slices.ContainsFunc(t.pods, func(pod string) bool { return pod != t.template })
	f.RolledOut = rolled && !t.held && !t.userPaused
	switch {
	case t.held && slices.Contains(t.pods, w.stable):
		f.Serving = Stable{UID: t.uid(w.stable), Revision: w.stable}
	case !f.Mixed:
		f.Serving = Stable{UID: t.uid(t.pods[0]), Revision: t.pods[0]}
	}
	f.OnlyStablePods = w.oldPods(t) == podCount
	f.StableBroken = w.run.Stable.UID != "" && w.oldPods(t) == 0
	return f
}

func (w *world) twinFacts(s objects) TwinFacts {
	want, twin := w.podsFor(w.run.Want), s.twin
	f := TwinFacts{Exists: twin.exists, WantedPods: want, Trouble: "as the test wants it"}
	if !twin.exists || twin.rev != w.run.Canary {
		return f
	}
	f.ReadyPods, f.Ready = twin.ready, want > 0 && twin.ready >= want
	f.CrashLooping, f.NotAdmitted = w.faults.crashing, w.faults.noRoom
	return f
}

func (w *world) podsFor(want Want) int32 {
	if !want.Twin || want.TwinPercent == 0 {
		return 0
	}
	return max(2, (podCount*want.TwinPercent+99)/100)
}

func (w *world) trafficFacts(s objects) TrafficFacts {
	f := TrafficFacts{Exists: s.split.exists, CanaryShare: s.split.exists && s.split.spec.Canary+s.split.applied.Canary > 0}
	if w.faults.routeRefused {
		f.Refused, f.RefusedReason, f.Message = true, "RouteConflict", "as the test wants it"
		return f
	}
	if s.split.exists && s.split.spec == w.run.Want.Shares && s.split.applied == s.split.spec {
		f.Applied, f.AppliedAt = true, s.split.appliedAt
	}
	return f
}

// project writes what is wanted, each object only if it is still as it was seen.
func (w *world) project(d Decision) {
	seen, want, live := w.seen(), d.Want, &w.live
	if want.Rejected != "" {
		w.known[want.Rejected] = true
	}
	if seen.split.version == live.split.version && (live.split.exists != want.Split || live.split.spec != want.Shares) {
		live.split.exists, live.split.spec, live.split.stamp = want.Split, want.Shares, d.Next.Sequence
		live.split.version = w.write()
	}
	if seen.target.version == live.target.version {
		w.projectTarget(d)
	}
	w.projectTwin(seen, want)
	inRoute := seen.split.spec.Hold+seen.split.applied.Hold > 0
	live.hold = want.HoldService || (live.hold && inRoute)
	if d.RequestDone {
		w.faults.request = Request{}
	}
	w.done = w.done || want.Forget
}

func (w *world) write() int {
	w.wrote++
	return w.wrote
}

func (w *world) projectTarget(d Decision) {
	t := &w.live.target
	after := *t
	switch {
	case !t.exists || d.Want.Target == Keep:
		return
	case d.Want.Target == LetGo:
		after.held = false
	case d.Want.Target == PutBack && d.Next.Stable.Revision != "":
		after.held, after.template = false, d.Next.Stable.Revision
	case d.Want.Target == Rehold:
		after.held, after.template = true, d.Next.Revision
	case d.Want.Target == Freeze && t.template == d.Next.Canary:
		after.held = true
	}
	if after.held != t.held || after.template != t.template {
		after.version = w.write()
		*t = after
	}
}

func (w *world) projectTwin(seen objects, want Want) {
	twin := &w.live.twin
	inRoute := seen.split.spec.Canary+seen.split.applied.Canary > 0
	if seen.twin.version != twin.version || (!want.Twin && inRoute) || (want.Twin && want.TwinRevision == "") {
		return
	}
	after := *twin
	after.exists, after.rev, after.wanted = want.Twin, want.TwinRevision, w.podsFor(want)
	if !after.exists || after.rev != twin.rev {
		after.ready = 0
	}
	if after != *twin {
		after.version = w.write()
		*twin = after
	}
}

// tick lets the world do a little of what it was asked for.
func (w *world) tick() {
	w.now = w.now.Add(2 * time.Second)
	t, twin, s := &w.live.target, &w.live.twin, &w.live.split
	if i := slices.IndexFunc(t.pods, func(pod string) bool { return pod != t.template }); i >= 0 && !t.held && !t.userPaused {
		t.pods = slices.Clone(t.pods)
		t.pods[i] = t.template
	}
	switch {
	case twin.ready > twin.wanted, w.faults.noRoom && twin.ready > 0:
		twin.ready--
	case twin.ready < twin.wanted && !w.faults.noRoom && !w.faults.crashing:
		twin.ready++
	}
	goal := s.spec
	if !s.exists {
		goal = Shares{Stable: Million}
	}
	possible := (goal.Canary == 0 || twin.ready > 0) && (goal.Hold == 0 || (w.live.hold && w.oldPods(*t) > 0))
	if goal != s.applied && possible && !w.faults.routeRefused {
		s.applied, s.appliedAt = goal, w.now
	}
	w.past = append(w.past, w.live.copy())
	if len(w.past) > 8 {
		w.past = w.past[1:]
	}
}

// look is one reconcile: decide, record, project. The answer names what is broken.
func (w *world) look() (Decision, []string) {
	o := w.observe()
	d := Decide(w.plan, w.run, o)
	broken := invariants(w.plan, w.run, o, d)
	served := max(w.live.split.applied.Canary, w.seen().split.applied.Canary)
	if d.Want.Twin && d.Want.TwinRevision != "" && d.Want.TwinPercent*(Million/100) < served {
		broken = append(broken, fmt.Sprintf("%s: a twin of %d%% while %d of the traffic go there", d.Next.Stage, d.Want.TwinPercent, served))
	}
	w.run = d.Next
	if w.run.Stable.Revision != "" {
		w.stable = w.run.Stable.Revision
	}
	w.project(d)
	return d, broken
}

// apply is a user's write of a template; the guard holds it, unless somebody has taken the guard away.
func (w *world) apply(template string, guarded bool) {
	t := &w.live.target
	if !t.exists || t.template == template {
		return
	}
	t.template, t.held, t.version = template, guarded || t.held, w.write()
}

func (w *world) state() string {
	known := slices.Sorted(maps.Keys(w.known))
	return fmt.Sprintf("%s, %+v, rejected %v, seen %+v", w.run.Stage, w.live, known, w.observe())
}
