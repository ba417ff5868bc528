package kept

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"

	"slipway.dev/slipway/internal/traffic"
)

func parsed(tb testing.TB, text string) *unstructured.Unstructured {
	tb.Helper()
	jsonText, err := yaml.YAMLToJSON([]byte(text))
	if err != nil {
		tb.Fatal(err)
	}
	out := &unstructured.Unstructured{}
	if err := out.UnmarshalJSON(jsonText); err != nil {
		tb.Fatal(err)
	}
	return out
}

func withSpec(tb testing.TB, spec string) *unstructured.Unstructured {
	tb.Helper()
	return parsed(tb, "{apiVersion: example.com/v1, kind: Thing, metadata: {name: a, namespace: b}, spec: "+spec+"}")
}

func intentAt(sequence int64) traffic.Intent {
	return traffic.Intent{Splits: []traffic.Split{{Name: "a", UID: "u1", Sequence: sequence, Service: "a"}}}
}

func patchTo(tb testing.TB, live *unstructured.Unstructured, sequence int64, spec string) *unstructured.Unstructured {
	tb.Helper()
	out, err := Patch(live, intentAt(sequence), func(own *unstructured.Unstructured) error {
		own.Object["spec"] = withSpec(tb, spec).Object["spec"]
		return nil
	})
	if err != nil {
		tb.Fatal(err)
	}
	return out
}

