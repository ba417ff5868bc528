package prom

import "time"

const (
	// closest is the least time between two queries for a release.
	closest = 250 * time.Millisecond
	// settle is how long after its timestamp a sample can usually be read: the scrape itself, and its storing.
	settle = 120 * time.Millisecond
	// blind is the time between queries while nothing is known of the scrapes.
	blind = 2 * time.Second
	// retries is how often a sample that is not there yet is asked for at once.
	retries = 4
)

// pace is what the moment of the next query follows from. All times are by our clock.
type pace struct {
	asked time.Time
	every time.Duration
	// due is when the next sample is expected; zero while that is not known.
	due      time.Time
	interval time.Duration
	// behind says that a look waits for a target that is late.
	behind bool
	// idle is how many answers in a row have brought no new sample, failed how many queries in a row have failed.
	idle, failed int
}

// next is the moment of the next query: just after the last sample that is expected within every, so that a sample is
// read as soon as it can be, and no query is wasted. Never sooner than closest, never later than every.
func (p pace) next() time.Time {
	latest := p.asked.Add(max(p.every, closest))
	soonest := p.asked.Add(closest)
	return earlier(latest, later(soonest, p.wanted(latest)))
}

func (p pace) wanted(latest time.Time) time.Time {
	switch {
	case p.failed > 0:
		return p.asked.Add(closest << min(p.failed, 5))
	case p.due.IsZero() || p.interval <= 0:
		return p.asked.Add(blind)
	case p.behind:
		return p.asked
	}
	due := p.due.Add(settle)
	if due.After(p.asked) {
		if spare := latest.Sub(due); spare > 0 {
			due = due.Add(spare.Truncate(p.interval))
		}
		return due
	}
	if p.idle <= retries {
		return p.asked
	}
	return p.asked.Add(p.interval)
}

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

const (
	// roundsInInterval is how often an endpoint is asked between two scrapes at most, however many releases there are and
	// whenever the samples of each come: those that come in between wait for the next round.
	roundsInInterval = 8
	// longestApart bounds by how much this may make a look late.
	longestApart = time.Second
)

// apart is the least time between two rounds, by the shortest time between scrapes that is known.
func apart(plans []plan) time.Duration {
	shortest := time.Duration(0)
	for _, p := range plans {
		if interval := p.watch.interval(); interval > 0 && (shortest == 0 || interval < shortest) {
			shortest = interval
		}
	}
	return min(max(shortest/roundsInInterval, closest), longestApart)
}

// windows are the lengths of time ranges in use: releases share a query only if they read the same range.
var windows = []time.Duration{
	30 * time.Second, time.Minute, 2 * time.Minute, 6 * time.Minute, 12 * time.Minute, 25 * time.Minute, longestWindow,
}

// longestWindow bounds what one query can cost.
const longestWindow = 66 * time.Minute

// roundWindow is the shortest window that is at least as long.
func roundWindow(d time.Duration) time.Duration {
	for _, w := range windows {
		if d <= w {
			return w
		}
	}
	return longestWindow
}

// skew is how far a server's clock is ahead of ours.
type skew struct {
	ahead time.Duration
	// unsure is how far ahead may be wrong, as of measured: the answer may have been made at any moment while it was
	// waited for.
	unsure          time.Duration
	measured, tried time.Time
}

const (
	// skewAge is the time between measurements.
	skewAge = time.Minute
	// drift is what two clocks may differ by after a while: one part in as many.
	drift = 5000
)

func (k *skew) due(now time.Time) bool { return k.tried.IsZero() || now.Sub(k.tried) >= skewAge }

// learn takes a measurement, unless the last one is still better.
func (k *skew) learn(server, before, after time.Time) {
	unsure := after.Sub(before) / 2
	if !k.measured.IsZero() && unsure > k.unsure+after.Sub(k.measured)/drift {
		return
	}
	k.ahead, k.unsure, k.measured = server.Sub(before.Add(unsure)), unsure, after
}
