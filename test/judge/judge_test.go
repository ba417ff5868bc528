package main

import (
	"fmt"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// quick is enough to see a broken rule and takes a few seconds.
var quick = simulator{runs: 60, seed: 7, rules: rules[:1]}

// surprise is how seldom a promise that is kept may look broken: a test of many figures must not fail by chance.
const surprise = 1e-4

// atMost is the greatest count of n that a share p explains.
func atMost(n int, p float64) int {
	tail, term, k := 1.0, math.Pow(1-p, float64(n)), 0
	for {
		if tail -= term; tail < surprise || k == n {
			return k
		}
		term *= float64(n-k) / float64(k+1) * p / (1 - p)
		k++
	}
}

// thinned keeps a few settings of a row: the least and the most traffic, and the middle.
func thinned(r row) []setting {
	if len(r.settings) < 4 {
		return r.settings
	}
	return []setting{r.settings[0], r.settings[len(r.settings)/2], r.settings[len(r.settings)-1]}
}

// TestNobodyIsRolledBackForNothing: in each situation in which nothing is wrong with the version, at most the risk that
// was asked for.
func TestNobodyIsRolledBackForNothing(t *testing.T) {
	for _, r := range nullRows() {
		t.Run(r.name, func(t *testing.T) {
			for _, c := range thinned(r) {
				if c.Traffic.BadCanaryPod && c.Traffic.PerSecond < 100 {
					continue // docs/judging.md says that this is beyond what can be told apart
				}
				if got := quick.run(c).rolledBack(0); got.k > atMost(got.n, r.bound) {
					t.Errorf("%s: %d of %d rolled back", c.Name, got.k, got.n)
				}
			}
		})
	}
}

// TestRegressionsAreRolledBack: at 20 % of the traffic, the median within so many minutes. The bounds leave room for chance.
func TestRegressionsAreRolledBack(t *testing.T) {
	within := map[string][2]float64{
		"0.1 → 1 %": {1.4, .7}, "1 → 5 %": {.9, .7}, "0.1 → 0.5 %": {6.5, 1.2},
		"0 → 40 % from its promotion on": {1, 1}, "1 → 40 % from its promotion on": {1, 1},
	}
	for _, g := range regressions {
		for i, perSecond := range []float64{100, 1000} {
			o := quick.run(g.of(perSecond, .2))
			if got := o.medianMinutes(0, rollBack); !(got <= within[g.name][i]) {
				t.Errorf("%s at %v rps: median %.1f minutes, want %v", g.name, perSecond, got, within[g.name][i])
			}
		}
	}
}

// TestWholeReleases: who is at the tolerance is seldom promoted, who is healthy is, who is worse is rolled back.
func TestWholeReleases(t *testing.T) {
	s := quick
	s.runs = 25
	for _, w := range wholes {
		o := s.run(w.of(1000))
		promoted, rolled := o.promoted(0), o.rolledBack(0)
		switch {
		case w.change == nil && promoted.k < s.runs-1:
			t.Errorf("%s: %d of %d promoted", w.name, promoted.k, s.runs)
		case w.change != nil && promoted.k > atMost(s.runs, risk):
			t.Errorf("%s: %d of %d promoted", w.name, promoted.k, s.runs)
		case strings.Contains(w.name, "0.1 → 0.5 %") && rolled.k < s.runs-1:
			t.Errorf("%s: %d of %d rolled back", w.name, rolled.k, s.runs)
		}
	}
	if mean, se := s.run(wholes[2].of(1000)).meanExcess(0); mean > 35+4*se {
		t.Errorf("%s costs %.0f ± %.0f errors", wholes[2].name, mean, se)
	}
}

// TestSameSeedSameFigures: figures depend on the seed and on nothing else.
func TestSameSeedSameFigures(t *testing.T) {
	c := regressions[0].of(10, .2)
	s := simulator{runs: 10, seed: 3, rules: rules}
	if a, b := fmt.Sprint(s.run(c)), fmt.Sprint(s.run(c)); a != b {
		t.Errorf("%s\n%s", a, b)
	}
}

// TestOtherRules: the rules that stand beside ours do what their documentation says.
func TestOtherRules(t *testing.T) {
	minute := func(r rule, bad float64) (last decision) {
		for range 6 {
			l := look{canary: tally{requests: 100, bad: bad}, stable: tally{requests: 900, bad: 1}}
			if last = r.see(l); last == rollBack {
				return last
			}
		}
		return last
	}
	minutes := func(r rule, bad ...float64) (last decision) {
		for _, b := range bad {
			if last = minute(r, b); last == rollBack {
				return last
			}
		}
		return last
	}
	three := func() rule { return rules[1].start(nothing, releaseLength{}) }
	five := func() rule { return rules[2].start(nothing, releaseLength{}) }
	rank := func() rule { return rules[4].start(nothing, releaseLength{}) }
	for name, c := range map[string]struct {
		got, want decision
	}{
		"three bad minutes in a row":          {minutes(three(), 5, 5, 5), rollBack},
		"a good minute between them":          {minutes(three(), 5, 5, 0, 5), wait},
		"a good minute leaves the step":       {minutes(three(), 0), advance},
		"five bad minutes in all":             {minutes(five(), 5, 5, 0, 5, 5, 0, 5), rollBack},
		"four bad minutes in all":             {minutes(five(), 5, 5, 0, 5, 5), wait},
		"ten minutes that are far worse":      {minutes(rank(), 5, 6, 5, 7, 5, 6, 5, 5, 7, 6), rollBack},
		"nine minutes are not looked at":      {minutes(rank(), 5, 6, 5, 7, 5, 6, 5, 5, 7), wait},
		"ten minutes that are as good by day": {minutes(rank(), 0, 0, 0, 0, 0, 0, 0, 0, 0, 0), advance},
	} {
		if c.got != c.want {
			t.Errorf("%s: %v, want %v", name, c.got, c.want)
		}
	}
}

// TestReport: the report and its pictures can be made.
func TestReport(t *testing.T) {
	f := simulateAll(simulator{runs: 2, seed: 1, rules: rules}, regexp.MustCompile("clean|→"))
	if text := f.markdown(); !strings.Contains(text, "| clean |") || strings.Contains(text, "NaN") {
		t.Error(text)
	}
	dir := t.TempDir()
	if err := f.draw(dir); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"false-rollbacks.svg", "time-to-rollback.svg", "excess-errors.svg"} {
		if text, err := os.ReadFile(filepath.Join(dir, name)); err != nil || !strings.Contains(string(text), "<svg") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestPetShop reads a data set of one service that has a fault.
func TestPetShop(t *testing.T) {
	dir := t.TempDir()
	write := func(path, text string) {
		t.Helper()
		path = filepath.Join(dir, path)
		if err := os.MkdirAll(filepath.Dir(path), 0o750); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	csv := func(windows int, second int64, availability float64) string {
		var b strings.Builder
		b.WriteString("microservice,PetSite,PetSite\nmetric,requests,availability\nstatistic,Sum,Average\nunix_timestamp,,\n")
		for i := range windows {
			fmt.Fprintf(&b, "%d.0,500.0,%v\n", second+int64(300*i), availability)
		}
		return b.String()
	}
	for _, traffic := range []string{"low_traffic", "high_traffic"} {
		write(traffic+"/noissue/metrics.csv", csv(80, 1_000_000, 99.8))
		write(traffic+"/test/issue_0/metrics.csv", csv(3, 2_000_000, 80))
		write(traffic+"/test/issue_0/target.json", `{"target":{"metric":"availability","timestamp":1999900}}`)
		write(traffic+"/test/issue_1/target.json", `{"target":{"metric":"latency","timestamp":1999900}}`)
	}
	got, err := readPetShop(dir, 1)
	if err != nil {
		t.Fatal(err)
	}
	want := []proportion{{n: 4, k: 0}, {n: 2, k: 0}, {n: 2, k: 2}}
	for i := range want {
		if got[i].rolledBack != want[i] {
			t.Errorf("%s: %+v, want %+v", got[i].name, got[i].rolledBack, want[i])
		}
	}
	if _, err := readPetShop(t.TempDir(), 1); err == nil {
		t.Error("an empty folder was read")
	}
}
