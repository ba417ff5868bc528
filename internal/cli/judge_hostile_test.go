package cli

import (
	"bytes"
	"encoding/json"
	"io"
	"math"
	"strings"
	"testing"
)

// TestLinesThatAreLeftOut: a line that cannot be read or cannot be true is named and changes nothing: the verdict and its
// numbers are those without it.
func TestLinesThatAreLeftOut(t *testing.T) {
	before := history("r", goodStable) + looksOf("r", 0, 3, 10, goodCanary, goodStable)
	after := looksOf("r", 40, 60, 10, badCanary, goodStable)
	want, _, _ := judged(t, before+after)
	line := func(fields string) string {
		return `{"release":"r","second":40,"weight":10,` + fields + `}`
	}
	pods := func(canary string) string {
		return line(`"metrics":{"errors":{"canary":` + canary + `,"stable":[[9,0]]}}`)
	}
	for name, c := range map[string]struct{ bad, says string }{
		"no JSON":                     {"hello", `'{' is missing`},
		"cut short":                   {line(`"metrics":{`)[:45], "does not end"},
		"two looks on a line":         {line(`"metrics":{}`) + line(`"metrics":{}`), "one look on each line"},
		"a field that is not known":   {line(`"histroy":true`), `"histroy" is not known`},
		"a field twice":               {line(`"second":41,"metrics":{}`), "twice"},
		"a metric twice":              {line(`"metrics":{"errors":{},"errors":{}}`), "twice"},
		"an arm that is not known":    {line(`"metrics":{"errors":{"baseline":[]}}`), `arm "baseline"`},
		"no release":                  {`{"second":40,"metrics":{}}`, "release is missing"},
		"no second":                   {`{"release":"r","metrics":{}}`, "second is missing"},
		"no metrics":                  {line(`"history":false`), "metrics are missing"},
		"a weight over all":           {`{"release":"r","second":40,"weight":101,"metrics":{}}`, "weight 101"},
		"a metric nobody asked for":   {line(`"metrics":{"latency":{}}`), "name it in the policy"},
		"more bad than requests":      {pods("[[50,51]]"), "51 bad of 50"},
		"negative requests":           {pods("[[-1,0]]"), "correct the line"},
		"negative bad":                {pods("[[5,-1]]"), "correct the line"},
		"more requests than can be":   {pods("[[1e300,0]]"), "correct the line"},
		"a number that overflows":     {pods("[[1e999,0]]"), "too large"},
		"a number that is none":       {pods("[[NaN,0]]"), "number is missing"},
		"a number in words":           {pods(`[["5",0]]`), "number is missing"},
		"a number with a zero before": {pods(`[[05,0]]`), "number is missing"},
		"a pair of one":               {pods("[[5]]"), "is missing"},
		"a pair of three":             {pods("[[5,0,0]]"), "is missing"},
		"history when it has begun":   {line(`"history":true,"metrics":{}`), "has begun"},
		"the second of the last look": {strings.Replace(pods("[[5,0]]"), "40", "30", 1), "sort its lines"},
		"a second of long ago":        {strings.Replace(pods("[[5,0]]"), "40", "-5", 1), "sort its lines"},
		"a second that cannot be":     {strings.Replace(pods("[[5,0]]"), "40", "1e30", 1), "correct the line"},
		"a line without end":          {strings.Repeat("x", longestLine+5), "longer than 4 MiB"},
	} {
		t.Run(name, func(t *testing.T) {
			got, complaints, failed := judged(t, before+c.bad+"\n"+after)
			if !failed || !strings.Contains(complaints, "line 34 is left out") || !strings.Contains(complaints, c.says) {
				t.Errorf("failed %v, says %s", failed, complaints)
			}
			if len(got) != 1 || got[0].Second != want[0].Second || got[0].LogHarm["errors"] != want[0].LogHarm["errors"] {
				t.Errorf("%+v, want %+v", got, want)
			}
		})
	}
}

