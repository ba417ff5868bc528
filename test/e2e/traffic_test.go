package e2e

import (
	"fmt"
	"math"
	"net/http"
	"slices"
	"time"

	"slipway.dev/slipway/test/load"
)

// loadLimit ends any load, whatever becomes of the test.
const loadLimit = 40 * time.Minute

// fewest is how many answers a share is measured on.
const fewest = 1000

func (s *scene) startLoad(rate int) {
	s.Helper()
	attack, err := load.Start(s.Context(), load.Options{
		Target: shared.gateways[s.gateway], Host: s.host, RatePerSecond: rate, MaxDuration: loadLimit,
	})
	if err != nil {
		s.Fatal(err)
	}
	s.load = attack
}

// ask sends one request and says which version answered.
func (s *scene) ask() (version string, err error) {
	request, err := http.NewRequestWithContext(s.Context(), http.MethodGet, shared.gateways[s.gateway], nil)
	if err != nil {
		return "", err
	}
	request.Host = s.host
	client := http.Client{Timeout: 2 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	response, err := client.Do(request)
	if err != nil {
		return "", err
	}
	defer response.Body.Close()
	if version = response.Header.Get(load.VersionHeader); version == "" {
		return "", fmt.Errorf("answer %s without a version", response.Status)
	}
	return version, nil
}

// awaitAnswer waits until ten requests in a row are answered by a version: proxies learn of routes and pods by and by.
func (s *scene) awaitAnswer(version string) {
	s.Helper()
	inARow := 0
	s.until("answers of "+version, usual, func() (bool, string) {
		for inARow < 10 {
			switch have, err := s.ask(); {
			case err != nil:
				inARow = 0
				return false, err.Error()
			case have != version:
				inARow = 0
				return false, "answer of " + have
			}
			inARow++
		}
		return true, ""
	})
}

// sample counts the answers to the next requests, at least n of them.
func (s *scene) sample(n int64) load.Section {
	s.Helper()
	s.samples++
	name := fmt.Sprintf("sample %d", s.samples)
	s.mark(name)
	s.until(fmt.Sprintf("%d answers", n), long, func() (bool, string) {
		have := s.section(name).Requests
		return have >= n, fmt.Sprintf("%d", have)
	})
	s.mark("after " + name)
	return s.section(name)
}

func (s *scene) mark(name string) {
	s.Helper()
	if err := s.load.Mark(name); err != nil {
		s.Fatal(err)
	}
}

func (s *scene) section(name string) load.Section {
	s.Helper()
	sections := s.load.Snapshot().Sections
	at := slices.IndexFunc(sections, func(section load.Section) bool { return section.Name == name })
	if at < 0 {
		s.Fatalf("the load has no section %q", name)
	}
	return sections[at]
}

// between sums up the whole seconds that lie between two moments.
func (s *scene) between(from, to time.Time) load.Section {
	sum := load.Section{Name: "between", StartedAt: from, Versions: map[string]load.Counts{}}
	for _, w := range s.load.Snapshot().Windows {
		if w.StartedAt.Before(from) || w.StartedAt.Add(time.Second).After(to) {
			continue
		}
		sum.Requests += w.Requests
		for name, counts := range w.Versions {
			all := sum.Versions[name]
			all.Requests += counts.Requests
			sum.Versions[name] = all
		}
	}
	return sum
}

// wantShare checks a version's share of the answers by chance alone: one right split in a thousand is reported.
func (s *scene) wantShare(of load.Section, version string, share float64) {
	s.Helper()
	have := of.Versions[version].Requests
	s.Logf("%s: %s answered %d of %d, want %.4g%%", of.Name, version, have, of.Requests, 100*share)
	if of.Requests == 0 || !plausible(have, of.Requests, share) {
		s.Errorf("%s: %s answered %d of %d requests: not a share of %.4g%%", of.Name, version, have, of.Requests, 100*share)
	}
}

// plausible says whether k of n lies within the 99.9% interval of a binomial distribution.
func plausible(k, n int64, p float64) bool {
	const tail = 0.0005
	return binomialAtMost(k, n, p) > tail && 1-binomialAtMost(k-1, n, p) > tail
}

func binomialAtMost(k, n int64, p float64) float64 {
	switch {
	case k < 0:
		return 0
	case k >= n:
		return 1
	case p <= 0:
		return 1
	case p >= 1:
		return 0
	}
	gamma := func(x int64) float64 { value, _ := math.Lgamma(float64(x + 1)); return value }
	sum := 0.0
	for i := range k + 1 {
		sum += math.Exp(gamma(n) - gamma(i) - gamma(n-i) + float64(i)*math.Log(p) + float64(n-i)*math.Log1p(-p))
	}
	return min(sum, 1)
}

// wantNoHarm ends the load. No request may have failed by switching, and none by a version that is not bad.
func (s *scene) wantNoHarm(bad ...string) {
	s.Helper()
	s.load.Stop()
	have := s.load.Snapshot()
	s.Logf("load: %+v", have.Total)
	if n := have.Total.FailedBySwitching; n > 0 {
		s.Errorf("%d of %d requests failed by switching: %+v", n, have.Total.Requests, have.Switching.Recent)
	}
	for name, version := range have.Versions {
		if n := version.FailedByApplication; n > 0 && !slices.Contains(bad, name) {
			s.Errorf("%d requests failed at %s, which is a good version", n, name)
		}
	}
}

// wantNeverServed says that no user was ever sent to a version.
func (s *scene) wantNeverServed(version string) {
	s.Helper()
	if have := s.load.Snapshot().Versions[version]; have.Requests > 0 {
		s.Errorf("%d requests were answered by %s, from %s to %s", have.Requests, version, have.FirstAt, have.LastAt)
	}
}
