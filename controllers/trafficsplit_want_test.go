package controllers

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"slipway.dev/slipway/api/v1alpha1"
	"slipway.dev/slipway/internal/traffic"
)

func TestNextBeside(t *testing.T) {
	matches := []v1alpha1.TrafficMatch{{Backend: "next"}}
	others := []v1alpha1.TrafficMatch{{Backend: "other"}}
	mirror := v1alpha1.TrafficMirror{Backend: "next", Percent: 5}
	const dormant, active = v1alpha1.SplitRulesDormant, v1alpha1.SplitRulesActive
	for name, tc := range map[string]struct {
		now, want beside
		applied   bool
		next      beside
		done      bool
	}{
		"nothing, and nothing wanted":                 {done: true},
		"rules come in asleep":                        {want: beside{rules: active, matches: matches}, applied: true, next: beside{rules: dormant, matches: matches}},
		"and sleep until they are applied":            {now: beside{rules: dormant, matches: matches}, want: beside{rules: active, matches: matches}, next: beside{rules: dormant, matches: matches}},
		"then they take requests":                     {now: beside{rules: dormant, matches: matches}, want: beside{rules: active, matches: matches}, applied: true, next: beside{rules: active, matches: matches}, done: true},
		"other rules take their place at once":        {now: beside{rules: active, matches: matches}, want: beside{rules: active, matches: others}, next: beside{rules: active, matches: others}, done: true},
		"users are taken off at once":                 {now: beside{rules: active, matches: matches, mirror: mirror}, next: beside{rules: dormant, matches: matches}},
		"and the rules stay until that is applied":    {now: beside{rules: dormant, matches: matches}, next: beside{rules: dormant, matches: matches}},
		"then they go":                                {now: beside{rules: dormant, matches: matches}, applied: true, done: true},
		"a mirror needs no rules":                     {want: beside{mirror: mirror}, next: beside{mirror: mirror}, done: true},
		"a mirror comes with rules that are asleep":   {want: beside{rules: active, matches: matches, mirror: mirror}, next: beside{rules: dormant, matches: matches, mirror: mirror}},
		"rules that were asleep for others stay so":   {now: beside{rules: dormant, matches: others}, want: beside{rules: active, matches: matches}, next: beside{rules: dormant, matches: matches}},
		"a mirror goes at once with rules that leave": {now: beside{rules: dormant, matches: matches, mirror: mirror}, next: beside{rules: dormant, matches: matches}},
	} {
		t.Run(name, func(t *testing.T) {
			next, done := nextBeside(tc.now, tc.want, tc.applied)
			if !sameBeside(next, tc.next) || done != tc.done {
				t.Errorf("next is %+v, done %t", next, done)
			}
		})
	}
}

func TestDrawnRemembersShares(t *testing.T) {
	split := &v1alpha1.TrafficSplit{ObjectMeta: metav1.ObjectMeta{UID: "12345678-90ab"}}
	split.Status.Run.Sequence = new(int64(6))
	shares := func(stable, canary int32) []traffic.Backend {
		return []traffic.Backend{{Name: "app", Weight: stable}, {Name: "app-canary", Weight: canary}}
	}
	wanted := beside{affinity: v1alpha1.SplitAffinity{Cookie: v1alpha1.AffinityCookie{Name: "c"}}}
	first := drawn(wanted, v1alpha1.SplitAffinity{}, split, shares(90, 10)).affinity
	want := v1alpha1.SplitAffinity{
		Cookie: v1alpha1.AffinityCookie{Name: "c"}, Round: "12345678-7",
		Draws: []v1alpha1.SplitDraw{{Number: 7, Backends: apiBackends(shares(90, 10))}},
	}
	if diff := cmp.Diff(want, first); diff != "" {
		t.Errorf("first (-want +got):\n%s", diff)
	}
	if same := drawn(wanted, first, split, shares(9, 1)).affinity; !cmp.Equal(same, first) {
		t.Errorf("the same shares are a new draw: %v", same)
	}
	split.Status.Run.Sequence = new(int64(7))
	second := drawn(wanted, first, split, shares(50, 50)).affinity
	if len(second.Draws) != 2 || second.Draws[1].Number != 8 || second.Round != first.Round {
		t.Errorf("second = %+v", second)
	}
	other := wanted
	other.affinity.Cookie.Name = "d"
	if again := drawn(other, second, split, shares(50, 50)).affinity; len(again.Draws) != 1 || again.Round == first.Round {
		t.Errorf("with another cookie: %+v", again)
	}
	for n := range int64(2 * maxDraws) {
		split.Status.Run.Sequence = new(n + 8)
		second = drawn(wanted, second, split, shares(1000-int32(n), int32(n))).affinity
	}
	if len(second.Draws) != maxDraws {
		t.Errorf("%d draws are kept", len(second.Draws))
	}
}
