package controllers

import (
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

func TestContestSlowsDownAndEnds(t *testing.T) {
	key := targetKey{kind: httpRouteKind.GroupKind(), NamespacedName: types.NamespacedName{Namespace: "shop", Name: "shop"}}
	start := time.Unix(1000, 0)
	tests := map[string]struct {
		repairs  int
		after    time.Duration
		wantWait time.Duration
		wantBy   string
	}{
		"a few repairs are made at once":            {repairs: contestAfter - 1},
		"after several in a row the next one waits": {repairs: contestAfter, wantWait: contestFirst, wantBy: "argocd"},
		"and the one after that longer":             {repairs: contestAfter + 1, wantWait: 2 * contestFirst, wantBy: "argocd"},
		"but never for ever":                        {repairs: contestAfter + 40, wantWait: contestLongest, wantBy: "argocd"},
		"when the wait is over it is made":          {repairs: contestAfter, after: contestFirst, wantBy: "argocd"},
		"a quiet while ends it":                     {repairs: contestAfter, after: contestMemory + 3*contestFirst},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			contest := &routeContest{}
			for range tc.repairs {
				contest.repaired(key, "argocd", start)
			}
			now := start.Add(tc.after)
			if got := contest.wait(key, now); got != tc.wantWait {
				t.Errorf("wait = %s, want %s", got, tc.wantWait)
			}
			if got := contest.by(key, now); got != tc.wantBy {
				t.Errorf("by = %q, want %q", got, tc.wantBy)
			}
		})
	}
}

func TestLastWriterOfRules(t *testing.T) {
	entry := func(manager, fields string, at int64) metav1.ManagedFieldsEntry {
		return metav1.ManagedFieldsEntry{
			Manager: manager, Operation: metav1.ManagedFieldsOperationUpdate, Time: &metav1.Time{Time: time.Unix(at, 0)},
			FieldsV1: metav1.NewFieldsV1(fields),
		}
	}
	rules := `{"f:spec":{"f:rules":{}}}`
	tests := map[string]struct {
		fields []metav1.ManagedFieldsEntry
		want   string
	}{
		"the newest of several":                   {fields: []metav1.ManagedFieldsEntry{entry("a", rules, 1), entry("b", rules, 3), entry("c", rules, 2)}, want: "b"},
		"not ourselves":                           {fields: []metav1.ManagedFieldsEntry{entry("a", rules, 1), entry("slipway", rules, 3)}, want: "a"},
		"not one who owns something else":         {fields: []metav1.ManagedFieldsEntry{entry("a", rules, 1), entry("b", `{"f:spec":{"f:hostnames":{}}}`, 3)}, want: "a"},
		"nobody who has left a trace":             {want: unknownManager},
		"fields that cannot be read are nobody's": {fields: []metav1.ManagedFieldsEntry{entry("a", `{`, 1)}, want: unknownManager},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			route := newHTTPRoute()
			route.SetManagedFields(tc.fields)
			if got := lastWriter(route); got != tc.want {
				t.Errorf("last writer is %q, want %q", got, tc.want)
			}
		})
	}
}
