package contracttest

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"slipway.dev/slipway/internal/traffic"
)

var update = flag.Bool("update", false, "write what comes out of the cases anew")

// Updating says whether the test was started with -update: a translator's own golden files may follow it.
func Updating() bool { return *update }

// Suite is a translator with what the test has to know of it.
type Suite struct {
	Router traffic.Router
	// Kind is the kind of target that the cases in Dir are about. A translator that takes several has a suite for each.
	Kind schema.GroupKind
	Dir  string
	// Divisions reads from a rendering how traffic to Service "checkout" is divided: one list for each place where it is. The
	// test has splits of that Service between "checkout" and "checkout-canary" rendered in the world of the case
	// WeightedBackends, in which nothing else shares a rule with it.
	Divisions func(r traffic.Rendering) [][]traffic.Backend
	// Replaces are paths of maps, such as "spec.provider.node", that have to be taken out whole while an intent is carried,
	// because the API takes one of several. What is in them need not be in what is written; it still has to come back.
	Replaces []string
	// Seed is the seed of the fuzzed edits; zero is a seed like any other.
	Seed uint64
}

// Finding is something that the contract forbids.
type Finding struct {
	// Check is the part of the contract, by the name that Teeth knows.
	Check string
	// Case is the file in which it was found.
	Case string
	Said string
}

// The parts of the contract.
const (
	CheckCovered       = "every declared capability has a case"
	CheckGolden        = "what comes out is what the file says"
	CheckPure          = "arguments are not changed"
	CheckDeterministic = "the same facts give the same objects"
	CheckFixpoint      = "rendering twice changes nothing"
	CheckPath          = "rendering does not depend on what was rendered before"
	CheckRefuses       = "what is not declared is refused by name"
	CheckRestores      = "restoring gives the user's objects"
	CheckKeepsEdits    = "restoring gives the user's objects with their edits"
	CheckKeepsUnknown  = "fields that are not known come back as they were"
	CheckWeights       = "weights are those of the split"
	CheckCarried       = "objects say what they carry"
	CheckOvertaken     = "a later record is not written over"
	CheckApplied       = "what is not written, or was written over, is not applied"
	CheckTaken         = "an object of somebody else is not taken over"
	CheckOwned         = "what is generated is marked and owned"
)

// Run checks the whole contract.
func Run(t *testing.T, s Suite) {
	t.Helper()
	if *update {
		writeOut(t, s)
	}
	findings, err := Check(s)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range findings {
		t.Errorf("%s: %s: %s", f.Check, f.Case, f.Said)
	}
}

