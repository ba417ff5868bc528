package refusals

import (
	"context"
	"strings"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/util/retry"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"slipway.dev/slipway/api/v1alpha1"
	"slipway.dev/slipway/internal/integration/apiserver"
)

// patience is how long a test waits for what is to come at once.
const patience = 12 * time.Second

// shopObjects are what a user has: a release of them has nothing against it. It is judged by the application's own counts,
// which need no data plane.
const shopObjects = `
apiVersion: apps/v1
kind: Deployment
metadata: {name: shop}
spec:
  replicas: 3
  selector: {matchLabels: {app: shop}}
  template:
    metadata: {labels: {app: shop, tier: web}}
    spec: {containers: [{name: shop, image: "shop:v1"}]}
---
apiVersion: v1
kind: Service
metadata: {name: shop}
spec: {selector: {app: shop}, ports: [{port: 80}]}
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: shop}
spec: {parentRefs: [{name: gateway}], rules: [{name: pay, backendRefs: [{name: shop, port: 80}]}, {name: help, backendRefs: [{name: desk, port: 80}]}]}
---
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {name: gateway}
spec: {gatewayClassName: known, listeners: [{name: http, port: 80, protocol: HTTP}]}
---
apiVersion: slipway.dev/v1alpha1
kind: CanaryRelease
metadata: {name: shop}
spec:
  targetRef: {name: shop}
  serviceRef: {name: shop}
  routeRefs: [{name: shop}]
  steps: [{weightPercent: 10}]
  analysis: {metrics: [{name: paid, counts: {bad: 'paid_total{result="failed"}', total: paid_total}}]}
`

// classes are GatewayClasses of the cluster: of an implementation that is known to divide traffic, and of another.
const classes = `
apiVersion: gateway.networking.k8s.io/v1
kind: GatewayClass
metadata: {name: known}
spec: {controllerName: gateway.envoyproxy.io/gatewayclass-controller}
---
apiVersion: gateway.networking.k8s.io/v1
kind: GatewayClass
metadata: {name: unknown}
spec: {controllerName: example.net/even-shares}
`

// shop is a namespace with the shop in it.
type shop struct {
	t         *testing.T
	namespace string
}

// newShop makes it from the shop's objects with changes: merge patches as YAML, each for the object that its kind and name
// say, or another object.
func newShop(t *testing.T, changes string) shop {
	t.Helper()
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{GenerateName: "shop-"}}
	if err := admin.Create(t.Context(), namespace); err != nil {
		t.Fatal(err)
	}
	s := shop{t: t, namespace: namespace.Name}
	for _, object := range changed(t, decode(t, shopObjects), decode(t, changes)) {
		s.create(object)
	}
	s.rolledOut()
	return s
}

