package main

import (
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"slipway.dev/slipway/internal/judge"
)

// The PetShop data set (amazon-science/petshop-root-cause-analysis, CC-BY-4.0) is requests and availability of the
// services of a shop, by windows of five minutes: two days in which nothing was wrong, and 24 faults that cost
// availability. It is not part of this repository; its folder is given.

const (
	petshopHistory = 12 // windows: an hour
	petshopRelease = 24 // windows: two hours
	petshopShare   = .2
	petshopHeader  = 4
)

// petshopFinding is how often releases on real metrics were rolled back.
type petshopFinding struct {
	name       string
	rolledBack proportion
}

// window is one service in five minutes.
type window struct {
	second        int64
	requests, bad float64
}

// errPetShop is the class of errors of a folder that is not the data set.
var errPetShop = errors.New("read PetShop data set")

// readPetShop judges the data set in a folder.
func readPetShop(dir string, seed uint64) ([]petshopFinding, error) {
	r := rand.New(rand.NewPCG(seed, 1)) //nolint:gosec // a simulation is to be repeated
	split := petshopFinding{name: "healthy: each window's requests split at random, 20 % to the canary"}
	neighbours := petshopFinding{name: "healthy: a window against the next one, five minutes later"}
	faults := petshopFinding{name: "faults: the canary has the fault, stable goes on as in the healthy days"}
	for _, traffic := range []string{"low_traffic", "high_traffic"} {
		healthy, err := readWindows(filepath.Join(dir, traffic, "noissue", "metrics.csv"))
		if err != nil {
			return nil, err
		}
		for _, service := range services(healthy) {
			split.healthy(healthy[service], 1, splitter(r))
			neighbours.healthy(healthy[service], 2, neighbour)
		}
		if err := faults.faults(filepath.Join(dir, traffic), healthy["PetSite"]); err != nil {
			return nil, err
		}
	}
	return []petshopFinding{split, neighbours, faults}, nil
}

