package traffic

import (
	"math"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func arms(stable, canary int32) []Backend {
	return []Backend{{Name: "app", Weight: stable}, {Name: "app-canary", Weight: canary}}
}

func TestPinned(t *testing.T) {
	got := Pinned(Cookie{Name: "c", Round: "r"}, []Draw{{1, arms(90, 10)}, {2, arms(75, 25)}})
	want := &Affinity{
		Cookie: "c",
		Set:    []Pin{{"app", "r.2.app"}, {"app-canary", "r.2.app-canary"}},
		Known: []Known{
			{Values: []string{"r.2.app"}, Backends: []Backend{{"app", 1}}},
			{Values: []string{"r.2.app-canary", "r.1.app-canary"}, Backends: []Backend{{"app-canary", 1}}},
			{Values: []string{"r.1.app"}, Backends: []Backend{{"app", 833_333}, {"app-canary", 166_667}}},
		},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("pinned (-want +got):\n%s", diff)
	}
}

// TestPinnedUsersAreDividedAsIsWanted follows the users of each draw: wherever shares go, they end up where these say.
func TestPinnedUsersAreDividedAsIsWanted(t *testing.T) {
	for name, draws := range map[string][]Draw{
		"a share that grows":      {{1, arms(99, 1)}, {2, arms(90, 10)}, {3, arms(50, 50)}, {4, arms(1, 99)}},
		"everything to the other": {{1, arms(50, 50)}, {2, arms(0, 1)}},
		"back to where it was":    {{1, arms(50, 50)}, {2, arms(1, 0)}},
		"from a feather":          {{1, arms(999_999, 1)}, {2, arms(95, 5)}},
		"three arms":              {{1, []Backend{{"a", 60}, {"b", 30}, {"c", 10}}}, {2, []Backend{{"a", 20}, {"b", 30}, {"c", 50}}}},
	} {
		t.Run(name, func(t *testing.T) {
			now := draws[len(draws)-1].Backends
			affinity := Pinned(Cookie{Name: "c", Round: "r"}, draws)
			for _, draw := range draws {
				got := map[string]float64{}
				for _, b := range positive(draw.Backends) {
					for _, to := range wayOf(t, affinity, PinValue("r", draw.Number, b.Name)) {
						got[to.Name] += shareOf(draw.Backends, b.Name) * shareOf(wayOf(t, affinity, PinValue("r", draw.Number, b.Name)), to.Name)
					}
				}
				for _, b := range now {
					if want := shareOf(now, b.Name); math.Abs(got[b.Name]-want) > 2e-6 {
						t.Errorf("of the users of draw %d %s gets %.6f, want %.6f", draw.Number, b.Name, got[b.Name], want)
					}
				}
			}
		})
	}
}

func wayOf(t *testing.T, a *Affinity, value string) []Backend {
	t.Helper()
	for _, k := range a.Known {
		if slices.Contains(k.Values, value) {
			return k.Backends
		}
	}
	t.Fatalf("nothing says where users with %q go", value)
	return nil
}

// TestPinnedNeedsFewRules draws users by many shares: each rule of a route counts.
func TestPinnedNeedsFewRules(t *testing.T) {
	var draws []Draw
	for n := range int32(30) {
		draws = append(draws, Draw{int64(n + 1), arms(99-3*n, 1+3*n)})
	}
	got := Pinned(Cookie{Name: "c", Round: "r"}, draws)
	if len(got.Known) > 2+maxRedrawn {
		t.Errorf("%d rules", len(got.Known))
	}
	if way := wayOf(t, got, "r.1.app-canary"); len(way) != 1 || way[0].Name != "app-canary" {
		t.Errorf("the first canary users go to %v", way)
	}
	if way := wayOf(t, got, "r.1.app"); len(way) != 2 {
		t.Errorf("the first stable users go to %v", way)
	}
}
