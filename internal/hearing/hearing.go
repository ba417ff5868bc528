package hearing

import (
	"encoding/json"
	"fmt"
	"time"

	"slipway.dev/slipway/internal/judge"
	"slipway.dev/slipway/internal/telemetry"
)

// Hearing is the evidence of one release, between looks and over restarts.
type Hearing struct {
	record record
	state  *judge.State
	// half is a look of stable that waits for the next one to be compared with; see HearHalves. It is not on record.
	half *telemetry.Look
}

// record is what is kept in status besides the judge's own state.
type record struct {
	// Of identifies the release that the evidence is of; another one starts with none.
	Of       string    `json:"of"`
	LastLook time.Time `json:"lastLook,omitzero"`
	// Step is the step that the last look was of. Evidence of it says nothing about another.
	Step int `json:"step,omitempty"`
	// FirstUsers is when the canary got its first requests, Looks how many there were since then.
	FirstUsers time.Time `json:"firstUsers,omitzero"`
	Looks      int       `json:"looks,omitempty"`
	// Proven is how many looks it took to prove harm, ProvenAfter how long; 0: it is not proven.
	Proven      int           `json:"proven,omitempty"`
	ProvenAfter time.Duration `json:"provenAfter,omitempty"`
	// Before is what stable answered before the canary had users, by comparison, in BeforeFor.
	Before    []tally       `json:"before,omitempty"`
	BeforeFor time.Duration `json:"beforeFor,omitempty"`
	// CanaryPods and StablePods are those that are told apart, in the order in which they came.
	CanaryPods []string `json:"canaryPods,omitempty"`
	StablePods []string `json:"stablePods,omitempty"`
	// Places are where histograms are compared, by metric, once they are chosen.
	Places map[string][]float64 `json:"places,omitempty"`
	// Pasts are stable's histograms from which they will be.
	Pasts map[string]past `json:"pasts,omitempty"`
	// Gauges are the blocks of each gauge.
	Gauges map[string]gauge `json:"gauges,omitempty"`
	State  string           `json:"state"`
}

// Circumstances are what is known of an interval besides what was counted in it.
type Circumstances struct {
	// Step is 0-based; below 0 the canary has no users yet, and what is seen is history.
	Step int
	// NextShare, WantedShare, Settling and Promoting are those of judge.Look.
	NextShare, WantedShare float64
	Settling, Promoting    bool
	// Warming says that canary pods are so new that a cold cache is forgiven.
	Warming bool
}

// New is a hearing that has heard nothing.
func New(t Terms, of string) *Hearing {
	return &Hearing{record: record{Of: of, Step: -1}, state: judge.NewState(t.policy(nil))}
}

// Read is the hearing on record. What cannot be read, or is of another release, is no evidence.
func Read(t Terms, of, text string) (h *Hearing, found bool) {
	h = New(t, of)
	if text == "" {
		return h, false
	}
	var r record
	if json.Unmarshal([]byte(text), &r) != nil || r.Of != of {
		return h, false
	}
	state := judge.NewState(t.policy(nil))
	if state.UnmarshalText([]byte(r.State)) != nil {
		return h, false
	}
	r.State = ""
	h.record, h.state = r, state
	return h, true
}

// Text is the hearing as it is kept.
func (h *Hearing) Text() (string, error) {
	state, err := h.state.MarshalText()
	if err != nil {
		return "", fmt.Errorf("write evidence: %w", err)
	}
	r := h.record
	r.State = string(state)
	text, err := json.Marshal(r)
	if err != nil {
		return "", fmt.Errorf("write evidence: %w", err)
	}
	return string(text), nil
}

// LastLook is the end of the last look.
func (h *Hearing) LastLook() time.Time { return h.record.LastLook }

// Step is the step of the last look; below 0 before the first that has users.
func (h *Hearing) Step() int { return h.record.Step }

// Hear takes in one interval. One that was heard before changes nothing. A look that the judge refuses as nonsense is
// left out, and the error says why.
func (h *Hearing) Hear(t Terms, look telemetry.Look, c Circumstances) error {
	if !look.To.After(h.record.LastLook) || len(look.Metrics) != len(t.Measures) {
		return nil
	}
	return h.observe(t, look, c, (*judge.State).Observe)
}