// services are those with some errors that are not always there.
func services(all map[string][]window) []string {
	var names []string
	for name, windows := range all {
		sum := tally{}
		for _, w := range windows {
			sum.requests, sum.bad = sum.requests+w.requests, sum.bad+w.bad
		}
		if sum.bad >= 10 && sum.share() < .5 {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// splitter gives the canary its share of a window by chance.
func splitter(r *rand.Rand) func([]window) judge.Counts {
	return func(ws []window) judge.Counts {
		w := ws[0]
		bad, good := binomial(r, w.bad, petshopShare), binomial(r, w.requests-w.bad, petshopShare)
		return twoArms(window{requests: bad + good, bad: bad}, window{requests: w.requests - bad - good, bad: w.bad - bad})
	}
}

func neighbour(ws []window) judge.Counts { return twoArms(ws[1], ws[0]) }

func twoArms(canary, stable window) judge.Counts {
	return judge.Counts{
		Canary:      []judge.PodCount{{Requests: canary.requests, Bad: canary.bad}},
		Stable:      []judge.PodCount{{Requests: stable.requests, Bad: stable.bad}},
		PodsUnknown: true,
	}
}

// healthy judges one release after the other, each look made of so many windows.
func (f *petshopFinding) healthy(windows []window, each int, arms func([]window) judge.Counts) {
	length := each * (petshopHistory + petshopRelease)
	for len(windows) >= length {
		run := newPetshopRun(nothing)
		for i := 0; i < length; i += each {
			run.see(arms(windows[i:i+each]), i < each*petshopHistory)
		}
		f.count(run)
		windows = windows[length:]
	}
}

// count takes in how a release ended.
func (f *petshopFinding) count(run *petshopRun) {
	f.rolledBack.n++
	if run.state.Conclude(run.policy, 1).Verdict == judge.Rollback {
		f.rolledBack.k++
	}
}

// petshopRun is the judge on windows of five minutes.
type petshopRun struct {
	slipway
}

func newPetshopRun(t tolerance) *petshopRun {
	return &petshopRun{slipway: *startSlipway(t, releaseLength{steps: 1, atMost: 2 * 60 * 60e9}).(*slipway)}
}

func (p *petshopRun) see(c judge.Counts, history bool) {
	const seconds = 300
	from := p.end
	p.end = p.end.Add(seconds * 1e9)
	if history {
		c.Canary = nil
	}
	if err := p.state.Observe(p.policy, judge.Look{From: from, To: p.end, NextShare: 1, History: history, Metrics: []judge.Counts{c}}); err != nil {
		panic(err) // windows were checked when they were read
	}
}

// faults judges a release for each fault of availability: what was served under it is the canary's.
func (f *petshopFinding) faults(dir string, healthy []window) error {
	files, err := filepath.Glob(filepath.Join(dir, "t*", "issue_*", "target.json"))
	if err != nil {
		return err
	}
	for i, file := range files {
		since, costs, err := readTarget(file)
		if err != nil {
			return err
		}
		if !costs {
			continue
		}
		all, err := readWindows(filepath.Join(filepath.Dir(file), "metrics.csv"))
		if err != nil {
			return err
		}
		run, begin := newPetshopRun(default10), (i*17)%(len(healthy)-2*petshopHistory)
		for _, w := range healthy[begin : begin+petshopHistory] {
			run.see(twoArms(window{}, w), true)
		}
		for k, w := range all["PetSite"] {
			if w.second >= since {
				run.see(twoArms(w, healthy[begin+petshopHistory+k]), false)
			}
		}
		f.count(run)
	}
	return nil
}

// readTarget reads when a fault began and whether it cost availability.
func readTarget(path string) (second int64, costs bool, err error) {
	text, err := os.ReadFile(path) //nolint:gosec // the user names the folder
	if err != nil {
		return 0, false, fmt.Errorf("%w: %w", errPetShop, err)
	}
	var t struct {
		Target struct {
			Metric    string  `json:"metric"`
			Timestamp float64 `json:"timestamp"`
		} `json:"target"`
	}
	if err := json.Unmarshal(text, &t); err != nil {
		return 0, false, fmt.Errorf("%w: %s: %w", errPetShop, path, err)
	}
	return int64(t.Target.Timestamp), t.Target.Metric == "availability", nil
}

// readWindows reads each service's requests and availability. A window that lacks one of them is left out.
func readWindows(path string) (map[string][]window, error) {
	file, err := os.Open(path) //nolint:gosec // the user names the folder
	if err != nil {
		return nil, fmt.Errorf("%w: %w; give its folder dataset/", errPetShop, err)
	}
	defer func() { _ = file.Close() }()
	rows, err := csv.NewReader(file).ReadAll()
	if err != nil || len(rows) <= petshopHeader {
		return nil, fmt.Errorf("%w: %s has no windows (%w)", errPetShop, path, errors.Join(err, errPetShop))
	}
	requests, availability := map[string]int{}, map[string]int{}
	for column, service := range rows[0] {
		switch rows[1][column] {
		case "requests":
			requests[service] = column
		case "availability":
			availability[service] = column
		}
	}
	out := map[string][]window{}
	for _, row := range rows[petshopHeader:] {
		second, err := strconv.ParseFloat(row[0], 64)
		if err != nil {
			return nil, fmt.Errorf("%w: %s: %w", errPetShop, path, err)
		}
		for service, column := range requests {
			n, errN := strconv.ParseFloat(row[column], 64)
			share, errShare := strconv.ParseFloat(row[availability[service]], 64)
			if errN != nil || errShare != nil || !(n >= 1 && share >= 0 && share <= 100) {
				continue
			}
			out[service] = append(out[service], window{second: int64(second), requests: math.Round(n), bad: math.Round(n * (1 - share/100))})
		}
	}
	return out, nil
}

func (f findings) writePetShop(b *strings.Builder) {
	if len(f.petshop) == 0 {
		return
	}
	b.WriteString(`## On real metrics

The PetShop data set (Hardt and others, *The PetShop Dataset*, 2024; amazon-science/petshop-root-cause-analysis, CC-BY-4.0)
has requests and availability of the services of a shop in windows of five minutes. It is not part of this repository. Healthy
releases last two hours, after an hour of history, with no tolerance; all services with errors that are not always there, at
low and at high traffic. Faults are those that cost availability; each has three windows, and the tolerance is 10 % + 0.1 points.
The latencies of the data set are averages and quantiles, without the counts that the judge needs.

| releases | how many | rolled back |
|---|---|---|
`)
	for _, p := range f.petshop {
		fmt.Fprintf(b, "| %s | %d | %s |\n", p.name, p.rolledBack.n, p.rolledBack)
	}
}
