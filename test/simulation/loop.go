package simulation

import (
	"container/heap"
	"time"
)

// loop is the order of events in virtual time. Events of the same moment happen in the order in which they were planned.
type loop struct {
	now    time.Time
	events eventHeap
	count  int
}

type event struct {
	at    time.Time
	order int
	run   func()
}

func newLoop() *loop {
	return &loop{now: time.Date(2031, 3, 1, 9, 0, 0, 0, time.UTC)}
}

// after plans an event.
func (l *loop) after(d time.Duration, run func()) {
	l.count++
	heap.Push(&l.events, event{at: l.now.Add(d), order: l.count, run: run})
}

// step has the next event happen; false when there is none before the end.
func (l *loop) step(end time.Time) bool {
	if len(l.events) == 0 || l.events[0].at.After(end) {
		if end.After(l.now) {
			l.now = end
		}
		return false
	}
	next := heap.Pop(&l.events).(event)
	l.now = next.at
	next.run()
	return true
}

// Now and Since make the loop a clock for the reconcilers.
func (l *loop) Now() time.Time { return l.now }

// Since is how long ago t was.
func (l *loop) Since(t time.Time) time.Duration { return l.now.Sub(t) }

type eventHeap []event

func (h eventHeap) Len() int { return len(h) }

func (h eventHeap) Less(i, j int) bool {
	if h[i].at.Equal(h[j].at) {
		return h[i].order < h[j].order
	}
	return h[i].at.Before(h[j].at)
}

func (h eventHeap) Swap(i, j int) { h[i], h[j] = h[j], h[i] }

// Push is for container/heap.
func (h *eventHeap) Push(x any) { *h = append(*h, x.(event)) }

// Pop is for container/heap.
func (h *eventHeap) Pop() any {
	last := (*h)[len(*h)-1]
	*h = (*h)[:len(*h)-1]
	return last
}
