package judge

import (
	"math"
	"testing"
	"time"
)

// block is one look in which a block of the gauge ends, beside an ordinary metric with healthy requests.
func block(at int64, worse float64) Look {
	healthy := Counts{Canary: []PodCount{{Requests: 100}}, Stable: []PodCount{{Requests: 900, Bad: 1}}, PodsUnknown: true}
	return Look{
		From: time.Unix(at-60, 0), To: time.Unix(at, 0), NextShare: 1,
		Metrics: []Counts{healthy, {Canary: []PodCount{{Requests: 1, Bad: worse}}}},
	}
}

func gaugePolicy() Policy {
	return Policy{
		FalseRollbackRisk: .05, BadPromotionRisk: .05, Steps: 1,
		Metrics: []MetricPolicy{{Name: "errors", Relative: .1, Absolute: .01}, {Name: "queue", Signs: true}},
	}
}

func TestSignsAreJudgedByTheSignTest(t *testing.T) {
	p := gaugePolicy()
	s := NewState(p)
	for i := int64(1); i <= 8; i++ {
		if err := s.Observe(p, block(60*i, 1)); err != nil {
			t.Fatal(err)
		}
		want := math.Log(SignEvidence(int(i), 0))
		if harm, _, _ := s.LogEvidence(p, 1); math.Abs(harm-want) > 1e-9 {
			t.Fatalf("after %d worse blocks: log evidence %v, want %v", i, harm, want)
		}
	}
	if a := s.Assess(p, 1); a.Verdict != Rollback || a.Metric != "queue" {
		t.Errorf("eight worse blocks of eight: %v by %q (%s), want rollback by the gauge", a.Verdict, a.Metric, a.Detail)
	}
}

func TestSignsOfHealthAreOfTheirStep(t *testing.T) {
	p := gaugePolicy()
	p.Steps = 2
	s := NewState(p)
	for i := int64(1); i <= 8; i++ {
		if err := s.Observe(p, block(60*i, 0)); err != nil {
			t.Fatal(err)
		}
	}
	if a := s.Assess(p, 1); a.Verdict != Advance {
		t.Errorf("eight blocks of eight are not worse: %v (%s), want the gate passed", a.Verdict, a.Detail)
	}
	next := block(60*9, 0)
	next.Step = 1
	if err := s.Observe(p, next); err != nil {
		t.Fatal(err)
	}
	if _, _, health := s.LogEvidence(p, 1); math.Abs(health-math.Log(SignEvidence(1, 0))) > 1e-9 {
		t.Errorf("log evidence of health %v in a step with one block, want that of one block", health)
	}
}

func TestSignsSurviveBeingWrittenDown(t *testing.T) {
	p := gaugePolicy()
	s, again := NewState(p), NewState(p)
	if err := s.Observe(p, block(60, 1)); err != nil {
		t.Fatal(err)
	}
	text, err := s.MarshalText()
	if err != nil {
		t.Fatal(err)
	}
	if err := again.UnmarshalText(text); err != nil || !again.Equal(s) {
		t.Errorf("read back: %v, equal %t", err, again.Equal(s))
	}
}
