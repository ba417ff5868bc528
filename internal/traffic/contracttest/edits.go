package contracttest

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"slipway.dev/slipway/internal/traffic"
)

// fuzzRounds is how many random edits are made of each case.
const fuzzRounds = 25

// unknownPrefix begins the names of fields that nobody knows.
const unknownPrefix = "zzUnknown"

// restored renders a case and restores it.
func (c *checker) restored(tc testCase) {
	r, err := c.Router.Render(tc.seen, tc.intent)
	if err != nil {
		return
	}
	written := tc.seen.With(r)
	before := snapshot(written)
	back, err := c.Router.Restore(written)
	if diff := differ(before, snapshot(written)); diff != "" {
		c.found(CheckPure, tc, "Restore changed what it was shown (-before +after):\n%s", diff)
		return
	}
	if err != nil || len(back.Generated) > 0 {
		c.found(CheckRestores, tc, "error %v, and %d objects are still generated", err, len(back.Generated))
		return
	}
	restored := written.With(back)
	if diff := differ(snapshot(tc.seen), snapshot(restored)); diff != "" {
		c.found(CheckRestores, tc, "(-user +restored):\n%s", diff)
	}
	if v := c.Router.Applied(restored, tc.intent); v.State == traffic.True {
		c.found(CheckApplied, tc, "Applied after everything was restored")
	}
}

// edited makes random edits: before rendering, to see that what is not known comes back; and after it, to see that the
// user's edits are still there when the objects are restored.
func (c *checker) edited(tc testCase) {
	r, err := c.Router.Render(tc.seen, tc.intent)
	if err != nil {
		return
	}
	random := rand.New(rand.NewPCG(c.Seed, uint64(len(tc.name)))) //nolint:gosec // a fuzzer
	for range fuzzRounds {
		known := deepSeen(tc.seen)
		edits := c.edits(random, known, known)
		if !c.unknown(tc, r, known, edits) {
			return
		}
	}
	written := tc.seen.With(r)
	for range fuzzRounds {
		user, live := deepSeen(tc.seen), deepSeen(written)
		edits := c.edits(random, user, live)
		back, err := c.Router.Restore(live)
		if err != nil {
			c.found(CheckKeepsEdits, tc, "Restore fails after %v: %v", edits, err)
			return
		}
		if diff := differ(snapshot(user), snapshot(live.With(back))); diff != "" {
			c.found(CheckKeepsEdits, tc, "after %v (-user +restored):\n%s", edits, diff)
			return
		}
	}
}

// unknown checks that fields which were put into what is seen are in what is rendered, and change nothing else there.
func (c *checker) unknown(tc testCase, plain traffic.Rendering, seen traffic.Seen, edits []string) bool {
	r, err := c.Router.Render(seen, tc.intent)
	if err != nil {
		c.found(CheckKeepsUnknown, tc, "with %v Render fails: %v", edits, err)
		return false
	}
	written := seen.With(r)
	for _, name := range edits {
		at, where := strings.Fields(name)[0], strings.Fields(name)[2]
		if slices.ContainsFunc(c.Replaces, func(path string) bool { return where == path || strings.HasPrefix(where, path+".") }) {
			continue
		}
		if !slices.ContainsFunc(append(written.Objects, written.Target), func(o *unstructured.Unstructured) bool { return mentions(o.Object, at) }) {
			c.found(CheckKeepsUnknown, tc, "%s is lost", name)
			return false
		}
	}
	back, err := c.Router.Restore(written)
	if err != nil {
		c.found(CheckKeepsUnknown, tc, "with %v Restore fails: %v", edits, err)
		return false
	}
	if diff := differ(snapshot(seen), snapshot(written.With(back))); diff != "" {
		c.found(CheckKeepsUnknown, tc, "with %v (-user +restored):\n%s", edits, diff)
		return false
	}
	stripped := tc.seen.With(r)
	for _, o := range append(stripped.Objects, stripped.Target) {
		strip(o.Object)
	}
	want := tc.seen.With(plain)
	if diff := differ(specs(want), specs(stripped)); diff != "" {
		c.found(CheckKeepsUnknown, tc, "%v change something else (-without +with):\n%s", edits, diff)
		return false
	}
	return true
}

// edits puts one to three unknown fields into random maps of a user's objects that both worlds have, and returns what it
// did. Both may be the same.
func (c *checker) edits(random *rand.Rand, user, live traffic.Seen) []string {
	var out []string
	for n := range 1 + random.IntN(3) {
		objects := []*unstructured.Unstructured{user.Target}
		for _, o := range user.Objects {
			if !traffic.IsGenerated(o) {
				objects = append(objects, o)
			}
		}
		mine := objects[random.IntN(len(objects))]
		theirs := live.Find(traffic.KindOf(mine), mine.GetName())
		places := commonMaps(mine.Object["spec"], theirs.Object["spec"], "spec")
		places = append(places, mapPair{mine.Object["metadata"].(map[string]any), theirs.Object["metadata"].(map[string]any), "metadata"})
		p := places[random.IntN(len(places))]
		name := fmt.Sprintf("%s%d", unknownPrefix, n)
		value := map[string]any{name: []any{int64(1), "two", map[string]any{"three": true}}}
		p.mine[name] = value
		p.theirs[name] = value
		out = append(out, fmt.Sprintf("%s in %s of %s %s", name, p.path, mine.GetKind(), mine.GetName()))
	}
	return out
}

