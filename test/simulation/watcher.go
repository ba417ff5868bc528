package simulation

import "fmt"

// watcher checks after every write what must always hold.
type watcher struct {
	w      *world
	broken error
}

func newWatcher(w *world) *watcher { return &watcher{w: w} }

func (c *watcher) fail(format string, args ...any) {
	if c.broken == nil {
		c.broken = fmt.Errorf(format, args...)
		c.w.story.tell("BROKEN: %v", c.broken)
	}
}

func (c *watcher) attempted(a attempt) {}

func (c *watcher) hear(ch change) {}
