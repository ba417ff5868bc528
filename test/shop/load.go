package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"net/http"
	"strconv"
	"time"

	"slipway.dev/slipway/test/load"
)

// runLoad sends requests and shows what came of them until it is told to end. The requests end by
// --max-duration at the latest; the result can be read after that.
func runLoad(ctx context.Context, args []string) error {
	var options load.Options
	flags := flag.NewFlagSet("load", flag.ContinueOnError)
	flags.StringVar(&options.Target, "target", "", "URL to ask")
	flags.StringVar(&options.Host, "host", "", "Host header, when it is not that of the URL")
	flags.IntVar(&options.RatePerSecond, "rate", 100, "requests per second")
	flags.DurationVar(&options.MaxDuration, "max-duration", 10*time.Minute, "when to end at the latest")
	flags.DurationVar(&options.Timeout, "timeout", 20*time.Second, "for one request")
	listen := flags.String("listen", ":8090", "address that shows the result")
	if err := flags.Parse(args); err != nil {
		return err
	}
	attack, err := load.Start(ctx, options)
	if err != nil {
		return err
	}
	slog.Info("Sending requests", "target", options.Target, "host", options.Host, "perSecond", options.RatePerSecond)
	web := &http.Server{Addr: *listen, Handler: loadHandler(attack), ReadHeaderTimeout: 10 * time.Second}
	go func() {
		<-ctx.Done()
		<-attack.Done()
		_ = web.Close()
	}()
	if err := web.ListenAndServe(); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

func loadHandler(attack *load.Attack) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { _, _ = fmt.Fprintln(w, "ok") })
	mux.HandleFunc("GET /stats", func(w http.ResponseWriter, r *http.Request) {
		snapshot := attack.Snapshot()
		// ?windows=N keeps the newest N seconds: ten minutes of them are too much to ask for each second.
		if text := r.URL.Query().Get("windows"); text != "" {
			count, err := strconv.Atoi(text)
			if err != nil || count < 0 {
				http.Error(w, fmt.Sprintf("windows: have %q, want a number of seconds", text), http.StatusBadRequest)
				return
			}
			snapshot.Windows = snapshot.Windows[max(0, len(snapshot.Windows)-count):]
		}
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(snapshot)
	})
	// Also by GET, because the API server's proxy to pods is mostly used with it.
	mux.HandleFunc("/mark", func(w http.ResponseWriter, r *http.Request) {
		if err := attack.Mark(r.URL.Query().Get("name")); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		_, _ = fmt.Fprintln(w, "ok")
	})
	return mux
}
