package e2e

import (
	"fmt"
	"maps"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"slipway.dev/slipway/api/v1alpha1"
	"slipway.dev/slipway/test/load"
)

const policyManifest = `
apiVersion: slipway.dev/v1alpha1
kind: RetryPolicy
metadata: {name: shop}
spec:
  targetRefs: [{group: gateway.networking.k8s.io, kind: HTTPRoute, name: shop}]
  %s
`

// tries is how often the same is asked for: each time the backends must have been tried as often as the policy says.
const tries = 10

// A RetryPolicy decides what is tried again, how often, and how long all of it may take. The tries are counted by the
// backends.
func retriesByTrigger(tb testing.TB) {
	s := newScene(tb, setting{})
	s.wantTries("without a policy", "code=503", 503, 1)

	s.retry("{retries: 2, triggers: [ConnectFailure], httpStatusCodes: [503], methods: All}")
	s.wantTries("a code that is listed", "code=503", 503, 3)
	s.wantTries("a code that is not", "code=500", 500, 1)
	s.wantTries("nothing fails", "", 200, 1)

	s.retry("{retries: 3, triggers: [ServerError], methods: All}")
	s.wantTries("an error of the server", "code=500", 500, 4)
	s.wantTries("an error of the client", "code=409", 409, 1)

	s.retry("{retries: 1, triggers: [GatewayError, Retriable4xx], methods: All}")
	s.wantTries("an error of a gateway", "code=502", 502, 2)
	s.wantTries("another error", "code=500", 500, 1)
	s.wantTries("a conflict", "code=409", 409, 2)

	s.retry("{retries: 2, triggers: [Reset], methods: All}")
	s.wantTries("a connection that breaks", "reset=1", 503, 3)

	s.retry("{retries: 2, triggers: [ConnectFailure, RefusedStream, ResetBeforeRequest]}")
	s.wantTries("a connection that breaks after the request", "reset=1", 503, 1)

	s.retry("{retries: 0}")
	s.wantTries("switched off", "code=503", 503, 1)
	s.wantTries("switched off, and broken", "reset=1", 503, 1)

	s.endPolicy()
	s.wantTries("after the policy", "code=503", 503, 1)
	s.wantRouteAsWritten()
}

// Timeouts are for the whole request, and for each try.
func timeoutsOfTries(tb testing.TB) {
	s := newScene(tb, setting{})
	s.retry("{timeouts: {request: 500ms}}")
	took := s.wantTries("the whole request", "wait=3s", 504, 1)
	if took < 500*time.Millisecond || took > 2*time.Second {
		s.Errorf("a request with a timeout of 500ms took %s", took)
	}
	s.retry("{retries: 2, triggers: [GatewayError], methods: All, timeouts: {request: 5s, perTry: 300ms}, backoff: {base: 1ms, max: 2ms}}")
	took = s.wantTries("each try", "wait=3s", 504, 3)
	if took < 900*time.Millisecond || took > 3*time.Second {
		s.Errorf("three tries of 300ms took %s", took)
	}
	s.retry("{retries: 9, triggers: [GatewayError], methods: All, timeouts: {request: 1s, perTry: 400ms}, backoff: {base: 1ms, max: 2ms}}")
	took = s.wantTries("the whole before the tries", "wait=3s", 504, 3)
	if took < time.Second || took > 2500*time.Millisecond {
		s.Errorf("a request with a timeout of 1s took %s", took)
	}
	s.endPolicy()
}

const matchesManifest = `
apiVersion: slipway.dev/v1alpha1
kind: TrafficSplit
metadata: {name: shop}
spec:
  serviceRef: {name: shop}
  routeRefs: [{name: shop}]
  backends: [{name: shop, weight: %d}, {name: shop-next, weight: %d}]
  %s
`

