package e2e

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"slipway.dev/slipway/api/v1alpha1"
)

const (
	badReleases     = 10
	releasesInARow  = 20
	benchRate       = 200
	measuredOnHarm  = "50% errors at 5% weight, 200 requests/s, scraped every 2 s, 10 releases"
	measuredOnASeen = "promotions and rollbacks in turn, 200 requests/s, 20 releases"
)

// reaction is what a bad release did to users before it was over.
type reaction struct {
	decisionToRoute time.Duration // from the record of the decision to the route that takes users off
	decisionToLast  time.Duration // from the record of the decision to the last bad answer
	harm            time.Duration // from the first bad answer to the last
	hurt            int64         // bad answers
}

// BenchmarkHarm releases a version with 50% errors at 5% of the traffic, again and again, with the analysis as it comes.
func BenchmarkHarm(b *testing.B) {
	for range b.N {
		s := newScene(b, setting{rate: benchRate})
		s.adopt(plan{steps: `[{weightPercent: 5}]`, analysis: `{every: 2s}`})
		var all []reaction
		for i := range badReleases {
			all = append(all, s.reject(failing(fmt.Sprintf("bad%d", i), "50")))
		}
		s.wantNoHarm(badVersions(badReleases)...)
		s.figureReactions(all)
	}
}

// BenchmarkSwitching promotes and rolls back in turn, and counts what failed because of it.
func BenchmarkSwitching(b *testing.B) {
	for range b.N {
		s := newScene(b, setting{rate: benchRate})
		s.adopt(plan{})
		for i := range releasesInARow / 2 {
			s.push(good(fmt.Sprintf("good%d", i)))
			s.awaitPromoted()
			s.reject(failing(fmt.Sprintf("bad%d", i), "30"))
		}
		have := s.load.Snapshot().Total
		s.figure("failed-by-switching", float64(have.FailedBySwitching), "requests", fmt.Sprintf("%s, %d requests", measuredOnASeen, have.Requests))
		s.wantNoHarm(badVersions(releasesInARow / 2)...)
	}
}

func badVersions(n int) []string {
	var names []string
	for i := range n {
		names = append(names, fmt.Sprintf("bad%d", i))
	}
	return names
}

// reject releases a bad version, waits until everything of it is gone, and says how that went.
func (s *scene) reject(v version) reaction {
	s.Helper()
	s.push(v)
	s.awaitRolledBack(v1alpha1.ReasonHarmProven)
	s.wantCleanedUp()
	decided := s.awaitState("record of the rollback", usual, func(cr *v1alpha1.CanaryRelease) bool { return cr.Status.Stage == "RollingBack" })
	at := s.timeOf(decided.ResourceVersion)
	seen := s.load.Snapshot().Versions[v.name]
	if seen.FirstBadAt == nil {
		s.Fatalf("%s was rolled back, and no answer of it was bad", v.name)
	}
	r := reaction{
		decisionToRoute: s.usersOffAt(at).Sub(at), decisionToLast: seen.LastBadAt.Sub(at),
		harm: seen.LastBadAt.Sub(*seen.FirstBadAt), hurt: seen.FailedByApplication,
	}
	s.Logf("%s: decision to route %s, to last bad answer %s; bad answers for %s: %d", v.name, r.decisionToRoute, r.decisionToLast, r.harm, r.hurt)
	return r
}

func (s *scene) timeOf(resourceVersion string) time.Time {
	s.Helper()
	for _, e := range s.states() {
		if e.object.ResourceVersion == resourceVersion {
			return e.at
		}
	}
	s.Fatalf("no state has resourceVersion %s", resourceVersion)
	return time.Time{}
}

// usersOffAt is when the first route without users for the canary reached us, after a moment at which it had some. The
// watch of the route may be ahead of that of the release: what is off just before the decision reached us counts as at it.
func (s *scene) usersOffAt(decision time.Time) time.Time {
	s.Helper()
	const most = 1.0 / 100_000
	had := false
	for _, e := range s.routes.since(0) {
		if e.at.Before(s.states()[0].at) {
			continue
		}
		share, found := shareIn(e.object, "shop"+v1alpha1.CanarySuffix)
		if had && (!found || share <= most) {
			if e.at.Before(decision) {
				return decision
			}
			return e.at
		}
		had = found && share > most
	}
	s.Fatal("the route never took users off the canary")
	return time.Time{}
}

func (s *scene) figureReactions(all []reaction) {
	s.Helper()
	seconds := func(of func(reaction) time.Duration) []float64 {
		var values []float64
		for _, r := range all {
			values = append(values, of(r).Seconds())
		}
		slices.Sort(values)
		return values
	}
	route := seconds(func(r reaction) time.Duration { return r.decisionToRoute })
	last := seconds(func(r reaction) time.Duration { return r.decisionToLast })
	harm := seconds(func(r reaction) time.Duration { return r.harm })
	hurt := seconds(func(r reaction) time.Duration { return time.Duration(r.hurt) * time.Second })
	s.atMost("decision-to-route-p99", quantile(route, 0.99), "s", 1)
	s.figure("decision-to-last-bad-answer-p99", quantile(last, 0.99), "s", measuredOnHarm)
	s.atMost("first-to-last-bad-answer-median", quantile(harm, 0.5), "s", 6)
	s.atMost("first-to-last-bad-answer-worst", quantile(harm, 1), "s", 9)
	s.atMost("users-hurt-median", quantile(hurt, 0.5), "requests", 30)
	s.figure("users-hurt-worst", quantile(hurt, 1), "requests", measuredOnHarm)
}

// atMost is a figure with a limit.
func (s *scene) atMost(name string, value float64, unit string, limit float64) {
	s.Helper()
	s.figure(name, value, unit, measuredOnHarm)
	if value > limit {
		s.Errorf("%s is %.3g %s, want at most %g", name, value, unit, limit)
	}
}

// quantile of sorted values: the least that so many of them do not exceed; of an even number the median is between two.
func quantile(sorted []float64, share float64) float64 {
	n := len(sorted)
	if share == 0.5 && n%2 == 0 {
		return (sorted[n/2-1] + sorted[n/2]) / 2
	}
	return sorted[min(int(share*float64(n)), n-1)]
}

func (s *scene) figure(name string, value float64, unit, on string) {
	s.Helper()
	figures = append(figures, figure{Name: name, Value: value, Unit: unit, On: on + ", " + machine()})
	if b, ok := s.TB.(*testing.B); ok {
		b.ReportMetric(value, strings.ReplaceAll(name, " ", "-")+"-"+unit)
	}
	s.Logf("%s\t%.4g\t%s\t%s", name, value, unit, on)
}
