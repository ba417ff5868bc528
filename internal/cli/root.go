// Package cli is the commands of the slipway binary. It wires; it decides nothing.
package cli

import (
	"fmt"
	"io"
	"os"
	"runtime/debug"

	"github.com/spf13/cobra"
)

// Run runs the command line and returns the exit status.
func Run(args []string, out, errOut io.Writer) int {
	root := &cobra.Command{
		Use:           "slipway",
		Short:         "Progressive delivery over the data plane that a cluster already has",
		SilenceUsage:  true,
		SilenceErrors: true,
	}
	root.SetArgs(args)
	root.SetOut(out)
	root.SetErr(errOut)
	root.AddCommand(operatorCommand(), judgeCommand(), versionCommand())
	newPeople().addTo(root, os.Args[0])
	if err := root.Execute(); err != nil {
		_, _ = fmt.Fprintln(errOut, "slipway:", err)
		return exitStatus(err)
	}
	return 0
}

func versionCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Print the version",
		Args:  cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			_, err := fmt.Fprintln(c.OutOrStdout(), Version())
			return err
		},
	}
}

// version is set by the linker in a release.
var version string

// Version is the released version, or what the build knows of its sources.
func Version() string {
	if version != "" {
		return version
	}
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" {
		return info.Main.Version
	}
	return "unknown"
}
