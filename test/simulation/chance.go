package simulation

import (
	"math/rand/v2"
	"time"
)

// chance is all that is not determined, drawn from a seed.
type chance struct{ rng *rand.Rand }

func newChance(seed uint64) *chance {
	return &chance{rng: rand.New(rand.NewPCG(seed, 20310301))} //nolint:gosec // a simulation must be repeatable
}

// between is a time between two numbers of milliseconds.
func (c *chance) between(least, most int) time.Duration {
	return time.Duration(least+c.rng.IntN(most-least+1)) * time.Millisecond
}

// in is true once in n times.
func (c *chance) in(n int) bool { return c.rng.IntN(n) == 0 }

func pick[T any](c *chance, from ...T) T { return from[c.rng.IntN(len(from))] }
