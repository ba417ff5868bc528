package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"math"
	"math/rand/v2"
	"net/http"
	"os"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"slipway.dev/slipway/test/load"
)

const (
	// drainTime lets gateways hear that the pod is going while it still answers.
	drainTime = 3 * time.Second
	// headerTimeout runs from the moment that a connection is opened. Proxies open some ahead of need: to close one that
	// has waited for its first request would cross the request that comes just then.
	headerTimeout = time.Hour
	// crashAfter lets the pod be seen running before it fails.
	crashAfter = time.Second
)

// server answers as its behaviour says.
type server struct {
	behaviour behaviour
	errors    atomic.Uint64 // percent of requests, as the bits of a float64; tests change it while pods run
	pod       string
	draining  atomic.Bool
	roll      func() float64 // from 0 up to, not including, 100

	requests *prometheus.CounterVec
	duration prometheus.Histogram
	registry *prometheus.Registry
}

func newServer(b behaviour, pod string) *server {
	s := &server{
		behaviour: b,
		pod:       pod,
		roll:      func() float64 { return 100 * rand.Float64() }, //nolint:gosec // chance, not a secret
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "shop_requests_total", Help: "Requests that were answered, by result.",
		}, []string{"result"}),
		duration: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "shop_request_duration_seconds", Help: "Time from a request to its answer.",
			Buckets: []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5},
		}),
		registry: prometheus.NewRegistry(),
	}
	s.errors.Store(math.Float64bits(b.ErrorPercent))
	s.registry.MustRegister(s.requests, s.duration)
	for _, result := range []string{"ok", "failed"} {
		s.requests.WithLabelValues(result) // a series that is there from the start can be rated from the first failure on
	}
	return s
}

func (s *server) handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("/", s.answer)
	mux.HandleFunc("/healthz", s.health)
	mux.HandleFunc("POST /behave", s.behave)
	mux.Handle("/metrics", promhttp.HandlerFor(s.registry, promhttp.HandlerOpts{}))
	return mux
}

func (s *server) answer(w http.ResponseWriter, r *http.Request) {
	began := time.Now()
	if s.behaviour.Latency > 0 && s.roll() < s.behaviour.SlowPercent {
		select {
		case <-time.After(s.behaviour.Latency):
		case <-r.Context().Done():
		}
	}
	result, code := "ok", http.StatusOK
	if s.roll() < math.Float64frombits(s.errors.Load()) {
		result, code = "failed", http.StatusInternalServerError
	}
	asked := askedFor(r)
	if asked.code != 0 {
		result, code = "failed", asked.code
	}
	if asked.reset {
		result = "failed"
	}
	s.requests.WithLabelValues(result).Inc()
	if asked.reset {
		panic(http.ErrAbortHandler)
	}
	select {
	case <-time.After(asked.wait):
	case <-r.Context().Done():
	}
	s.duration.Observe(time.Since(began).Seconds())

	header := w.Header()
	header.Set("Content-Type", "application/json")
	header.Set(load.VersionHeader, s.behaviour.Version)
	header.Set(load.PodHeader, s.pod)
	if s.draining.Load() {
		// Announced with an answer, the end of a connection cannot cross a request that is on its way.
		header.Set("Connection", "close")
	}
	w.WriteHeader(code)
	_ = json.NewEncoder(w).Encode(map[string]string{"version": s.behaviour.Version, "pod": s.pod})
}

// asked is what a request wants to be answered with, whatever the version is like: ?code=503, ?wait=2s, ?reset=1.
type asked struct {
	code  int
	wait  time.Duration
	reset bool
}

// askedFor reads it. What cannot be read is not asked for.
func askedFor(r *http.Request) asked {
	query := r.URL.Query()
	code, err := strconv.Atoi(query.Get("code"))
	if err != nil || code < 200 || code > 599 {
		code = 0
	}
	wait, err := time.ParseDuration(query.Get("wait"))
	if err != nil {
		wait = 0
	}
	return asked{code: code, wait: wait, reset: query.Get("reset") == "1"}
}

// behave makes a version good or bad while it runs: the harm that nobody has seen before.
func (s *server) behave(w http.ResponseWriter, r *http.Request) {
	read := reader{env: func(string) string { return r.FormValue("errorPercent") }}
	percent := read.percent("errorPercent", 0)
	if read.err != nil {
		http.Error(w, read.err.Error(), http.StatusBadRequest)
		return
	}
	s.errors.Store(math.Float64bits(percent))
	slog.Info("Behaving", "errorPercent", percent)
}

func (s *server) health(w http.ResponseWriter, _ *http.Request) {
	if s.draining.Load() {
		http.Error(w, "draining", http.StatusServiceUnavailable)
		return
	}
	_, _ = fmt.Fprintln(w, "ok")
}

func serve(ctx context.Context, args []string) error {
	flags := flag.NewFlagSet("serve", flag.ContinueOnError)
	listen := flags.String("listen", ":8080", "address to listen on")
	if err := flags.Parse(args); err != nil {
		return err
	}
	b, err := behaviourFrom(os.Getenv)
	if err != nil {
		return err
	}
	pod, err := os.Hostname() // in a pod, its name
	if err != nil {
		return err
	}
	slog.Info("Starting shop", "version", b.Version, "pod", pod, "listen", *listen)
	if !sleep(ctx, b.StartDelay) {
		return nil
	}
	s := newServer(b, pod)
	web := &http.Server{Addr: *listen, Handler: s.handler(), ReadHeaderTimeout: headerTimeout}
	failed := make(chan error, 1)
	go func() { failed <- web.ListenAndServe() }()
	if b.Crash {
		sleep(ctx, crashAfter)
		return errors.New("crash: as CRASH asks")
	}
	select {
	case err := <-failed:
		return err
	case <-ctx.Done():
		return s.drain(context.WithoutCancel(ctx), web)
	}
}

// drain goes on answering until nobody sends any more.
func (s *server) drain(ctx context.Context, web *http.Server) error {
	s.draining.Store(true)
	slog.Info("Draining", "time", drainTime)
	sleep(ctx, drainTime)
	ctx, cancel := context.WithTimeout(ctx, 2*drainTime)
	defer cancel()
	return web.Shutdown(ctx)
}

// sleep is false when the context ended first.
func sleep(ctx context.Context, d time.Duration) bool {
	select {
	case <-ctx.Done():
		return false
	case <-time.After(d):
		return true
	}
}