// observe hands one interval to the judge.
func (h *Hearing) observe(t Terms, look telemetry.Look, c Circumstances, by func(*judge.State, judge.Policy, judge.Look) error) error {
	h.record.LastLook, h.record.Step = look.To, c.Step
	history := c.Step < 0
	if !t.splitSeen() || c.Settling {
		c.WantedShare = 0
	}
	l := judge.Look{
		From: look.From, To: look.To, Step: max(c.Step, 0), NextShare: c.NextShare,
		WantedShare: c.WantedShare, Settling: c.Settling, Promoting: c.Promoting, History: history,
	}
	for _, part := range t.comparisons() {
		l.Metrics = append(l.Metrics, h.counts(t, part, look, c))
	}
	h.admit(l.Metrics)
	policy := t.policy(h.record.Places)
	if err := by(h.state, policy, l); err != nil {
		return err // what cannot be true is not remembered either: a count without end could not be written down
	}
	h.note(look, l.Metrics, history)
	h.choose(t, look)
	if h.record.Proven == 0 && h.state.Conclude(policy, 1).Verdict == judge.Rollback {
		h.record.Proven, h.record.ProvenAfter = h.record.Looks, look.To.Sub(h.record.FirstUsers)
	}
	return nil
}

// note remembers since when the canary has users.
func (h *Hearing) note(look telemetry.Look, counted []judge.Counts, history bool) {
	if history {
		h.recall(look, counted)
		return
	}
	if h.record.FirstUsers.IsZero() {
		h.record.FirstUsers = look.From
	}
	h.record.Looks++
}

// counts are what the judge takes of a metric in an interval.
func (h *Hearing) counts(t Terms, part comparison, look telemetry.Look, c Circumstances) judge.Counts {
	m, measure, name := look.Metrics[part.metric], t.Measures[part.metric], t.Policy.Metrics[part.metric].Name
	switch {
	case measure.Kind == Gauge:
		return h.blocks(name, measure, look, m, c)
	case measure.whole():
		places := h.record.Places[name]
		if part.cut >= len(places) {
			return judge.Counts{PodsUnknown: m.PodsUnknown}
		}
		return zeroed(above(m, places[part.cut], c.Warming), c.Warming)
	}
	return zeroed(judge.Counts{
		Canary: podCounts(m.Canary, c.Warming), Stable: podCounts(m.Stable, false), PodsUnknown: m.PodsUnknown,
	}, c.Warming)
}

// zeroed: a proxy tells about both arms in each scrape, so that an arm that is not listed had no requests.
func zeroed(c judge.Counts, warming bool) judge.Counts {
	if c.PodsUnknown && len(c.Canary) == 0 {
		c.Canary = []judge.PodCount{{Warming: warming}}
	}
	if c.PodsUnknown && len(c.Stable) == 0 {
		c.Stable = []judge.PodCount{{}}
	}
	return c
}

func podCounts(pods []telemetry.PodCount, warming bool) []judge.PodCount {
	out := make([]judge.PodCount, len(pods))
	for i, p := range pods {
		out[i] = judge.PodCount{Pod: p.Pod, Requests: p.Requests, Bad: p.Bad, Warming: warming}
	}
	return out
}

// above counts the requests above a place. A histogram that lacks the place counts nowhere: to guess would be worse.
func above(m telemetry.Counts, place float64, warming bool) judge.Counts {
	out := judge.Counts{PodsUnknown: m.PodsUnknown}
	for _, d := range coarsened(m.Distributions) {
		slow, ok := d.Above(place)
		if !ok {
			continue
		}
		slow = min(slow, d.Requests)
		switch d.Arm {
		case telemetry.Canary:
			out.Canary = append(out.Canary, judge.PodCount{Pod: d.Pod, Requests: d.Requests, Bad: slow, Warming: warming})
		case telemetry.Stable:
			out.Stable = append(out.Stable, judge.PodCount{Pod: d.Pod, Requests: d.Requests, Bad: slow})
		case telemetry.UnknownArm:
		}
	}
	return out
}

// coarsened has all native histograms at the coarsest of their schemas, so that a place is the same for both arms.
func coarsened(all []telemetry.Distribution) []telemetry.Distribution {
	schema, mixed := 0, false
	for i, d := range all {
		if d.Native.Buckets == nil {
			return all
		}
		mixed = mixed || i > 0 && d.Native.Schema != schema
		if i == 0 || d.Native.Schema < schema {
			schema = d.Native.Schema
		}
	}
	if !mixed {
		return all
	}
	out := make([]telemetry.Distribution, 0, len(all))
	for _, d := range all {
		native, err := d.Native.At(schema)
		if err == nil {
			d.Native = native
			out = append(out, d)
		}
	}
	return out
}
