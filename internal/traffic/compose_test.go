package traffic

import (
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestCompose(t *testing.T) {
	wish := func(route, name, service, section string, age int) Wish {
		return Wish{Route: route, Split: Split{Name: name, Service: service, SectionName: section, Created: time.Unix(int64(100-age), 0)}}
	}
	leaves := func(w Wish) Wish {
		w.Leaving = true
		return w
	}
	tests := map[string]struct {
		wishes        []Wish
		wantIntents   map[string][]string
		wantConflicts map[string]Conflict
	}{
		"a split on its way out of a route makes room for any other, and loses nothing": {
			wishes: []Wish{
				leaves(wish("q", "old", "checkout", "", 2)), wish("r", "old", "checkout", "", 2), wish("q", "young", "checkout", "", 1),
			},
			wantIntents: map[string][]string{"q": {"young"}, "r": {"old"}},
		},
		"a split on its way out of a route stays there that long": {
			wishes:      []Wish{leaves(wish("q", "a", "checkout", "", 2)), wish("q", "b", "cart", "", 1)},
			wantIntents: map[string][]string{"q": {"b", "a"}},
		},
		"different Services on one route share it": {
			wishes:      []Wish{wish("r", "b", "cart", "", 1), wish("r", "a", "checkout", "", 2)},
			wantIntents: map[string][]string{"r": {"a", "b"}},
		},
		"the older one has the Service": {
			wishes:        []Wish{wish("r", "young", "checkout", "", 1), wish("r", "old", "checkout", "", 2)},
			wantIntents:   map[string][]string{"r": {"old"}},
			wantConflicts: map[string]Conflict{"young": {Holder: "old", Route: "r", Service: "checkout"}},
		},
		"of the same age the first name has it": {
			wishes:        []Wish{wish("r", "b", "checkout", "", 1), wish("r", "a", "checkout", "", 1)},
			wantIntents:   map[string][]string{"r": {"a"}},
			wantConflicts: map[string]Conflict{"b": {Holder: "a", Route: "r", Service: "checkout"}},
		},
		"different rules of one route do not conflict": {
			wishes:      []Wish{wish("r", "a", "checkout", "pay", 2), wish("r", "b", "checkout", "look", 1)},
			wantIntents: map[string][]string{"r": {"a", "b"}},
		},
		"one rule and all rules conflict": {
			wishes:        []Wish{wish("r", "a", "checkout", "pay", 2), wish("r", "b", "checkout", "", 1)},
			wantIntents:   map[string][]string{"r": {"a"}},
			wantConflicts: map[string]Conflict{"b": {Holder: "a", Route: "r", Service: "checkout"}},
		},
		"a split that loses on one route is on none": {
			wishes:        []Wish{wish("r", "a", "checkout", "", 3), wish("r", "b", "checkout", "", 2), wish("q", "b", "checkout", "", 2)},
			wantIntents:   map[string][]string{"r": {"a"}, "q": nil},
			wantConflicts: map[string]Conflict{"b": {Holder: "a", Route: "r", Service: "checkout"}},
		},
		"a loser does not stand in the way of others": {
			wishes: []Wish{
				wish("r", "a", "checkout", "", 3), wish("r", "b", "checkout", "", 2), wish("q", "b", "checkout", "", 2), wish("q", "c", "checkout", "", 1),
			},
			wantIntents:   map[string][]string{"r": {"a"}, "q": {"c"}},
			wantConflicts: map[string]Conflict{"b": {Holder: "a", Route: "r", Service: "checkout"}},
		},
		"a split may name two rules of a route": {
			wishes:      []Wish{wish("r", "a", "checkout", "pay", 2), wish("r", "a", "checkout", "look", 2)},
			wantIntents: map[string][]string{"r": {"a", "a"}},
		},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			for range 2 {
				got := Compose(tc.wishes)
				intents := map[string][]string{}
				for route, intent := range got.Intents {
					intents[route] = nil
					for _, s := range intent.Splits {
						intents[route] = append(intents[route], s.Name)
					}
				}
				if diff := cmp.Diff(tc.wantIntents, intents); diff != "" {
					t.Errorf("intents (-want +got):\n%s", diff)
				}
				want := tc.wantConflicts
				if want == nil {
					want = map[string]Conflict{}
				}
				if diff := cmp.Diff(want, got.Conflicts); diff != "" {
					t.Errorf("conflicts (-want +got):\n%s", diff)
				}
				slices.Reverse(tc.wishes)
			}
		})
	}
}

func TestUnsupportedSortsWhatIsMissing(t *testing.T) {
	err := error(Unsupported("traefik", "b", "a", "b"))
	var unsupported *UnsupportedError
	if !errors.As(err, &unsupported) {
		t.Fatal("not an UnsupportedError")
	}
	if diff := cmp.Diff([]string{"a", "b"}, unsupported.Missing); diff != "" {
		t.Errorf("missing (-want +got):\n%s", diff)
	}
	if err.Error() != "traefik does not support a, b" {
		t.Errorf("message is %q", err)
	}
}
