package e2e

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"slipway.dev/slipway/api/v1alpha1"
)

// promotions are the scenarios of what happens while a change is rolled out to the stable pods.
var promotions = []scenario{
	{"newer-change-while-promoting", newerChangeWhilePromoting},
	{"harm-while-promoting", harmWhilePromoting},
}

// slowly has the Deployment replace one pod after the other and look at each for a while, so that half-way is a time.
func slowly(d *unstructured.Unstructured) {
	spec := d.Object["spec"].(map[string]any)
	spec["minReadySeconds"] = int64(12)
	spec["strategy"] = map[string]any{
		"type": "RollingUpdate", "rollingUpdate": map[string]any{"maxSurge": int64(1), "maxUnavailable": int64(0)},
	}
}

// oneStep goes from half of the traffic to promotion.
const oneStep = `[{weightPercent: 50}]`

// usersOffWithin is how long after the decision the last user may be answered by the bad version.
const usersOffWithin = time.Second

// halfWay is a release of v2 that is being rolled out: one new pod is ready, most pods are old.
func halfWay(tb testing.TB, with setting) *scene {
	tb.Helper()
	with.shape = slowly
	s := newScene(tb, with)
	s.adopt(plan{steps: oneStep})
	s.push(good("v2"))
	s.awaitRollingHalfWay("v2")
	return s
}

func (s *scene) awaitRollingHalfWay(version string) {
	s.Helper()
	s.awaitStage("PromotionRolling")
	s.until("first ready pod of "+version, usual, func() (bool, string) {
		ready, all := s.readyPods(version)
		return ready > 0, fmt.Sprintf("%d of %d pods of the Deployment are of %s and ready", ready, all, version)
	})
}

// readyPods are those of the user's Deployment that are of a version and ready, and all of its pods.
func (s *scene) readyPods(version string) (ready, all int32) {
	s.Helper()
	for _, set := range s.replicaSets() {
		all += set.Status.Replicas
		if versionOf(set.Spec.Template) == version {
			ready += set.Status.ReadyReplicas
		}
	}
	return ready, all
}

// replicaSets are those of the user's Deployment.
func (s *scene) replicaSets() []appsv1.ReplicaSet {
	s.Helper()
	sets := &appsv1.ReplicaSetList{}
	if err := shared.List(s.Context(), sets, client.InNamespace(s.namespace), client.MatchingLabels{"app": "shop"}); err != nil {
		s.Fatalf("list ReplicaSets: %v", err)
	}
	return sets.Items
}

// The version turns bad when half of stable is replaced. Users are off it within a second, the old pods have them, and in
// the end everything is as after any other rollback, also for Git.
func harmWhilePromoting(tb testing.TB) {
	s := newScene(tb, setting{rate: 150, shape: slowly})
	s.adopt(plan{steps: oneStep})
	s.push(good("v2"))
	s.awaitStage("Judging")
	owned := s.ownersOfTemplate()
	s.awaitRollingHalfWay("v2")
	s.turnBad("v2", 50)
	s.awaitState("way to the old pods", long, func(cr *v1alpha1.CanaryRelease) bool {
		if cr.Status.Stage == "PuttingBack" {
			s.Errorf("stable was put back before users were on the old pods: %s", describe(cr))
		}
		return cr.Status.Stage == "Evacuating" || cr.Status.Stage == "PuttingBack"
	})
	// Git goes on applying what it has, meanwhile.
	for _, stage := range []string{"Evacuating", "PuttingBack", "Returning"} {
		s.awaitStage(stage)
		s.reapply(good("v2"))
	}
	s.awaitRolledBack(v1alpha1.ReasonHarmProven)
	s.wantUsersOffAtOnce("Evacuating", "v2")
	s.wantCleanedUp()
	s.wantHeldOn("v2", "v1")
	s.wantTemplates("v1", "v2")
	if have := s.ownersOfTemplate(); have != owned {
		s.Errorf("owners of the template's fields\n have %s\n had  %s", have, owned)
	}
	generation := s.shop().Generation
	s.reapply(good("v2"))
	if have := s.shop().Generation; have != generation {
		s.Errorf("the next apply from Git changed the Deployment: generation %d, was %d", have, generation)
	}
	s.wantTemplates("v1", "v2")
	s.wantShare(s.sample(fewest), "v2", 0)
	s.wantNoHarm("v2")
}

// reapply is what a GitOps controller does every few minutes.
func (s *scene) reapply(v version) {
	s.Helper()
	s.apply(s.manifest(v))
	s.apply(s.route(plainRules))
}