// TestReleaseOfNonsense: a release of which no line can be true has no data, never evidence.
func TestReleaseOfNonsense(t *testing.T) {
	lines, _, failed := judged(t, looksOf("r", 0, 60, 10, "[[1,100]]", "[[100,0]]"))
	if !failed || len(lines) != 1 || lines[0].Verdict != "Inconclusive" || lines[0].Reason != "NoData" || lines[0].LogHarm["errors"] != 0 {
		t.Errorf("failed %v, %+v", failed, lines)
	}
}

func TestFlagsThatCannotBe(t *testing.T) {
	for name, args := range map[string][]string{
		"steps that fall":       {"--steps", "20,10"},
		"steps of words":        {"--steps", "few,many"},
		"a step over all":       {"--steps", "50,120"},
		"a policy of nowhere":   {"--policy", "testdata/judge/none.yaml"},
		"looks of nowhere":      {"--intervals", "testdata/judge/none.jsonl"},
		"a policy with a typo":  {"--policy", writePolicy(t, "falseRolbackRisk: 1%")},
		"a policy without risk": {"--policy", writePolicy(t, "falseRollbackRisk: 0%")},
	} {
		t.Run(name, func(t *testing.T) {
			var errOut bytes.Buffer
			if status := Run(append([]string{"judge"}, args...), io.Discard, &errOut); status == 0 || errOut.Len() == 0 {
				t.Errorf("status %d, says %q", status, errOut.String())
			}
		})
	}
}

// FuzzJudgeLine: whatever is on a line, reading it ends, and what it takes is JSON that says the same.
func FuzzJudgeLine(f *testing.F) {
	f.Add(looksOf("r", 0, 1, 10, goodCanary, goodStable))
	f.Add(`{"release":"\u00e9\"","second":-1.5e1,"weight":0.5,"history":true,"metrics":{"a":{"canary":[],"stable":[[1e3,0]]},"b":{}}}`)
	f.Add(`{"release":"é","second":12345678901234567890,"metrics":{"a":{"canary":[[1,`)
	f.Fuzz(func(t *testing.T, line string) {
		var look recordedLook
		if look.read([]byte(line)) != nil {
			return
		}
		var want struct {
			Release string
			Second  float64
			Weight  float64
			History bool
			Metrics map[string]map[string][][2]float64
		}
		if err := json.Unmarshal([]byte(line), &want); err != nil {
			t.Fatalf("taken, and no JSON: %v", err)
		}
		if string(look.release) != want.Release || look.second != want.Second || look.history != want.History ||
			look.weight != want.Weight || len(look.metrics) != len(want.Metrics) {
			t.Fatalf("read as %+v, is %+v", look, want)
		}
		for _, m := range look.metrics {
			arms := want.Metrics[string(m.name)]
			if len(m.canary) != len(arms["canary"]) || len(m.stable) != len(arms["stable"]) {
				t.Fatalf("read as %+v, is %+v", m, arms)
			}
			for i, pod := range m.canary {
				if pod.Requests != arms["canary"][i][0] || pod.Bad != arms["canary"][i][1] {
					t.Fatalf("read as %+v, is %v", pod, arms["canary"][i])
				}
			}
		}
	})
}

// FuzzJudgeReplay: whatever is in a recording, there is no panic, and what is written is JSON with numbers.
func FuzzJudgeReplay(f *testing.F) {
	f.Add(history("r", goodStable)+looksOf("r", 0, 5, 10, badCanary, goodStable), true)
	f.Add("{}\n\x00\n"+looksOf("é", 0, 2, 10, "[[1e15,1e15],[1e-6,0]]", "[[0,0]]"), false)
	f.Fuzz(func(t *testing.T, recording string, everyLook bool) {
		var out bytes.Buffer
		r, err := newRules(v1alpha1Block, []float64{5, 50})
		if err != nil {
			t.Fatal(err)
		}
		_ = newReplay(r, everyLook, &out, io.Discard).run(strings.NewReader(recording))
		decoder := json.NewDecoder(&out)
		for {
			var l said
			if err := decoder.Decode(&l); err == io.EOF {
				return
			} else if err != nil {
				t.Fatalf("written, and no JSON: %v", err)
			}
			for metric, v := range l.LogHarm {
				if math.IsNaN(v) {
					t.Fatalf("%s: %v", metric, v)
				}
			}
		}
	})
}
