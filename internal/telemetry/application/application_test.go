package application

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"slipway.dev/slipway/internal/telemetry"
)

func TestParseSelector(t *testing.T) {
	for text, want := range map[string]string{
		`checkout_total`:                        `checkout_total{}`,
		`checkout_total{}`:                      `checkout_total{}`,
		` job:rq:sum { a = "1" , b != "2", } `:  `job:rq:sum{a="1",b!="2"}`,
		`rq{code=~"5..",path!~"/health|/live"}`: `rq{code=~"5..",path!~"/health|/live"}`,
		`rq{a="1\"} or x{b="}`:                  `rq{a="1\"} or x{b="}`,
		`rq{q="say \"hi\", {there}"}`:           `rq{q="say \"hi\", {there}"}`,
		"rq{re=~`a\\.b`}":                       `rq{re=~"a\\.b"}`,
	} {
		got, err := ParseSelector(text)
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		if diff := cmp.Diff(want, got.String()); diff != "" {
			t.Errorf("%s (-want +got):\n%s", text, diff)
		}
	}
}

// attacks try to see what is not the user's own.
var attacks = map[string]string{
	"another namespace":                 `rq{namespace="bank"}`,
	"any namespace":                     `rq{namespace=~".*"}`,
	"no namespace":                      `rq{namespace!="shop"}`,
	"another pod":                       `rq{pod="vault-0"}`,
	"another name":                      `rq{__name__="secret_total"}`,
	"a second selector":                 `rq{a="1"} or secret_total{namespace="bank"}`,
	"an early end of the braces":        `rq{a="1"}[5m]) or vector(1`,
	"a quote in a value":                `rq{a="1",namespace="bank"}`,
	"a function":                        `sum(rq)`,
	"a range":                           `rq[5m]`,
	"an offset":                         `rq offset 1h`,
	"a moment":                          `rq @ 1`,
	"a subquery":                        `rq{a="1"}[5m:1m]`,
	"a comment":                         "rq{a=\"1\" # }\n}",
	"a pattern that leaves its anchors": `rq{a=~"x)|(.*"}`,
	"a broken pattern":                  `rq{a=~"("}`,
	"a quoted name":                     `{"rq"}`,
	"only matchers":                     `{a="1"}`,
	"single quotes":                     `rq{a='1'}`,
	"nothing":                           ``,
	"a second line":                     "rq\nsecret",
	"the scrape's own series":           `up`,
	"a missing comma":                   `rq{a="1" b="2"}`,
	"an open end":                       `rq{a="1"`,
	"a label with a dash":               `rq{a-b="1"}`,
}

func TestWhatIsNotAPlainSelectorIsRefused(t *testing.T) {
	for name, text := range attacks {
		if s, err := ParseSelector(text); err == nil {
			t.Errorf("%s: %s is accepted as %s", name, text, s)
		}
	}
}

var arms = Arms{Namespace: "shop", Canary: Pods{Pattern: "checkout-canary-[a-z0-9]+-[a-z0-9]{5}"}, Stable: Pods{Listed: []Pod{{Name: "checkout-1"}}}}

func TestErrorsNameTheField(t *testing.T) {
	for field, p := range map[string]Pair{
		"bad":   {Bad: `rq{namespace="bank"}`, Total: "rq"},
		"total": {Bad: "rq", Total: `rq{pod="x"}`},
	} {
		if _, err := Query(p, arms); err == nil || !strings.HasPrefix(err.Error(), field+":") {
			t.Errorf("%s: error %v", field, err)
		}
	}
}

func labels(pairs ...string) telemetry.Labels {
	l := telemetry.Labels{"namespace": "shop", "job": "app", "instance": "10.0.0.1:8080"}
	for i := 0; i < len(pairs); i += 2 {
		l[pairs[i]] = pairs[i+1]
	}
	return l
}

