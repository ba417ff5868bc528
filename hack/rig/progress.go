package main

import (
	"fmt"
	"os"
	"sync"
	"time"
)

// quietFor is how long a log that is no terminal stays silent at least.
const quietFor = 12 * time.Second

var output sync.Mutex // lines of steps that run at once must not mix

func say(format string, args ...any) {
	output.Lock()
	defer output.Unlock()
	if isTerminal() {
		fmt.Print("\r\033[K") // a ticking line may be there
	}
	fmt.Printf(format+"\n", args...)
}

// step runs one piece of work and says how long it took.
func step(what string, work func() error) error {
	began := time.Now()
	if err := work(); err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	say("  %6.1fs  %s", time.Since(began).Seconds(), what)
	return nil
}

func isTerminal() bool {
	info, err := os.Stdout.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0 && os.Getenv("TERM") != ""
}

// ticker shows what a long step is at: in place on a terminal, a line now and then in a log.
func ticker(state func() string) (stop func()) {
	done, stopped := make(chan struct{}), make(chan struct{})
	every := quietFor
	if isTerminal() {
		every = time.Second
	}
	go func() {
		defer close(stopped)
		tick := time.NewTicker(every)
		defer tick.Stop()
		for {
			select {
			case <-done:
				return
			case <-tick.C:
				showTick(state())
			}
		}
	}()
	return func() { close(done); <-stopped }
}

func showTick(state string) {
	if !isTerminal() {
		say("           %s", state)
		return
	}
	output.Lock()
	defer output.Unlock()
	fmt.Print("\r\033[K           ", state)
}

// left guesses the time that remains from the share that is done; too early it does not guess.
func left(elapsed time.Duration, share float64) string {
	if share < 0.03 || share >= 1 || elapsed < 10*time.Second {
		return ""
	}
	remaining := time.Duration(float64(elapsed) * (1 - share) / share)
	return fmt.Sprintf(", about %s left", remaining.Round(5*time.Second))
}
