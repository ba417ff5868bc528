package e2e

import (
	"sync"
	"testing"
)

// atOnce does several things that belong to one scenario beside each other, because most of the time of each is waiting.
// A failure ends its own part at once and, when all are done, the scenario.
func atOnce(tb testing.TB, parts ...func()) {
	tb.Helper()
	var all sync.WaitGroup
	for _, part := range parts {
		all.Go(part)
	}
	all.Wait()
	if tb.Failed() {
		tb.FailNow()
	}
}
