package consul

import (
	"errors"
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"

	"slipway.dev/slipway/api/v1alpha1"
	"slipway.dev/slipway/internal/traffic"
)

func object(t *testing.T, text string) *unstructured.Unstructured {
	t.Helper()
	raw, err := yaml.YAMLToJSON([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	out := &unstructured.Unstructured{}
	if err := out.UnmarshalJSON(raw); err != nil {
		t.Fatal(err)
	}
	return out
}

func entry(kind, name, spec string) string {
	return "{apiVersion: consul.hashicorp.com/v1alpha1, kind: " + kind + ", metadata: {name: " + name + ", namespace: shop}, spec: " + spec + "}"
}

func http(name string) string { return entry("ServiceDefaults", name, "{protocol: http}") }

func seenOf(t *testing.T, objects ...string) traffic.Seen {
	t.Helper()
	seen := traffic.Seen{Target: object(t, "{apiVersion: v1, kind: Service, metadata: {name: checkout, namespace: shop}, spec: {}}")}
	for _, o := range objects {
		seen.Objects = append(seen.Objects, object(t, o))
	}
	seen.APIs = map[string]traffic.API{}
	for _, kind := range []string{"ServiceSplitter", "ServiceRouter", "ServiceResolver"} {
		seen.APIs[traffic.APIName(kindNamed(kind).GroupKind())] = traffic.API{}
	}
	return seen
}

// ready has the protocols that a chain needs.
func ready(t *testing.T, objects ...string) traffic.Seen {
	t.Helper()
	return seenOf(t, append(objects, http("checkout"), http("checkout-canary"))...)
}

func oneSplit(change func(*traffic.Split)) traffic.Intent {
	s := traffic.Split{
		Name: "checkout", UID: "u", Sequence: 2, Service: "checkout",
		Backends: []traffic.Backend{{Name: "checkout", Weight: 90}, {Name: "checkout-canary", Weight: 10}},
	}
	if change != nil {
		change(&s)
	}
	return traffic.Intent{Splits: []traffic.Split{s}}
}

func oneRetry(change func(*traffic.Retry)) traffic.Intent {
	r := traffic.Retry{Name: "checkout", UID: "r", Retries: new(int32(2)), Codes: []int32{503}, AllMethods: true}
	if change != nil {
		change(&r)
	}
	return traffic.Intent{Retries: []traffic.Retry{r}}
}

func weights(stable, canary int32) traffic.Intent {
	return oneSplit(func(s *traffic.Split) { s.Backends[0].Weight, s.Backends[1].Weight = stable, canary })
}

// TestRenderRefuses has what Consul cannot do, and what of a user's own stands in the way.
func TestRenderRefuses(t *testing.T) {
	missing := ready(t)
	delete(missing.APIs, traffic.APIName(SplitterKind.GroupKind()))
	perTry := oneRetry(func(r *traffic.Retry) {
		r.PerTry, r.Triggers = time.Second, []v1alpha1.RetryTrigger{v1alpha1.RetryGatewayError}
	})
	for name, tc := range map[string]struct {
		seen   traffic.Seen
		intent traffic.Intent
		// wantReason is empty where the data plane lacks something.
		wantReason traffic.Refusal
		wantSays   []string
	}{
		"a mirror":           {ready(t), oneSplit(func(s *traffic.Split) { s.Mirror = &traffic.Mirror{Backend: "b", Percent: 100} }), "", []string{"mirror", "use another data plane"}},
		"a timeout of a try": {ready(t), perTry, "", []string{"timeouts.perTry", "take timeouts.perTry out", "retries timeouts"}},
		"a budget":           {ready(t), oneRetry(func(r *traffic.Retry) { r.Budget = &traffic.Budget{Percent: 20} }), "", []string{"budget.percent", "take budget out"}},
		"a backoff":          {ready(t), oneRetry(func(r *traffic.Retry) { r.BackoffBase = time.Second }), "", []string{"backoff.base"}},
		"one rule":           {ready(t), oneRetry(func(r *traffic.Retry) { r.SectionName = "pay" }), "", []string{"sectionName"}},
		"affinity":           {ready(t), oneSplit(func(s *traffic.Split) { s.Affinity = &traffic.Affinity{Cookie: "c"} }), "", []string{"affinity"}},
		"a reset before the request": {ready(t), oneRetry(func(r *traffic.Retry) {
			r.Triggers = []v1alpha1.RetryTrigger{v1alpha1.RetryResetBeforeRequest}
		}), "", []string{"ResetBeforeRequest", "RefusedStream"}},
		"no CRDs": {missing, oneSplit(nil), "", []string{"ServiceSplitter is not installed"}},

		"half a percent":               {ready(t), weights(995, 5), traffic.WeightResolution, []string{"backends", "1%", "0.5%"}},
		"a feather":                    {ready(t), weights(999_999, 1), traffic.WeightResolution, []string{"backends"}},
		"one and a half percent":       {ready(t), weights(197, 3), traffic.WeightResolution, []string{"1.5%"}},
		"a part of a small part":       {ready(t, entry("ServiceSplitter", "checkout", "{splits: [{service: checkout, weight: 5}, {service: legacy, weight: 95}]}")), weights(90, 10), traffic.WeightResolution, []string{"checkout", "4.5%"}},
		"a fraction of the user's own": {ready(t, entry("ServiceSplitter", "checkout", "{splits: [{service: checkout, weight: 50.5}, {service: legacy, weight: 49.5}]}")), oneSplit(nil), traffic.WeightResolution, []string{"splits[0].weight", "50.5"}},
		"weights that cannot be multiplied": {ready(t, entry("ServiceSplitter", "checkout", "{splits: [{service: checkout, weight: 100}]}")), oneSplit(func(s *traffic.Split) {
			for range 25 { // 4 % each
				s.Backends = append(s.Backends, traffic.Backend{Name: "checkout", Weight: 1_000_000})
			}
			s.Backends = s.Backends[2:]
		}), traffic.WeightResolution, []string{"weights of at most 100"}},
		"a splitter for subsets":    {ready(t, entry("ServiceSplitter", "checkout", "{splits: [{serviceSubset: v1, weight: 100}]}")), oneSplit(nil), traffic.Conflicted, []string{"ServiceSplitter checkout", "subset"}},
		"a redirect":                {ready(t, entry("ServiceResolver", "checkout", "{redirect: {service: pay}}")), oneSplit(nil), traffic.Conflicted, []string{"ServiceResolver checkout", "pay"}},
		"no protocol":               {seenOf(t, http("checkout-canary")), oneSplit(nil), traffic.NotReady, []string{"protocol tcp", "ServiceDefaults checkout"}},
		"no protocol of the canary": {seenOf(t, http("checkout")), oneSplit(nil), traffic.NotReady, []string{"ServiceDefaults checkout-canary"}},
		"tcp for a policy":          {seenOf(t, entry("ServiceDefaults", "checkout", "{protocol: tcp}")), oneRetry(nil), traffic.NotReady, []string{"set spec.protocol"}},
		"retries of the user's":     {ready(t, entry("ServiceRouter", "checkout", "{routes: [{destination: {numRetries: 1}}]}")), oneRetry(nil), traffic.Conflicted, []string{"routes[0]", "destination.numRetries"}},
		"a timeout of the user's":   {ready(t, entry("ServiceRouter", "checkout", "{routes: [{destination: {requestTimeout: 1s}}]}")), oneRetry(func(r *traffic.Retry) { r.Request = time.Second }), traffic.Conflicted, []string{"destination.requestTimeout", "timeouts.request"}},
		"four cookies together": {ready(t), oneSplit(func(s *traffic.Split) {
			s.Matches = []traffic.Match{{Backend: "checkout-canary", Cookies: make([]traffic.Pair, 4)}}
		}), traffic.TooManyCookies, []string{"cookies"}},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Router{}.Render(tc.seen, tc.intent)
			if err == nil {
				t.Fatal("is not refused")
			}
			refused, isRefused := errors.AsType[*traffic.RefusedError](err)
			if _, lacks := errors.AsType[*traffic.UnsupportedError](err); lacks != (tc.wantReason == "") || (isRefused && refused.Reason != tc.wantReason) {
				t.Errorf("err = %v, want reason %q", err, tc.wantReason)
			}
			for _, want := range tc.wantSays {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("message %q does not say %q", err, want)
				}
			}
		})
	}
}