// TestOwnAfterSomebodyWrote changes an object, lets somebody write another spec over it, and asks for the user's own.
func TestOwnAfterSomebodyWrote(t *testing.T) {
	const (
		route  = `{http: [{name: pay, route: [{destination: {host: a}, weight: 100}]}, {route: [{destination: {host: z}}]}]}`
		halved = `{http: [{name: pay, retries: {attempts: 2}, route: [{destination: {host: a}, weight: 50}, {destination: {host: b}, weight: 50}]}, {route: [{destination: {host: z}}]}]}`
	)
	for name, tc := range map[string]struct{ own, wrote, live, want string }{
		"nobody":     {route, halved, halved, route},
		"a re-apply": {route, halved, route, route},
		"a weight that Slipway wrote is put back": {
			route, halved,
			`{http: [{name: pay, retries: {attempts: 2}, route: [{destination: {host: a}, weight: 1}, {destination: {host: b}, weight: 99}]}, {route: [{destination: {host: z}}]}]}`,
			route,
		},
		"a field in an element stays": {
			route, halved,
			`{http: [{name: pay, timeout: 3s, retries: {attempts: 2}, route: [{destination: {host: a}, weight: 50, headers: {x: v}}, {destination: {host: b}, weight: 50}]}, {route: [{destination: {host: z}}]}]}`,
			`{http: [{name: pay, timeout: 3s, route: [{destination: {host: a}, weight: 100, headers: {x: v}}]}, {route: [{destination: {host: z}}]}]}`,
		},
		"a field in what an element says of itself stays": {
			route, halved,
			`{http: [{name: pay, retries: {attempts: 2}, route: [{destination: {host: a, port: {number: 80}}, weight: 50}, {destination: {host: b}, weight: 50}]}, {route: [{destination: {host: z}}]}]}`,
			`{http: [{name: pay, route: [{destination: {host: a, port: {number: 80}}, weight: 100}]}, {route: [{destination: {host: z}}]}]}`,
		},
		"another condition of a rule without a name stays, and what Slipway wrote there goes": {
			`{http: [{match: [{uri: /a}], route: [{destination: {host: a}}]}, {route: [{destination: {host: z}}]}]}`,
			`{http: [{match: [{uri: /a}], route: [{destination: {host: a}, weight: 9}, {destination: {host: b}, weight: 1}]}, {route: [{destination: {host: z}}]}]}`,
			`{http: [{match: [{uri: /b}], route: [{destination: {host: a}, weight: 9}, {destination: {host: b}, weight: 1}]}, {route: [{destination: {host: z}}]}]}`,
			`{http: [{match: [{uri: /b}], route: [{destination: {host: a}}]}, {route: [{destination: {host: z}}]}]}`,
		},
		"another rule in the place of one without a name is the user's": {
			`{http: [{match: [{uri: /a}], route: [{destination: {host: a}}]}, {route: [{destination: {host: z}}]}]}`,
			`{http: [{match: [{uri: /a}], timeout: 3s, route: [{destination: {host: a}}]}, {route: [{destination: {host: z}}]}]}`,
			`{http: [{match: [{uri: /b}], timeout: 9s, route: [{destination: {host: c}}]}, {route: [{destination: {host: z}}]}]}`,
			`{http: [{match: [{uri: /b}], timeout: 9s, route: [{destination: {host: c}}]}, {route: [{destination: {host: z}}]}]}`,
		},
		"a rule that Slipway put before another goes": {
			`{http: [{route: [{destination: {host: a}}]}]}`,
			`{http: [{name: slipway-a, match: [{uri: /a}], route: [{destination: {host: b}}]}, {route: [{destination: {host: a}}]}]}`,
			`{http: [{name: slipway-a, match: [{uri: /a}], route: [{destination: {host: b}}]}, {timeout: 3s, route: [{destination: {host: a}}]}]}`,
			`{http: [{timeout: 3s, route: [{destination: {host: a}}]}]}`,
		},
		"an element before and one behind stay": {
			route, halved,
			`{http: [{name: new}, {name: pay, retries: {attempts: 2}, route: [{destination: {host: a}, weight: 50}, {destination: {host: b}, weight: 50}, {destination: {host: c}}]}, {route: [{destination: {host: z}}]}, {name: last}]}`,
			`{http: [{name: new}, {name: pay, route: [{destination: {host: a}, weight: 100}, {destination: {host: c}}]}, {route: [{destination: {host: z}}]}, {name: last}]}`,
		},
		"an element that the user took out stays out": {
			route, halved,
			`{http: [{name: pay, retries: {attempts: 2}, route: [{destination: {host: a}, weight: 50}, {destination: {host: b}, weight: 50}]}]}`,
			`{http: [{name: pay, route: [{destination: {host: a}, weight: 100}]}]}`,
		},
		"an element that Slipway put in and the user changed goes": {
			`{splits: [{service: a, weight: 100}]}`, `{splits: [{service: a, weight: 90}, {service: b, weight: 10}]}`,
			`{splits: [{service: a, weight: 90}, {service: b, weight: 10, requestHeaders: {set: {x: v}}}]}`,
			`{splits: [{service: a, weight: 100}]}`,
		},
		"a field that was not there is taken out, and others that came stay": {
			`{a: 1}`, `{a: 1, b: 2}`, `{a: 3, b: 4, c: 5}`, `{a: 3, c: 5}`,
		},
		"where a destination goes is what it is, and its retries are not": {
			`{routes: [{match: {a: 1}, destination: {service: a}}, {destination: {service: b}}]}`,
			`{routes: [{match: {a: 1}, destination: {service: a, numRetries: 2}}, {destination: {service: b, numRetries: 2}}]}`,
			`{routes: [{match: {a: 1}, destination: {service: a, numRetries: 2}, c: 1}, {destination: {service: b, numRetries: 2, d: 2}}]}`,
			`{routes: [{match: {a: 1}, destination: {service: a}, c: 1}, {destination: {service: b, d: 2}}]}`,
		},
		"an element whose match the user has edited is still theirs": {
			`{routes: [{match: {a: 1}, destination: {service: a}}]}`,
			`{routes: [{match: {a: 1, b: 1}, destination: {service: b}}, {match: {a: 1}, destination: {service: a, numRetries: 2}}]}`,
			`{routes: [{match: {a: 1, b: 1}, destination: {service: b}}, {match: {a: 2}, destination: {service: a, numRetries: 2}}]}`,
			`{routes: [{match: {a: 2}, destination: {service: a}}]}`,
		},
		"the user took all of it away": {route, halved, `{hosts: [x]}`, `{hosts: [x]}`},
		"fractions are kept":           {`{w: 0.5}`, `{w: 1.5}`, `{w: 1.5}`, `{w: 0.5}`},
	} {
		t.Run(name, func(t *testing.T) {
			live := patchTo(t, withSpec(t, tc.own), 1, tc.wrote)
			live.Object["spec"] = withSpec(t, tc.live).Object["spec"]
			if diff := cmp.Diff(withSpec(t, tc.want).Object, Own(live).Object); diff != "" {
				t.Errorf("own (-want +got):\n%s", diff)
			}
		})
	}
}

