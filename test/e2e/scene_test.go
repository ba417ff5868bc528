package e2e

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"slipway.dev/slipway/test/load"
)

// git is the field manager of what the user applies.
const git = client.FieldOwner("git")

// usual is how long things may take that take seconds; long is for those that wait for pods and evidence.
const (
	usual = 60 * time.Second
	long  = 150 * time.Second
)

// setting is how a scene begins. The zero value is the shop behind the merged Gateway, without load.
type setting struct {
	gateway string
	rate    int    // requests per second
	rules   string // of the route
	first   version
	// apply brings a manifest into the cluster; nil is s.apply.
	apply func(*scene, *unstructured.Unstructured)
	down  bool // the first version never comes up, so nobody waits for it
	// shape changes the Deployment that the user has in Git.
	shape func(deployment *unstructured.Unstructured)
}

// scene is one user's shop in a namespace of its own, with a hostname of its own.
type scene struct {
	testing.TB
	journals
	news      *news
	namespace string
	gateway   string
	host      string
	shape     func(deployment *unstructured.Unstructured)
	// written is the spec of the route as the user wrote it, with the API server's defaults.
	written string
	// pushed is where the journal of releases stood when the user changed the Deployment last.
	pushed  int
	load    *load.Attack
	samples int
}

// newScene brings up the shop and waits until it answers.
func newScene(tb testing.TB, with setting) *scene {
	tb.Helper()
	if with.gateway == "" {
		with.gateway = mergedGateway
	}
	if with.rules == "" {
		with.rules = plainRules
	}
	if with.first.name == "" {
		with.first = good("v1")
	}
	if with.apply == nil {
		with.apply = (*scene).apply
	}
	name := "e2e-" + random()
	s := &scene{TB: tb, news: newNews(), namespace: name, gateway: with.gateway, host: name + ".example", shape: with.shape}
	s.create(&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{"slipway-e2e": "true"}}})
	s.keepJournals(tb.Context())
	tb.Cleanup(s.leave)
	tb.Logf("namespace %s", name)
	for _, manifest := range []*unstructured.Unstructured{service("shop"), s.manifest(with.first), s.route(with.rules)} {
		with.apply(s, manifest)
	}
	s.written = s.routeSpec()
	if !with.down {
		s.awaitRolledOut("shop")
		s.awaitAnswer(with.first.name)
	}
	if with.rate > 0 {
		s.startLoad(with.rate)
	}
	return s
}

func random() string {
	b := make([]byte, 4)
	_, _ = rand.Read(b)
	return hex.EncodeToString(b)
}

// leave says what there was to see when the test failed, and takes everything away.
func (s *scene) leave() {
	ctx, cancel := context.WithTimeout(context.Background(), usual)
	defer cancel()
	if s.load != nil {
		s.load.Stop()
	}
	if s.Failed() {
		s.report(ctx)
		if *keep {
			return
		}
	}
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: s.namespace}}
	if err := shared.Delete(ctx, namespace); client.IgnoreNotFound(err) != nil {
		s.Errorf("delete namespace %s: %v", s.namespace, err)
	}
}

func (s *scene) create(object client.Object) {
	s.Helper()
	if err := shared.Create(s.Context(), object); err != nil {
		s.Fatalf("create %T %s: %v", object, object.GetName(), err)
	}
}

// apply is kubectl apply --server-side --force-conflicts, as GitOps controllers do it.
func (s *scene) apply(object *unstructured.Unstructured) {
	s.Helper()
	object = object.DeepCopy()
	object.SetNamespace(s.namespace)
	err := shared.Apply(s.Context(), client.ApplyConfigurationFromUnstructured(object), git, client.ForceOwnership)
	if err != nil {
		s.Fatalf("apply %s %s: %v", object.GetKind(), object.GetName(), err)
	}
}

// replace is kubectl replace: the manifest in the place of what is there.
func (s *scene) replace(object *unstructured.Unstructured) {
	s.Helper()
	s.until("kubectl replace of "+object.GetKind(), usual, func() (bool, string) {
		live := object.DeepCopy()
		live.SetNamespace(s.namespace)
		if err := shared.Get(s.Context(), client.ObjectKeyFromObject(live), live); err != nil {
			return false, err.Error()
		}
		next := object.DeepCopy()
		next.SetNamespace(s.namespace)
		next.SetResourceVersion(live.GetResourceVersion())
		if err := shared.Update(s.Context(), next, client.FieldOwner("kubectl-replace")); err != nil {
			return false, err.Error()
		}
		return true, ""
	})
}

// push is what a user does to release a change: the Deployment in Git gets another version.
func (s *scene) push(v version) {
	s.Helper()
	s.pushed = s.releases.len()
	s.apply(s.manifest(v))
}

// manifest is the Deployment in Git with a version.
func (s *scene) manifest(v version) *unstructured.Unstructured {
	d := deployment("shop", v)
	if s.shape != nil {
		s.shape(d)
	}
	return d
}

// get reads an object of the scene; false when it is not there.
func (s *scene) get(object client.Object, name string) bool {
	s.Helper()
	err := shared.Get(s.Context(), client.ObjectKey{Namespace: s.namespace, Name: name}, object)
	if apierrors.IsNotFound(err) {
		return false
	}
	if err != nil {
		s.Fatalf("get %T %s: %v", object, name, err)
	}
	return true
}

// until looks again whenever something changes, and now and then, until it is done. What look says instead of done is
// why it is not; that is the message when the time is up.
func (s *scene) until(what string, limit time.Duration, look func() (done bool, have string)) {
	s.Helper()
	if have, ok := s.within(limit, look); !ok {
		s.Fatalf("no %s within %s: %s", what, limit, have)
	}
}

func (s *scene) within(limit time.Duration, look func() (done bool, have string)) (have string, ok bool) {
	s.Helper()
	deadline := time.NewTimer(limit)
	defer deadline.Stop()
	now := time.NewTicker(200 * time.Millisecond)
	defer now.Stop()
	for {
		news := s.news.wait()
		done, have := look()
		if done {
			return have, true
		}
		select {
		case <-news:
		case <-now.C:
		case <-deadline.C:
			return have, false
		case <-s.Context().Done():
			return have, false
		}
	}
}
