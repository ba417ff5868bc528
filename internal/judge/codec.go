package judge

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"math"
	"strconv"
	"strings"
)

// ErrCorrupted is the class of errors of a written state that is not what was written. It must not be judged by.
var ErrCorrupted = errors.New("judge state is corrupted")

// stateVersion stands at the head of a written state. A state of another version is refused.
const stateVersion = "1"

// MarshalText writes the state as "version:checksum:content". Floating point numbers are written with the fewest digits
// that read back to the same bits, so evidence goes on exactly where it was.
func (s *State) MarshalText() ([]byte, error) {
	content, err := json.Marshal(&s.mem)
	if err != nil {
		return nil, fmt.Errorf("write judge state: %w", err)
	}
	return append([]byte(stateVersion+":"+checksum(content)+":"), content...), nil
}

// UnmarshalText reads what MarshalText wrote and refuses everything else; s is then unchanged.
func (s *State) UnmarshalText(text []byte) error {
	version, rest, _ := strings.Cut(string(text), ":")
	if version != stateVersion {
		return fmt.Errorf("%w: version %q where %q is known", ErrCorrupted, shortened(version), stateVersion)
	}
	sum, content, _ := strings.Cut(rest, ":")
	if sum != checksum([]byte(content)) {
		return fmt.Errorf("%w: the checksum does not fit", ErrCorrupted)
	}
	decoder := json.NewDecoder(strings.NewReader(content))
	decoder.DisallowUnknownFields()
	var mem memory
	if err := decoder.Decode(&mem); err != nil {
		return fmt.Errorf("%w: %w", ErrCorrupted, err)
	}
	if decoder.More() {
		return fmt.Errorf("%w: something follows it", ErrCorrupted)
	}
	if what := mem.impossible(); what != "" {
		return fmt.Errorf("%w: impossible %s", ErrCorrupted, what)
	}
	*s = State{mem: mem}
	return nil
}

// Equal reports whether two states remember the same, bit for bit.
func (s *State) Equal(o *State) bool {
	a, errA := s.MarshalText()
	b, errB := o.MarshalText()
	return errA == nil && errB == nil && bytes.Equal(a, b)
}

// checksum guards against a state that was edited or cut short.
func checksum(content []byte) string {
	return strconv.FormatUint(uint64(crc32.ChecksumIEEE(content)), 16)
}

// shortened keeps an error message short whatever was read.
func shortened(text string) string {
	return text[:min(len(text), 16)]
}

// impossible names what no Observe can have left; "" for nothing.
func (m *memory) impossible() string {
	switch {
	case !(m.Idle >= 0 && m.Idle <= 1):
		return "restart mass"
	case !(m.Share >= 0 && m.Share <= 1):
		return "share"
	case m.Step < 0 || m.Paid < 0:
		return "step"
	case len(m.Canary) > mostCanaryPods || len(m.Stable) > mostStablePods:
		return "number of pods"
	case !distinct(m.Canary) || !distinct(m.Stable):
		return "pods"
	case m.CrossedBy < 0 || m.CrossedBy >= max(1, len(m.Metrics)):
		return "deciding metric"
	case !m.Split.possible():
		return "split"
	case !m.Halves.possible(len(m.Metrics)):
		return "halves"
	}
	for i := range m.Metrics {
		if !m.Metrics[i].possible(len(m.Canary), len(m.Stable), m.Begun) {
			return "metric " + strconv.Itoa(i)
		}
	}
	return ""
}

// distinct reports whether no name is there twice.
func distinct(names []string) bool {
	seen := make(map[string]bool, len(names))
	for _, name := range names {
		if seen[name] {
			return false
		}
		seen[name] = true
	}
	return true
}

// possible reports whether one metric's memory can be.
func (m *metricMemory) possible(canary, stable int, begun bool) bool {
	if begun && (len(m.Harm) != harmBets || len(m.Promote) != promoteBets) {
		return false
	}
	if !begun && len(m.Harm)+len(m.Promote)+len(m.Limit)+len(m.LimitPromote) > 0 {
		return false
	}
	fine := m.Harm.possible() && m.Wide.possible() && (len(m.Wide) == 0 || len(m.Wide) == wideBets) && m.Limit.possible() && m.Promote.possible() && m.LimitPromote.possible() &&
		m.Stable.possible() && m.Canary.possible() && m.Ratio.possible() && m.Step.possible() && m.StepWarm.possible() &&
		m.Noise.possible() && m.Times.possible() && m.Signs.possible() && m.Phi >= 0 && m.NoCanary >= 0 && m.NoStable >= 0 &&
		m.Waiting.possible() && len(m.CanaryPods) == canary && len(m.StablePods) == stable
	for i := range m.CanaryPods {
		pod := &m.CanaryPods[i]
		fine = fine && pod.possible() && len(pod.Harm) == len(m.Harm) && len(pod.Wide) == len(m.Wide) && len(pod.Limit) == len(m.Limit)
	}
	for i := range m.StablePods {
		fine = fine && m.StablePods[i].possible()
	}
	return fine
}

// possible reports whether the counts that wait can be.
func (w *waiting) possible() bool {
	fine := true
	for _, pods := range [][]PodCount{w.Canary, w.Stable} {
		for i := range pods {
			t := tally{N: pods[i].Requests, X: pods[i].Bad}
			fine = fine && t.possible()
		}
	}
	return fine
}

// possible reports whether the evidence has the length of a grid, or none.
func (w wealth) possible() bool {
	if len(w) != 0 && len(w) != harmBets && len(w) != promoteBets && len(w) != wideBets {
		return false
	}
	for _, v := range w {
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return false
		}
	}
	return true
}

// possible reports whether the counts can be.
func (t tally) possible() bool {
	const rounding = 1e-9
	return t.X >= 0 && t.X <= t.N*(1+rounding)
}

// possible reports whether both arms' counts can be.
func (a armTally) possible() bool {
	return a.Canary.possible() && a.Stable.possible()
}

// possible reports whether a pod's counts can be.
func (p *podMemory) possible() bool {
	fine := p.All.possible() && p.Harm.possible() && p.Wide.possible() && p.Limit.possible()
	for _, t := range p.Recent {
		fine = fine && t.possible()
	}
	return fine
}

// possible reports whether sums of squares are not negative.
func (n noise) possible() bool {
	return n.SumD >= 0 && n.Intervals >= 0 && n.SumSquare >= 0 && n.Chi >= 0 && n.Freedom >= 0
}
