package istio

import (
	"maps"
	"slices"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"

	"slipway.dev/slipway/internal/traffic"
)

// editor is at one rule of the user's, which it changes in place.
type editor struct {
	rule      map[string]any
	index     int
	protocol  string
	namespace string
	filters   []*unstructured.Unstructured
}

// edit makes the rule carry what of the intent is for it, and returns the rules that are derived from it, which go before
// it.
func (e editor) edit(intent traffic.Intent, f *found) ([]any, error) {
	own := listOf(e.rule, "route")
	if len(own) == 0 {
		return nil, nil
	}
	if err := e.retry(intent, f); err != nil {
		return nil, err
	}
	at := e.splits(own, intent, f)
	if err := e.checkSplits(own, at); err != nil {
		return nil, err
	}
	as := make([]map[string]any, 0, len(own))
	for _, destination := range own {
		as = append(as, runtime.DeepCopyJSON(destination))
	}
	e.divide(own, at)
	derived, err := e.beside(as, at)
	if err != nil {
		return nil, err
	}
	return derived, f.budgeted(e, derived, intent)
}

// splits has for each destination of the rule the split of its traffic, or nil.
func (e editor) splits(route []map[string]any, intent traffic.Intent, f *found) []*traffic.Split {
	weights := ownWeights(route)
	out := make([]*traffic.Split, len(route))
	for i, destination := range route {
		name := serviceOf(text(mapOf(destination, "destination"), "host"), e.namespace)
		for n, s := range intent.Splits {
			if s.Service == name && weights[i] > 0 && (s.SectionName == "" || s.SectionName == text(e.rule, "name")) {
				out[i], f.splits[n] = &intent.Splits[n], true
				break
			}
		}
	}
	return out
}

// divide gives the user's own destinations the shares of their Services, and copies of them those of the others. Where
// nothing is to be divided the weights stay as they were written.
func (e editor) divide(own []map[string]any, at []*traffic.Split) {
	portions := apportion(ownWeights(own), at)
	if len(portions) == len(own) && !slices.ContainsFunc(portions, func(p portion) bool { return e.goesElsewhere(p, at) }) {
		return
	}
	var out, copies []any
	for i, destination := range own {
		stays := int64(0)
		for _, p := range portions {
			switch {
			case p.index != i:
			case e.goesElsewhere(p, at):
				copies = append(copies, sentTo(destination, p.backend, p.weight))
			default:
				stays = p.weight
			}
		}
		destination["weight"] = stays
		out = append(out, destination)
	}
	e.rule["route"] = append(out, copies...)
}

func (e editor) goesElsewhere(p portion, at []*traffic.Split) bool {
	return at[p.index] != nil && p.backend != at[p.index].Service
}

// sentTo is a copy of a destination, with whatever it has, for another Service.
func sentTo(destination map[string]any, service string, weight int64) map[string]any {
	out := runtime.DeepCopyJSON(destination)
	out["destination"] = toward(mapOf(destination, "destination"), service)
	out["weight"] = weight
	return out
}

// toward is the same port of another Service.
func toward(destination map[string]any, service string) map[string]any {
	out := runtime.DeepCopyJSON(destination)
	out["host"] = hostFor(text(destination, "host"), service)
	return out
}

// beside adds mirrors and cookies to the rule, and returns the rules derived from it. own has the user's own destinations,
// as they wrote them.
func (e editor) beside(own []map[string]any, at []*traffic.Split) ([]any, error) {
	first := firstOf(at)
	for _, i := range first {
		s := at[i]
		if s.Mirror != nil {
			if err := e.mirror(own[i], *s.Mirror); err != nil {
				return nil, err
			}
		}
		if s.Affinity != nil {
			if err := e.cookies(*s.Affinity); err != nil {
				return nil, err
			}
		}
	}
	var derived []any
	for _, i := range first {
		rules, err := e.derive(own[i], *at[i])
		if err != nil {
			return nil, err
		}
		derived = append(derived, rules...)
	}
	return derived, nil
}

// firstOf is, for each split of a rule, the first destination whose traffic it splits.
func firstOf(at []*traffic.Split) []int {
	var out []int
	for i, s := range at {
		if s != nil && slices.Index(at, s) == i {
			out = append(out, i)
		}
	}
	return out
}

// mirror copies the requests of the rule to a Service.
func (e editor) mirror(destination map[string]any, m traffic.Mirror) error {
	if _, old := e.rule["mirror"]; old {
		return traffic.Refused(traffic.Conflicted, "mirror: %s has a mirror of its own, beside which Istio takes no other; write it as an entry of mirrors", e.where())
	}
	entry := map[string]any{"destination": toward(mapOf(destination, "destination"), m.Backend)}
	if m.Percent < 100 {
		entry["percentage"] = map[string]any{"value": int64(m.Percent)}
	}
	mirrors, _ := e.rule["mirrors"].([]any)
	e.rule["mirrors"] = append(slices.Clone(mirrors), entry)
	return nil
}

// cookies has each destination set the cookie that says which backend answered.
func (e editor) cookies(a traffic.Affinity) error {
	for _, destination := range listOf(e.rule, "route") {
		name := serviceOf(text(mapOf(destination, "destination"), "host"), e.namespace)
		if err := e.setCookie(destination, name, a); err != nil {
			return err
		}
	}
	return nil
}

const setCookie = "Set-Cookie"

// setCookie adds the header of the backend to a destination. Headers to add are a map: there can be one Set-Cookie.
func (e editor) setCookie(destination map[string]any, backend string, a traffic.Affinity) error {
	at := slices.IndexFunc(a.Set, func(p traffic.Pin) bool { return p.Backend == backend })
	if at < 0 {
		return nil
	}
	headers := maps.Clone(mapOf(destination, "headers"))
	response := maps.Clone(mapOf(headers, "response"))
	for _, field := range []string{"add", "set"} {
		if key, has := keyFold(mapOf(response, field), setCookie); has {
			return traffic.Refused(traffic.Conflicted, "affinity: %s has headers.response.%s.%s of its own for %s, and Istio takes one; have the application set that cookie, or take affinity out",
				e.where(), field, key, backend)
		}
	}
	add := maps.Clone(mapOf(response, "add"))
	if add == nil {
		add = map[string]any{}
	}
	add[setCookie] = a.SetCookie(a.Set[at].Value)
	if response == nil {
		response = map[string]any{}
	}
	if headers == nil {
		headers = map[string]any{}
	}
	response["add"] = add
	headers["response"] = response
	destination["headers"] = headers
	return nil
}
