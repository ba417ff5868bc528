package traffic

import (
	"reflect"
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// State is an answer of three values. Its zero value is the careful one.
type State int

// The states of a split on a route.
const (
	Unknown State = iota
	True
	False
)

// String is the state as a condition's status writes it.
func (s State) String() string {
	switch s {
	case True:
		return "True"
	case False:
		return "False"
	case Unknown:
		return "Unknown"
	}
	return "Unknown"
}

// Verdict says whether a route carries a split.
type Verdict struct {
	State State
	// Cause is the kind of the first thing that is missing; empty when State is True.
	Cause Cause
	// Message says in one sentence what is waited for; empty when State is True.
	Message string
	// Good means that only the settle time is left to wait for, or nothing.
	Good bool
	// Wake is how long the settle time still lasts; zero when it is not what is waited for.
	Wake time.Duration
}

// Cause is the kind of thing that keeps a split from being applied.
type Cause string

// The causes.
const (
	// NotWritten means that the route does not carry the split's present record yet.
	NotWritten Cause = "NotWritten"
	// WrittenOver means that somebody else changed the backends of the route.
	WrittenOver Cause = "WrittenOver"
	// DataPlanePending means that the data plane has not answered for the newest generation of the route.
	DataPlanePending Cause = "DataPlanePending"
	// DataPlaneRefused means that the data plane refuses the route or part of it.
	DataPlaneRefused Cause = "DataPlaneRefused"
	// NoReadyEndpoints means that a backend with weight has no endpoint that is ready.
	NoReadyEndpoints Cause = "NoReadyEndpoints"
	// Settling means that everything is in order, for less than the settle time.
	Settling Cause = "Settling"
)

// Written says whether the objects carry everything of the intent, as it would be rendered now: nothing is older, and
// nobody wrote over it. It is the first question of every Applied; it knows nothing of the data plane.
func Written(r Router, seen Seen, intent Intent) Verdict {
	carried := r.Carried(seen)
	switch {
	case !carriesSplits(carried, intent):
		return Verdict{State: False, Cause: NotWritten, Message: "the route does not carry the present backends yet"}
	case !carriesRetries(carried, intent):
		return Verdict{State: False, Cause: NotWritten, Message: "the route does not carry the present policy yet"}
	case !Drifted(r, seen):
	case len(intent.Splits) > 0:
		return Verdict{State: False, Cause: WrittenOver, Message: "somebody else changed the backends of the route"}
	default:
		return Verdict{State: False, Cause: WrittenOver, Message: "somebody else changed what was written for the policy"}
	}
	return Verdict{State: True, Good: true}
}

// Drifted says whether the objects are not what they say that they carry.
func Drifted(r Router, seen Seen) bool {
	carried := r.Carried(seen)
	if carried.Empty() {
		return false
	}
	want, err := r.Render(seen, carried)
	if err != nil {
		return true
	}
	for _, obj := range append(slices.Clone(want.Patched), want.Generated...) {
		there := seen.Find(KindOf(obj), obj.GetName())
		if there == nil || !Same(there, obj) {
			return true
		}
	}
	return false
}

// Same says whether an object is as it was rendered. Status is not looked at, and neither is what a generated object has
// beside what was rendered, which is the API server's defaults.
func Same(there, rendered *unstructured.Unstructured) bool {
	if !covers(asTree(there.GetAnnotations()), asTree(rendered.GetAnnotations())) {
		return false
	}
	if IsGenerated(rendered) {
		return IsGenerated(there) && covers(there.Object["spec"], rendered.Object["spec"])
	}
	return reflect.DeepEqual(there.Object["spec"], rendered.Object["spec"])
}

// covers says whether a tree has everything that another one has. Lists must be as long.
func covers(has, wants any) bool {
	switch w := wants.(type) {
	case map[string]any:
		h, ok := has.(map[string]any)
		for key, value := range w {
			if !ok || !covers(h[key], value) {
				return false
			}
		}
		return ok || len(w) == 0
	case []any:
		h, ok := has.([]any)
		if !ok || len(h) != len(w) {
			return len(w) == 0 && has == nil
		}
		for i := range w {
			if !covers(h[i], w[i]) {
				return false
			}
		}
		return true
	}
	return reflect.DeepEqual(has, wants)
}

func asTree(m map[string]string) map[string]any {
	out := make(map[string]any, len(m))
	for key, value := range m {
		out[key] = value
	}
	return out
}

// carriesSplits and carriesRetries say whether everything of the intent is among what is carried, by record.
func carriesSplits(carried, intent Intent) bool {
	return !slices.ContainsFunc(intent.Splits, func(s Split) bool {
		return !slices.ContainsFunc(carried.Splits, func(c Split) bool { return c.UID == s.UID && c.Sequence == s.Sequence })
	})
}

func carriesRetries(carried, intent Intent) bool {
	return !slices.ContainsFunc(intent.Retries, func(r Retry) bool {
		return !slices.ContainsFunc(carried.Retries, func(c Retry) bool {
			return c.UID == r.UID && c.Generation == r.Generation && c.SectionName == r.SectionName
		})
	})
}
