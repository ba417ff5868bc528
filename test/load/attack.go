package load

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"time"

	vegeta "github.com/tsenart/vegeta/v12/lib"
)

// Options of an attack. MaxDuration has no default: nothing of ours asks for ever.
type Options struct {
	Target        string        // URL
	Host          string        // Host header; empty means that of the URL
	RatePerSecond int           // kept also when answers are slow
	MaxDuration   time.Duration // after it no request is sent
	// Timeout is of one request; zero means 20 s. It is longer than a proxy takes to give a connection up (10 s), so that
	// what is sent nowhere comes back as an answer of the proxy, and a machine that stands still for seconds fails nothing.
	Timeout time.Duration
}

func (o *Options) check() error {
	target, err := url.Parse(o.Target)
	switch {
	case err != nil:
		return fmt.Errorf("read target: %w", err)
	case target.Scheme == "" || target.Host == "":
		return fmt.Errorf("target %q: want a URL with scheme and host", o.Target)
	case o.RatePerSecond < 1 || o.RatePerSecond > 10000:
		return fmt.Errorf("rate %d: want 1 to 10000 requests per second", o.RatePerSecond)
	case o.MaxDuration <= 0:
		return errors.New("a maximum duration is needed")
	case o.Timeout < 0:
		return fmt.Errorf("timeout %s: want none or a positive one", o.Timeout)
	}
	if o.Timeout == 0 {
		o.Timeout = 20 * time.Second
	}
	return nil
}

// Attack is a run of requests, going on or done.
type Attack struct {
	options Options
	started time.Time
	tally   *tally
	stop    func()
	done    chan struct{}
}

// Start begins to send. It ends by Stop, with the context, or after MaxDuration.
func Start(ctx context.Context, options Options) (*Attack, error) {
	if err := options.check(); err != nil {
		return nil, err
	}
	// A worker waits for its answer, so at most rate times timeout are at work.
	workers := uint64(options.RatePerSecond) * uint64(options.Timeout/time.Second+1) //nolint:gosec // both were checked to be positive
	attacker := vegeta.NewAttacker(
		vegeta.Timeout(options.Timeout),
		vegeta.KeepAlive(true),
		vegeta.Connections(options.RatePerSecond),
		vegeta.MaxWorkers(workers),
		vegeta.Redirects(vegeta.NoFollow),
		vegeta.Proxy(func(*http.Request) (*url.URL, error) { return nil, nil }), // whatever the environment says
	)
	header := http.Header{}
	if options.Host != "" {
		header.Set("Host", options.Host)
	}
	targets := vegeta.NewStaticTargeter(vegeta.Target{Method: http.MethodGet, URL: options.Target, Header: header})
	rate := vegeta.Rate{Freq: options.RatePerSecond, Per: time.Second}

	now := time.Now()
	a := &Attack{options: options, started: now, tally: newTally(now), done: make(chan struct{})}
	release := context.AfterFunc(ctx, func() { attacker.Stop() })
	a.stop = func() { attacker.Stop() }
	results := attacker.Attack(targets, rate, options.MaxDuration, "")
	go func() {
		defer close(a.done)
		defer release()
		for result := range results {
			a.tally.add(classify(result))
		}
	}()
	return a, nil
}

// Mark begins a section with counts of its own.
func (a *Attack) Mark(name string) error { return a.tally.mark(name, time.Now()) }

// Snapshot is what was counted so far.
func (a *Attack) Snapshot() Snapshot {
	s := a.tally.snapshot()
	s.StartedAt, s.At, s.RatePerSecond = a.started, time.Now(), a.options.RatePerSecond
	select {
	case <-a.done:
		s.Done = true
	default:
	}
	return s
}

// Stop sends no more and waits for the answers that are due.
func (a *Attack) Stop() {
	a.stop()
	<-a.done
}

// Done is closed when the last answer was counted.
func (a *Attack) Done() <-chan struct{} { return a.done }
