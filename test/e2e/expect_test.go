package e2e

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"slipway.dev/slipway/api/v1alpha1"
)

// ours is what all annotations of the project begin with.
const ours = "slipway.dev/"

func (s *scene) liveRoute() *unstructured.Unstructured {
	s.Helper()
	route := &unstructured.Unstructured{}
	route.SetGroupVersionKind(httpRoute)
	if !s.get(route, "shop") {
		s.Fatal("the route is gone")
	}
	return route
}

// routeSpec is the route's spec, byte for byte comparable.
func (s *scene) routeSpec() string {
	s.Helper()
	return specText(s.liveRoute())
}

func specText(object *unstructured.Unstructured) string {
	text, err := json.Marshal(object.Object["spec"])
	if err != nil {
		return err.Error()
	}
	return string(text)
}

// rewrite applies another route, and takes what the API server makes of it as what the user wrote.
func (s *scene) rewrite(rules string) {
	s.Helper()
	trial := s.route(rules)
	trial.SetName("trial")
	trial.SetNamespace(s.namespace)
	if err := shared.Create(s.Context(), trial, client.DryRunAll); err != nil {
		s.Fatalf("try the route: %v", err)
	}
	s.written = specText(trial)
	s.apply(s.route(rules))
}

// wantRouteAsWritten says that nothing of ours is left on the route, soon.
func (s *scene) wantRouteAsWritten() {
	s.Helper()
	s.until("route as the user wrote it", usual, func() (bool, string) {
		route := s.liveRoute()
		left := oursIn(route.GetAnnotations())
		have := specText(route)
		return have == s.written && len(left) == 0, fmt.Sprintf("annotations %q, spec\n have %s\n want %s", left, have, s.written)
	})
}

func oursIn(annotations map[string]string) []string {
	var found []string
	for key := range annotations {
		if strings.HasPrefix(key, ours) {
			found = append(found, key)
		}
	}
	slices.Sort(found)
	return found
}

// wantCleanedUp says that a release has left nothing behind, soon.
func (s *scene) wantCleanedUp() {
	s.Helper()
	s.wantRouteAsWritten()
	s.wantNoCanary()
}

func (s *scene) wantNoCanary() {
	s.Helper()
	s.until("end of canary, hold Service and split", usual, func() (bool, string) {
		var left []string
		if s.get(&appsv1.Deployment{}, "shop"+v1alpha1.CanarySuffix) {
			left = append(left, "the canary's Deployment")
		}
		for _, name := range []string{"shop" + v1alpha1.CanarySuffix, "shop" + v1alpha1.StableHoldSuffix} {
			if s.get(&corev1.Service{}, name) {
				left = append(left, "Service "+name)
			}
		}
		if s.get(&v1alpha1.TrafficSplit{}, "shop") {
			left = append(left, "TrafficSplit shop")
		}
		return len(left) == 0, "left are " + strings.Join(left, ", ")
	})
}

// wantStable says that the Deployment is not held and that its pods run what is in it.
func (s *scene) wantStable() {
	s.Helper()
	d := s.shop()
	if d.Spec.Paused || len(oursIn(d.Annotations)) > 0 {
		s.Errorf("the Deployment is held still: paused %t, annotations %q", d.Spec.Paused, oursIn(d.Annotations))
	}
	s.awaitRolledOut("shop")
}

// wantHeld says that the Deployment is held on a version, and serves another.
func (s *scene) wantHeld(held version, serving []types.UID) {
	s.Helper()
	d := s.shop()
	if !d.Spec.Paused || d.Annotations[v1alpha1.HeldAnnotation] != "shop" {
		s.Errorf("the Deployment is not held: paused %t, annotations %q", d.Spec.Paused, oursIn(d.Annotations))
	}
	if have := versionOf(d.Spec.Template); have != held.name {
		s.Errorf("the Deployment holds %s, want %s", have, held.name)
	}
	s.wantSamePods(serving)
}

func (s *scene) shop() *appsv1.Deployment {
	s.Helper()
	d := &appsv1.Deployment{}
	if !s.get(d, "shop") {
		s.Fatal("the Deployment is gone")
	}
	return d
}

func versionOf(template corev1.PodTemplateSpec) string {
	for _, env := range template.Spec.Containers[0].Env {
		if env.Name == "VERSION" {
			return env.Value
		}
	}
	return ""
}

// pods are those that the user's Service selects and that are not on their way out.
func (s *scene) pods() []types.UID {
	s.Helper()
	list := &corev1.PodList{}
	if err := shared.List(s.Context(), list, client.InNamespace(s.namespace), client.MatchingLabels{"app": "shop"}); err != nil {
		s.Fatalf("list pods: %v", err)
	}
	var uids []types.UID
	for _, pod := range list.Items {
		if pod.DeletionTimestamp == nil {
			uids = append(uids, pod.UID)
		}
	}
	slices.Sort(uids)
	return uids
}

// wantSamePods says that stable was not touched.
func (s *scene) wantSamePods(want []types.UID) {
	s.Helper()
	if have := s.pods(); !slices.Equal(have, want) {
		s.Errorf("stable has pods %q, had %q", have, want)
	}
}

// wantNeverInStable says that no ReplicaSet of the user's Deployment ever ran a version.
func (s *scene) wantNeverInStable(v version) {
	s.Helper()
	sets := &appsv1.ReplicaSetList{}
	if err := shared.List(s.Context(), sets, client.InNamespace(s.namespace), client.MatchingLabels{"app": "shop"}); err != nil {
		s.Fatalf("list ReplicaSets: %v", err)
	}
	for _, set := range sets.Items {
		if versionOf(set.Spec.Template) == v.name {
			s.Errorf("ReplicaSet %s of the user's Deployment is of %s", set.Name, v.name)
		}
	}
}

// awaitRolledOut waits until every pod of a Deployment is of its template and available.
func (s *scene) awaitRolledOut(name string) {
	s.Helper()
	s.until("rollout of "+name, long, func() (bool, string) {
		d := &appsv1.Deployment{}
		if !s.get(d, name) {
			return false, "it is not there"
		}
		st := d.Status
		done := st.ObservedGeneration == d.Generation && st.Replicas == *d.Spec.Replicas &&
			st.UpdatedReplicas == st.Replicas && st.AvailableReplicas == st.Replicas
		return done, fmt.Sprintf("%d pods, %d updated, %d available", st.Replicas, st.UpdatedReplicas, st.AvailableReplicas)
	})
}

// twin is the canary's Deployment.
func (s *scene) twin() *appsv1.Deployment {
	s.Helper()
	d := &appsv1.Deployment{}
	if !s.get(d, "shop"+v1alpha1.CanarySuffix) {
		s.Fatal("the canary's Deployment is not there")
	}
	return d
}

// remove deletes the CanaryRelease and waits until it is gone: its finalizer must not keep it.
func (s *scene) remove() {
	s.Helper()
	if err := shared.Delete(s.Context(), s.current().DeepCopy()); err != nil {
		s.Fatalf("delete the CanaryRelease: %v", err)
	}
	s.until("end of the CanaryRelease", long, func() (bool, string) {
		cr, found := s.releases.last("shop")
		return !found, describe(cr)
	})
}
