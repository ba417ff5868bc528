package judge

// times is how stable's share of bad requests moves by itself, in blocks of slotSeconds: the worst one is what a
// new version is held to when there is no stable beside it any more (judging-method section 5.7).
type times struct {
	Slot  int64   `json:"s,omitempty"` // of the block that is open
	Block tally   `json:"b,omitzero"`
	Worst float64 `json:"w,omitempty"` // the worst share of a block that is over
	Known bool    `json:"k,omitempty"` // there was one
}

const (
	// fewestOfBlock is the number of requests under which a block goes on.
	fewestOfBlock = 100
	// timesWorst is how many times worse than stable's worst block a new version must be, beyond the warm-up tolerance: a burst
	// may lie across two blocks, and half of it is in each.
	timesWorst = 2
)

// add takes in an interval of stable while it is the old version.
func (t *times) add(stable tally, slot int64) {
	if slot != t.Slot && t.Block.N >= fewestOfBlock {
		t.Worst, t.Known = max(t.Worst, t.Block.X/t.Block.N), true
		t.Block = tally{}
	}
	t.Slot = slot
	t.Block.add(stable)
}

// holds is the share that a new version is held to while it is promoted; 0: there is no past to hold it to, or lower is
// worse, where only limits and what is left of stable judge.
func (t *times) holds(mp *MetricPolicy, wide float64) float64 {
	if !t.Known || mp.LowerIsWorse {
		return 0
	}
	share := timesWorst*t.Worst*(1+mp.Relative) + mp.Absolute + wide
	if share >= 1 {
		return 0
	}
	return share
}

// possible reports whether it can be.
func (t *times) possible() bool {
	return t.Block.possible() && t.Worst >= 0 && t.Worst <= 1+1e-9
}
