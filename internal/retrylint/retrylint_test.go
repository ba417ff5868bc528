package retrylint

import (
	"math"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func hop(name string, p Policy) Hop { return Hop{Name: name, Known: true, Policy: p} }

func on(retries int, triggers ...Failure) Policy { return Policy{Retries: retries, Triggers: triggers} }

// of is what a path makes of one failure.
func of(path []Hop, f Failure) (worst, sustained float64) {
	a := amplify(path, f)
	return a.Worst, a.Sustained
}

func TestAmplification(t *testing.T) {
	second := time.Second
	cases := map[string]struct {
		path             []Hop
		failure          Failure
		worst, sustained float64
	}{
		"two hops of two retries on 503 make nine tries": {
			[]Hop{hop("outer", on(2, "503")), hop("inner", on(2, "503"))}, "503", 9, 9,
		},
		"a failed connection that the inner hop retries is a 503 to the outer one": {
			[]Hop{hop("outer", on(2, "503")), hop("inner", on(2, Connect))}, Connect, 9, 9,
		},
		"an application's 500 passes both": {
			[]Hop{hop("outer", on(2, "503")), hop("inner", on(2, Connect))}, "500", 1, 1,
		},
		"an application's 503 is retried by the outer hop alone": {
			[]Hop{hop("outer", on(2, "503")), hop("inner", on(2, Connect))}, "503", 3, 3,
		},
		"only the hop beside it sees a failed connection": {
			[]Hop{hop("outer", on(2, Connect)), hop("inner", on(0))}, Connect, 1, 1,
		},
		"a refused stream is a 503 further out": {[]Hop{hop("o", on(1, "503")), hop("i", on(1))}, Refused, 2, 2},
		"a reset is a 503 further out":          {[]Hop{hop("o", on(1, "503")), hop("i", on(1))}, Reset, 2, 2},
		"a timeout is a 504 further out":        {[]Hop{hop("o", on(1, "504")), hop("i", on(1))}, Timeout, 2, 2},
		"a timeout is no 503 further out":       {[]Hop{hop("o", on(1, "503")), hop("i", on(1))}, Timeout, 1, 1},
		"timeouts end when the whole time is over": {
			[]Hop{hop("h", Policy{Retries: 5, Triggers: []Failure{Timeout}, Request: second, PerTry: 400 * time.Millisecond})}, Timeout, 3, 3,
		},
		"other failures do not take time": {
			[]Hop{hop("h", Policy{Retries: 5, Triggers: []Failure{"503"}, Request: second, PerTry: 400 * time.Millisecond})}, "503", 6, 6,
		},
		"a budget of concurrency": {
			[]Hop{hop("h", Policy{Retries: 3, Triggers: []Failure{"503"}, Budget: Budget{Concurrency, 0.2}})}, "503", 4, 1.25,
		},
		"a budget of a ratio": {
			[]Hop{hop("h", Policy{Retries: 3, Triggers: []Failure{"503"}, Budget: Budget{Ratio, 0.2}})}, "503", 4, 1.2,
		},
		"a budget that is larger than the retries": {
			[]Hop{hop("h", Policy{Retries: 1, Triggers: []Failure{"503"}, Budget: Budget{Concurrency, 0.9}})}, "503", 2, 2,
		},
		"a budget of everything bounds nothing": {
			[]Hop{hop("h", Policy{Retries: 1, Triggers: []Failure{"503"}, Budget: Budget{Concurrency, 1}})}, "503", 2, 2,
		},
		"an unknown hop counts 1 and answers for what did not": {
			[]Hop{hop("o", on(2, "503")), {Name: "?"}}, Connect, 3, 3,
		},
		"no path": {nil, Connect, 1, 1},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			worst, sustained := of(c.path, c.failure)
			if worst != c.worst || math.Abs(sustained-c.sustained) > 1e-9 {
				t.Errorf("worst %v, sustained %v; want %v, %v", worst, sustained, c.worst, c.sustained)
			}
		})
	}
}

func TestTheWorstFailureComesFirst(t *testing.T) {
	path := []Hop{hop("outer", on(2, "503")), hop("inner", on(3, Connect))}
	var got []Failure
	for _, a := range Amplify(path) {
		got = append(got, a.Failure)
	}
	if diff := cmp.Diff([]Failure{Connect, Refused, Reset, "503"}, got); diff != "" {
		t.Errorf("failures (-want +got):\n%s", diff)
	}
}

func TestEnvoyTriggers(t *testing.T) {
	for text, want := range map[string][]Failure{
		"connect-failure, refused-stream": {Connect, Refused},
		"gateway-error":                   {Connect, Refused, Reset, Timeout, "502", "503", "504"},
		"reset":                           {Connect, Refused, Reset, Timeout},
		"reset-before-request":            {Connect, Reset},
		"retriable-4xx,503":               {"409", "503"},
		"unavailable":                     {"UNAVAILABLE"},
		"":                                nil,
	} {
		if diff := cmp.Diff(want, EnvoyTriggers(text)); diff != "" {
			t.Errorf("%q (-want +got):\n%s", text, diff)
		}
	}
	if all := EnvoyTriggers("5xx"); len(all) != 104 || !slices.Contains(all, "599") {
		t.Errorf("5xx are %v", all)
	}
}

func TestDefaults(t *testing.T) {
	names := make([]string, 0, 13)
	for _, d := range Defaults() {
		names = append(names, string(d.Plane))
		if d.Source == "" {
			t.Errorf("%s: no source", d.Plane)
		}
		if again, ok := DefaultOf(d.Plane); !ok || cmp.Diff(d, again) != "" {
			t.Errorf("%s is not found again", d.Plane)
		}
	}
	sorted := slices.Clone(names)
	slices.SortFunc(sorted, compareFold)
	if diff := cmp.Diff(sorted, names); diff != "" {
		t.Errorf("order (-want +got):\n%s", diff)
	}
	if _, ok := DefaultOf("unheard of"); ok {
		t.Error("an unknown plane has a default")
	}
	// A gateway and a sidecar of Istio, as they are: a failed connection is retried by the sidecar, and its 503 by nobody.
	istio, _ := DefaultOf(Istio)
	if worst, _ := of([]Hop{hop("gateway", istio.Policy), hop("sidecar", istio.Policy)}, Connect); worst != 3 {
		t.Errorf("Istio twice makes %v of a failed connection, want 3", worst)
	}
}
