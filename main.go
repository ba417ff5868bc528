// Command slipway is the operator and its tools in one binary.
package main

import (
	"os"

	"slipway.dev/slipway/internal/cli"
)

func main() {
	os.Exit(cli.Run(os.Args[1:], os.Stdout, os.Stderr))
}