type mapPair struct {
	mine, theirs map[string]any
	path         string
}

// commonMaps are the maps that both trees have at the same path.
func commonMaps(mine, theirs any, path string) []mapPair {
	var out []mapPair
	switch m := mine.(type) {
	case map[string]any:
		t, ok := theirs.(map[string]any)
		if !ok {
			return nil
		}
		if !strings.HasSuffix(path, "abels") { // maps of strings take no other values
			out = append(out, mapPair{m, t, path})
		}
		for _, key := range slices.Sorted(maps.Keys(m)) {
			out = append(out, commonMaps(m[key], t[key], path+"."+key)...)
		}
	case []any:
		t, _ := theirs.([]any)
		t = slices.DeleteFunc(slices.Clone(t), isPutIn)
		for i := range min(len(m), len(t)) {
			out = append(out, commonMaps(m[i], t[counterpart(m[i], t, i)], fmt.Sprintf("%s[%d]", path, i))...)
		}
	}
	return out
}

// isPutIn says whether an element of a list is Slipway's by its name: where rules are tried in order, they stand between
// those of the user.
func isPutIn(element any) bool {
	m, _ := element.(map[string]any)
	name, _ := m["name"].(string)
	return strings.HasPrefix(name, "slipway-")
}

// counterpart is where a list that a translator has written has an element of the user's: at the same place, or, where
// order decides and something had to be put before it, at the last place that has all of it.
func counterpart(element any, list []any, i int) int {
	if has(list[i], element) {
		return i
	}
	for j, there := range slices.Backward(list) {
		if has(there, element) {
			return j
		}
	}
	return i
}

// has says whether a tree has everything of another one.
func has(tree, other any) bool {
	o, isMap := other.(map[string]any)
	if !isMap {
		return reflect.DeepEqual(tree, other)
	}
	t, ok := tree.(map[string]any)
	for key, value := range o {
		ok = ok && has(t[key], value)
	}
	return ok
}

func mentions(value any, key string) bool {
	switch v := value.(type) {
	case map[string]any:
		if _, ok := v[key]; ok {
			return true
		}
		for _, item := range v {
			if mentions(item, key) {
				return true
			}
		}
	case []any:
		return slices.ContainsFunc(v, func(item any) bool { return mentions(item, key) })
	}
	return false
}

func strip(value any) {
	switch v := value.(type) {
	case map[string]any:
		maps.DeleteFunc(v, func(key string, _ any) bool { return strings.HasPrefix(key, unknownPrefix) })
		for _, item := range v {
			strip(item)
		}
	case []any:
		for _, item := range v {
			strip(item)
		}
	}
}

// specs are the specs of all objects: what is written down in annotations may have the unknown fields in it.
func specs(seen traffic.Seen) []any {
	var out []any
	for _, o := range append([]*unstructured.Unstructured{seen.Target}, seen.Objects...) {
		out = append(out, o.Object["spec"])
	}
	return out
}

func deepSeen(seen traffic.Seen) traffic.Seen {
	out := traffic.Seen{Target: seen.Target.DeepCopy(), Elsewhere: seen.Elsewhere, Observed: seen.Observed}
	for _, o := range seen.Objects {
		out.Objects = append(out.Objects, o.DeepCopy())
	}
	return out
}

// path renders something else first on the same objects, and then the case: it must come out as if it were the first.
func (c *checker) path(tc testCase) {
	direct, err := c.Router.Render(tc.seen, tc.intent)
	if err != nil {
		return
	}
	want := snapshot(tc.seen.With(direct))
	for _, first := range c.others(tc) {
		a, err := c.Router.Render(tc.seen, first)
		if err != nil {
			continue
		}
		between := tc.seen.With(a)
		after, err := c.Router.Render(between, tc.intent)
		if err != nil {
			c.found(CheckPath, tc, "after %+v Render fails: %v", first, err)
			return
		}
		if diff := differ(want, snapshot(between.With(after))); diff != "" {
			c.found(CheckPath, tc, "after %+v (-direct +after):\n%s", first, diff)
			return
		}
	}
}

// others are intents that a case's world may have carried before: the case's with other weights and fewer retries, and
// those of the other cases in the same world.
func (c *checker) others(tc testCase) []traffic.Intent {
	var earlier traffic.Intent
	for _, s := range tc.intent.Splits {
		s.Sequence, s.Backends = 1, slices.Clone(s.Backends)
		slices.Reverse(s.Backends)
		for i := range s.Backends {
			s.Backends[i].Weight = tc.intent.Splits[0].Backends[0].Weight
		}
		s.Matches, s.Mirror, s.Affinity = nil, nil, nil
		earlier.Splits = append(earlier.Splits, s)
	}
	for _, r := range tc.intent.Retries {
		if r.On() {
			r.Retries = new(*r.Retries + 1)
		}
		earlier.Retries = append(earlier.Retries, r)
	}
	out := []traffic.Intent{earlier}
	for _, other := range c.cases {
		if other.name != tc.name && reflect.DeepEqual(snapshot(other.seen), snapshot(tc.seen)) {
			out = append(out, other.intent)
		}
	}
	return out
}
