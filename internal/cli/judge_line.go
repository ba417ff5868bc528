package cli

import (
	"slices"
	"strconv"

	"slipway.dev/slipway/internal/judge"
)

// recordedLook is one line of a recording. Its memory is used again for the next line.
type recordedLook struct {
	release []byte
	second  float64
	weight  float64
	history bool
	metrics []recordedMetric
}

// recordedMetric is one metric of a line: what each pod of an arm served, told apart by its place.
type recordedMetric struct {
	name           []byte
	canary, stable []judge.PodCount
}

// The fields of a line that were seen, so that a field is not there twice.
const (
	sawRelease = 1 << iota
	sawSecond
	sawWeight
	sawHistory
	sawMetrics
)

// read reads a line. After an error nothing of it may be used but the release's name, where there is one.
func (r *recordedLook) read(line []byte) error {
	r.release, r.second, r.weight, r.history, r.metrics = nil, 0, 0, false, r.metrics[:0]
	s := scanner{text: line}
	s.take('{')
	saw := 0
	for first := true; s.more(first, '}'); first = false {
		saw = r.readField(&s, saw)
	}
	s.end()
	switch {
	case s.err != nil:
	case saw&sawRelease == 0:
		s.fail("release is missing: give each look the name of its release")
	case saw&sawSecond == 0:
		s.fail("second is missing: say when the interval ended")
	case saw&sawMetrics == 0:
		s.fail("metrics are missing")
	case !(r.weight >= 0 && r.weight <= 100):
		s.fail("weight %v is not a percentage from 0 to 100", r.weight)
	}
	return s.err
}

// readField reads one field and notes that it was seen.
func (r *recordedLook) readField(s *scanner, saw int) int {
	field := 0
	switch name := s.key(); string(name) {
	case "release":
		field, r.release = sawRelease, s.string()
	case "second":
		field, r.second = sawSecond, s.number()
	case "weight":
		field, r.weight = sawWeight, s.number()
	case "history":
		field, r.history = sawHistory, s.bool()
	case "metrics":
		field = sawMetrics
		r.readMetrics(s)
	default:
		s.fail("field %q is not known: there are release, second, weight, history and metrics", name)
	}
	if saw&field != 0 {
		s.fail("a field is there twice")
	}
	return saw | field
}

// readMetrics reads {"errors":{…},…}.
func (r *recordedLook) readMetrics(s *scanner) {
	s.take('{')
	for first := true; s.more(first, '}'); first = false {
		name := s.key()
		for i := range r.metrics {
			if string(r.metrics[i].name) == string(name) {
				s.fail("metric %q is there twice", name)
			}
		}
		r.metrics = slices.Grow(r.metrics, 1)[:len(r.metrics)+1]
		m := &r.metrics[len(r.metrics)-1]
		m.name = name
		m.readArms(s)
	}
}

// readArms reads {"canary":[…],"stable":[…]}. An arm that is not there was not seen.
func (m *recordedMetric) readArms(s *scanner) {
	m.canary, m.stable = m.canary[:0], m.stable[:0]
	s.take('{')
	sawCanary, sawStable := false, false
	for first := true; s.more(first, '}'); first = false {
		switch name := s.key(); {
		case string(name) == "canary" && !sawCanary:
			m.canary, sawCanary = readPods(s, m.canary), true
		case string(name) == "stable" && !sawStable:
			m.stable, sawStable = readPods(s, m.stable), true
		default:
			s.fail("arm %q is there twice or is not known: there are canary and stable", name)
		}
	}
}

// readPods reads [[requests,bad],…]; the place in the list is the pod.
func readPods(s *scanner, pods []judge.PodCount) []judge.PodCount {
	s.take('[')
	for first := true; s.more(first, ']'); first = false {
		s.take('[')
		requests := s.number()
		s.take(',')
		bad := s.number()
		s.take(']')
		pods = append(pods, judge.PodCount{Pod: podName(len(pods)), Requests: requests, Bad: bad})
	}
	return pods
}

// podNames are the names of the first places.
var podNames = func() (names [256]string) {
	for i := range names {
		names[i] = strconv.Itoa(i)
	}
	return names
}()

// podName is the name of the pod at a place.
func podName(place int) string {
	if place < len(podNames) {
		return podNames[place]
	}
	return strconv.Itoa(place)
}
