package main

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"slipway.dev/slipway/internal/traffic/gatewayapi"
)

func TestServiceOfAPrometheusURL(t *testing.T) {
	cases := map[string]struct {
		url  string
		want serviceAddress
	}{
		"name and namespace":         {"http://prometheus.monitoring:9090", serviceAddress{"http", "prometheus", "monitoring", "9090", ""}},
		"the whole name, and a path": {"https://p.m.svc.cluster.local/prefix/", serviceAddress{"https", "p", "m", "443", "/prefix"}},
		"a host elsewhere":           {"https://prometheus.example.com", serviceAddress{}},
		"a host without namespace":   {"http://localhost:9090", serviceAddress{}},
		"nonsense":                   {"://", serviceAddress{}},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			have, ok := serviceOf(c.url)
			if have != c.want || ok != (c.want != serviceAddress{}) {
				t.Errorf("have %+v, %v, want %+v", have, ok, c.want)
			}
		})
	}
}

func TestCountInAnAnswerOfPrometheus(t *testing.T) {
	cases := map[string]struct {
		answer, want string
		wantErr      bool
	}{
		"a number":  {`{"data":{"result":[{"metric":{},"value":[1,"12"]}]}}`, "12", false},
		"no series": {`{"data":{"result":[]}}`, "0", false},
		"no JSON":   {`<html>`, "", true},
		"no number": {`{"data":{"result":[{"value":[1]}]}}`, "", true},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			have, err := countIn([]byte(c.answer))
			if have != c.want || (err != nil) != c.wantErr {
				t.Errorf("have %q, %v", have, err)
			}
		})
	}
}

func TestOnlyAGatewayThatMeasuresArmsApartWillDo(t *testing.T) {
	cases := map[string]struct {
		parent    gatewayapi.ParentFacts
		wantError string
	}{
		"merged backends":        {gatewayapi.ParentFacts{Controller: gatewayapi.EnvoyGateway, MergeBackends: true}, ""},
		"as Envoy Gateway comes": {gatewayapi.ParentFacts{Controller: gatewayapi.EnvoyGateway}, "spec.mergeBackends"},
		"another data plane":     {gatewayapi.ParentFacts{Controller: "example.com/other"}, "GATEWAY="},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			_, err := mergingOf("ns/gw", gatewayapi.ClassFacts{Parents: []gatewayapi.ParentFacts{c.parent}})
			if (err == nil) != (c.wantError == "") || (err != nil && !strings.Contains(err.Error(), c.wantError)) {
				t.Errorf("have %v, want %q", err, c.wantError)
			}
		})
	}
}

func TestAddressIsThatOfTheFirstHTTPListener(t *testing.T) {
	listeners := []gatewayv1.Listener{{Protocol: gatewayv1.TLSProtocolType, Port: 443}, {Protocol: gatewayv1.HTTPProtocolType, Port: 8080}}
	cases := map[string]struct {
		addresses []string
		listeners []gatewayv1.Listener
		want      string
	}{
		"name or IPv4":        {[]string{"10.0.0.1"}, listeners, "10.0.0.1:8080"},
		"IPv6":                {[]string{"fd00::1"}, listeners, "[fd00::1]:8080"},
		"no address yet":      {nil, listeners, ""},
		"no listener of HTTP": {[]string{"10.0.0.1"}, listeners[:1], ""},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			gateway := &gatewayv1.Gateway{Spec: gatewayv1.GatewaySpec{Listeners: c.listeners}}
			for _, address := range c.addresses {
				gateway.Status.Addresses = append(gateway.Status.Addresses, gatewayv1.GatewayStatusAddress{Value: address})
			}
			if have := addressOf(gateway); have != c.want {
				t.Errorf("have %q, want %q", have, c.want)
			}
		})
	}
}

func TestOperatorsManifestsAreAdaptedOrTheDemoStops(t *testing.T) {
	built := "image: localhost/slipway:dev\nurl: http://prometheus.monitoring:9090\n"
	have, err := adapt(built, "registry.example/slipway:1", "http://p.obs:80")
	if want := "image: registry.example/slipway:1\nurl: http://p.obs:80\n"; err != nil || have != want {
		t.Errorf("have %q, %v", have, err)
	}
	if have, err := adapt(built, defaultImage, ""); err != nil || have != built {
		t.Errorf("nothing to change: have %q, %v", have, err)
	}
	if _, err := adapt("image: other\n", "x", ""); err == nil {
		t.Error("an image that is not found must not be left as it is")
	}
}

func TestManifestsCarryVersionImageAndGateway(t *testing.T) {
	d := &demo{options: options{shopImage: "registry.example/shop:1", gateway: types.NamespacedName{Namespace: "edge", Name: "main"}}}
	objects, err := d.shop(version{name: "v3", errorPercent: "5"})
	if err != nil {
		t.Fatal(err)
	}
	containers, _, _ := unstructured.NestedSlice(objects[0].Object, "spec", "template", "spec", "containers")
	container, _ := containers[0].(map[string]any)
	wantEnv := []any{map[string]any{"name": "VERSION", "value": "v3"}, map[string]any{"name": "ERROR_PERCENT", "value": "5"}}
	if diff := cmp.Diff(wantEnv, container["env"]); diff != "" || container["image"] != "registry.example/shop:1" {
		t.Errorf("image %v, env (-want +have):\n%s", container["image"], diff)
	}
	route, err := d.route()
	if err != nil {
		t.Fatal(err)
	}
	parents, _, _ := unstructured.NestedSlice(route.Object, "spec", "parentRefs")
	if diff := cmp.Diff([]any{map[string]any{"namespace": "edge", "name": "main"}}, parents); diff != "" {
		t.Errorf("parents (-want +have):\n%s", diff)
	}
	pod, err := d.loadPod()
	if err != nil || pod.Spec.Containers[0].Image != "registry.example/shop:1" || pod.Namespace != namespace {
		t.Errorf("load: have %+v, %v", pod, err)
	}
}

func TestLoadIsSteadyWhenWholeSecondsHadNoFailure(t *testing.T) {
	good, slow, bad, begun := counts{Requests: 200, OK: 200}, counts{Requests: 50, OK: 50}, counts{Requests: 200, OK: 199, FailedBySwitching: 1}, counts{Requests: 3, OK: 3}
	cases := map[string]struct {
		seconds []counts
		want    bool
	}{
		"three good seconds and one that has begun": {[]counts{good, good, good, begun}, true},
		"failures long ago":                         {[]counts{bad, good, good, good, begun}, true},
		"a failure just now":                        {[]counts{good, good, bad, begun}, false},
		"too few requests":                          {[]counts{good, slow, good, begun}, false},
		"too short a time":                          {[]counts{good, good, good}, false},
		"nothing":                                   {nil, false},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			s := stats{RatePerSecond: 200}
			for _, second := range c.seconds {
				s.Windows = append(s.Windows, window{second})
			}
			if have := s.steady(); have != c.want {
				t.Errorf("have %v, want %v", have, c.want)
			}
		})
	}
}

func TestGatewayOptionNeedsANamespace(t *testing.T) {
	for text, ok := range map[string]bool{"edge/main": true, "main": false, "/main": false, "edge/": false} {
		if _, err := parse([]string{"--gateway", text}); (err == nil) != ok {
			t.Errorf("--gateway %s: have %v", text, err)
		}
	}
}
