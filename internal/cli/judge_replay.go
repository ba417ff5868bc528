package cli

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
)

const (
	// readAhead is how much of a recording is read at once.
	readAhead = 256 << 10
	// longestLine is for a few metrics of thousands of pods.
	longestLine = 4 << 20
	// mostComplaints is how many lines are named before they are only counted.
	mostComplaints = 20
)

// replay judges the looks of a recording, of any number of releases.
type replay struct {
	rules     rules
	everyLook bool
	out       *bufio.Writer
	complain  io.Writer

	look     recordedLook
	courses  map[string]*course
	order    []*course
	buffer   []byte
	line     int
	refused  int
	firstBad int
}

// newReplay writes what it finds to out and names the lines that it leaves out to complain.
func newReplay(r rules, everyLook bool, out, complain io.Writer) *replay {
	return &replay{
		rules: r, everyLook: everyLook, complain: complain,
		out: bufio.NewWriterSize(out, readAhead), courses: map[string]*course{},
	}
}

// run reads to the end. Lines that cannot be read or cannot be true are left out as a whole and named; the rest is
// judged, and the error at the end says that lines were left out.
func (r *replay) run(in io.Reader) error {
	lines := bufio.NewReaderSize(in, readAhead)
	var long []byte
	for {
		part, err := lines.ReadSlice('\n')
		if errors.Is(err, bufio.ErrBufferFull) {
			long = appendBounded(long, part)
			continue
		}
		line := part
		if len(long) > 0 {
			line = appendBounded(long, part)
			long = long[:0]
		}
		r.take(line)
		if err != nil {
			return r.finish(err)
		}
		// Who writes a look and waits for what is said of it must not wait for a full buffer.
		if lines.Buffered() == 0 {
			if err := r.out.Flush(); err != nil {
				return fmt.Errorf("write: %w", err)
			}
		}
	}
}

// appendBounded puts a long line together, up to one byte more than is taken.
func appendBounded(line, part []byte) []byte {
	room := longestLine + 1 - len(line)
	return append(line, part[:min(room, len(part))]...)
}

// take judges one line.
func (r *replay) take(line []byte) {
	r.line++
	if len(line) > longestLine {
		r.refuse(fmt.Errorf("it is longer than %d MiB; write one look on each line", longestLine>>20))
		return
	}
	if line = bytes.TrimSpace(line); len(line) == 0 {
		return
	}
	if err := r.judge(line); err != nil {
		r.refuse(err)
	}
}

// judge judges one line that is not empty.
func (r *replay) judge(line []byte) error {
	if err := r.look.read(line); err != nil {
		return err
	}
	return r.judgeLook()
}

// judgeLook judges the look that was read.
func (r *replay) judgeLook() error {
	c, known := r.courses[string(r.look.release)]
	if !known {
		var err error
		if c, err = newCourse(&r.rules, &r.look); err != nil {
			return err
		}
		r.courses[c.name] = c
		r.order = append(r.order, c)
	}
	wasDecided := c.decided()
	if !wasDecided {
		if err := c.observe(&r.rules, &r.look); err != nil {
			return err
		}
	}
	if r.everyLook || (c.decided() && !wasDecided) {
		r.say(c)
	}
	return nil
}

// say writes a release's line.
func (r *replay) say(c *course) {
	c.noteLogs()
	r.buffer = appendLine(r.buffer[:0], c)
	_, _ = r.out.Write(r.buffer) // a failure comes back with Flush
}

// refuse names a line that is left out.
func (r *replay) refuse(err error) {
	r.refused++
	if r.refused == 1 {
		r.firstBad = r.line
	}
	if r.refused <= mostComplaints {
		_, _ = fmt.Fprintf(r.complain, "slipway: line %d is left out: %v\n", r.line, err)
	}
}

// finish says how the releases stand that have no verdict, and what was wrong.
func (r *replay) finish(err error) error {
	for _, c := range r.order {
		if !c.decided() && !r.everyLook {
			r.say(c)
		}
	}
	if flushErr := r.out.Flush(); flushErr != nil {
		return fmt.Errorf("write: %w", flushErr)
	}
	if !errors.Is(err, io.EOF) {
		return fmt.Errorf("read line %d: %w", r.line+1, err)
	}
	if r.refused > 0 {
		return fmt.Errorf("%d lines were left out, the first is line %d: correct them, or take the verdicts as those of the other lines", r.refused, r.firstBad)
	}
	return nil
}
