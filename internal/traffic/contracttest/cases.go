package contracttest

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/yaml"

	"slipway.dev/slipway/api/v1alpha1"
	"slipway.dev/slipway/internal/traffic"
)

// testCase is a file of the folder.
type testCase struct {
	name   string
	seen   traffic.Seen
	intent traffic.Intent
}

// file is what stands in it.
type file struct {
	Policies []map[string]any             `json:"policies"`
	Draws    map[string][]traffic.Backend `json:"draws"`
	Target   map[string]any               `json:"target"`
	Objects  []map[string]any             `json:"objects"`
	// Elsewhere are objects in the namespaces of the route's parents.
	Elsewhere []map[string]any `json:"elsewhere"`
	Observed  struct {
		Controllers []string               `json:"controllers"`
		Features    []string               `json:"features"`
		APIs        map[string]traffic.API `json:"apis"`
	} `json:"observed"`
}

const inSuffix, outSuffix = ".in.yaml", ".out.yaml"

func readCases(dir string) ([]testCase, error) {
	names, err := filepath.Glob(filepath.Join(dir, "*"+inSuffix))
	if err != nil {
		return nil, err
	}
	out := make([]testCase, 0, len(names))
	for _, name := range names {
		c, err := readCase(name)
		if err != nil {
			return nil, fmt.Errorf("read case %s: %w", name, err)
		}
		out = append(out, c)
	}
	return out, nil
}

func readCase(name string) (testCase, error) {
	text, err := os.ReadFile(name) //nolint:gosec // a file of the test
	if err != nil {
		return testCase{}, err
	}
	var f file
	if err := yaml.UnmarshalStrict(text, &f); err != nil {
		return testCase{}, err
	}
	c := testCase{name: strings.TrimSuffix(filepath.Base(name), inSuffix)}
	if c.seen.Target, err = object(f.Target); err != nil {
		return testCase{}, err
	}
	if c.seen.Objects, err = objects(f.Objects); err != nil {
		return testCase{}, err
	}
	if c.seen.Elsewhere, err = objects(f.Elsewhere); err != nil {
		return testCase{}, err
	}
	c.seen.Controllers, c.seen.Features, c.seen.APIs = f.Observed.Controllers, f.Observed.Features, f.Observed.APIs
	for i, p := range f.Policies {
		if err := c.add(p, i, f.Draws); err != nil {
			return testCase{}, err
		}
	}
	return c, nil
}

// object has the numbers of a decoded API object: whole ones are int64.
func object(from map[string]any) (*unstructured.Unstructured, error) {
	text, err := json.Marshal(from)
	if err != nil {
		return nil, err
	}
	out := &unstructured.Unstructured{}
	return out, out.UnmarshalJSON(text)
}

func objects(from []map[string]any) ([]*unstructured.Unstructured, error) {
	var out []*unstructured.Unstructured
	for _, o := range from {
		obj, err := object(o)
		if err != nil {
			return nil, err
		}
		out = append(out, obj)
	}
	return out, nil
}

func (c *testCase) add(policy map[string]any, number int, draws map[string][]traffic.Backend) error {
	uid := types.UID(fmt.Sprintf("uid-%d", number+1))
	target := c.seen.Target
	if policy["kind"] == "TrafficSplit" {
		split := &v1alpha1.TrafficSplit{}
		if err := runtime.DefaultUnstructuredConverter.FromUnstructuredWithValidation(policy, split, true); err != nil {
			return err
		}
		split.UID = uid
		for _, ref := range split.Spec.RouteRefs {
			if ref.Name == target.GetName() {
				c.intent.Splits = append(c.intent.Splits, withAffinity(traffic.SplitOf(split, ref), split.Spec.Affinity, draws[split.Name]))
			}
		}
		return nil
	}
	retry := &v1alpha1.RetryPolicy{}
	if err := runtime.DefaultUnstructuredConverter.FromUnstructuredWithValidation(policy, retry, true); err != nil {
		return err
	}
	retry.UID = uid
	for _, ref := range retry.Spec.TargetRefs {
		if ref.Name != target.GetName() {
			continue
		}
		r, err := traffic.RetryOf(retry, ref)
		if err != nil {
			return err
		}
		c.intent.Retries = append(c.intent.Retries, r)
	}
	return nil
}

// withAffinity gives a split the sequence of its second record, so that there was one before.
func withAffinity(split traffic.Split, affinity v1alpha1.TrafficAffinity, before []traffic.Backend) traffic.Split {
	split.Sequence = 2
	if affinity.Cookie.Name == "" {
		return split
	}
	draws := []traffic.Draw{{Number: 2, Backends: split.Backends}}
	if before != nil {
		draws = slices.Insert(draws, 0, traffic.Draw{Number: 1, Backends: before})
	}
	maxAge, _ := traffic.ParseDuration(affinity.Cookie.MaxAge)
	split.Affinity = traffic.Pinned(traffic.Cookie{Name: affinity.Cookie.Name, MaxAge: maxAge, Round: "r1"}, draws)
	return split
}

// printed is a rendering as its out file has it.
func printed(r traffic.Rendering) (string, error) {
	var out strings.Builder
	for _, part := range []struct {
		title   string
		objects []*unstructured.Unstructured
	}{{"patched", r.Patched}, {"generated", r.Generated}} {
		for _, obj := range part.objects {
			text, err := yaml.Marshal(obj.Object)
			if err != nil {
				return "", err
			}
			fmt.Fprintf(&out, "# %s\n%s---\n", part.title, text)
		}
	}
	return strings.TrimSuffix(out.String(), "---\n"), nil
}
