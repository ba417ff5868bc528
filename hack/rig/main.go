// Command rig runs a real Kubernetes cluster on one Linux machine without Docker: the programs are built
// from Go modules, containerd comes from the distribution, and everything lives in one network namespace.
// It is for trials and end-to-end tests; it must never be pointed at a cluster that somebody needs.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"sort"
	"strings"
	"syscall"
)

// command is one thing that rig can be asked for.
type command struct {
	usage string
	run   func(context.Context, *rig, []string) error
}

var commands = map[string]command{
	"build":      {"build", func(ctx context.Context, r *rig, _ []string) error { return r.build(ctx) }},
	"up":         {"up", func(ctx context.Context, r *rig, _ []string) error { return r.up(ctx) }},
	"down":       {"down", func(ctx context.Context, r *rig, _ []string) error { return r.down(ctx) }},
	"status":     {"status", func(ctx context.Context, r *rig, _ []string) error { return r.status(ctx) }},
	"addons":     {"addons                             apply the add-ons again", func(ctx context.Context, r *rig, _ []string) error { return r.addons(ctx) }},
	"exec":       {"exec COMMAND [ARGUMENT...]         in the cluster's network, with KUBECONFIG set", runExec},
	"shell":      {"shell", runShell},
	"image":      {"image [flags] NAME OUT.tar FILE=PATH...   pack files into an image", runImage},
	"load-image": {"load-image TAR...", runLoadImage},
	"import":     {"import IMAGE=BINARY...             pack one static binary as an image and load it", runImport},
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	err := run(ctx, os.Args[1:])
	if ctx.Err() != nil && err != nil { // what the ended commands said tells nothing
		err = errors.New("interrupted")
	}
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "rig:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string) error {
	if len(args) == 0 {
		return errors.New(usage())
	}
	cmd, known := commands[args[0]]
	if !known {
		return fmt.Errorf("unknown command %q\n%s", args[0], usage())
	}
	r, err := fromEnvironment()
	if err != nil {
		return err
	}
	return cmd.run(ctx, r, args[1:])
}

func usage() string {
	lines := make([]string, 0, len(commands))
	for _, c := range commands {
		lines = append(lines, "  rig "+c.usage)
	}
	sort.Strings(lines)
	return "usage:\n" + strings.Join(lines, "\n")
}
