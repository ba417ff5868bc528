package kept

import (
	"reflect"
	"slices"
)

// absent stands for a field that is not there.
type absent struct{}

// merge returns the user's own value of a place, from the one that they had when Slipway wrote there (own), what Slipway
// wrote (wrote), and what is there now (live).
//
// What Slipway changed is Slipway's: an edit of it is put back to the user's own. What it did not change is the user's:
// their edit stays. Whatever Slipway put in is taken out, and what the user put in or took out meanwhile stays so.
func merge(own, wrote, live any) any {
	switch {
	case reflect.DeepEqual(live, wrote), reflect.DeepEqual(live, own):
		return own
	case reflect.DeepEqual(own, wrote):
		return live
	}
	if out, ok := mergeMaps(own, wrote, live); ok {
		return out
	}
	if out, ok := mergeLists(own, wrote, live); ok {
		return out
	}
	if live == (absent{}) && wrote != (absent{}) && own != (absent{}) && isTree(own) {
		return absent{} // the user took the whole of it away
	}
	return own
}

func isTree(value any) bool {
	switch value.(type) {
	case map[string]any, []any:
		return true
	}
	return false
}

func mergeMaps(own, wrote, live any) (any, bool) {
	l, ok := live.(map[string]any)
	w, wroteMap := wrote.(map[string]any)
	o, ownMap := own.(map[string]any)
	if !ok || !wroteMap || (!ownMap && own != (absent{})) {
		return nil, false
	}
	out := map[string]any{}
	for _, key := range keysOf(o, w, l) {
		if v := merge(field(o, key), field(w, key), field(l, key)); v != (absent{}) {
			out[key] = v
		}
	}
	if len(out) == 0 && !ownMap {
		return absent{}, true
	}
	return out, true
}

