package cli

import (
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/selection"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"slipway.dev/slipway/api/v1alpha1"
	"slipway.dev/slipway/controllers"
)

// cacheOptions has the cache keep of each kind what is looked at, so that memory goes by the number of releases and not
// by how much a cluster writes on its objects. What is cut off here is read live where it is needed. A write is the
// difference of two objects that lack the same, so that nothing is lost by it.
func cacheOptions(namespace string) cache.Options {
	o := cache.Options{
		DefaultTransform: slim,
		ByObject: map[client.Object]cache.ByObject{
			&corev1.Pod{}:                {Transform: slimPod},
			&discoveryv1.EndpointSlice{}: {Transform: slimSlice},
			// StatefulSets and DaemonSets keep theirs in the same kind.
			&appsv1.ControllerRevision{}: {Label: labelled(v1alpha1.ReleaseLabel)},
		},
	}
	if namespace != "" {
		scopeCache(&o, namespace)
	}
	return o
}

// scopeCache has the cache hold one namespace only. What serves its routes may live in any: Gateways and their settings
// are read everywhere.
func scopeCache(o *cache.Options, namespace string) {
	o.DefaultNamespaces = map[string]cache.Config{namespace: {}}
	everywhere := cache.ByObject{Namespaces: map[string]cache.Config{cache.AllNamespaces: {}}}
	for _, kind := range controllers.SharedKinds() {
		object := &unstructured.Unstructured{}
		object.SetGroupVersionKind(kind)
		o.ByObject[object] = everywhere
	}
}

func labelled(name string) labels.Selector {
	has, err := labels.NewRequirement(name, selection.Exists, nil)
	if err != nil {
		panic(err) // the name is a constant
	}
	return labels.NewSelector().Add(*has)
}

// slim drops who owns which field, and what kubectl keeps of the last apply. Of a route it is still known who wrote its
// rules.
func slim(o any) (any, error) {
	if route, ok := o.(*unstructured.Unstructured); ok {
		slimOwners(route)
		return o, nil
	}
	object, ok := o.(client.Object)
	if !ok {
		return o, nil
	}
	object.SetManagedFields(nil)
	delete(object.GetAnnotations(), corev1.LastAppliedConfigAnnotation)
	return o, nil
}

// slimOwners leaves of who owns which field of a route no more than who owns the rules.
func slimOwners(route *unstructured.Unstructured) {
	entries, _, _ := unstructured.NestedSlice(route.Object, "metadata", "managedFields")
	if len(entries) == 0 {
		return
	}
	for _, entry := range entries {
		fields, _ := entry.(map[string]any)
		if _, owns, _ := unstructured.NestedFieldNoCopy(fields, "fieldsV1", "f:spec", "f:rules"); owns {
			fields["fieldsV1"] = map[string]any{"f:spec": map[string]any{"f:rules": map[string]any{}}}
		} else {
			delete(fields, "fieldsV1")
		}
	}
	_ = unstructured.SetNestedSlice(route.Object, entries, "metadata", "managedFields") // metadata is a map: it was read
}

// slimPod keeps of a canary's pod what it is looked at by: whose it is, and what its status says. Of another one nothing
// is ever asked but that it is there.
func slimPod(o any) (any, error) {
	pod, ok := o.(*corev1.Pod)
	if !ok {
		return o, nil
	}
	if !ofCanary(pod) {
		return &corev1.Pod{ObjectMeta: metav1.ObjectMeta{
			Namespace: pod.Namespace, Name: pod.Name, UID: pod.UID, ResourceVersion: pod.ResourceVersion,
		}}, nil
	}
	pod.ManagedFields, pod.Annotations = nil, nil
	pod.Spec = corev1.PodSpec{NodeName: pod.Spec.NodeName, Containers: imagesOf(pod.Spec.Containers), InitContainers: imagesOf(pod.Spec.InitContainers)}
	return pod, nil
}

// ofCanary goes by the name of the pod's ReplicaSet, which is that of its Deployment and a hash.
func ofCanary(pod *corev1.Pod) bool {
	owner := metav1.GetControllerOf(pod)
	if owner == nil || owner.Kind != "ReplicaSet" {
		return false
	}
	at := strings.LastIndex(owner.Name, "-")
	return at > 0 && strings.HasSuffix(owner.Name[:at], v1alpha1.CanarySuffix)
}

func imagesOf(containers []corev1.Container) []corev1.Container {
	var out []corev1.Container
	for _, c := range containers {
		out = append(out, corev1.Container{Name: c.Name, Image: c.Image})
	}
	return out
}

// slimSlice keeps whose endpoints they are, and which of them are ready.
func slimSlice(o any) (any, error) {
	slice, ok := o.(*discoveryv1.EndpointSlice)
	if !ok {
		return o, nil
	}
	endpoints := make([]discoveryv1.Endpoint, len(slice.Endpoints))
	for i, e := range slice.Endpoints {
		endpoints[i].Conditions.Ready = e.Conditions.Ready
	}
	return &discoveryv1.EndpointSlice{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: slice.Namespace, Name: slice.Name, UID: slice.UID, ResourceVersion: slice.ResourceVersion,
			Labels: map[string]string{discoveryv1.LabelServiceName: slice.Labels[discoveryv1.LabelServiceName]},
		},
		Endpoints: endpoints,
	}, nil
}
