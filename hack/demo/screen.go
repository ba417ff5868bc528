package main

import (
	"fmt"
	"io"
	"os"
	"strings"
	"time"
)

// screen draws the view over itself on a terminal, and line after line elsewhere.
type screen struct {
	out      io.Writer
	terminal bool
	drawn    int // lines of the view that stand on the terminal
}

func newScreen(out *os.File) *screen {
	info, err := out.Stat()
	terminal := err == nil && info.Mode()&os.ModeCharDevice != 0 && os.Getenv("TERM") != "" && os.Getenv("TERM") != "dumb"
	return &screen{out: out, terminal: terminal}
}

// every is how often the view is worth drawing.
func (s *screen) every() time.Duration {
	if s.terminal {
		return 500 * time.Millisecond
	}
	return 5 * time.Second
}

func (s *screen) print(format string, args ...any) {
	s.drawn = 0
	fmt.Fprintf(s.out, format+"\n", args...)
}

// draw shows the view; on paper, news are marked.
func (s *screen) draw(view *scene, news bool) {
	if s.terminal {
		s.redraw(view.lines())
		return
	}
	mark := " "
	if news {
		mark = "*"
	}
	fmt.Fprintf(s.out, "%s %s\n", mark, view.line())
}

const (
	wrapOff   = "\x1b[?7l" // a line that is broken by the terminal would not be drawn over
	wrapOn    = "\x1b[?7h"
	clearDown = "\x1b[J"
)

func (s *screen) redraw(lines []string) {
	var text strings.Builder
	if s.drawn > 0 {
		fmt.Fprintf(&text, "\x1b[%dA\r", s.drawn)
	}
	text.WriteString(wrapOff + clearDown)
	for _, line := range lines {
		text.WriteString(line + "\n")
	}
	text.WriteString(wrapOn)
	_, _ = io.WriteString(s.out, text.String()) // who does not see the view does not lose the demo
	s.drawn = len(lines)
}

// end leaves the last view where it is.
func (s *screen) end() { s.drawn = 0 }