func TestPatchStartsFromTheUsersOwn(t *testing.T) {
	own := withSpec(t, `{splits: [{service: a, weight: 100}]}`)
	second := `{splits: [{service: a, weight: 80}, {service: b, weight: 20}]}`
	direct := patchTo(t, own, 2, second)
	after := patchTo(t, patchTo(t, own, 1, `{other: true}`), 2, second)
	if diff := cmp.Diff(direct.Object, after.Object); diff != "" {
		t.Errorf("depends on what was rendered before (-direct +after):\n%s", diff)
	}
	if got := Carried(after); len(got.Splits) != 1 || got.Splits[0].Sequence != 2 {
		t.Errorf("carried = %+v", got)
	}
	if _, err := Patch(after, intentAt(1), func(*unstructured.Unstructured) error { return nil }); !errors.Is(err, traffic.ErrOvertaken) {
		t.Errorf("an older record is written: %v", err)
	}
}

func TestPatchChangesAnnotations(t *testing.T) {
	for name, own := range map[string]string{
		"none before": "{apiVersion: v1, kind: Service, metadata: {name: a, namespace: b}}",
		"some before": "{apiVersion: v1, kind: Service, metadata: {name: a, namespace: b, annotations: {retry.linkerd.io/limit: '1', x: v}}}",
	} {
		t.Run(name, func(t *testing.T) {
			service := parsed(t, own)
			patched, err := Patch(service, intentAt(1), func(o *unstructured.Unstructured) error {
				annotations := o.GetAnnotations()
				if annotations == nil {
					annotations = map[string]string{}
				}
				annotations["retry.linkerd.io/limit"], annotations["retry.linkerd.io/http"] = "2", "5xx"
				o.SetAnnotations(annotations)
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
			if got := patched.GetAnnotations()["retry.linkerd.io/limit"]; got != "2" {
				t.Errorf("annotation is %q", got)
			}
			if diff := cmp.Diff(service.Object, Own(patched).Object); diff != "" {
				t.Errorf("own (-want +got):\n%s", diff)
			}
			patched.SetAnnotations(map[string]string{"z": "1", "slipway.dev/carries": patched.GetAnnotations()["slipway.dev/carries"]})
			want := service.DeepCopy()
			want.SetAnnotations(map[string]string{"z": "1"})
			if name == "some before" {
				want.SetAnnotations(map[string]string{"z": "1", "retry.linkerd.io/limit": "1"})
			}
			if diff := cmp.Diff(want.Object, Own(patched).Object); diff != "" {
				t.Errorf("own after an edit (-want +got):\n%s", diff)
			}
		})
	}
}

// TestPatchWithoutAChange renders what the user wrote anyway, such as everything to stable at the end of a rollback.
func TestPatchWithoutAChange(t *testing.T) {
	own := withSpec(t, `{splits: [{service: a, weight: 100}]}`)
	patched, err := Patch(own, intentAt(3), func(*unstructured.Unstructured) error { return nil })
	if err != nil {
		t.Fatal(err)
	}
	if got := Carried(patched); len(got.Splits) != 1 || got.Splits[0].Sequence != 3 {
		t.Errorf("carried = %+v", got)
	}
	if diff := cmp.Diff(own.Object, Own(patched).Object); diff != "" {
		t.Errorf("own (-want +got):\n%s", diff)
	}
}
