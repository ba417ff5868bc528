package traffic

import (
	"errors"
	"regexp"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"slipway.dev/slipway/api/v1alpha1"
)

// TestNeedsNamesEverything goes through all capabilities: an intent must be able to need each.
func TestNeedsNamesEverything(t *testing.T) {
	split := Split{
		Name: "s", Service: "a", SectionName: "r", Backends: arms(1, 1),
		Matches: []Match{{Backend: "b", Headers: []Pair{{"h", "1"}}, Cookies: []Pair{{"c", "1"}}}},
		Mirror:  &Mirror{Backend: "b", Percent: 5}, Affinity: &Affinity{Cookie: "c"},
	}
	on := Retry{
		SectionName: "r", Retries: new(int32(2)), Codes: []int32{503}, Statuses: []v1alpha1.GRPCStatus{v1alpha1.GRPCInternal}, AllMethods: true,
		Triggers: []v1alpha1.RetryTrigger{"ConnectFailure", "GatewayError", "RefusedStream", "Reset", "ResetBeforeRequest", "Retriable4xx", "ServerError"},
		Request:  time.Second, PerTry: time.Second, BackoffBase: 1, BackoffMax: 1, Budget: &Budget{Percent: 1, MinConcurrent: new(int32(1)), MinPerSecond: new(int32(1))},
	}
	got := Needs(Intent{Splits: []Split{split}, Retries: []Retry{on, {Retries: new(int32(0))}}})
	if diff := cmp.Diff(slices.Sorted(slices.Values(All())), got); diff != "" {
		t.Errorf("needs (-all +got):\n%s", diff)
	}
	if got := Needs(Intent{Retries: []Retry{{Request: time.Second}}}); !slices.Equal(got, []Capability{RequestTimeout}) {
		t.Errorf("a policy with a timeout alone needs %v", got)
	}
}

func TestCheckWeights(t *testing.T) {
	for name, tc := range map[string]struct {
		weights []Backend
		parts   int64
		refused bool
	}{
		"whole percent":                        {arms(90, 10), 100, false},
		"a weight that becomes nothing":        {arms(999, 1), 100, true},
		"less than a tenth off":                {arms(1000-109, 109), 100, false},
		"more than a tenth off":                {arms(1000-13, 13), 100, true},
		"a feather where all weights are fine": {arms(999_999, 1), 0, false},
		"a feather in a million":               {arms(999_999, 1), 1_000_000, false},
		"a ten-thousandth":                     {arms(9_999, 1), 10_000, false},
		"weight zero is nothing":               {arms(1, 0), 100, false},
		"three thirds":                         {[]Backend{{"a", 1}, {"b", 1}, {"c", 1}}, 100, false},
	} {
		t.Run(name, func(t *testing.T) {
			err := CheckWeights("backends", tc.weights, Offer{Plane: "Test", Parts: tc.parts})
			refused, ok := errors.AsType[*RefusedError](err)
			if ok != tc.refused || (ok && refused.Reason != WeightResolution) {
				t.Errorf("err = %v", err)
			}
		})
	}
}

func TestParts(t *testing.T) {
	for name, tc := range map[string]struct {
		weights []Backend
		want    []int32
	}{
		"thirds":           {[]Backend{{"a", 1}, {"b", 1}, {"c", 1}}, []int32{34, 33, 33}},
		"everything":       {arms(0, 7), []int32{0, 100}},
		"large weights":    {arms(999_990, 10), []int32{100, 0}},
		"nothing to share": {arms(0, 0), []int32{0, 0}},
	} {
		t.Run(name, func(t *testing.T) {
			var got []int32
			for _, b := range Parts(tc.weights, 100) {
				got = append(got, b.Weight)
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("parts (-want +got):\n%s", diff)
			}
		})
	}
}

func TestFormatDuration(t *testing.T) {
	gatewayAPI := regexp.MustCompile(`^([0-9]{1,5}(h|m|s|ms)){1,4}$`)
	for d, want := range map[time.Duration][2]string{
		0:                                   {"0s", "0ms"},
		250 * time.Millisecond:              {"250ms", "250ms"},
		1500 * time.Millisecond:             {"1s500ms", "1500ms"},
		90 * time.Second:                    {"1m30s", "90s"},
		2 * time.Hour:                       {"2h", "2h"},
		time.Hour + 62*time.Second + 3*1e6:  {"1h1m2s3ms", "3662003ms"},
		500 * time.Microsecond:              {"0s", "0ms"},
		99*time.Hour + 999*time.Millisecond: {"99h999ms", "356400999ms"},
	} {
		if got := [2]string{FormatDuration(d), FormatMillis(d)}; got != want {
			t.Errorf("%s: got %v, want %v", d, got, want)
		}
		if got := FormatDuration(d); !gatewayAPI.MatchString(got) {
			t.Errorf("Gateway API refuses %q", got)
		}
	}
}

func TestCookieExpression(t *testing.T) {
	two := []Pair{{"a", "1"}, {"b.c", "2"}}
	for name, tc := range map[string]struct {
		cookies []Pair
		header  string
		want    bool
	}{
		"alone":                    {two[:1], "a=1", true},
		"first":                    {two[:1], "a=1; z=9", true},
		"last":                     {two[:1], "z=9; a=1", true},
		"the end of another name":  {two[:1], "xa=1", false},
		"the start of a value":     {two[:1], "a=12", false},
		"another value":            {two[:1], "a=2", false},
		"both":                     {two, "a=1; b.c=2", true},
		"both, the other way":      {two, "b.c=2; a=1", true},
		"both with one in between": {two, "x=1; a=1; z=9; b.c=2; y=1", true},
		"one of two":               {two, "a=1; z=2", false},
		"a dot is a dot":           {two[1:], "bxc=2", false},
		"without spaces":           {two, "a=1;b.c=2", true},
	} {
		t.Run(name, func(t *testing.T) {
			expression, err := CookieExpression(tc.cookies)
			if err != nil {
				t.Fatal(err)
			}
			if got := regexp.MustCompile("^(?:" + expression + ")$").MatchString(tc.header); got != tc.want {
				t.Errorf("%q matches %q: %t", expression, tc.header, got)
			}
		})
	}
	if _, err := CookieExpression(slices.Repeat(two, 2)); err == nil {
		t.Error("four cookies are accepted")
	}
	any2 := regexp.MustCompile("^(?:" + AnyCookieExpression("a", []string{"1.x", "2.x"}) + ")$")
	for header, want := range map[string]bool{"a=1.x": true, "z=1; a=2.x; b=1": true, "a=3.x": false, "a=1.xy": false, "a=1yx": false} {
		if any2.MatchString(header) != want {
			t.Errorf("%q is matched: %t", header, !want)
		}
	}
}
