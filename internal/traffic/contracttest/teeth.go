package contracttest

import (
	"errors"
	"fmt"
	"slices"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"slipway.dev/slipway/internal/traffic"
)

// bug is a way in which a translator can be wrong, and the part of the contract that must find it.
type bug struct {
	want  string
	plant func(Suite) traffic.Router
	// needs says whether a translator can have the bug at all; nil: every one can.
	needs func(Suite) bool
}

// Teeth breaks the suite's translator in each of the known ways and fails if the contract does not find that.
func Teeth(t *testing.T, s Suite) {
	t.Helper()
	for name, b := range bugs {
		if b.needs != nil && !b.needs(s) {
			continue
		}
		t.Run(name, func(t *testing.T) {
			broken := s
			broken.Router = b.plant(s)
			findings, err := checkUntil(broken, b.want)
			if err != nil {
				t.Fatal(err)
			}
			if !slices.ContainsFunc(findings, func(f Finding) bool { return f.Check == b.want }) {
				t.Errorf("a translator that %s passes %q", name, b.want)
			}
		})
	}
}

// broken is a translator of which some methods do something else.
type broken struct {
	traffic.Router
	render       func(traffic.Seen, traffic.Intent) (traffic.Rendering, error)
	restore      func(traffic.Seen) (traffic.Rendering, error)
	capabilities func() []traffic.Capability
	applied      bool
}

func (b broken) Render(seen traffic.Seen, intent traffic.Intent) (traffic.Rendering, error) {
	if b.render == nil {
		return b.Router.Render(seen, intent)
	}
	return b.render(seen, intent)
}

func (b broken) Restore(seen traffic.Seen) (traffic.Rendering, error) {
	if b.restore == nil {
		return b.Router.Restore(seen)
	}
	return b.restore(seen)
}

func (b broken) Capabilities(kind schema.GroupKind) []traffic.Capability {
	if b.capabilities == nil {
		return b.Router.Capabilities(kind)
	}
	return b.capabilities()
}

func (b broken) Applied(seen traffic.Seen, intent traffic.Intent) traffic.Verdict {
	if b.applied {
		return traffic.Verdict{State: traffic.True}
	}
	return b.Router.Applied(seen, intent)
}

// afterwards is a translator whose renderings are changed.
func afterwards(change func(*unstructured.Unstructured)) func(Suite) traffic.Router {
	return func(s Suite) traffic.Router {
		return broken{Router: s.Router, render: func(seen traffic.Seen, intent traffic.Intent) (traffic.Rendering, error) {
			r, err := s.Router.Render(seen, intent)
			return changed(r, change), err
		}}
	}
}

func changed(r traffic.Rendering, change func(*unstructured.Unstructured)) traffic.Rendering {
	var out traffic.Rendering
	each := func(objects []*unstructured.Unstructured) (copies []*unstructured.Unstructured) {
		for _, obj := range objects {
			obj = obj.DeepCopy()
			change(obj)
			copies = append(copies, obj)
		}
		return copies
	}
	out.Patched, out.Generated = each(r.Patched), each(r.Generated)
	return out
}

// instead is a translator that renders another intent than it was given.
func instead(change func(traffic.Intent) traffic.Intent) func(Suite) traffic.Router {
	return func(s Suite) traffic.Router {
		return broken{Router: s.Router, render: func(seen traffic.Seen, intent traffic.Intent) (traffic.Rendering, error) {
			return s.Router.Render(seen, change(intent))
		}}
	}
}

