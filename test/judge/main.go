// Command judge simulates releases and writes how often each rule is right: false rollbacks where nothing is wrong with
// the version, time to rollback and excess errors where something is, and whole releases through all steps.
//
//	go run ./judge -out ../docs
//
// Every release has its own seed, so the figures are the same on any machine. The package must not know how the judge
// comes to its verdicts: it uses the same doors as the operator.
package main

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
)

type options struct {
	runs    int
	seed    uint64
	out     string
	only    string
	petshop string
}

func main() {
	var o options
	flag.IntVar(&o.runs, "runs", 200, "simulated releases for each setting; the worst setting of a row is drawn again, four times as often")
	flag.Uint64Var(&o.seed, "seed", 1, "seed of all simulations")
	flag.StringVar(&o.out, "out", "", "folder to write judge-report.md and judge-report/*.svg to; empty: print the tables")
	flag.StringVar(&o.only, "only", "", "simulate only rows whose name matches this pattern, and print them")
	flag.StringVar(&o.petshop, "petshop", "", "folder of the PetShop data set (dataset/ of amazon-science/petshop-root-cause-analysis), for real metrics")
	flag.Parse()
	if err := run(o); err != nil {
		fmt.Fprintln(os.Stderr, "judge:", err)
		os.Exit(1)
	}
}

func run(o options) error {
	only, err := regexp.Compile(o.only)
	if err != nil {
		return fmt.Errorf("read -only: %w", err)
	}
	s := simulator{runs: o.runs, seed: o.seed, rules: rules}
	f := simulateAll(s, only)
	f.command = fmt.Sprintf("go run ./judge -runs %d -seed %d -out ../docs", o.runs, o.seed)
	if o.petshop != "" {
		if f.petshop, err = readPetShop(o.petshop, o.seed); err != nil {
			return err
		}
		f.command += " -petshop …/dataset"
	}
	text := f.markdown()
	if o.out == "" || o.only != "" {
		_, err := os.Stdout.WriteString(text)
		return err
	}
	if err := f.draw(filepath.Join(o.out, "judge-report")); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(o.out, "judge-report.md"), []byte(text), 0o644) //nolint:gosec // a document
}
