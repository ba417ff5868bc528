package cli

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
	"sigs.k8s.io/yaml"

	"slipway.dev/slipway/api/v1alpha1"
)

type judgeOptions struct {
	intervals string
	policy    string
	steps     string
	everyLook bool
	past      lookBack
}

const judgeLong = `Judge releases that were recorded or made up, by the code that the operator judges by.

Each line of input is one look at one release, as JSON; lines of several releases may be mixed:

  {"release":"r1","second":10,"weight":5,"history":false,"metrics":{"errors":{"canary":[[50,0],[52,1]],"stable":[[480,2],[510,1]]}}}

canary and stable are [requests, bad] of the interval that ended at that second, one pair for each pod, always in the
same order; one pair for each arm where pods are not known. An arm that is left out was not seen. "history":true marks
looks before the release. A change of weight is a new step, and the look in which it comes is one of settling.

With --prometheus, the looks are taken from raw samples of the past: the release is called "past", its seconds count from
--from, its metric is "errors", and the time until the canary serves is history.

Each release has one line of output, when its verdict falls or its looks end. Logarithms are natural; 3.0 is enough for
a risk of 5 %.`

func judgeCommand() *cobra.Command {
	o := judgeOptions{}
	c := &cobra.Command{
		Use:   "judge",
		Short: "Judge recorded releases, to try tolerances before production does",
		Long:  judgeLong,
		Args:  cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if o.past.url != "" {
				r, err := readRules(o)
				if err != nil {
					return err
				}
				return o.past.run(c.Context(), r, o.everyLook, c.OutOrStdout(), c.ErrOrStderr())
			}
			return runJudge(o, c.InOrStdin(), c.OutOrStdout(), c.ErrOrStderr())
		},
	}
	f := c.Flags()
	f.StringVar(&o.intervals, "intervals", "-", "file of looks, one JSON object on each line; - is standard input")
	f.StringVar(&o.policy, "policy", "", "file with the analysis block of a CanaryRelease; empty: its defaults. A warm-up is applied where the file names one")
	f.StringVar(&o.steps, "steps", "", "weights of the steps in percent, such as 5,20,50,100: says when each would be left; empty: the weights are taken as given")
	f.BoolVar(&o.everyLook, "every-look", false, "print a line for each look")
	f.StringVar(&o.past.url, "prometheus", "", "look back at a release of the past in the Prometheus with this URL, instead of reading looks")
	f.StringVar(&o.past.canary, "canary", "", `with --prometheus: selector of the canary's counter of requests, such as http_requests_total{pod=~"web-canary-.*"}`)
	f.StringVar(&o.past.stable, "stable", "", "with --prometheus: selector of stable's counter of requests")
	f.StringVar(&o.past.bad, "bad", `code=~"5.."`, "with --prometheus: label matchers that a bad request has besides")
	f.StringVar(&o.past.pod, "pod", "pod", "with --prometheus: label that tells pods apart")
	f.StringVar(&o.past.from, "from", "", "with --prometheus: begin, such as 2026-01-02T15:04:05Z, an hour or at least five minutes before the release")
	f.StringVar(&o.past.to, "to", "", "with --prometheus: end")
	return c
}

func runJudge(o judgeOptions, in io.Reader, out, complain io.Writer) error {
	r, err := readRules(o)
	if err != nil {
		return err
	}
	if o.intervals == "-" {
		return newReplay(r, o.everyLook, out, complain).run(in)
	}
	file, err := os.Open(o.intervals)
	if err != nil {
		return fmt.Errorf("read looks: %w; give their file by --intervals, or - for standard input", err)
	}
	defer func() { _ = file.Close() }()
	return newReplay(r, o.everyLook, out, complain).run(file)
}

func readRules(o judgeOptions) (rules, error) {
	block, err := readBlock(o.policy)
	if err != nil {
		return rules{}, err
	}
	steps, err := readSteps(o.steps)
	if err != nil {
		return rules{}, err
	}
	return newRules(block, steps)
}

// readBlock reads the analysis block, bare or under its name. Unknown fields are refused, so that a typo is not a silent
// default.
func readBlock(path string) (v1alpha1.AnalysisSpec, error) {
	if path == "" {
		return v1alpha1.AnalysisSpec{}, nil
	}
	text, err := os.ReadFile(path) //nolint:gosec // the user names the file
	if err != nil {
		return v1alpha1.AnalysisSpec{}, fmt.Errorf("read policy: %w; give its path by --policy", err)
	}
	var named struct {
		Analysis *v1alpha1.AnalysisSpec `json:"analysis"`
	}
	if yaml.UnmarshalStrict(text, &named) == nil && named.Analysis != nil {
		return *named.Analysis, nil
	}
	var bare v1alpha1.AnalysisSpec
	if err := yaml.UnmarshalStrict(text, &bare); err != nil {
		return bare, fmt.Errorf("read policy %s: %w; write it as spec.analysis of a CanaryRelease", path, err)
	}
	return bare, nil
}

var errSteps = errors.New("read --steps: give rising weights from 1 to 100 in percent, such as 5,20,50,100")

// readSteps reads weights that rise.
func readSteps(text string) ([]float64, error) {
	if text == "" {
		return nil, nil
	}
	var steps []float64
	for part := range strings.SplitSeq(text, ",") {
		w, err := strconv.ParseFloat(strings.TrimSuffix(strings.TrimSpace(part), "%"), 64)
		if err != nil || !(w > 0 && w <= 100) || (len(steps) > 0 && w <= steps[len(steps)-1]) {
			return nil, fmt.Errorf("%w: %q", errSteps, text)
		}
		steps = append(steps, w)
	}
	return steps, nil
}
