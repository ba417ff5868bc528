package main

import (
	"bytes"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func judging() *scene {
	s := &scene{now: after(83.4), started: noon, version: "v2", steps: []int32{5, 25, 50}}
	s.count(stats{At: after(82), Total: counts{Requests: 16000}})
	s.count(stats{At: after(83), Total: counts{Requests: 16200}, Sections: []section{
		{Name: steadySection, counts: counts{Requests: 200, OK: 200}},
		{Name: "v2", counts: counts{Requests: 1000, OK: 999, FailedByApplication: 1}, Versions: map[string]counts{
			"v2": {Requests: 250, OK: 249, FailedByApplication: 1}, "v1": {Requests: 750, OK: 750},
		}},
	}})
	seen := status("Judging", "2/3", "25%", "two", "one", "Judging")
	seen.Evidence = "harm 1%, health 61%"
	s.see(seen, true)
	return s
}

func TestViewOnATerminal(t *testing.T) {
	want := []string{
		"",
		"  release   v2   after 1m23s",
		"  stage     Judging   weight 25%   reason Judging",
		"  steps     5% done   [25%]   50%",
		"  requests  200/s, 1200 so far; failed by the application: 1, by switching: 0",
		"  v1        750 answered, 0 failed (0.00%)",
		"  v2        250 answered, 1 failed (0.40%)",
		"  evidence  harm 1%, health 61%",
		"  message   Judging, with numbers",
		"",
	}
	if diff := cmp.Diff(want, judging().lines()); diff != "" {
		t.Errorf("view (-want +have):\n%s", diff)
	}
}

func TestViewInALog(t *testing.T) {
	want := "   83s v2 Judging 2/3 weight 25%, Judging | 200/s | v1 750 answered, 0 failed (0.00%) | v2 250 answered, 1 failed (0.40%) | " +
		"harm 1%, health 61% | Judging, with numbers"
	if diff := cmp.Diff(want, judging().line()); diff != "" {
		t.Errorf("view (-want +have):\n%s", diff)
	}
}

func TestViewDoesNotTakeTheVersionBeforeForThisOne(t *testing.T) {
	s := &scene{now: after(1), started: noon, version: "v2", steps: []int32{5}}
	s.see(idle, false)
	if have := strings.Join(s.lines(), "\n"); !strings.Contains(have, "Pushed") || !strings.Contains(have, "the operator has not seen it yet") {
		t.Errorf("have %s", have)
	}
}

func TestMessagesAreBrokenBetweenWords(t *testing.T) {
	cases := map[string]struct {
		text string
		want []string
	}{
		"nothing":                           {"", []string{""}},
		"short":                             {"one two", []string{"one two"}},
		"as long as the line":               {"one two three", []string{"one two", "three"}},
		"a word that is longer than a line": {"a incomprehensible b", []string{"a", "incomprehensible", "b"}},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(c.want, wrap(c.text, 7)); diff != "" {
				t.Errorf("lines (-want +have):\n%s", diff)
			}
		})
	}
}

func TestTerminalIsDrawnOverAndALogIsNot(t *testing.T) {
	var terminal, log bytes.Buffer
	for _, s := range []*screen{{out: &terminal, terminal: true}, {out: &log}} {
		s.draw(judging(), true)
		s.draw(judging(), false)
	}
	if up := "\x1b[10A"; strings.Count(terminal.String(), up) != 1 {
		t.Errorf("the second view must go up ten lines once, have %q", terminal.String())
	}
	lines := strings.Split(strings.TrimSpace(log.String()), "\n")
	if len(lines) != 2 || !strings.HasPrefix(lines[0], "* ") || strings.Contains(log.String(), "\x1b") {
		t.Errorf("have %q", lines)
	}
}
