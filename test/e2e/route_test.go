package e2e

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"slipway.dev/slipway/api/v1alpha1"
)

// A GitOps controller applies what is in Git again and again. Users must not notice.
func reappliedFromGit(tb testing.TB) {
	s, stable := standing(tb, setting{rate: 150})
	s.mark("reapplied")
	generation := s.liveRoute().GetGeneration()
	for range 5 {
		s.apply(deployment("shop", good("v2")))
		s.apply(s.route(plainRules))
		s.wantHeld(good("v2"), stable)
		s.sample(100)
	}
	if have := s.liveRoute().GetGeneration(); have != generation {
		s.Errorf("applying the route again changed its generation from %d to %d", generation, have)
	}
	for range 5 {
		s.replace(deployment("shop", good("v2")))
		s.replace(s.route(plainRules))
		s.wantHeld(good("v2"), stable)
		s.sample(100)
	}
	s.sample(fewest)
	s.wantShareSince("reapplied", "v2", 0.2)
	s.wantSamePods(stable)
	if have := s.current(); have.Status.Step != "1/2" || have.Status.Weight != "20%" {
		s.Errorf("the release moved: %s", describe(have))
	}
	s.resume()
	s.wantNoHarm()
}

// wantShareSince checks the share over all sections from one on, and that no second of them stands out.
func (s *scene) wantShareSince(name, version string, share float64) {
	s.Helper()
	from := s.section(name).StartedAt
	s.wantShare(s.between(from, time.Now()), version, share)
	for _, w := range s.load.Snapshot().Windows {
		// A second without any of the version is a moment without the split, however short.
		if w.StartedAt.After(from) && w.Requests > 100 && w.Versions[version].Requests == 0 {
			s.Errorf("from %s on, %s answered none of %d requests", w.StartedAt, version, w.Requests)
		}
	}
}

// Somebody edits the weights by hand: they are put back, and it is said whose edit it was.
func weightEditedByHand(tb testing.TB) {
	s, _ := standing(tb, setting{rate: 100})
	carried := s.routeSpec()
	s.editWeights("somebody", 500_000)
	s.until("repair of the route", usual/4, func() (bool, string) { return s.routeSpec() == carried, s.routeSpec() })
	s.until("name of the culprit", usual/2, func() (bool, string) {
		split, found := s.splits.last("shop")
		if !found || len(split.Status.Routes) != 1 {
			return false, "the split has no status of the route"
		}
		have := split.Status.Routes[0]
		return have.RepairedFrom == "somebody" && *have.Repairs >= 1, compact(have)
	})
	s.until("return to normal", usual, func() (bool, string) {
		split, _ := s.splits.last("shop")
		return is(split.Status.Conditions, v1alpha1.ConditionTrafficApplied), compact(split.Status)
	})
	s.wantShare(s.sample(fewest), "v2", 0.2)
	s.resume()
	s.wantNoHarm()
}

// editWeights gives all backends of the first rule the same weight, as kubectl edit does.
func (s *scene) editWeights(manager string, weight int64) {
	s.Helper()
	route := s.liveRoute()
	before := route.DeepCopy()
	rules, _ := route.Object["spec"].(map[string]any)["rules"].([]any)
	for _, ref := range rules[0].(map[string]any)["backendRefs"].([]any) {
		ref.(map[string]any)["weight"] = weight
	}
	if err := shared.Patch(s.Context(), route, client.MergeFrom(before), client.FieldOwner(manager)); err != nil {
		s.Fatalf("edit the route: %v", err)
	}
}

