package istio

import (
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"

	"slipway.dev/slipway/api/v1alpha1"
	"slipway.dev/slipway/internal/traffic"
)

// object is an object of namespace shop.
func object(tb testing.TB, text string) *unstructured.Unstructured {
	tb.Helper()
	jsonText, err := yaml.YAMLToJSON([]byte(text))
	if err != nil {
		tb.Fatal(err)
	}
	out := &unstructured.Unstructured{}
	if err := out.UnmarshalJSON(jsonText); err != nil {
		tb.Fatal(err)
	}
	if out.GetKind() != "Namespace" {
		out.SetNamespace("shop")
	}
	return out
}

func virtualServiceOf(spec string) string {
	return "{apiVersion: networking.istio.io/v1, kind: VirtualService, metadata: {name: shop}, spec: " + spec + "}"
}

func destinationRuleOf(name, spec string) string {
	return "{apiVersion: networking.istio.io/v1, kind: DestinationRule, metadata: {name: " + name + "}, spec: " + spec + "}"
}

const (
	simple        = `{apiVersion: networking.istio.io/v1, kind: VirtualService, metadata: {name: shop}, spec: {hosts: [checkout], http: [{name: pay, route: [{destination: {host: checkout}}]}]}}`
	serviceTarget = `{apiVersion: v1, kind: Service, metadata: {name: checkout}, spec: {clusterIP: 10.96.0.7, ports: [{name: http, port: 80}]}}`
	inAmbient     = `{apiVersion: v1, kind: Namespace, metadata: {name: shop, labels: {istio.io/dataplane-mode: ambient}}}`
	withSidecars  = `{apiVersion: v1, kind: Namespace, metadata: {name: shop, labels: {istio-injection: enabled}}}`
)

func world(tb testing.TB, target string, objects ...string) traffic.Seen {
	tb.Helper()
	seen := traffic.Seen{Target: object(tb, target), Observed: traffic.Observed{APIs: map[string]traffic.API{
		traffic.APIName(virtualService.GroupKind()):  {Versions: []string{"v1"}, Fields: OptionalFields},
		traffic.APIName(destinationRule.GroupKind()): {Versions: []string{"v1"}, Fields: OptionalFields},
	}}}
	for _, o := range objects {
		seen.Objects = append(seen.Objects, object(tb, o))
	}
	return seen
}

func split(change ...func(*traffic.Split)) traffic.Intent {
	s := traffic.Split{
		Name: "checkout", UID: "s1", Sequence: 4, Service: "checkout",
		Backends: []traffic.Backend{{Name: "checkout", Weight: 90}, {Name: "checkout-canary", Weight: 10}},
	}
	for _, c := range change {
		c(&s)
	}
	return traffic.Intent{Splits: []traffic.Split{s}}
}

func retry(change ...func(*traffic.Retry)) traffic.Intent {
	r := traffic.Retry{Name: "r", UID: "r1", Retries: new(int32(2)), Triggers: []v1alpha1.RetryTrigger{v1alpha1.RetryConnectFailure}}
	for _, c := range change {
		c(&r)
	}
	return traffic.Intent{Retries: []traffic.Retry{r}}
}

func matching(s *traffic.Split) {
	s.Matches = []traffic.Match{{Backend: "checkout-canary", Headers: []traffic.Pair{{Name: "X-Beta", Value: "1"}}}}
}

func cookied(s *traffic.Split) {
	s.Matches = []traffic.Match{{Backend: "checkout-canary", Cookies: []traffic.Pair{{Name: "beta", Value: "1"}}}}
}

func mirrored(s *traffic.Split) { s.Mirror = &traffic.Mirror{Backend: "checkout-canary", Percent: 10} }

func pinned(s *traffic.Split) {
	s.Affinity = traffic.Pinned(traffic.Cookie{Name: "c", Round: "r"}, []traffic.Draw{{Number: 1, Backends: s.Backends}})
}

func budgetOf20(r *traffic.Retry) {
	r.Budget = &traffic.Budget{Percent: 20, MinConcurrent: new(int32(3))}
}

func mustRender(tb testing.TB, seen traffic.Seen, intent traffic.Intent) traffic.Rendering {
	tb.Helper()
	r, err := Router{}.Render(seen, intent)
	if err != nil {
		tb.Fatal(err)
	}
	return r
}

// says fails unless a message has all of the words.
func says(tb testing.TB, message string, words ...string) {
	tb.Helper()
	for _, w := range words {
		if !strings.Contains(message, w) {
			tb.Errorf("%q does not say %q", message, w)
		}
	}
}