func writeOut(t *testing.T, s Suite) {
	t.Helper()
	cases, err := readCases(s.Dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range cases {
		if strings.HasSuffix(c.name, dormantSuffix) {
			continue
		}
		r, err := s.Router.Render(c.seen, c.intent)
		if err != nil {
			t.Fatalf("render %s: %v", c.name, err)
		}
		text, err := printed(r)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(s.Dir, c.name+outSuffix), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// checker gathers findings about one suite.
type checker struct {
	Suite
	cases    []testCase
	findings []Finding
}

// Check returns everything in which a translator breaks the contract. An error means that the cases cannot be read.
func Check(s Suite) ([]Finding, error) { return checkUntil(s, "") }

// checkUntil looks for breaks of the contract until it has one of that part.
func checkUntil(s Suite, part string) ([]Finding, error) {
	cases, err := readCases(s.Dir)
	if err != nil {
		return nil, err
	}
	c := &checker{Suite: s, cases: cases}
	steps := []func(){c.covered, c.refuses, c.weights}
	for _, tc := range cases {
		for _, each := range []func(testCase){c.rendered, c.restored, c.edited, c.taken, c.path} {
			steps = append(steps, func() { each(tc) })
		}
	}
	for _, step := range steps {
		step()
		if slices.ContainsFunc(c.findings, func(f Finding) bool { return f.Check == part }) {
			break
		}
	}
	return c.findings, nil
}

func (c *checker) found(check string, in testCase, format string, args ...any) {
	c.findings = append(c.findings, Finding{Check: check, Case: in.name, Said: fmt.Sprintf(format, args...)})
}

// covered wants, for each declared capability, a case of that name whose intent needs it, and nothing undeclared.
func (c *checker) covered() {
	for _, capability := range c.Router.Capabilities(c.Kind) {
		at := slices.IndexFunc(c.cases, func(tc testCase) bool { return tc.name == string(capability) })
		switch {
		case capability.Field() == "":
			c.found(CheckCovered, testCase{}, "%s is no capability", capability)
		case at < 0:
			c.found(CheckCovered, testCase{}, "there is no case %s%s", capability, inSuffix)
		case !slices.Contains(traffic.Needs(c.cases[at].intent), capability):
			c.found(CheckCovered, c.cases[at], "its intent does not need %s", capability)
		}
	}
}

// rendered checks what comes out of one case, and that it stays so.
func (c *checker) rendered(tc testCase) {
	before := snapshot(tc.seen)
	r, err := c.Router.Render(tc.seen, tc.intent)
	if diff := differ(before, snapshot(tc.seen)); diff != "" {
		c.found(CheckPure, tc, "Render changed what it was shown (-before +after):\n%s", diff)
		return
	}
	if err != nil {
		c.found(CheckGolden, tc, "Render fails: %v", err)
		return
	}
	c.golden(tc, r)
	if again, err := c.Router.Render(tc.seen, tc.intent); err != nil || !equal(r, again) {
		c.found(CheckDeterministic, tc, "(error %v) %s", err, diffOf(r, again))
	}
	written := tc.seen.With(r)
	if again, err := c.Router.Render(written, tc.intent); err != nil || !equal(r, again) {
		c.found(CheckFixpoint, tc, "(error %v) %s", err, diffOf(r, again))
	}
	c.carried(tc, written)
	for _, obj := range r.Generated {
		if !traffic.IsGenerated(obj) || traffic.TargetOf(obj) != traffic.TargetName(tc.seen.Target) || len(obj.GetOwnerReferences()) == 0 {
			c.found(CheckOwned, tc, "%s %s lacks the label, the annotation of its target or an owner; use traffic.Generate", obj.GetKind(), obj.GetName())
		}
	}
}

func (c *checker) golden(tc testCase, r traffic.Rendering) {
	if strings.HasSuffix(tc.name, dormantSuffix) {
		return
	}
	got, err := printed(r)
	want, readErr := os.ReadFile(filepath.Join(c.Dir, tc.name+outSuffix))
	if err := errors.Join(err, readErr); err != nil {
		c.found(CheckGolden, tc, "%v", err)
		return
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		c.found(CheckGolden, tc, "(-want +got):\n%s", diff)
	}
}

// carried checks that the objects say what was written, and what follows from that.
func (c *checker) carried(tc testCase, written traffic.Seen) {
	if got := c.Router.Carried(tc.seen); !got.Empty() {
		c.found(CheckCarried, tc, "before anything was written the objects carry %+v", got)
	}
	got := c.Router.Carried(written)
	if diff := cmp.Diff(recordsOf(tc.intent), recordsOf(got)); diff != "" {
		c.found(CheckCarried, tc, "records (-intent +carried):\n%s", diff)
	}
	if traffic.Drifted(c.Router, written) {
		c.found(CheckCarried, tc, "what the objects say that they carry does not render to what they are")
	}
	if v := c.Router.Applied(tc.seen, tc.intent); v.State == traffic.True {
		c.found(CheckApplied, tc, "Applied before anything was written")
	}
	c.writtenOver(tc, written)
	for i, s := range tc.intent.Splits {
		older := tc.intent
		older.Splits = slices.Clone(older.Splits)
		s.Sequence--
		older.Splits[i] = s
		if _, err := c.Router.Render(written, older); !errors.Is(err, traffic.ErrOvertaken) {
			c.found(CheckOvertaken, tc, "rendering an older record of %s gives %v", s.Name, err)
		}
	}
}

// writtenOver has each object of a user's be applied anew as it was, with the annotations left, and each generated one go.
func (c *checker) writtenOver(tc testCase, written traffic.Seen) {
	for _, user := range append([]*unstructured.Unstructured{tc.seen.Target}, tc.seen.Objects...) {
		live := written.Find(traffic.KindOf(user), user.GetName())
		if live == nil || reflect.DeepEqual(live.Object["spec"], user.Object["spec"]) {
			continue
		}
		again := live.DeepCopy()
		again.Object["spec"] = user.DeepCopy().Object["spec"]
		seen := deepSeen(written)
		seen = seen.With(traffic.Rendering{Patched: []*unstructured.Unstructured{again}, Generated: generatedOf(seen)})
		if v := c.Router.Applied(seen, tc.intent); v.State == traffic.True || !traffic.Drifted(c.Router, seen) {
			c.found(CheckApplied, tc, "%s %s was applied anew by its user, and that is not seen", user.GetKind(), user.GetName())
		}
	}
	for _, obj := range generatedOf(written) {
		seen := written
		seen.Objects = slices.DeleteFunc(slices.Clone(written.Objects), func(o *unstructured.Unstructured) bool { return o == obj })
		if v := c.Router.Applied(seen, tc.intent); v.State == traffic.True {
			c.found(CheckApplied, tc, "%s %s was removed, and that is not seen", obj.GetKind(), obj.GetName())
		}
	}
}

func generatedOf(seen traffic.Seen) []*unstructured.Unstructured {
	return slices.DeleteFunc(slices.Clone(seen.Objects), func(o *unstructured.Unstructured) bool { return !traffic.IsGenerated(o) })
}

func recordsOf(intent traffic.Intent) []string {
	var out []string
	for _, s := range intent.Splits {
		out = append(out, fmt.Sprintf("TrafficSplit %s %s/%d %v", s.Name, s.UID, s.Sequence, s.Backends))
	}
	for _, r := range intent.Retries {
		out = append(out, fmt.Sprintf("RetryPolicy %s %s/%d", r.Name, r.UID, r.Generation))
	}
	slices.Sort(out)
	return out
}

// taken wants a refusal when a name that is generated is somebody else's.
func (c *checker) taken(tc testCase) {
	r, err := c.Router.Render(tc.seen, tc.intent)
	if err != nil {
		return
	}
	for _, obj := range r.Generated {
		foreign := obj.DeepCopy()
		foreign.SetLabels(nil)
		foreign.SetAnnotations(nil)
		foreign.SetOwnerReferences(nil)
		foreign.Object["spec"] = map[string]any{"foreign": true}
		seen := tc.seen
		seen.Objects = append(slices.Clone(seen.Objects), foreign)
		after, err := c.Router.Render(seen, tc.intent)
		refused, ok := errors.AsType[*traffic.RefusedError](err)
		keeps := err == nil && !slices.ContainsFunc(after.Generated, func(o *unstructured.Unstructured) bool {
			return o.GetName() == obj.GetName() && traffic.KindOf(o) == traffic.KindOf(obj)
		})
		if (!ok || refused.Reason != traffic.Conflicted) && !keeps {
			c.found(CheckTaken, tc, "%s %s is somebody else's: %v", obj.GetKind(), obj.GetName(), err)
		}
	}
}

func snapshot(seen traffic.Seen) []map[string]any {
	out := []map[string]any{seen.Target.DeepCopy().Object}
	for _, obj := range seen.Objects {
		out = append(out, obj.DeepCopy().Object)
	}
	return out
}

// differ is cmp.Diff, which takes long also where nothing differs.
func differ[T any](a, b T) string {
	if reflect.DeepEqual(a, b) {
		return ""
	}
	return cmp.Diff(a, b)
}

func equal(a, b traffic.Rendering) bool {
	return reflect.DeepEqual(contents(a), contents(b))
}

func diffOf(a, b traffic.Rendering) string { return cmp.Diff(contents(a), contents(b)) }

func contents(r traffic.Rendering) [][]map[string]any {
	var out [][]map[string]any
	for _, objects := range [][]*unstructured.Unstructured{r.Patched, r.Generated} {
		list := []map[string]any{}
		for _, obj := range objects {
			list = append(list, obj.Object)
		}
		out = append(out, list)
	}
	return out
}
