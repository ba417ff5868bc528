package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// asItShould is a run without fault; each case spoils one thing of it.
func asItShould() *Summary {
	return &Summary{
		Good:          Ended{Version: "v2", Outcome: Promoted, Reason: "Promoted"},
		Bad:           Ended{Version: "v3", Outcome: RolledBack, Reason: "HarmProven"},
		Requests:      counts{Requests: 1000, OK: 990, FailedByApplication: 10},
		Versions:      map[string]counts{"v1": {Requests: 400, OK: 400}, "v2": {Requests: 400, OK: 400}, "v3": {Requests: 200, OK: 190, FailedByApplication: 10}},
		RouteRestored: true,
	}
}

func TestOnlyARunWithoutFaultPasses(t *testing.T) {
	cases := map[string]struct {
		spoil     func(*Summary)
		wantFault string // part of it; empty: passes
	}{
		"as it should":                                  {func(*Summary) {}, ""},
		"over the limit is harm, too":                   {func(s *Summary) { s.Bad.Reason = "LimitExceeded" }, ""},
		"no outcome of the good version":                {func(s *Summary) { s.Good = Ended{Version: "v2"} }, "v2 is good and was not promoted"},
		"the good version was rolled back":              {func(s *Summary) { s.Good.Outcome, s.Good.Reason = RolledBack, "HarmProven" }, "v2 is good and was not promoted"},
		"the good version went past the steps":          {func(s *Summary) { s.Good.Reason = "LetThrough" }, "by evidence"},
		"the bad version was promoted":                  {func(s *Summary) { s.Bad.Outcome, s.Bad.Reason = Promoted, "Promoted" }, "v3 is bad and was not rolled back"},
		"the bad version was rolled back for no reason": {func(s *Summary) { s.Bad.Reason = "AbortedByPerson" }, "v3 is bad and was not rolled back for harm"},
		"nobody asked":                                  {func(s *Summary) { s.Requests = counts{} }, "no request was counted"},
		"one request failed by switching":               {func(s *Summary) { s.Requests.FailedBySwitching = 1 }, "1 of 1000 requests failed by switching"},
		"a good version failed a request":               {func(s *Summary) { s.Versions["v2"] = counts{Requests: 400, FailedByApplication: 1} }, "1 requests failed in v2"},
		"the route is another":                          {func(s *Summary) { s.RouteRestored = false }, "the route is not what its user wrote"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			s := asItShould()
			c.spoil(s)
			s.judge()
			if s.Passed != (c.wantFault == "") {
				t.Errorf("passed %v, faults %q", s.Passed, s.Faults)
			}
			if !strings.Contains(strings.Join(s.Faults, "\n"), c.wantFault) {
				t.Errorf("have faults %q, want %q", s.Faults, c.wantFault)
			}
			for _, fault := range s.Faults {
				if !strings.Contains(s.text(), fault) {
					t.Errorf("the text leaves out %q", fault)
				}
			}
		})
	}
}

func TestHarmIsFromFirstToLastAnswer(t *testing.T) {
	firstBad, lastBad := after(3), after(8)
	have := harmOf(versionStats{counts: counts{Requests: 50, FailedByApplication: 4}, FirstAt: after(1), LastAt: after(11), FirstBadAt: &firstBad, LastBadAt: &lastBad})
	want := Harm{Answered: 50, UsersHurt: 4, HadUsersSeconds: 10, HurtUsersSeconds: 5}
	if have != want {
		t.Errorf("have %+v, want %+v", have, want)
	}
	if have := harmOf(versionStats{}); have != (Harm{}) {
		t.Errorf("a version that had no users: have %+v", have)
	}
}

func TestCountsLeaveOutWhatWasBeforeAllWereAnswered(t *testing.T) {
	load := stats{RatePerSecond: 200, Sections: []section{
		{Name: "start", counts: counts{Requests: 100, FailedBySwitching: 100}},
		{Name: steadySection, counts: counts{Requests: 20, OK: 20}, Versions: map[string]counts{"v1": {Requests: 20, OK: 20}}},
		{Name: "v2", counts: counts{Requests: 5, OK: 5}, Versions: map[string]counts{"v1": {Requests: 4, OK: 4}, "v2": {Requests: 1, OK: 1}}},
	}}
	s := &Summary{}
	s.count(load)
	if s.Requests != (counts{Requests: 25, OK: 25}) || s.Versions["v1"].Requests != 24 || s.Versions["v2"].Requests != 1 {
		t.Errorf("have %+v of %+v", s.Requests, s.Versions)
	}
}

func TestSummaryAsJSONHasNoNull(t *testing.T) {
	s := asItShould()
	s.Phases, s.Timeline = []Phase{{"one", 1}}, []Entry{{Version: "v2", Stage: stagePushed}}
	s.StartedAt = time.Time{}
	s.count(stats{})
	s.judge()
	path := filepath.Join(t.TempDir(), "new", "demo.json")
	if err := s.write(path); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !json.Valid(text) || strings.Contains(string(text), "null") {
		t.Errorf("have %s", text)
	}
}
