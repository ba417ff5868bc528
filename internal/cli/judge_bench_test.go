package cli

import (
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"
	"testing"

	"slipway.dev/slipway/api/v1alpha1"
)

var v1alpha1Block v1alpha1.AnalysisSpec

// recording is looks of one metric with one pair for each arm, of many releases mixed.
func recording(looks int) []byte {
	const releases = 100
	r := rand.New(rand.NewPCG(1, 2))
	var b bytes.Buffer
	for i := range looks {
		fmt.Fprintf(&b, `{"release":"release-%d","second":%d,"weight":10,"history":%t,"metrics":{"errors":{"canary":[[%d,%d]],"stable":[[%d,%d]]}}}`+"\n",
			i%releases, 10*(i/releases+1), i < 30*releases, 990+r.IntN(20), r.IntN(3), 8990+r.IntN(20), 3+r.IntN(12))
	}
	return b.Bytes()
}

// BenchmarkJudge is how many looks a second the command judges on one core, reading and parsing included.
func BenchmarkJudge(b *testing.B) {
	const looks = 60_000 // 600 looks of a release: an hour and forty minutes
	text := recording(looks)
	rules, err := newRules(v1alpha1Block, nil)
	if err != nil {
		b.Fatal(err)
	}
	// Nothing is tolerated, so that no release is promoted and every look is judged to the end.
	rules.block.Metrics = []v1alpha1.Metric{{Name: "errors", Tolerate: v1alpha1.Tolerance{Relative: "0%", Absolute: "0%"}}}
	b.ReportAllocs()
	b.SetBytes(int64(len(text)))
	for b.Loop() {
		var out bytes.Buffer
		if err := newReplay(rules, false, &out, io.Discard).run(bytes.NewReader(text)); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.N)*looks/b.Elapsed().Seconds(), "looks/s")
}
