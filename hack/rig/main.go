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
	"strings"
	"syscall"
)

// command is one thing that rig can be asked for.
type command struct {
	arguments string
	does      string
	run       func(context.Context, *rig, []string) error
}

var commands = map[string]command{
	"build":      {"", "build the parts of the cluster", alone((*rig).build)},
	"up":         {"", "start the cluster with its add-ons, building what is missing", alone((*rig).up)},
	"down":       {"", "stop the cluster and forget its state", alone((*rig).down)},
	"status":     {"", "say what runs", alone((*rig).status)},
	"addons":     {"", "apply the add-ons again", alone((*rig).addons)},
	"exec":       {"COMMAND [ARGUMENT...]", "run in the cluster's network, with KUBECONFIG set", runExec},
	"shell":      {"", "the same with a shell", runShell},
	"image":      {"[FLAGS] NAME OUT.tar FILE=PATH...", "pack files into an image", runImage},
	"load-image": {"TAR...", "load packed images into the cluster", runLoadImage},
	"import":     {"NAME=BINARY...", "pack a static binary as an image and load it", runImport},
}

// alone adapts what takes no arguments.
func alone(do func(*rig, context.Context) error) func(context.Context, *rig, []string) error {
	return func(ctx context.Context, r *rig, args []string) error {
		if len(args) > 0 {
			return fmt.Errorf("want no arguments, have %q", args)
		}
		return do(r, ctx)
	}
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
	lines := []string{"usage:"}
	for _, name := range sortedKeys(commands) {
		c := commands[name]
		lines = append(lines, fmt.Sprintf("  %-46s %s", "rig "+name+" "+c.arguments, c.does))
	}
	return strings.Join(lines, "\n")
}
