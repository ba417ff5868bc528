package telemetry

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// envoyLike counts last answers and tries; sourceLike last answers only; triesLike tries that retries take to any arm.
var (
	latencyCovers = Counted{Signal: Latency, View: AfterRetries, CoversTries: true}
	envoyLike     = Facts{Plane: "E", RetriesStay: true, Unreachable: true, Counted: []Counted{
		{Signal: Errors, View: AfterRetries}, {Signal: Errors, View: Attempts}, latencyCovers,
	}}
	sourceLike = Facts{Plane: "S", RetriesStay: true, Unreachable: true, Mirrors: MirrorsApart, Counted: []Counted{{Signal: Errors, View: AfterRetries}, latencyCovers}}
	triesLike  = Facts{Plane: "T", Unreachable: true, Mirrors: MirrorsNever, Counted: []Counted{{Signal: Errors, View: Attempts}, {Signal: Latency, View: Attempts}}}
)

func TestFit(t *testing.T) {
	both := []Signal{Errors, Latency}
	cases := map[string]struct {
		setup Setup
		want  []string
	}{
		"without retries, last answers are all that there is": {setup: Setup{Facts: sourceLike, Signals: both}},
		"with retries, an Envoy's tries are asked for":        {setup: Setup{Facts: envoyLike, Signals: both, Retries: true}},
		"with retries and last answers only, a bad canary would be hidden": {
			setup: Setup{Facts: sourceLike, Signals: both, Retries: true}, want: []string{"AttemptsNotVisible!"},
		},
		"with retries, a time that covers the tries before is enough": {setup: Setup{Facts: sourceLike, Signals: []Signal{Latency}, Retries: true}},
		"with retries, a time of the last try alone is not": {
			setup: Setup{Facts: Facts{RetriesStay: true, Unreachable: true, Counted: []Counted{{Signal: Latency, View: AfterRetries}}}, Signals: []Signal{Latency}, Retries: true},
			want:  []string{"AttemptsNotVisible!"},
		},
		"retries to any arm are said where each try counts for its arm": {
			setup: Setup{Facts: triesLike, Signals: both, Retries: true}, want: []string{"RetriesLeaveArm"},
		},
		"retries to any arm are refused where a last answer counts": {
			setup: Setup{Facts: envoyLike, Signals: both, Retries: true, RetriesChooseAnew: true}, want: []string{"RetriesLeaveArm!"},
		},
		"tries that do not arrive are said": {
			setup: Setup{Facts: Facts{RetriesStay: true, Counted: triesLike.Counted}, Signals: both, Retries: true}, want: []string{"AttemptsNotVisible"},
		},
		"no arm without a name":                        {setup: Setup{Facts: envoyLike, Signals: both, Canary: []string{}}, want: []string{"ArmsNotDisjoint!"}},
		"no name in both arms":                         {setup: Setup{Facts: envoyLike, Signals: both, Canary: []string{"s", "c"}}, want: []string{"ArmsNotDisjoint!"}},
		"a signal that is not there":                   {setup: Setup{Facts: Facts{Counted: triesLike.Counted[:1]}, Signals: both}, want: []string{"SignalNotMeasured!"}},
		"copies beside live requests are refused":      {setup: Setup{Facts: envoyLike, CanaryMirrored: true, CanaryLive: true}, want: []string{"MirrorsNotVisible!"}},
		"copies alone are said to be copies":           {setup: Setup{Facts: envoyLike, CanaryMirrored: true}, want: []string{"MirrorsNotVisible"}},
		"copies that are counted elsewhere do no harm": {setup: Setup{Facts: sourceLike, CanaryMirrored: true, CanaryLive: true}},
		"a plane that cannot copy has none to judge":   {setup: Setup{Facts: triesLike, CanaryMirrored: true}, want: []string{"MirrorsNotVisible!"}},
		"nothing is known of the zero value, so that it is refused": {
			setup: Setup{Signals: []Signal{Errors}, Retries: true}, want: []string{"SignalNotMeasured!", "RetriesLeaveArm", "AttemptsNotVisible"},
		},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			if c.setup.Canary == nil {
				c.setup.Canary = []string{"c"}
			}
			c.setup.Stable = []string{"s"}
			var got []string
			for _, f := range Fit(c.setup) {
				mark := ""
				if f.Refuses {
					mark = "!"
				}
				got = append(got, string(f.Problem)+mark)
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("findings (-want +got):\n%s", diff)
			}
		})
	}
}

func TestViewsToAskFor(t *testing.T) {
	both := []Signal{Errors, Latency}
	for name, c := range map[string]struct {
		setup Setup
		want  map[Signal]View
	}{
		"what users see, without retries": {Setup{Facts: envoyLike, Signals: both}, map[Signal]View{Errors: AfterRetries, Latency: AfterRetries}},
		"each try, with them":             {Setup{Facts: envoyLike, Signals: both, Retries: true}, map[Signal]View{Errors: Attempts, Latency: AfterRetries}},
		"what there is":                   {Setup{Facts: triesLike, Signals: both}, map[Signal]View{Errors: Attempts, Latency: Attempts}},
		"nothing of what is not measured": {Setup{Signals: both}, map[Signal]View{}},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(c.want, c.setup.Views()); diff != "" {
				t.Errorf("views (-want +got):\n%s", diff)
			}
		})
	}
}

func TestRefusalsSayTheWayOut(t *testing.T) {
	err := NoArms{Plane: "Kong", Why: "it counts by route"}.Refuse()
	for _, part := range []string{"Kong", "it counts by route", "counts in analysis.metrics"} {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("%q does not say %q", err, part)
		}
	}
	for _, f := range Refused(Fit(Setup{Facts: sourceLike, Signals: []Signal{Errors}, Retries: true, Canary: []string{"c"}, Stable: []string{"s"}})) {
		if !strings.HasPrefix(f.Message, "S: ") || !strings.Contains(f.Message, "switch retries off") {
			t.Errorf("message %q lacks the plane or the way out", f.Message)
		}
	}
}
