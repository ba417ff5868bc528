package load

import (
	"encoding/json"
	"strings"
	"testing"
	"time"
)

var noon = time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC)

func at(seconds float64) time.Time { return noon.Add(time.Duration(seconds * float64(time.Second))) }

func TestSectionsCountWhatWasSentInThem(t *testing.T) {
	tally := newTally(noon)
	tally.add(Answer{Sent: at(1), Outcome: OK, Version: "v1"})
	if err := tally.mark("shift", at(2)); err != nil {
		t.Fatal(err)
	}
	tally.add(Answer{Sent: at(1.9), Latency: time.Second, Outcome: OK, Version: "v1"}) // was on its way at the mark
	tally.add(Answer{Sent: at(2.1), Outcome: FailedByApplication, Version: "v2"})
	sections := tally.snapshot().Sections
	if len(sections) != 2 || sections[0].OK != 2 || sections[1].Requests != 1 || sections[1].Versions["v2"].FailedByApplication != 1 {
		t.Errorf("have %+v", sections)
	}
}

func TestBadAnswersOfAVersionHaveFirstAndLastTime(t *testing.T) {
	tally := newTally(noon)
	tally.add(Answer{Sent: at(1), Outcome: OK, Version: "v2"})
	if v2 := tally.snapshot().Versions["v2"]; v2.FirstBadAt != nil || v2.LastBadAt != nil {
		t.Errorf("no bad answer yet, have %v and %v", v2.FirstBadAt, v2.LastBadAt)
	}
	for _, second := range []float64{4, 3, 5} { // answers do not come in the order of their times
		tally.add(Answer{Sent: at(second), Outcome: FailedByApplication, Version: "v2"})
	}
	v2 := tally.snapshot().Versions["v2"]
	if !v2.FirstBadAt.Equal(at(3)) || !v2.LastBadAt.Equal(at(5)) {
		t.Errorf("have %v to %v", v2.FirstBadAt, v2.LastBadAt)
	}
}

func TestASnapshotDoesNotChange(t *testing.T) {
	tally := newTally(noon)
	tally.add(Answer{Sent: at(1), Outcome: FailedByApplication, Version: "v1", Pod: "a"})
	before := tally.snapshot()
	text, err := json.Marshal(before)
	if err != nil {
		t.Fatal(err)
	}
	tally.add(Answer{Sent: at(2), Outcome: FailedByApplication, Version: "v1", Pod: "a"})
	again, err := json.Marshal(before)
	if err != nil {
		t.Fatal(err)
	}
	if string(text) != string(again) {
		t.Errorf("was %s\nis  %s", text, again)
	}
}

func TestWindowsAreOfTheLastTenMinutes(t *testing.T) {
	tally := newTally(noon)
	for second := range 700 {
		tally.add(Answer{Sent: at(float64(second)), Outcome: OK, Version: "v1"})
	}
	windows := tally.snapshot().Windows
	if len(windows) != keptWindows || !windows[0].StartedAt.Equal(at(100)) || !windows[keptWindows-1].StartedAt.Equal(at(699)) {
		t.Fatalf("have %d windows", len(windows))
	}
	tally.add(Answer{Sent: at(5), Outcome: OK}) // too late to be shown, and must not disturb
	if again := tally.snapshot().Windows; again[5].OK != windows[5].OK {
		t.Errorf("a late answer changed %v", again[5])
	}
}

func TestFailuresBySwitchingAreKeptWithTheirCause(t *testing.T) {
	tally := newTally(noon)
	for i := range 2 * keptFailures {
		tally.add(Answer{Sent: at(float64(i)), Outcome: FailedBySwitching, Cause: "refused"})
	}
	switching := tally.snapshot().Switching
	if len(switching.Recent) != keptFailures || !switching.Recent[0].At.Equal(at(keptFailures)) || !switching.FirstAt.Equal(noon) {
		t.Errorf("have %+v", switching)
	}
}

func TestAnAnswerThatNobodyClassifiedIsNoSuccess(t *testing.T) {
	tally := newTally(noon)
	tally.add(Answer{Sent: noon})
	if total := tally.snapshot().Total; total.OK != 0 || total.FailedBySwitching != 1 {
		t.Errorf("have %+v", total)
	}
}

func TestQuantilesAreRightToFivePercent(t *testing.T) {
	var h histogram
	for ms := 1; ms <= 1000; ms++ {
		h.add(time.Duration(ms) * time.Millisecond)
	}
	for share, want := range map[float64]float64{0.5: 0.5, 0.9: 0.9, 0.99: 0.99, 1: 1} {
		if have := h.quantile(share).Seconds(); have < want || have > want*growth {
			t.Errorf("quantile %g: have %g, want %g to %g", share, have, want, want*growth)
		}
	}
	if have := new(histogram).summary(); have != (Latency{}) {
		t.Errorf("nothing seen, have %+v", have)
	}
}

func TestSnapshotOfNothingHasEmptyListsNotNull(t *testing.T) {
	text, err := json.Marshal(newTally(noon).snapshot())
	if err != nil || strings.Contains(string(text), "null") {
		t.Errorf("have %s, %v", text, err)
	}
}