// Matches send some users elsewhere, by a header or a cookie; a mirror sends copies. Everybody else notices nothing.
func matchesAndMirror(tb testing.TB) {
	s := newScene(tb, setting{})
	s.apply(service("shop-next"))
	s.apply(deployment("shop-next", good("next")))
	s.awaitRolledOut("shop-next")

	s.splitWith(1, 0, `matches:
  - {backend: shop-next, headers: [{name: x-beta, value: "yes"}]}
  - {backend: shop-next, cookies: [{name: beta, value: "1"}]}`)
	for what, c := range map[string]struct {
		header, value, want string
	}{
		"the header":            {"x-beta", "yes", "next"},
		"the header's case":     {"X-BETA", "yes", "next"},
		"another value":         {"x-beta", "no", "v1"},
		"the cookie":            {"cookie", "a=1; beta=1; b=2", "next"},
		"another cookie":        {"cookie", "xbeta=1", "v1"},
		"the start of a cookie": {"cookie", "beta=12", "v1"},
		"nothing":               {"x-other", "yes", "v1"},
	} {
		for range tries {
			if have := s.answerTo(what, "", c.header, c.value); have != c.want {
				s.Errorf("%s (%s: %s) is answered by %s, want %s", what, c.header, c.value, have, c.want)
			}
		}
	}

	for _, percent := range []int{100, 30} {
		s.splitWith(1, 0, fmt.Sprintf("mirror: {backend: shop-next, percent: %d}", percent))
		before := s.answered("shop-next")
		for range fewest {
			if have := s.answerTo("while copies are sent", "", "", ""); have != "v1" {
				s.Fatalf("while copies are sent, %s answers", have)
			}
		}
		copies := s.settled(func() int64 { return s.answered("shop-next") - before })
		s.Logf("%d%%: of %d requests %d were copied", percent, fewest, copies)
		if !plausible(copies, fewest, float64(percent)/100) {
			s.Errorf("of %d requests %d were copied: not a share of %d%%", fewest, copies, percent)
		}
	}
	s.endSplit()
	s.wantRouteAsWritten()
}

// settled is a number that has stopped to grow: nobody waits for the answers to copies.
func (s *scene) settled(read func() int64) int64 {
	s.Helper()
	last := int64(-1)
	s.until("end of the copies", usual, func() (bool, string) {
		now := read()
		same := now == last
		last = now
		return same, fmt.Sprint(now)
	})
	return last
}

// Affinity keeps each user on the arm that they got. When the canary's share grows, its users stay, and the right part of
// the others is drawn anew.
func affinityGrows(tb testing.TB) {
	const users = 1500
	s := newScene(tb, setting{})
	s.apply(service("shop-next"))
	s.apply(deployment("shop-next", good("next")))
	s.awaitRolledOut("shop-next")
	cookies := make([]string, users)
	arms := make([]string, users)
	visit := func(share float64) (moved int) {
		var next int64
		for i := range users {
			arm, cookie := s.visit(cookies[i])
			if cookie != "" {
				cookies[i] = cookie
			}
			if arms[i] == "next" && arm != "next" {
				s.Errorf("user %d was on next and is on %s", i, arm)
			}
			if arms[i] != "" && arms[i] != arm {
				moved++
			}
			if arms[i] = arm; arm == "next" {
				next++
			}
		}
		s.Logf("share %.2f: %d of %d users on next, %d moved", share, next, users, moved)
		if !plausible(next, users, share) {
			s.Errorf("%d of %d users are on next: not a share of %g", next, users, share)
		}
		return moved
	}
	for _, share := range []int{10, 30, 60} {
		s.splitWith(100-share, share, "affinity: {cookie: {name: arm, maxAge: 1h}}")
		visit(float64(share) / 100)
		if moved := visit(float64(share) / 100); moved > 0 {
			s.Errorf("at %d%% %d users moved though nothing changed", share, moved)
		}
	}
	s.endSplit()
	s.wantRouteAsWritten()
}

// retry asks for a policy and waits until it is said to be in force.
func (s *scene) retry(spec string) {
	s.Helper()
	object := parse(fmt.Sprintf(policyManifest, ""))
	maps.Copy(object.Object["spec"].(map[string]any), parse("{apiVersion: v1, kind: X, spec: " + spec + "}").Object["spec"].(map[string]any))
	s.apply(object)
	want := &v1alpha1.RetryPolicy{}
	s.get(want, "shop")
	s.until("RetryPolicy "+spec, usual, func() (bool, string) {
		policy := &v1alpha1.RetryPolicy{}
		s.get(policy, "shop")
		done := policy.Status.ObservedGeneration != nil && *policy.Status.ObservedGeneration == want.Generation && is(policy.Status.Conditions, v1alpha1.ConditionReady)
		return done, compact(policy.Status)
	})
}

func (s *scene) endPolicy() {
	s.Helper()
	policy := &v1alpha1.RetryPolicy{}
	s.get(policy, "shop")
	if err := shared.Delete(s.Context(), policy); err != nil {
		s.Fatal(err)
	}
	s.until("end of the RetryPolicy", usual, func() (bool, string) {
		return !s.get(&v1alpha1.RetryPolicy{}, "shop"), compact(policy.Status)
	})
}