func keysOf(maps ...map[string]any) []string {
	var out []string
	for _, m := range maps {
		for key := range m {
			out = append(out, key)
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

func field(m map[string]any, key string) any {
	if v, ok := m[key]; ok {
		return v
	}
	return absent{}
}

// mergeLists merges lists by pairing their elements. The order is that of live, which is the user's: Slipway only puts
// elements in.
func mergeLists(own, wrote, live any) (any, bool) {
	l, ok := live.([]any)
	w, wroteList := wrote.([]any)
	o, ownList := own.([]any)
	if !ok || !wroteList || (!ownList && own != (absent{})) {
		return nil, false
	}
	fromOwn := pair(w, o)
	fromWrote := pair(l, w)
	var out []any
	for i, element := range l {
		j := fromWrote[i]
		if j < 0 {
			out = append(out, element)
			continue
		}
		if fromOwn[j] < 0 {
			continue // Slipway put it in
		}
		if v := merge(o[fromOwn[j]], w[j], element); v != (absent{}) {
			out = append(out, v)
		}
	}
	if len(out) == 0 {
		if !ownList {
			return absent{}, true
		}
		return []any{}, true
	}
	return out, true
}

// pair finds for each element of a the one of b that it comes from, or -1: first those that are equal, then those that
// say the same of themselves, or nothing that contradicts, then those that say the same in a less telling way, because
// somebody has edited what tells more, then those that stand between the same neighbours.
func pair(a, b []any) []int {
	out := make([]int, len(a))
	for i := range out {
		out[i] = -1
	}
	taken := make([]bool, len(b))
	for _, alike := range []func(x, y any) bool{reflect.DeepEqual, sameIdentity, closeIdentity, sameOfAny} {
		for i := range a {
			for j := range b {
				if out[i] < 0 && !taken[j] && alike(a[i], b[j]) {
					out[i], taken[j] = j, true
				}
			}
		}
	}
	pairBetween(a, b, out, taken)
	return out
}

// pairBetween pairs what is left by its place between neighbours that are paired, where neither says what it is.
func pairBetween(a, b []any, out []int, taken []bool) {
	next := 0
	for i := range a {
		if out[i] >= 0 {
			next = out[i] + 1
			continue
		}
		if next < len(b) && !taken[next] && !tellsApart(a[i], b[next]) {
			out[i], taken[next] = next, true
			next++
		}
	}
}

// identities are the fields by which an element of a list says what it is, the most telling first.
var identities = [][]string{
	{"name"},
	{"match"},
	{"matches"},
	{"destination"},
	{"service", "serviceSubset", "namespace", "partition"},
	{"virtualNodeRef"},
}

// whither are the fields of a destination or reference that say where it goes; beside them it may have retries, timeouts
// and what nobody knows, which are not what it is.
var whither = []string{"name", "host", "subset", "port", "service", "serviceSubset", "namespace", "partition"}

// sameIdentity says whether two elements have the same of the first kind of identity that either has.
func sameIdentity(x, y any) bool {
	p, q, ok := twoMaps(x, y)
	if !ok {
		return false
	}
	for _, fields := range identities {
		if !hasAny(p, fields) && !hasAny(q, fields) {
			continue
		}
		return sameFields(p, q, fields)
	}
	return false
}

// sameOfAny says whether two elements have the same of any kind of identity that both have.
func sameOfAny(x, y any) bool {
	p, q, ok := twoMaps(x, y)
	return ok && slices.ContainsFunc(identities, func(fields []string) bool { return hasAny(p, fields) && sameFields(p, q, fields) })
}

// tellsApart says whether both elements say what they are, and it is not the same.
func tellsApart(x, y any) bool {
	p, q, ok := twoMaps(x, y)
	if !ok {
		return !isTree(x) || !isTree(y)
	}
	for _, fields := range identities {
		if hasAny(p, fields) || hasAny(q, fields) {
			edited := conditions[fields[0]] && sameBut(fields[0], p, q)
			return !edited && !closeFields(p, q, fields)
		}
	}
	return false
}

// conditions are the identities that users edit: a rule that is the same but for these is still that rule.
var conditions = map[string]bool{"match": true, "matches": true}

// closeIdentity is sameIdentity for elements of which one says more of itself.
func closeIdentity(x, y any) bool {
	p, q, ok := twoMaps(x, y)
	if !ok {
		return false
	}
	for _, fields := range identities {
		if hasAny(p, fields) || hasAny(q, fields) {
			return closeFields(p, q, fields)
		}
	}
	return false
}

func closeFields(p, q map[string]any, fields []string) bool {
	return !slices.ContainsFunc(fields, func(f string) bool { return !agree(field(p, f), field(q, f)) })
}

// agree says whether two trees contradict each other nowhere.
func agree(x, y any) bool {
	if p, q, ok := twoMaps(x, y); ok {
		common := 0
		for key := range p {
			if _, both := q[key]; !both {
				continue
			}
			common++
			if !agree(p[key], q[key]) {
				return false
			}
		}
		return common > 0 || len(p) == len(q)
	}
	l, ok := x.([]any)
	m, both := y.([]any)
	if !ok || !both || len(l) != len(m) {
		return reflect.DeepEqual(x, y)
	}
	for i := range l {
		if !agree(l[i], m[i]) {
			return false
		}
	}
	return true
}

// sameBut says whether two elements are the same but for one field.
func sameBut(name string, p, q map[string]any) bool {
	return !slices.ContainsFunc(keysOf(p, q), func(key string) bool { return key != name && !reflect.DeepEqual(field(p, key), field(q, key)) })
}

func twoMaps(x, y any) (p, q map[string]any, ok bool) {
	p, isMap := x.(map[string]any)
	q, both := y.(map[string]any)
	return p, q, isMap && both
}

func hasAny(m map[string]any, fields []string) bool {
	return slices.ContainsFunc(fields, func(f string) bool { _, ok := m[f]; return ok })
}

func sameFields(p, q map[string]any, fields []string) bool {
	return !slices.ContainsFunc(fields, func(f string) bool {
		if x, y, ok := twoMaps(field(p, f), field(q, f)); ok && (f == "destination" || f == "virtualNodeRef") {
			return !sameFields(x, y, whither)
		}
		return !reflect.DeepEqual(field(p, f), field(q, f))
	})
}
