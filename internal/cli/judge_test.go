package cli

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write the golden files anew")

// said is a line of output as a reader takes it.
type said struct {
	Release    string             `json:"release"`
	Verdict    string             `json:"verdict"`
	Second     float64            `json:"second"`
	Metric     string             `json:"metric"`
	Reason     string             `json:"reason"`
	LogHarm    map[string]float64 `json:"logHarm"`
	LogLimit   map[string]float64 `json:"logLimit"`
	LogPromote map[string]float64 `json:"logPromote"`
	Left       []struct {
		Weight, Second float64
	} `json:"left"`
}

// judged runs the command and reads what it says.
func judged(t *testing.T, input string, args ...string) (lines []said, complaints string, failed bool) {
	t.Helper()
	dir := t.TempDir()
	looks := filepath.Join(dir, "looks.jsonl")
	if err := os.WriteFile(looks, []byte(input), 0o600); err != nil {
		t.Fatal(err)
	}
	var out, errOut bytes.Buffer
	status := Run(append([]string{"judge", "--intervals", looks}, args...), &out, &errOut)
	decoder := json.NewDecoder(&out)
	decoder.DisallowUnknownFields()
	for {
		var l said
		if err := decoder.Decode(&l); err == io.EOF {
			return lines, errOut.String(), status != 0
		} else if err != nil {
			t.Fatalf("read the output: %v", err)
		}
		lines = append(lines, l)
	}
}

// writePolicy writes a policy file and returns its path.
func writePolicy(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "policy.yaml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// looksOf writes equal looks, one every ten seconds.
func looksOf(release string, from, n int, weight int, canary, stable string) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, `{"release":%q,"second":%d,"weight":%d,"metrics":{"errors":{"canary":%s,"stable":%s}}}`+"\n",
			release, from+10*(i+1), weight, canary, stable)
	}
	return b.String()
}

// history is five minutes before the release.
func history(release, stable string) string {
	return strings.ReplaceAll(looksOf(release, -300, 30, 0, "[]", stable), `"weight"`, `"history":true,"weight"`)
}

const (
	goodStable = "[[480,1],[510,0]]"
	goodCanary = "[[50,0],[52,0]]"
	badCanary  = "[[50,6],[52,5]]"
)

func TestJudgeVerdicts(t *testing.T) {
	for name, c := range map[string]struct {
		input       string
		policy      string
		args        []string
		wantVerdict string
		wantReason  string
	}{
		"a tenth of the requests fail": {
			input:       history("r", goodStable) + looksOf("r", 0, 60, 10, badCanary, goodStable),
			wantVerdict: "Rollback", wantReason: "HarmProven",
		},
		"a limit of its own is broken though stable is as bad": {
			input:       history("r", badCanary) + looksOf("r", 0, 60, 50, badCanary, badCanary),
			policy:      "metrics: [{name: errors, signal: Errors, limit: 5%}]",
			wantVerdict: "Rollback", wantReason: "LimitExceeded",
		},
		"one of five pods is bad": {
			input:       history("r", "[[480,0],[480,0]]") + looksOf("r", 0, 60, 30, "[[50,9],[50,0],[50,0],[50,0],[50,0]]", "[[300,0],[300,1]]"),
			wantVerdict: "Inconclusive", wantReason: "OneBadPod",
		},
		"both arms are fine for an hour": {
			input:       history("r", goodStable) + looksOf("r", 0, 360, 10, goodCanary, goodStable),
			wantVerdict: "Promote", wantReason: "WithinTolerance",
		},
		"too few requests to say": {
			input:       history("r", goodStable) + looksOf("r", 0, 6, 10, goodCanary, goodStable),
			wantVerdict: "Inconclusive", wantReason: "NotEnoughTraffic",
		},
		"the canary is not seen": {
			input:       history("r", goodStable) + looksOf("r", 0, 6, 10, "[]", goodStable),
			wantVerdict: "Inconclusive", wantReason: "NoData",
		},
		"half of the traffic goes where a tenth was wanted": {
			input:       history("r", goodStable) + looksOf("r", 0, 200, 10, goodStable, goodStable),
			policy:      "metrics: [{name: errors, signal: Errors, tolerate: {relative: 0%, absolute: 0%}}]",
			wantVerdict: "Inconclusive", wantReason: "ShareNotAsWanted",
		},
		"the step before the last is no promotion": {
			input:       history("r", goodStable) + looksOf("r", 0, 360, 10, goodCanary, goodStable),
			args:        []string{"--steps", "10,50,100"},
			wantVerdict: "Inconclusive", wantReason: "WithinTolerance",
		},
		"the longest duration ends without a verdict": {
			input:       history("r", goodStable) + looksOf("r", 0, 360, 10, goodCanary, goodStable),
			policy:      "maxDuration: 1m",
			wantVerdict: "Inconclusive", wantReason: "NotEnoughTraffic",
		},
		"the longest duration is extended": {
			input:       history("r", goodStable) + looksOf("r", 0, 360, 10, goodCanary, goodStable),
			policy:      "{maxDuration: 1m, onInconclusive: Extend}",
			wantVerdict: "Promote", wantReason: "WithinTolerance",
		},
		"history alone": {
			input:       history("r", goodStable),
			wantVerdict: "Inconclusive", wantReason: "NoData",
		},
	} {
		t.Run(name, func(t *testing.T) {
			args := c.args
			if c.policy != "" {
				args = append(args, "--policy", writePolicy(t, c.policy))
			}
			lines, complaints, failed := judged(t, c.input, args...)
			if failed || len(lines) != 1 {
				t.Fatalf("%d lines, failed %v: %s", len(lines), failed, complaints)
			}
			if lines[0].Verdict != c.wantVerdict || lines[0].Reason != c.wantReason {
				t.Errorf("%s, %s; want %s, %s", lines[0].Verdict, lines[0].Reason, c.wantVerdict, c.wantReason)
			}
		})
	}
}

