package judge

// A metric of signs has no counts of requests: each of its blocks was worse in the canary or was not
// (judging-method section 7). A block comes as one request, bad if it was worse; stable's part is in the sign.

// signs are the blocks of such a metric.
type signs struct {
	Worse    float64 `json:"w,omitempty"` // over the run
	NotWorse float64 `json:"n,omitempty"`
	// StepWorse and StepNotWorse are those of this step: evidence of health is of one step.
	StepWorse    float64 `json:"a,omitempty"`
	StepNotWorse float64 `json:"b,omitempty"`
}

// count takes in the blocks that ended in an interval. While a share settles they mix two shares, and are none.
func (g *signs) count(c *Counts, settling bool) {
	if settling {
		return
	}
	for _, block := range c.Canary {
		g.Worse += block.Bad
		g.NotWorse += block.Requests - block.Bad
		g.StepWorse += block.Bad
		g.StepNotWorse += block.Requests - block.Bad
	}
}

// renew forgets the evidence of health.
func (g *signs) renew() { g.StepWorse, g.StepNotWorse = 0, 0 }

// logHarm is log E of harm; 0 without blocks.
func (g *signs) logHarm() float64 {
	if g.Worse+g.NotWorse <= 0 {
		return 0
	}
	return logSign(g.Worse, g.NotWorse)
}

// logHealth is log E of health in this step; 0 without blocks.
func (g *signs) logHealth() float64 {
	if g.StepWorse+g.StepNotWorse <= 0 {
		return 0
	}
	return logSign(g.StepNotWorse, g.StepWorse)
}

// possible reports whether the blocks can be.
func (g *signs) possible() bool {
	return g.StepWorse >= 0 && g.StepNotWorse >= 0 && g.Worse >= g.StepWorse && g.NotWorse >= g.StepNotWorse
}
