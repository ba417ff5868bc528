package telemetry

import (
	"encoding/binary"
	"math"
	"testing"
	"time"
)

// FuzzTracker: whatever is fed, looks follow each other, and no count is negative or not a number.
func FuzzTracker(f *testing.F) {
	f.Add([]byte{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15}, true)
	f.Add([]byte{9, 9, 9, 200, 1, 0, 0, 0, 0, 0, 240, 127, 1, 1, 1, 1}, false)
	f.Fuzz(func(t *testing.T, data []byte, bothArms bool) {
		tr := follow(time.Time{}, bothArms)
		var last time.Time
		for len(data) >= 8 {
			n := min(len(data), 64)
			for _, l := range tr.Feed(seriesOf(data[:n])) {
				checkLook(t, l, last)
				last = l.To
			}
			data = data[n:]
		}
	})
}

// seriesOf reads series of one sample each: target, arm, code, time, value.
func seriesOf(data []byte) []Series {
	var fed []Series
	for ; len(data) >= 8; data = data[8:] {
		value := float64(data[4])
		if data[5]%8 == 0 {
			value = math.Float64frombits(uint64(binary.LittleEndian.Uint32(data[4:])) << 32)
		}
		fed = append(fed, rq(string('a'+rune(data[0]%4)), []string{"canary", "stable"}[data[1]%2], []string{"200", "500"}[data[2]%2],
			[]Sample{{UnixMillis: 1 + int64(data[3])*500 + int64(data[6])*60_000, Value: value}}))
	}
	return fed
}

func checkLook(t *testing.T, l Look, last time.Time) {
	t.Helper()
	if !l.To.After(l.From) || !last.IsZero() && !l.From.Equal(last) {
		t.Fatalf("a look from %s to %s follows one that ends at %s", l.From, l.To, last)
	}
	for _, c := range l.Metrics {
		for _, p := range append(c.Canary, c.Stable...) {
			if !(p.Bad >= 0) || !(p.Requests >= p.Bad) || math.IsInf(p.Requests, 0) {
				t.Fatalf("a pod has %v requests, %v bad", p.Requests, p.Bad)
			}
		}
	}
}