// TestWarmupIsForgiven: where the policy names a warm-up, a cold cache is no harm; a version that is broken is.
func TestWarmupIsForgiven(t *testing.T) {
	cold := history("r", goodStable) + looksOf("r", 0, 6, 10, "[[50,2],[52,2]]", goodStable) +
		looksOf("r", 60, 6, 10, goodCanary, goodStable)
	if lines, _, _ := judged(t, cold); lines[0].Verdict != "Rollback" {
		t.Errorf("without a warm-up: %+v", lines[0])
	}
	warm := writePolicy(t, "analysis: {warmup: 60s}")
	if lines, _, _ := judged(t, cold, "--policy", warm); lines[0].Verdict != "Inconclusive" {
		t.Errorf("with a warm-up: %+v", lines[0])
	}
	broken := history("r", goodStable) + looksOf("r", 0, 6, 10, "[[50,25],[52,26]]", goodStable)
	if lines, _, _ := judged(t, broken, "--policy", warm); lines[0].Verdict != "Rollback" {
		t.Errorf("broken: %+v", lines[0])
	}
}

// TestJudgeSteps: each step is left when its own gate is passed, and evidence of one does not count for the next.
func TestJudgeSteps(t *testing.T) {
	input := history("r", "[[4800,3],[4800,2]]")
	for step, weight := range []int{10, 20, 50} {
		canary := fmt.Sprintf("[[%d,0],[%d,0]]", weight*50, weight*50)
		stable := fmt.Sprintf("[[%d,1],[%d,0]]", (100-weight)*50, (100-weight)*50)
		input += looksOf("r", step*600, 60, weight, canary, stable)
	}
	lines, complaints, failed := judged(t, input, "--steps", "10,20,50,100")
	if failed || len(lines) != 1 {
		t.Fatalf("%d lines: %s", len(lines), complaints)
	}
	if lines[0].Verdict != "Promote" || len(lines[0].Left) != 3 {
		t.Fatalf("%+v", lines[0])
	}
	for i, l := range lines[0].Left {
		if l.Second <= float64(i*600) || l.Second > float64(i*600+600) {
			t.Errorf("the step at %v %% was left at %v", l.Weight, l.Second)
		}
	}
}

func TestEveryLook(t *testing.T) {
	lines, _, _ := judged(t, history("r", goodStable)+looksOf("r", 0, 60, 10, badCanary, goodStable), "--every-look")
	if len(lines) != 90 {
		t.Fatalf("%d lines of 90 looks", len(lines))
	}
	fallen := 0
	for i, l := range lines {
		if l.Verdict == "Rollback" && fallen == 0 {
			fallen = i
		}
		if fallen > 0 && (l.Verdict != "Rollback" || l.Second != lines[fallen].Second) {
			t.Errorf("look %d after the verdict: %+v", i, l)
		}
	}
	if fallen < 31 {
		t.Errorf("the verdict fell at look %d", fallen)
	}
}

// TestEveryLookAnswersAtOnce: who writes one look and waits for the answer is answered.
func TestEveryLookAnswersAtOnce(t *testing.T) {
	fromTest, toJudge := io.Pipe()
	fromJudge, toTest := io.Pipe()
	done := make(chan error, 1)
	go func() {
		done <- runJudge(judgeOptions{intervals: "-", everyLook: true}, fromTest, toTest, io.Discard)
		_ = toTest.Close()
	}()
	answers := json.NewDecoder(fromJudge)
	for i := range 3 {
		if _, err := io.WriteString(toJudge, looksOf("r", 10*i, 1, 10, goodCanary, goodStable)); err != nil {
			t.Fatal(err)
		}
		var l said
		if err := answers.Decode(&l); err != nil || l.Second != float64(10*i+10) {
			t.Fatalf("answer %d: %+v, %v", i, l, err)
		}
	}
	_ = toJudge.Close()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
}

// TestJudgeGolden: a recording of several releases mixed, line by line as a person reads it.
func TestJudgeGolden(t *testing.T) {
	input, err := os.ReadFile(filepath.Join("testdata", "judge", "looks.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	var out, errOut bytes.Buffer
	Run([]string{
		"judge", "--intervals", filepath.Join("testdata", "judge", "looks.jsonl"), "--steps", "5,25,50,100",
		"--policy", filepath.Join("testdata", "judge", "policy.yaml"),
	}, &out, &errOut)
	if errOut.Len() > 0 || len(input) == 0 {
		t.Fatalf("complaints: %s", errOut.String())
	}
	golden := filepath.Join("testdata", "judge", "verdicts.jsonl")
	if *update {
		if err := os.WriteFile(golden, out.Bytes(), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), out.String()); diff != "" {
		t.Error(diff)
	}
}