// TestProtocolOfAll takes the protocol of the ProxyDefaults where a service has none of its own.
func TestProtocolOfAll(t *testing.T) {
	for name, seen := range map[string]traffic.Seen{
		"here":      seenOf(t, entry("ProxyDefaults", "global", "{config: {protocol: http2}}")),
		"elsewhere": {Elsewhere: seenOf(t, entry("ProxyDefaults", "global", "{config: {protocol: http2}}")).Objects},
	} {
		t.Run(name, func(t *testing.T) {
			world := seenOf(t)
			world.Objects, world.Elsewhere = seen.Objects, seen.Elsewhere
			if _, err := (Router{}).Render(world, oneSplit(nil)); err != nil {
				t.Error(err)
			}
		})
	}
}

// TestApplied follows what Consul's controller says of the splitter.
func TestApplied(t *testing.T) {
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	said := func(status string) any {
		return map[string]any{"conditions": []any{map[string]any{"type": "Synced", "status": status, "reason": "Why", "message": "because"}}}
	}
	for name, tc := range map[string]struct {
		status any
		ready  int
		good   time.Time
		want   traffic.State
		cause  traffic.Cause
	}{
		"no answer":           {nil, 1, now.Add(-time.Hour), traffic.Unknown, traffic.DataPlanePending},
		"refused":             {said("False"), 1, now.Add(-time.Hour), traffic.False, traffic.DataPlaneRefused},
		"nothing behind it":   {said("True"), 0, now.Add(-time.Hour), traffic.False, traffic.NoReadyEndpoints},
		"synced just now":     {said("True"), 1, now, traffic.Unknown, traffic.Settling},
		"synced, and settled": {said("True"), 1, now.Add(-time.Hour), traffic.True, ""},
	} {
		t.Run(name, func(t *testing.T) {
			seen := ready(t)
			r, err := Router{}.Render(seen, oneSplit(nil))
			if err != nil {
				t.Fatal(err)
			}
			r.Generated[0].Object["status"] = tc.status
			seen = seen.With(r)
			seen.ReadyEndpoints, seen.Now, seen.GoodSince = map[string]int{"checkout-canary": tc.ready}, now, tc.good
			if v := (Router{}).Applied(seen, oneSplit(nil)); v.State != tc.want || v.Cause != tc.cause {
				t.Errorf("verdict is %s %s: %s", v.State, v.Cause, v.Message)
			}
		})
	}
}

func TestServes(t *testing.T) {
	if _, serves := (Router{}).Serves(seenOf(t)); serves {
		t.Error("a Service of which Consul knows nothing is served")
	}
	if why, serves := (Router{}).Serves(ready(t)); !serves || why != "ServiceDefaults checkout" {
		t.Errorf("serves = %v, %q", serves, why)
	}
}