// wantUsersOffAtOnce measures from the record of a stage to the last answer of a version.
func (s *scene) wantUsersOffAtOnce(stage, version string) {
	s.Helper()
	decided := s.decidedAt(stage)
	written := s.routeWrittenAfter(decided)
	last := s.load.Snapshot().Versions[version].LastAt
	s.Logf("users off %s: route written %s after the record, last answer %s after it", version, written.Sub(decided), last.Sub(decided))
	if written.Sub(decided) > usersOffWithin {
		s.Errorf("the route was written %s after the decision was on record", written.Sub(decided))
	}
	if last.Sub(decided) > usersOffWithin {
		s.Errorf("%s still answered %s after the decision was on record", version, last.Sub(decided))
	}
}

// decidedAt is when the present release came to a stage.
func (s *scene) decidedAt(stage string) time.Time {
	s.Helper()
	for _, e := range s.states() {
		if e.object.Status.Stage == stage {
			return e.at
		}
	}
	s.Fatalf("the release never was in stage %s", stage)
	return time.Time{}
}

// routeWrittenAfter is when the route first gave the canary next to nothing, from a moment on.
func (s *scene) routeWrittenAfter(from time.Time) time.Time {
	s.Helper()
	for _, e := range s.routes.since(0) {
		share, found := shareIn(e.object, "shop"+v1alpha1.CanarySuffix)
		// The two writes reach us on two connections.
		if e.at.After(from.Add(-usersOffWithin)) && (!found || share <= 1.0/100_000) {
			return e.at
		}
	}
	s.Fatal("the route was never written")
	return time.Time{}
}

// wantHeldOn says that the Deployment is held on a version and that all of its pods are of another.
func (s *scene) wantHeldOn(held, serving string) {
	s.Helper()
	d := s.shop()
	if !d.Spec.Paused || d.Annotations[v1alpha1.HeldAnnotation] != "shop" || versionOf(d.Spec.Template) != held {
		s.Errorf("the Deployment has %s, paused %t, annotations %q; want it held on %s",
			versionOf(d.Spec.Template), d.Spec.Paused, oursIn(d.Annotations), held)
	}
	if ready, all := s.readyPods(serving); ready != *d.Spec.Replicas || all != ready {
		s.Errorf("%d of %d pods are of %s and ready, want all %d", ready, all, serving, *d.Spec.Replicas)
	}
}

// wantTemplates says which versions the user's Deployment has ever had pods of, each as one template.
func (s *scene) wantTemplates(want ...string) {
	s.Helper()
	var have []string
	for _, set := range s.replicaSets() {
		have = append(have, versionOf(set.Spec.Template))
	}
	slices.Sort(have)
	if !slices.Equal(have, want) {
		s.Errorf("the Deployment has ReplicaSets of %q, want %q", have, want)
	}
}

// ownersOfTemplate says who owns fields of the Deployment's template, and which.
func (s *scene) ownersOfTemplate() string {
	s.Helper()
	var owners []string
	for _, entry := range s.shop().ManagedFields {
		if entry.Subresource == "" && entry.FieldsV1 != nil && bytes.Contains(entry.FieldsV1.GetRawBytes(), []byte(`"f:template"`)) {
			owners = append(owners, fmt.Sprintf("%s %s %s", entry.Manager, entry.Operation, templateFields(entry)))
		}
	}
	slices.Sort(owners)
	return strings.Join(owners, "\n")
}

// templateFields are the fields of the template that an entry has, as text.
func templateFields(entry metav1.ManagedFieldsEntry) string {
	var fields map[string]any
	if err := json.Unmarshal(entry.FieldsV1.GetRawBytes(), &fields); err != nil {
		return err.Error()
	}
	template, _, err := unstructured.NestedFieldNoCopy(fields, "f:spec", "f:template")
	if err != nil {
		return err.Error()
	}
	return compact(template)
}

// Newer changes come half-way through promotion, and again while stable is put back for the first of them. Only the last
// is released; those between never have a pod behind the user's Service, nor a user.
func newerChangeWhilePromoting(tb testing.TB) {
	s := halfWay(tb, setting{rate: 100})
	generation := s.shop().Generation
	for range 3 {
		s.reapply(good("v2"))
	}
	if have := s.shop().Generation; have != generation {
		s.Errorf("applying the same again changed the Deployment: generation %d, was %d", have, generation)
	}
	if have := s.current(); have.Status.Stage != "PromotionRolling" {
		s.Errorf("applying the same again moved the release: %s", describe(have))
	}

	s.push(good("v3"))
	s.awaitStage("PuttingBack")
	s.wantUsersOffAtOnce("Evacuating", "v2")
	s.reapply(good("v3"))
	s.push(good("v4"))
	s.awaitStage("Judging")
	s.wantHeldOn("v4", "v1")
	s.awaitPromoted()
	s.wantTemplates("v1", "v2", "v4")
	s.wantNeverServed("v3")
	s.wantShare(s.sample(fewest), "v4", 1)
	s.wantNoHarm()
}
