// Command lint is golangci-lint with two more linters linked in: kube-api-linter for the API types, and the Kubernetes
// project's logcheck for log calls. golangci-lint's own way to add a linter compiles a fresh module each time and needs
// the network for it; a main package beside the other tools is built and cached like them.
package main

import (
	"fmt"
	"os"
	"runtime/debug"

	"github.com/golangci/golangci-lint/v2/pkg/commands"
	"github.com/golangci/golangci-lint/v2/pkg/exitcodes"
	_ "sigs.k8s.io/kube-api-linter"             // linter kubeapilinter
	_ "sigs.k8s.io/logtools/logcheck/gclplugin" // linter logcheck
)

func main() {
	if err := commands.Execute(buildInfo()); err != nil {
		fmt.Fprintln(os.Stderr, "lint:", err)
		os.Exit(exitcodes.Failure)
	}
}

// buildInfo names the version of golangci-lint that is linked in; its cache and its messages go by it.
func buildInfo() commands.BuildInfo {
	info := commands.BuildInfo{GoVersion: "unknown", Version: "unknown", Commit: "?", Date: "?"}
	build, available := debug.ReadBuildInfo()
	if !available {
		return info
	}
	info.GoVersion = build.GoVersion
	for _, module := range build.Deps {
		if module.Path == "github.com/golangci/golangci-lint/v2" {
			info.Version, info.Commit = module.Version, module.Sum
		}
	}
	return info
}
