package telemetry

import (
	"slices"
	"strings"
)

// target is what was scraped: the moments of its scrapes, and how far looks have used them.
type target struct {
	key      string
	bothArms bool
	subjects []string
	// last is the newest scrape that a look has used, newest the newest that was fed; 0 for none.
	last, newest int64
	// gaps are the times between the last scrapes that looks have used, newest last.
	gaps []int64
	// proofs are the presence series of the target and when each was seen last.
	proofs map[string]int64
}

// scrape is one scrape of one target.
type scrape struct {
	at     int64
	target *target
}

func byTime(a, b scrape) int {
	if a.at != b.at {
		return int(min(max(a.at-b.at, -1), 1))
	}
	return strings.Compare(a.target.key, b.target.key)
}

// gapsKept is odd, so that the median is one of them: one missed scrape does not change the interval.
const gapsKept = 3

// use notes that a look has used the scrape.
func (t *target) use(at int64) {
	if at <= t.last {
		return
	}
	if t.last > 0 {
		t.gaps = append(t.gaps, at-t.last)
		t.gaps = t.gaps[max(0, len(t.gaps)-gapsKept):]
	}
	t.last = at
}

// interval is the scrape interval as the timestamps show it; 0 while it is not known.
func (t *target) interval() int64 {
	if len(t.gaps) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(t.gaps))
	return sorted[(len(sorted)-1)/2]
}

// due is when the target's next scrape after the used ones is expected; false while the interval is not known.
func (t *target) due() (int64, bool) {
	s := t.interval()
	return t.last + s, s > 0
}

// hopeless is when a scrape that was due counts as missed, once other targets show samples from after it.
func (t *target) hopeless() int64 { return t.last + t.interval() + t.interval()/2 }

// alive says whether a scrape after from is still to be expected, from what was used up to then.
func (t *target) alive(from int64) bool {
	due, known := t.due()
	return known && due+t.interval()/4 > from
}

// reports says whether the target counts as scraped at the end of the interval (from, to].
func (t *target) reports(from, to int64) bool {
	patience := t.interval() * 3 / 2
	if patience == 0 {
		patience = lookback
	}
	return t.last > from || t.last > 0 && t.last+patience > to
}

// twice says whether several presence series tell of this one target: it is scraped several times under one name.
func (t *target) twice() bool {
	live := 0
	for _, at := range t.proofs {
		if at+max(t.interval()*3/2, 1) > t.newest {
			live++
		}
	}
	return live > 1
}