func decode(t *testing.T, text string) []*unstructured.Unstructured {
	t.Helper()
	objects, err := apiserver.Decode([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return objects
}

func changed(t *testing.T, objects, changes []*unstructured.Unstructured) []*unstructured.Unstructured {
	t.Helper()
	for _, change := range changes {
		known := false
		for i, object := range objects {
			if object.GetKind() != change.GetKind() || object.GetName() != change.GetName() {
				continue
			}
			known = true
			objects[i] = &unstructured.Unstructured{Object: merged(object.Object, change.Object)}
		}
		if !known {
			objects = append(objects, change)
		}
	}
	return objects
}

// merged is a merge patch (RFC 7386); an object that is left with nothing but a name is not made.
func merged(object, patch map[string]any) map[string]any {
	for key, value := range patch {
		inner, isMap := value.(map[string]any)
		present, wasMap := object[key].(map[string]any)
		switch {
		case value == nil:
			delete(object, key)
		case isMap && wasMap:
			object[key] = merged(present, inner)
		default:
			object[key] = value
		}
	}
	return object
}

// create makes an object, and its status where the manifest has one. Without a spec it is none.
func (s shop) create(object *unstructured.Unstructured) {
	s.t.Helper()
	if object.Object["spec"] == nil {
		return
	}
	object.SetNamespace(s.namespace)
	status := object.Object["status"]
	if err := admin.Create(s.t.Context(), object); err != nil {
		s.t.Fatalf("create %s %s: %v", object.GetKind(), object.GetName(), err)
	}
	if status == nil {
		return
	}
	object.Object["status"] = status
	if err := admin.Status().Update(s.t.Context(), object); err != nil {
		s.t.Fatalf("write status of %s %s: %v", object.GetKind(), object.GetName(), err)
	}
}

// rolledOut is what the Deployment controller would make of the Deployment, if there is one.
func (s shop) rolledOut() {
	s.t.Helper()
	d := &appsv1.Deployment{}
	if err := admin.Get(s.t.Context(), s.key("shop"), d); client.IgnoreNotFound(err) != nil {
		s.t.Fatal(err)
	}
	if d.Name == "" {
		return
	}
	template := d.Spec.Template.DeepCopy()
	template.Labels[appsv1.DefaultDeploymentUniqueLabelKey] = "v1"
	set := &appsv1.ReplicaSet{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: s.namespace, Name: "shop-v1", Labels: template.Labels,
			OwnerReferences: []metav1.OwnerReference{*metav1.NewControllerRef(d, appsv1.SchemeGroupVersion.WithKind("Deployment"))},
		},
		Spec: appsv1.ReplicaSetSpec{Replicas: d.Spec.Replicas, Selector: &metav1.LabelSelector{MatchLabels: template.Labels}, Template: *template},
	}
	if err := admin.Create(s.t.Context(), set); err != nil {
		s.t.Fatal(err)
	}
	set.Status = appsv1.ReplicaSetStatus{ObservedGeneration: set.Generation, Replicas: 3, FullyLabeledReplicas: 3, ReadyReplicas: 3, AvailableReplicas: 3}
	if err := admin.Status().Update(s.t.Context(), set); err != nil {
		s.t.Fatal(err)
	}
	d.Status = appsv1.DeploymentStatus{ObservedGeneration: d.Generation, Replicas: 3, UpdatedReplicas: 3, ReadyReplicas: 3, AvailableReplicas: 3}
	if err := admin.Status().Update(s.t.Context(), d); err != nil {
		s.t.Fatal(err)
	}
}

// push is a change of the Deployment, when what runs has been taken as stable.
func (s shop) push() {
	s.t.Helper()
	s.eventually("stable on record", func() (bool, any) {
		cr := s.release("shop")
		return cr.Status.StableRevision != "", cr.Status
	})
	err := retry.RetryOnConflict(retry.DefaultRetry, func() error {
		d := &appsv1.Deployment{}
		if err := admin.Get(s.t.Context(), s.key("shop"), d); err != nil {
			return err
		}
		d.Spec.Template.Spec.Containers[0].Image = "shop:v2"
		return admin.Update(s.t.Context(), d)
	})
	if err != nil {
		s.t.Fatal(err)
	}
}

func (s shop) key(name string) client.ObjectKey {
	return client.ObjectKey{Namespace: s.namespace, Name: name}
}

func (s shop) release(name string) *v1alpha1.CanaryRelease {
	s.t.Helper()
	cr := &v1alpha1.CanaryRelease{}
	if err := admin.Get(s.t.Context(), s.key(name), cr); err != nil {
		s.t.Fatal(err)
	}
	return cr
}

// wantRefused waits until a release is not accepted, and does not go on, for a reason.
func (s shop) wantRefused(name, reason, message string) {
	s.t.Helper()
	s.eventually("refusal", func() (bool, any) {
		conditions := s.release(name).Status.Conditions
		accepted := meta.FindStatusCondition(conditions, v1alpha1.ConditionAccepted)
		stalled := meta.FindStatusCondition(conditions, v1alpha1.ConditionStalled)
		return accepted != nil && accepted.Status == metav1.ConditionFalse && accepted.Reason == reason && reads(accepted.Message, message) &&
			stalled != nil && stalled.Reason == reason && reads(stalled.Message, message), conditions
	})
}

// reads compares a message with the wanted one, in which … stands for any text.
func reads(message, want string) bool {
	parts := strings.Split(want, "…")
	for i, part := range parts {
		at := strings.Index(message, part)
		if at < 0 || (i == 0 && at != 0) {
			return false
		}
		message = message[at+len(part):]
	}
	return message == "" || parts[len(parts)-1] == ""
}

func (s shop) eventually(what string, look func() (bool, any)) {
	s.t.Helper()
	var seen any
	err := wait.PollUntilContextTimeout(s.t.Context(), 20*time.Millisecond, patience, true, func(context.Context) (bool, error) {
		var done bool
		done, seen = look()
		return done, nil
	})
	if err != nil {
		s.t.Fatalf("no %s within %s; last seen:\n%+v", what, patience, seen)
	}
}
