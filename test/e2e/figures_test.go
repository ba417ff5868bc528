package e2e

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
)

// figure is one measurement, as `make bench` reads it.
type figure struct {
	Name  string  `json:"name"`
	Value float64 `json:"value"`
	Unit  string  `json:"unit"`
	On    string  `json:"on"`
}

// figures are those of this run. Benchmarks do not run beside each other.
var figures []figure

// writeFigures leaves what was measured beside the cluster that it was measured on.
func writeFigures() error {
	if len(figures) == 0 {
		return nil
	}
	text, err := json.MarshalIndent(figures, "", "  ")
	if err != nil {
		return err
	}
	dir := os.Getenv("RIG")
	if dir == "" {
		dir = filepath.Dir(os.Getenv("KUBECONFIG"))
	}
	return os.WriteFile(filepath.Join(dir, "bench.json"), append(text, '\n'), 0o600)
}

func machine() string { return fmt.Sprintf("%d processors, %s", runtime.NumCPU(), runtime.GOARCH) }
