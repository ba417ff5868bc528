package traffic

import (
	"fmt"
	"slices"
	"time"
)

// Cookie is what users are known by, and for how long.
type Cookie struct {
	Name   string
	MaxAge time.Duration
	// Round tells one release, or one run of a split, from the next: cookies of another round mean nothing.
	Round string
}

// Draw is a share of traffic that users were drawn by, at some time of a round. Number grows with each change of shares,
// and is part of the cookie's value.
type Draw struct {
	Number   int64
	Backends []Backend
}

// PinValue is the value of the cookie of a user who was drawn to the backend.
func PinValue(round string, number int64, backend string) string {
	return fmt.Sprintf("%s.%d.%s", round, number, backend)
}

// Pinned is the affinity of a split whose users were drawn by the given shares, the present ones last.
//
// Users of a backend that has grown, or is what it was, stay. Of those of a backend that has shrunk from one share to
// another the right part stays, and the others are drawn anew to those that have grown, so that the users of every draw
// are divided as is wanted now. Pinning the canary's users alone would drain stable.
func Pinned(cookie Cookie, draws []Draw) *Affinity {
	if len(draws) == 0 {
		return nil
	}
	now := draws[len(draws)-1]
	out := &Affinity{Cookie: cookie.Name, MaxAge: cookie.MaxAge}
	for _, b := range positive(now.Backends) {
		out.Set = append(out.Set, Pin{Backend: b.Name, Value: PinValue(cookie.Round, now.Number, b.Name)})
	}
	eldest := max(0, len(draws)-1-maxRedrawn)
	for i, draw := range slices.Backward(draws) {
		for _, b := range positive(draw.Backends) {
			way := drawnAnew(b.Name, draw.Backends, now.Backends)
			if i < eldest && len(way) > 1 {
				way = drawnAnew(b.Name, draws[eldest].Backends, now.Backends)
			}
			out.know(PinValue(cookie.Round, draw.Number, b.Name), way)
		}
	}
	return out
}

// maxRedrawn is of how many earlier draws users are drawn anew exactly. Each takes a rule of the route. Those who have not
// come back for longer than that go as the last of these.
const maxRedrawn = 4

// know adds a value to those that go the same way.
func (a *Affinity) know(value string, backends []Backend) {
	for i, k := range a.Known {
		if slices.Equal(k.Backends, backends) {
			a.Known[i].Values = append(a.Known[i].Values, value)
			return
		}
	}
	a.Known = append(a.Known, Known{Values: []string{value}, Backends: backends})
}

// drawnAnew is where the users go who were drawn to a backend by the shares of then, now that the shares are others.
func drawnAnew(name string, then, now []Backend) []Backend {
	was, is := shareOf(then, name), shareOf(now, name)
	if is >= was {
		return []Backend{{Name: name, Weight: 1}}
	}
	out := []Backend{}
	if is > 0 {
		out = append(out, Backend{Name: name, Weight: int32(float64(FeatherTotal)*(is/was) + 0.5)})
	}
	var growth float64
	for _, b := range now {
		growth += max(0, shareOf(now, b.Name)-shareOf(then, b.Name))
	}
	moved := float64(FeatherTotal) * (1 - is/was)
	for _, b := range now {
		grown := max(0, shareOf(now, b.Name)-shareOf(then, b.Name))
		if weight := int32(moved*(grown/growth) + 0.5); weight > 0 {
			out = append(out, Backend{Name: b.Name, Weight: weight})
		}
	}
	if len(out) == 1 {
		out[0].Weight = 1
	}
	return out
}

// shareOf is the part of the whole that a backend has, from 0 to 1.
func shareOf(backends []Backend, name string) float64 {
	total := sum(backends)
	if total == 0 {
		return 0
	}
	return float64(weightOf(backends, name)) / float64(total)
}
