// Command figures prints measurements, one a row: name, value, unit, and what it was measured on. It reads the output of
// `go test -bench` and a JSON file with figures that end-to-end tests have written, which may be missing.
package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"regexp"
	"strings"
	"text/tabwriter"
)

// Figure is one measurement. The JSON file is a list of them.
type Figure struct {
	Name  string      `json:"name"`
	Value json.Number `json:"value"`
	Unit  string      `json:"unit"`
	On    string      `json:"on"`
}

// processors is the suffix by which go test says on how many processors a benchmark ran.
var processors = regexp.MustCompile(`-\d+$`)

func main() {
	if err := run(os.Args[1:], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "figures:", err)
		os.Exit(1)
	}
}

func run(args []string, out io.Writer) error {
	if len(args) != 2 {
		return errors.New("usage: figures BENCH.txt FIGURES.json")
	}
	figures, err := benchmarks(args[0])
	if err != nil {
		return err
	}
	more, err := recorded(args[1])
	if err != nil {
		return err
	}
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "NAME\tVALUE\tUNIT\tMEASURED ON")
	for _, f := range append(figures, more...) {
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\n", f.Name, f.Value, f.Unit, f.On)
	}
	return table.Flush()
}

// benchmarks reads lines such as "BenchmarkDecide-2  120  9876 ns/op  12 B/op", and the "cpu:" line above them.
func benchmarks(path string) ([]Figure, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	var figures []Figure
	on := "this machine"
	for lines := bufio.NewScanner(file); lines.Scan(); {
		fields := strings.Fields(lines.Text())
		if cpu, found := strings.CutPrefix(lines.Text(), "cpu: "); found {
			on = cpu
		}
		if len(fields) < 4 || !strings.HasPrefix(fields[0], "Benchmark") {
			continue
		}
		name := processors.ReplaceAllString(strings.TrimPrefix(fields[0], "Benchmark"), "")
		for i := 2; i+1 < len(fields); i += 2 {
			figures = append(figures, Figure{Name: name, Value: json.Number(fields[i]), Unit: fields[i+1], On: on})
		}
	}
	return figures, nil
}

func recorded(path string) ([]Figure, error) {
	content, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var figures []Figure
	if err := json.Unmarshal(content, &figures); err != nil {
		return nil, fmt.Errorf("read %s: %w", path, err)
	}
	return figures, nil
}
