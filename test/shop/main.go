// Command shop is the application that Slipway's tests and demo release: "shop serve" answers, "shop load" asks.
package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:])
	stop()
	if err != nil {
		slog.Error("Ending", "error", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string) error {
	if len(args) == 0 {
		return errors.New("say what to do: shop serve, or shop load")
	}
	switch args[0] {
	case "serve":
		return serve(ctx, args[1:])
	case "load":
		return runLoad(ctx, args[1:])
	default:
		return fmt.Errorf("unknown command %q: want serve or load", args[0])
	}
}
