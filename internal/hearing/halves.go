package hearing

import (
	"hash/fnv"
	"slices"
	"time"

	"slipway.dev/slipway/internal/judge"
	"slipway.dev/slipway/internal/telemetry"
)

// HearHalves takes in one interval of a service in which nothing is released, and compares stable with itself: its pods
// in two halves, of which a pod keeps its own, or, of a metric that tells no two pods apart, one look against the next. One
// half is called the canary. An interval that was heard before changes nothing.
func (h *Hearing) HearHalves(t Terms, look telemetry.Look) error {
	if !look.To.After(h.record.LastLook) || len(look.Metrics) != len(t.Measures) {
		return nil
	}
	looks := []telemetry.Look{look}
	switch {
	case h.half != nil && follows(*h.half, look):
		looks = []telemetry.Look{*h.half, look}
	case !divisible(look):
		h.half = &look
		return nil
	}
	h.half = nil
	return h.observe(t, h.halved(t, looks), Circumstances{NextShare: 1}, (*judge.State).ObserveHalves)
}

// follows says that a look is the next one, so near that the two can be compared.
func follows(first, second telemetry.Look) bool {
	gap := second.From.Sub(first.To)
	return gap >= 0 && gap < second.To.Sub(second.From)
}

// divisible says that each metric tells two pods apart.
func divisible(l telemetry.Look) bool {
	return !slices.ContainsFunc(l.Metrics, func(c telemetry.Counts) bool { return len(podsOf(c)) < 2 })
}

// podsOf are stable's pods, in order; none where they are not told apart.
func podsOf(all ...telemetry.Counts) []string {
	var out []string
	for _, c := range all {
		if c.PodsUnknown {
			return nil
		}
		for _, p := range c.Stable {
			out = append(out, p.Pod)
		}
		for _, d := range c.Distributions {
			if d.Arm == telemetry.Stable {
				out = append(out, d.Pod)
			}
		}
		for _, r := range c.Readings {
			if r.Arm == telemetry.Stable {
				out = append(out, r.Pod)
			}
		}
	}
	slices.Sort(out)
	return slices.DeleteFunc(slices.Compact(out), func(pod string) bool { return pod == "" })
}

// halved makes of one look, or of two that follow each other, one that has the halves for its arms.
func (h *Hearing) halved(t Terms, looks []telemetry.Look) telemetry.Look {
	out := telemetry.Look{From: looks[0].From, To: looks[len(looks)-1].To}
	halfOf := h.places(t, looks)
	for i := range t.Measures {
		var parts []telemetry.Counts
		for _, l := range looks {
			parts = append(parts, l.Metrics[i])
		}
		apart := len(podsOf(parts...)) >= 2
		both := telemetry.Counts{PodsUnknown: !apart}
		for k, c := range parts {
			divide(&both, c, func(pod string) telemetry.Arm {
				if apart && halfOf(pod) || !apart && k == 0 {
					return telemetry.Canary
				}
				return telemetry.Stable
			})
		}
		out.Metrics = append(out.Metrics, both)
	}
	return out
}

// places gives each pod its half, as a question whether that is the first: the one that it had, else the one that has
// fewer of the pods that are there. The halves are the pods that the hearing remembers of the two arms. When there is no
// place left to remember a pod, its name decides.
func (h *Hearing) places(t Terms, looks []telemetry.Look) (first func(pod string) bool) {
	mostFirst, mostSecond := room(len(t.comparisons()))
	r := &h.record
	var present []string
	for _, l := range looks {
		for _, c := range l.Metrics {
			present = append(present, podsOf(c)...)
		}
	}
	slices.Sort(present)
	present = slices.Compact(present)
	more := 0 // how many more are in the first half
	var newcomers []string
	for _, pod := range present {
		switch {
		case slices.Contains(r.CanaryPods, pod):
			more++
		case slices.Contains(r.StablePods, pod):
			more--
		default:
			newcomers = append(newcomers, pod)
		}
	}
	for _, pod := range newcomers {
		switch {
		case len(r.CanaryPods) >= mostFirst || len(r.StablePods) >= mostSecond:
		case more < 0:
			r.CanaryPods = append(r.CanaryPods, pod)
			more++
		default:
			r.StablePods = append(r.StablePods, pod)
			more--
		}
	}
	return func(pod string) bool {
		if slices.Contains(r.CanaryPods, pod) || slices.Contains(r.StablePods, pod) {
			return slices.Contains(r.CanaryPods, pod)
		}
		sum := fnv.New32a()
		_, _ = sum.Write([]byte(pod)) // a hash never fails
		return sum.Sum32()%2 == 0
	}
}

// divide adds what stable served to the half that it belongs to.
func divide(into *telemetry.Counts, c telemetry.Counts, armOf func(pod string) telemetry.Arm) {
	for _, p := range c.Stable {
		if armOf(p.Pod) == telemetry.Canary {
			into.Canary = addPod(into.Canary, p)
		} else {
			into.Stable = addPod(into.Stable, p)
		}
	}
	for _, d := range c.Distributions {
		if d.Arm == telemetry.Stable {
			d.Arm = armOf(d.Pod)
			into.Distributions = append(into.Distributions, d)
		}
	}
	for _, r := range c.Readings {
		if r.Arm == telemetry.Stable {
			r.Arm = armOf(r.Pod)
			into.Readings = append(into.Readings, r)
		}
	}
}

func addPod(into []telemetry.PodCount, p telemetry.PodCount) []telemetry.PodCount {
	for i := range into {
		if into[i].Pod == p.Pod {
			into[i].Requests += p.Requests
			into[i].Bad += p.Bad
			return into
		}
	}
	return append(into, p)
}

// Calibration is what stable's halves have shown of one of the user's metrics.
type Calibration struct {
	judge.Proposal
	Measure Measure
	Policy  judge.MetricPolicy
	// Block is how long a gauge's blocks are.
	Block time.Duration
}

// Calibrate says what was found of each metric, in the order in which the user gave them; nothing before the first look.
// Of a shape it is what the place says that asks for most.
func (h *Hearing) Calibrate(t Terms, trial judge.Trial) []Calibration {
	found := h.state.Calibrate(t.policy(h.record.Places), trial)
	if len(found.Metrics) == 0 {
		return nil
	}
	out := make([]Calibration, len(t.Measures))
	for k, c := range t.comparisons() {
		m, one := &out[c.metric], found.Metrics[k]
		name := t.Policy.Metrics[c.metric].Name
		if c.cut > 0 {
			one = most(m.Proposal, one)
		}
		*m = Calibration{Proposal: one, Measure: t.Measures[c.metric], Policy: t.Policy.Metrics[c.metric], Block: h.BlockLength(name)}
	}
	return out
}

// most is what both places of a shape ask for.
func most(a, b judge.Proposal) judge.Proposal {
	relative, rolledBack := max(a.Relative, b.Relative), a.RolledBack || b.RolledBack
	reached, shown := a.Reached && b.Reached, a.Shown && b.Shown
	if b.Absolute > a.Absolute || b.Absolute == a.Absolute && b.Takes > a.Takes {
		a = b
	}
	a.Relative, a.RolledBack, a.Reached, a.Shown = relative, rolledBack, reached, shown
	return a
}
