package main

import (
	"fmt"
	"os"
	"regexp"
)

// findings is all that was simulated.
type findings struct {
	runs        int
	seed        uint64
	command     string
	nulls       []nullFinding
	regressions []regressionFinding
	wholes      []wholeFinding
	petshop     []petshopFinding
}

// nullFinding is a row of situations in which nothing is wrong with the version.
type nullFinding struct {
	row
	all []outcomes
	// worst is our worst setting, drawn again with other seeds: the greatest of many figures is a lucky one.
	worst int
	again proportion
}

// regressionFinding is a change at each traffic and share.
type regressionFinding struct {
	regression
	cells map[[2]float64]outcomes // by traffic and share
}

// wholeFinding is a case of whole releases at each traffic.
type wholeFinding struct {
	whole
	at map[float64]outcomes
}

var wholeTraffic = []float64{100, 1000}

// simulateAll simulates the rows that are asked for and says on the terminal where it is.
func simulateAll(s simulator, only *regexp.Regexp) findings {
	f := findings{runs: s.runs, seed: s.seed}
	for _, r := range nullRows() {
		if only.MatchString(r.name) {
			progress(r.name)
			f.nulls = append(f.nulls, s.null(r))
		}
	}
	for _, g := range regressions {
		if only.MatchString(g.name) {
			progress(g.name)
			f.regressions = append(f.regressions, s.regression(g))
		}
	}
	for _, w := range wholes {
		if only.MatchString(w.name) {
			progress(w.name)
			f.wholes = append(f.wholes, s.whole(w))
		}
	}
	return f
}

func progress(name string) { _, _ = fmt.Fprintln(os.Stderr, "simulating:", name) }

func (s simulator) null(r row) nullFinding {
	f := nullFinding{row: r}
	for _, c := range r.settings {
		f.all = append(f.all, s.run(c))
	}
	f.worst = worst(f.all, 0)
	again := simulator{runs: 4 * s.runs, seed: s.seed + 1, rules: s.rules[:1]}
	f.again = again.run(r.settings[f.worst]).rolledBack(0)
	return f
}

func (s simulator) regression(g regression) regressionFinding {
	f := regressionFinding{regression: g, cells: map[[2]float64]outcomes{}}
	for _, perSecond := range allTraffic {
		for _, share := range allShares {
			f.cells[[2]float64{perSecond, share}] = s.run(g.of(perSecond, share))
		}
	}
	return f
}

func (s simulator) whole(w whole) wholeFinding {
	f := wholeFinding{whole: w, at: map[float64]outcomes{}}
	for _, perSecond := range wholeTraffic {
		f.at[perSecond] = s.run(w.of(perSecond))
	}
	return f
}