func TestRole(t *testing.T) {
	q, err := Query(Pair{Bad: `rq{result="failed",app="x"}`, Total: `rq{app="x"}`}, arms)
	if err != nil {
		t.Fatal(err)
	}
	cases := map[string]struct {
		labels telemetry.Labels
		part   telemetry.Part
		arm    telemetry.Arm
		ours   bool
	}{
		"a failed request of the canary":    {labels("__name__", "rq", "app", "x", "result", "failed", "pod", "checkout-canary-6b5-x2x4z"), telemetry.RequestsAndBad, telemetry.Canary, true},
		"a good request of stable":          {labels("__name__", "rq", "app", "x", "result", "ok", "pod", "checkout-1"), telemetry.Requests, telemetry.Stable, true},
		"a scrape":                          {labels("__name__", "up", "pod", "checkout-1"), telemetry.Presence, telemetry.Stable, true},
		"a series that no selector matches": {labels("__name__", "rq", "app", "y", "pod", "checkout-1"), 0, 0, false},
		"a pod of neither arm":              {labels("__name__", "rq", "app", "x", "pod", "checkout-11"), 0, 0, false},
		"a pod of that name elsewhere":      {labels("__name__", "rq", "app", "x", "pod", "checkout-1", "namespace", "bank"), 0, 0, false},
		"a series without a pod":            {labels("__name__", "rq", "app", "x"), 0, 0, false},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			r, ours := q.Role(c.labels)
			if ours != c.ours || ours && (r.Part != c.part || r.Arm != c.arm) {
				t.Errorf("part %v, arm %v, ours %t; want %v, %v, %t", r.Part, r.Arm, ours, c.part, c.arm, c.ours)
			}
		})
	}
}

func TestSelector(t *testing.T) {
	q, err := Query(Pair{Bad: `rq{result="failed",app="x"}`, Total: `rq{app="x"}`}, arms)
	if err != nil {
		t.Fatal(err)
	}
	const want = `{__name__=~"rq|up",namespace=~"shop",app=~"|x",pod=~"(?:checkout-canary-[a-z0-9]+-[a-z0-9]{5})|checkout-1"}`
	if diff := cmp.Diff(want, q.Selector(nil).String()); diff != "" {
		t.Errorf("selector (-want +got):\n%s", diff)
	}
}

func TestAPodInBothArmsIsSaid(t *testing.T) {
	q, err := Query(Pair{Bad: "bad", Total: "rq"}, Arms{
		Namespace: "shop", Canary: Pods{Listed: []Pod{{Name: "p"}}}, Stable: Pods{Pattern: "p"},
	})
	if err != nil {
		t.Fatal(err)
	}
	tr := telemetry.NewTracker(time.Time{}, []telemetry.Metric{{Name: "m", Query: q}})
	looks := tr.Feed([]telemetry.Series{{
		Labels:  labels("__name__", "rq", "pod", "p"),
		Samples: []telemetry.Sample{{UnixMillis: 1000, Value: 1}, {UnixMillis: 3000, Value: 5}},
	}})
	if len(looks) != 1 || len(looks[0].Metrics[0].Canary)+len(looks[0].Metrics[0].Stable) != 0 {
		t.Errorf("looks %v, want one without counts", looks)
	}
	if diff := cmp.Diff("a pod is in both arms", tr.Health().Metrics[0].Problem); diff != "" {
		t.Errorf("problem (-want +got):\n%s", diff)
	}
}

// FuzzSelector: what is accepted selects own pods only, and says the same when it is read again.
func FuzzSelector(f *testing.F) {
	for _, text := range attacks {
		f.Add(text)
	}
	f.Add(`rq{a="1",b=~"x|y"}`)
	f.Fuzz(func(t *testing.T, text string) {
		s, err := ParseSelector(text)
		if err != nil {
			return
		}
		again, err := ParseSelector(s.String())
		if err != nil || again.String() != s.String() {
			t.Fatalf("%q is read as %s, and that as %s (%v)", text, s, again, err)
		}
		for _, m := range s.matchers {
			if m.label == "namespace" || m.label == "pod" || m.label == "__name__" {
				t.Fatalf("%q matches %s", text, m.label)
			}
		}
		q, err := Query(Pair{Bad: text, Total: text}, arms)
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(q.Selector(nil).String(), `namespace=~"shop"`) {
			t.Fatalf("%q is fetched with %s", text, q.Selector(nil))
		}
		if _, ours := q.Role(labels("__name__", s.name, "pod", "checkout-1", "namespace", "bank")); ours {
			t.Fatalf("%q counts another namespace", text)
		}
	})
}
