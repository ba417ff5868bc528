package telemetry

// together is how far apart the scrapes of several targets may be to be in one look, in milliseconds. It is less than
// what a scrape takes to become visible, so that it costs no time.
const together = 100

// verdict says whether a look can end.
type verdict int

const (
	// open: not all that belongs to the look is due yet.
	open verdict = iota
	// late: what is missing should have come by now.
	late
	// ends: the look ends.
	ends
)

// next says where the next look ends.
//
// Where each scrape tells about both arms (a proxy in front of them), a look ends with each scrape:
//
//	proxy   |       |       |            looks end at |
//	pods     . .  .  . .  .  . .  .      and contain the pods' scrapes since the one before
//
// Where a target is a pod of one arm, a look is a round: it ends when all live pods have been scraped, or before one is
// scraped a second time, so that pods can be compared with each other:
//
//	pod 1   .       .       .
//	pod 2     .       .       .
//	pod 3        |       |       |
//
// A target that should have been scraped by now is waited for during one more feed, not longer (patient). What has been
// waited for in vain, the samples that others have had since show in the same way when they are read again later.
func (t *Tracker) next(patient bool) (int64, verdict) {
	first := 0
	for first < len(t.waiting) && t.waiting[first].at <= t.to {
		first++
	}
	fresh := t.waiting[first:]
	if len(fresh) == 0 {
		return 0, open
	}
	newest := fresh[len(fresh)-1].at
	if limit, ok := t.pace(); ok {
		for _, s := range fresh {
			if s.target.bothArms && s.at <= limit {
				return t.endAt(fresh, s.at, patient)
			}
		}
		if newest <= limit {
			return 0, open
		}
	}
	return t.endRound(fresh, patient)
}

// pace says until when a scrape of a target that tells about both arms is expected; false if there is no such target.
func (t *Tracker) pace() (int64, bool) {
	limit, ok := int64(0), false
	for _, target := range t.targets {
		if !target.bothArms {
			continue
		}
		switch _, known := target.due(); {
		case !known && target.last+lookback > t.to:
			limit, ok = max(limit, t.to+lookback), true
		case known && target.alive(t.to):
			limit, ok = max(limit, target.hopeless()), true
		}
	}
	return limit, ok
}

// endAt ends a look with the scrape at a moment and those of its kind just after it.
func (t *Tracker) endAt(fresh []scrape, at int64, patient bool) (int64, verdict) {
	limit, to := at+together, at
	seen := map[*target]bool{}
	for _, s := range fresh {
		if s.at > limit {
			break
		}
		seen[s.target] = true
		// One that nobody expected would move the end only if it were seen in time.
		if s.target.bothArms && s.target.alive(t.to) {
			to = s.at
		}
	}
	missing := func(target *target, due int64) bool {
		return !seen[target] && (due <= to || target.bothArms && due <= limit)
	}
	return to, t.missing(limit, fresh, missing, patient)
}

// endRound ends a look with the last scrape of a round.
func (t *Tracker) endRound(fresh []scrape, patient bool) (int64, verdict) {
	seen := map[*target]bool{}
	var to int64
	for i, s := range fresh {
		if to > 0 && seen[s.target] {
			return to, ends
		}
		// What was waited for in vain before this scrape must not be part of the look when it comes now.
		if i > 0 && t.complete(seen, s.at) {
			if to == 0 {
				to = fresh[i-1].at
			}
			return to, ends
		}
		seen[s.target] = true
		if t.complete(seen, s.at) {
			return s.at, ends
		}
		// One that nobody expected would move the end only if it were seen in time.
		if s.target.alive(t.to) {
			to = s.at
		}
	}
	if to == 0 {
		to = fresh[len(fresh)-1].at
	}
	missing := func(target *target, _ int64) bool { return !seen[target] }
	return to, t.missing(to, fresh, missing, patient)
}

// complete says whether all targets have been scraped that can be expected at a moment.
func (t *Tracker) complete(seen map[*target]bool, at int64) bool {
	for _, target := range t.targets {
		if target.alive(t.to) && !seen[target] && target.hopeless() >= at {
			return false
		}
	}
	return true
}

// missing says whether to wait for targets that have not been scraped in the look. What is due after overdue is waited
// for as long as nothing shows that it was missed.
func (t *Tracker) missing(overdue int64, fresh []scrape, missing func(*target, int64) bool, patient bool) verdict {
	newest := fresh[len(fresh)-1].at
	v := ends
	for _, target := range t.targets {
		if !target.alive(t.to) || target.hopeless() < newest {
			continue
		}
		due, _ := target.due()
		switch {
		case !missing(target, due):
		case due > overdue:
			return open
		case patient:
			v = late
		}
	}
	return v
}
