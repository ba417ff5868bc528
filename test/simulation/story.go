package simulation

import (
	"encoding/json"
	"fmt"
	"sort"
	"strings"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"slipway.dev/slipway/api/v1alpha1"
	"slipway.dev/slipway/internal/release"
	"slipway.dev/slipway/internal/workload"
)

// story is what happened, in lines that people can read: when, who, what, and why.
type story struct {
	loop  *loop
	began time.Time
	lines []string
	last  map[string]string
}

func (s *story) tell(format string, args ...any) {
	at := s.loop.now.Sub(s.began)
	s.lines = append(s.lines, fmt.Sprintf("%3d:%06.3f  %s", int(at.Minutes()), at.Seconds()-60*float64(int(at.Minutes())), fmt.Sprintf(format, args...)))
}

// String is the whole story.
func (s *story) String() string { return strings.Join(s.lines, "\n") + "\n" }

// hear tells of a change when what is told of it differs from what was told last.
func (s *story) hear(c change) {
	if s.last == nil {
		s.last = map[string]string{}
	}
	name := c.kind + " " + c.key.Name
	text := "is gone"
	if c.new != nil {
		text = told(c)
	}
	if text == "" || text == s.last[name] {
		return
	}
	s.last[name] = text
	s.tell("%-21s %s %s", c.user, name, text)
}

// told is what matters of an object.
func told(c change) string {
	switch o := c.new.(type) {
	case *v1alpha1.CanaryRelease:
		return toldRelease(o)
	case *v1alpha1.TrafficSplit:
		if c.sub == "status" {
			return ""
		}
		var parts []string
		for _, b := range o.Spec.Backends {
			parts = append(parts, fmt.Sprintf("%s %d", b.Name, ptr.Deref(b.Weight, 0)))
		}
		return "asks for " + strings.Join(parts, ", ") + leaving(o)
	case *appsv1.Deployment:
		return toldDeployment(o)
	case *unstructured.Unstructured:
		if o.GetKind() != kindRoute {
			return ""
		}
		var parts []string
		for _, b := range backendsOf(o) {
			parts = append(parts, fmt.Sprintf("%s %d", b.name, b.weight))
		}
		return "sends to " + strings.Join(parts, ", ")
	}
	if c.kind == kindService || c.kind == kindRevision {
		return "is there"
	}
	return ""
}

func leaving(o client.Object) string {
	if o.GetDeletionTimestamp() != nil {
		return ", and is going"
	}
	return ""
}

func toldRelease(cr *v1alpha1.CanaryRelease) string {
	ready := meta.FindStatusCondition(cr.Status.Conditions, v1alpha1.ConditionReady)
	if ready == nil {
		return "is there"
	}
	var asked []string
	for name, revision := range cr.Annotations {
		asked = append(asked, "; asked: "+strings.TrimPrefix(name, "slipway.dev/")+" "+revision)
	}
	sort.Strings(asked)
	message := ready.Message
	if ready.Reason == string(release.JudgingStep) || strings.Contains(message, "requests") {
		message = cr.Status.Step + " evidence is gathered" // its numbers change all the time
	}
	return fmt.Sprintf("%s%s: %s: %s%s%s", cr.Status.Stage, prefixed(" ", cr.Status.Step), ready.Reason, message, leaving(cr), strings.Join(asked, ""))
}

func prefixed(prefix, text string) string {
	if text == "" {
		return ""
	}
	return prefix + text
}

func toldDeployment(d *appsv1.Deployment) string {
	var notes string
	switch {
	case workload.Held(d):
		notes = ", held"
	case d.Spec.Paused:
		notes = ", paused"
	}
	return fmt.Sprintf("runs %s, %d replicas%s%s", versionOf(d.Spec.Template), ptr.Deref(d.Spec.Replicas, 1), notes, leaving(d))
}

// standing is how things are at the end, for those who look for what went wrong.
func standing(s *server) string {
	var out strings.Builder
	for _, kind := range []string{kindRelease, kindSplit, kindRoute, kindDeployment, kindReplicaSet, kindPod, kindSlice} {
		for _, o := range s.list(kind) {
			copied := o.DeepCopyObject().(client.Object)
			copied.SetManagedFields(nil)
			text, _ := json.Marshal(copied)
			fmt.Fprintf(&out, "%s %s %s\n", kind, o.GetName(), text)
		}
	}
	return out.String()
}

// runOf is the record of a release; its zero value when there is none.
func runOf(cr *v1alpha1.CanaryRelease) release.Run {
	var run release.Run
	if cr != nil {
		_ = json.Unmarshal([]byte(cr.Status.Run.Record), &run)
	}
	return run
}
