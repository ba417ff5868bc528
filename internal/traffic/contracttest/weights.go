package contracttest

import (
	"math"
	"math/rand/v2"

	"slipway.dev/slipway/internal/traffic"
)

// weights renders random shares in the world of the case WeightedBackends and reads them back.
func (c *checker) weights() {
	for _, tc := range c.cases {
		if tc.name != string(traffic.WeightedBackends) {
			continue
		}
		offer, err := c.Router.Offers(tc.seen)
		if err != nil {
			c.found(CheckWeights, tc, "Offers fails: %v", err)
			return
		}
		parts := offer.Parts
		if parts == 0 {
			parts = traffic.FeatherTotal
		}
		random := rand.New(rand.NewPCG(c.Seed, 7)) //nolint:gosec // a fuzzer
		for range 4 * fuzzRounds {
			canary := random.Int64N(parts + 1)
			backends := []traffic.Backend{
				{Name: "checkout", Weight: int32(parts - canary)}, //nolint:gosec // at most a million
				{Name: "checkout-canary", Weight: int32(canary)},  //nolint:gosec // at most a million
			}
			if !c.sharesAre(tc, backends, 1/float64(parts)) {
				return
			}
		}
	}
}

func (c *checker) sharesAre(tc testCase, backends []traffic.Backend, resolution float64) bool {
	split := needing(traffic.WeightedBackends).Splits[0]
	split.Backends = backends
	r, err := c.Router.Render(tc.seen, traffic.Intent{Splits: []traffic.Split{split}})
	if err != nil {
		c.found(CheckWeights, tc, "with %v Render fails: %v", backends, err)
		return false
	}
	divisions := c.Divisions(r)
	if len(divisions) == 0 {
		c.found(CheckWeights, tc, "with %v nothing is divided", backends)
		return false
	}
	for _, division := range divisions {
		for _, b := range backends {
			want, got := share(backends, b.Name), share(division, b.Name)
			// Half of the plane's resolution is rounding; the rest is what two roundings add.
			if math.IsNaN(got) || math.Abs(want-got) > resolution || (want > 0) != (got > 0) {
				c.found(CheckWeights, tc, "with %v the rendering has %v", backends, division)
				return false
			}
		}
	}
	return true
}

// share is the part that a backend has of all; NaN when all weights are zero.
func share(backends []traffic.Backend, name string) float64 {
	var total, own float64
	for _, b := range backends {
		total += float64(b.Weight)
		if b.Name == name {
			own += float64(b.Weight)
		}
	}
	return own / total
}