// What the user adds to the route while a release runs works at once, and stays.
func ruleAndFilterAddedByUser(tb testing.TB) {
	const rules = `[
		{name: extra, matches: [{path: {type: PathPrefix, value: /extra}}], backendRefs: [{name: shop, port: 80}]},
		{filters: [{type: ResponseHeaderModifier, responseHeaderModifier: {set: [{name: X-Added, value: "yes"}]}}],
		 backendRefs: [{name: shop, port: 80}]}]`
	s, _ := standing(tb, setting{rate: 100})
	s.rewrite(rules)
	s.until("split in both rules", usual/2, func() (bool, string) {
		n, text := s.rulesWithCanary()
		return n == 2, text
	})
	if text := s.routeSpec(); !strings.Contains(text, "X-Added") || !strings.Contains(text, "/extra") {
		s.Errorf("what the user added is not in the route: %s", text)
	}
	s.until("applied split", usual, func() (bool, string) {
		split, _ := s.splits.last("shop")
		return is(split.Status.Conditions, v1alpha1.ConditionTrafficApplied), compact(split.Status)
	})
	s.wantShare(s.sample(fewest), "v2", 0.2)
	s.resume()
	s.wantNoHarm()
}

func (s *scene) rulesWithCanary() (n int, text string) {
	s.Helper()
	text = s.routeSpec()
	var spec struct {
		Rules []struct {
			BackendRefs []struct{ Name string }
		}
	}
	if err := json.Unmarshal([]byte(text), &spec); err != nil {
		s.Fatal(err)
	}
	for _, rule := range spec.Rules {
		for _, ref := range rule.BackendRefs {
			if ref.Name == "shop"+v1alpha1.CanarySuffix {
				n++
			}
		}
	}
	return n, text
}

// Another backend of the same rule keeps its share, and its filter, through the release.
func extraBackendAndFilterKept(tb testing.TB) {
	const rules = `[{filters: [{type: RequestHeaderModifier, requestHeaderModifier: {set: [{name: X-Rule, value: "yes"}]}}],
		backendRefs: [{name: shop, port: 80, weight: 3}, {name: partner, port: 80, weight: 1, filters: [
			{type: RequestHeaderModifier, requestHeaderModifier: {set: [{name: X-Partner, value: "yes"}]}}]}]}]`
	s := newScene(tb, setting{})
	s.apply(service("partner"))
	s.apply(deployment("partner", good("partner")))
	s.awaitRolledOut("partner")
	s.rewrite(rules)
	s.awaitVersions("v1", "partner")
	s.startLoad(150)
	s.adopt(plan{steps: holdFirst})
	s.push(good("v2"))
	s.awaitHold("1/2")
	sample := s.sample(2 * fewest)
	s.wantShare(sample, "partner", 0.25)
	s.wantShare(sample, "v2", 0.75*0.2)
	s.resume()
	sample = s.sample(fewest)
	s.wantShare(sample, "partner", 0.25)
	s.wantShare(sample, "v2", 0.75)
	s.wantNoHarm()
}

// awaitVersions waits until every one of some versions has answered, and nobody else or nobody at all in between.
func (s *scene) awaitVersions(versions ...string) {
	s.Helper()
	s.until("answers of "+strings.Join(versions, " and "), usual, func() (bool, string) {
		seen := map[string]int{}
		for range 40 {
			version, err := s.ask()
			if err != nil {
				return false, err.Error()
			}
			seen[version]++
		}
		for _, version := range versions {
			if seen[version] == 0 {
				return false, fmt.Sprint(seen)
			}
		}
		return len(seen) == len(versions), fmt.Sprint(seen)
	})
}

// Of two CanaryReleases on one rule the older one goes on; the other says who is before it.
func twoReleasesOnOneRule(tb testing.TB) {
	s := newScene(tb, setting{rate: 100})
	s.adopt(plan{steps: holdFirst})
	// Made within a second of the first, it comes after it by name.
	s.apply(plan{name: "shop-two"}.manifest())
	s.push(good("v2"))
	s.awaitHold("1/2")
	s.until("word of the second about the first", usual, func() (bool, string) {
		second, _ := s.releases.last("shop-two")
		return second != nil && says(second, v1alpha1.ReasonTargetConflict, "shop"), describe(second)
	})
	s.wantShare(s.sample(fewest), "v2", 0.2)
	s.resume()
	s.wantNoHarm()
}

// says looks for a reason, and a name in its message, in any condition.
func says(cr *v1alpha1.CanaryRelease, reason, name string) bool {
	for _, condition := range cr.Status.Conditions {
		if condition.Reason == reason && strings.Contains(condition.Message, name) {
			return true
		}
	}
	return false
}