// wantTries asks for the same several times, and wants each answer to be that one after that many tries. The first may
// still meet a proxy that has not heard. It returns how long one took at most.
func (s *scene) wantTries(what, query string, code, want int) (longest time.Duration) {
	s.Helper()
	s.until(fmt.Sprintf("%s: %d after %d tries", what, code, want), usual, func() (bool, string) {
		have, n, _ := s.triesOf(query)
		return have == code && n == want, fmt.Sprintf("%d after %d tries", have, n)
	})
	for range tries {
		have, n, took := s.triesOf(query)
		longest = max(longest, took)
		if have != code || n != want {
			s.Errorf("%s (?%s): %d after %d tries, want %d after %d", what, query, have, n, code, want)
		}
	}
	s.Logf("%s (?%s): %d after %d tries, at most %s", what, query, code, want, longest)
	return longest
}

// triesOf asks once, and counts at the backends how often it was tried.
func (s *scene) triesOf(query string) (code, count int, took time.Duration) {
	s.Helper()
	before := s.answered("shop")
	began := time.Now()
	response := s.request(query, "", "")
	took = time.Since(began)
	_ = response.Body.Close()
	return response.StatusCode, int(s.answered("shop") - before), took
}

func (s *scene) request(query, header, value string) *http.Response {
	s.Helper()
	request, err := http.NewRequestWithContext(s.Context(), http.MethodGet, shared.gateways[s.gateway]+"?"+query, nil)
	if err != nil {
		s.Fatal(err)
	}
	request.Host = s.host
	if header != "" {
		request.Header.Set(header, value)
	}
	client := http.Client{Timeout: 20 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	response, err := client.Do(request)
	if err != nil {
		s.Fatalf("ask for ?%s: %v", query, err)
	}
	return response
}

// answerTo is the version that answers a request with a header.
func (s *scene) answerTo(what, query, header, value string) string {
	s.Helper()
	response := s.request(query, header, value)
	defer response.Body.Close()
	version := response.Header.Get(load.VersionHeader)
	if version == "" {
		s.Fatalf("%s: answer %s without a version", what, response.Status)
	}
	return version
}

// visit is a user's request with their cookie: the version that answers, and the cookie that they got, if any.
func (s *scene) visit(cookie string) (version, set string) {
	s.Helper()
	header := ""
	if cookie != "" {
		header = "Cookie"
	}
	response := s.request("", header, cookie)
	defer response.Body.Close()
	for _, c := range response.Cookies() {
		if c.Name == "arm" {
			set = c.Name + "=" + c.Value
		}
	}
	return response.Header.Get(load.VersionHeader), set
}

// answered is how many requests the pods of an app have been sent so far.
func (s *scene) answered(app string) int64 {
	s.Helper()
	pods := &corev1.PodList{}
	if err := shared.List(s.Context(), pods, client.InNamespace(s.namespace), client.MatchingLabels{"app": app}); err != nil {
		s.Fatal(err)
	}
	var sum float64
	for _, pod := range pods.Items {
		raw, err := shared.logs.CoreV1().Pods(s.namespace).ProxyGet("http", pod.Name, "8080", "metrics", nil).DoRaw(s.Context())
		if err != nil {
			s.Fatalf("count the requests of pod %s: %v", pod.Name, err)
		}
		for line := range strings.SplitSeq(string(raw), "\n") {
			if rest, ok := strings.CutPrefix(line, "shop_requests_total{"); ok {
				n, err := strconv.ParseFloat(rest[strings.LastIndex(rest, " ")+1:], 64)
				if err != nil {
					s.Fatal(err)
				}
				sum += n
			}
		}
	}
	return int64(sum)
}

// splitWith asks for shares and for what else a split can say, and waits until that is said to be applied.
func (s *scene) splitWith(stable, next int, rest string) {
	s.Helper()
	s.apply(parse(fmt.Sprintf(matchesManifest, stable, next, rest)))
	want := &v1alpha1.TrafficSplit{}
	s.get(want, "shop")
	s.until("split with "+rest, long, func() (bool, string) {
		split, found := s.splits.last("shop")
		if !found || split.Status.ObservedGeneration == nil {
			return false, "no status"
		}
		done := *split.Status.ObservedGeneration == want.Generation && is(split.Status.Conditions, v1alpha1.ConditionReady)
		return done, compact(split.Status)
	})
}

func (s *scene) endSplit() {
	s.Helper()
	split := &v1alpha1.TrafficSplit{}
	s.get(split, "shop")
	if err := shared.Delete(s.Context(), split); err != nil {
		s.Fatal(err)
	}
	s.until("end of the TrafficSplit", long, func() (bool, string) {
		var now v1alpha1.TrafficSplit
		err := shared.Get(s.Context(), types.NamespacedName{Namespace: s.namespace, Name: "shop"}, &now)
		return client.IgnoreNotFound(err) == nil && err != nil, compact(now.Status)
	})
}