var bugs = map[string]bug{
	"succeeds by doing nothing": {want: CheckRefuses, needs: lacksSomething, plant: func(s Suite) traffic.Router {
		return broken{Router: s.Router, render: func(seen traffic.Seen, intent traffic.Intent) (traffic.Rendering, error) {
			r, err := s.Router.Render(seen, intent)
			if _, ok := errors.AsType[*traffic.UnsupportedError](err); ok {
				return traffic.Rendering{}, nil
			}
			return r, err
		}}
	}},
	"declares what it has no case for": {want: CheckCovered, needs: lacksSomething, plant: func(s Suite) traffic.Router {
		return broken{Router: s.Router, capabilities: traffic.All}
	}},
	"leaves out a part of the intent": {want: CheckGolden, plant: instead(func(intent traffic.Intent) traffic.Intent {
		if len(intent.Retries) > 0 {
			return traffic.Intent{Splits: intent.Splits}
		}
		return traffic.Intent{Retries: intent.Retries}
	})},
	"has a whole of 100": {want: CheckWeights, needs: divides, plant: instead(func(intent traffic.Intent) traffic.Intent {
		return reweighed(intent, func(i int, b traffic.Backend) int32 {
			if i == 0 {
				return 100
			}
			return b.Weight
		})
	})},
	"writes weights of zero": {want: CheckWeights, needs: divides, plant: afterwards(func(obj *unstructured.Unstructured) { zero(obj.Object) })},
	"drops fields that it does not know": {want: CheckKeepsUnknown, needs: patches, plant: afterwards(func(obj *unstructured.Unstructured) {
		strip(obj.Object)
	})},
	"changes what it is shown": {want: CheckPure, plant: func(s Suite) traffic.Router {
		n := 0
		return broken{Router: s.Router, render: func(seen traffic.Seen, intent traffic.Intent) (traffic.Rendering, error) {
			r, err := s.Router.Render(seen, intent)
			n++
			seen.Target.SetLabels(map[string]string{"seen": fmt.Sprint(n)})
			return r, err
		}}
	}},
	"does not say the same twice": {want: CheckDeterministic, plant: func(s Suite) traffic.Router {
		n := 0
		return afterwards(func(obj *unstructured.Unstructured) {
			n++
			annotate(obj, "n", fmt.Sprint(n))
		})(s)
	}},
	"builds on what it rendered before": {want: CheckPath, plant: func(s Suite) traffic.Router {
		return broken{Router: s.Router, render: func(seen traffic.Seen, intent traffic.Intent) (traffic.Rendering, error) {
			r, err := s.Router.Render(seen, intent)
			if s.Router.Carried(seen).Empty() || intent.Empty() {
				return r, err
			}
			return changed(r, func(obj *unstructured.Unstructured) { annotate(obj, "again", "yes") }), err
		}}
	}},
	"forgets its record": {want: CheckCarried, plant: afterwards(func(obj *unstructured.Unstructured) {
		obj.SetAnnotations(nil)
	})},
	"writes over a later record": {want: CheckOvertaken, needs: divides, plant: func(s Suite) traffic.Router {
		return broken{Router: s.Router, render: func(seen traffic.Seen, intent traffic.Intent) (traffic.Rendering, error) {
			r, err := s.Router.Render(seen, intent)
			if !errors.Is(err, traffic.ErrOvertaken) {
				return r, err
			}
			later := intent
			later.Splits = slices.Clone(intent.Splits)
			for i := range later.Splits {
				later.Splits[i].Sequence += 10
			}
			return s.Router.Render(seen, later)
		}}
	}},
	"says applied without looking": {want: CheckApplied, plant: func(s Suite) traffic.Router {
		return broken{Router: s.Router, applied: true}
	}},
	"restores nothing": {want: CheckRestores, plant: func(s Suite) traffic.Router {
		return broken{Router: s.Router, restore: func(seen traffic.Seen) (traffic.Rendering, error) {
			return traffic.Rendering{Patched: []*unstructured.Unstructured{seen.Target.DeepCopy()}}, nil
		}}
	}},
	"restores what it remembers": {want: CheckKeepsEdits, needs: patches, plant: func(s Suite) traffic.Router {
		first := map[string]*unstructured.Unstructured{}
		return broken{
			Router: s.Router,
			render: func(seen traffic.Seen, intent traffic.Intent) (traffic.Rendering, error) {
				if s.Router.Carried(seen).Empty() {
					for _, obj := range append(slices.Clone(seen.Objects), seen.Target) {
						first[traffic.TargetName(obj)] = obj.DeepCopy()
					}
				}
				return s.Router.Render(seen, intent)
			},
			restore: func(seen traffic.Seen) (traffic.Rendering, error) {
				r, err := s.Router.Restore(seen)
				r.Patched = slices.Clone(r.Patched)
				for i, obj := range r.Patched {
					if remembered := first[traffic.TargetName(obj)]; remembered != nil {
						r.Patched[i] = remembered
					}
				}
				return r, err
			},
		}
	}},
	"takes over what is somebody else's": {want: CheckTaken, needs: generates, plant: func(s Suite) traffic.Router {
		return broken{Router: s.Router, render: func(seen traffic.Seen, intent traffic.Intent) (traffic.Rendering, error) {
			r, err := s.Router.Render(seen, intent)
			if _, refused := errors.AsType[*traffic.RefusedError](err); !refused {
				return r, err
			}
			blind := seen
			blind.Objects = slices.DeleteFunc(slices.Clone(seen.Objects), func(o *unstructured.Unstructured) bool {
				foreign, _, _ := unstructured.NestedBool(o.Object, "spec", "foreign")
				return foreign
			})
			return s.Router.Render(blind, intent)
		}}
	}},
	"generates what nobody owns": {want: CheckOwned, needs: generates, plant: afterwards(func(obj *unstructured.Unstructured) {
		obj.SetOwnerReferences(nil)
	})},
}

func lacksSomething(s Suite) bool { return len(s.Router.Capabilities(s.Kind)) < len(traffic.All()) }

func divides(s Suite) bool {
	return slices.Contains(s.Router.Capabilities(s.Kind), traffic.WeightedBackends)
}

func patches(s Suite) bool {
	return some(s, func(r traffic.Rendering) bool { return len(r.Patched) > 0 })
}

func generates(s Suite) bool {
	return some(s, func(r traffic.Rendering) bool { return len(r.Generated) > 0 })
}

func some(s Suite, has func(traffic.Rendering) bool) bool {
	cases, err := readCases(s.Dir)
	return err == nil && slices.ContainsFunc(cases, func(c testCase) bool {
		r, err := s.Router.Render(c.seen, c.intent)
		return err == nil && has(r)
	})
}

func reweighed(intent traffic.Intent, weight func(int, traffic.Backend) int32) traffic.Intent {
	out := intent
	out.Splits = slices.Clone(intent.Splits)
	for n := range out.Splits {
		backends := slices.Clone(out.Splits[n].Backends)
		for i := range backends {
			backends[i].Weight = weight(i, backends[i])
		}
		out.Splits[n].Backends = backends
	}
	return out
}

func zero(value any) {
	switch v := value.(type) {
	case map[string]any:
		for key, item := range v {
			if _, number := item.(int64); number && key == "weight" {
				v[key] = int64(0)
				continue
			}
			if _, number := item.(float64); number && key == "weight" {
				v[key] = float64(0)
				continue
			}
			zero(item)
		}
	case []any:
		for _, item := range v {
			zero(item)
		}
	}
}

func annotate(obj *unstructured.Unstructured, key, value string) {
	annotations := obj.GetAnnotations()
	if annotations == nil {
		annotations = map[string]string{}
	}
	annotations[key] = value
	obj.SetAnnotations(annotations)
}
