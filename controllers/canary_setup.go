package controllers

import (
	"context"
	"slices"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
	"sigs.k8s.io/controller-runtime/pkg/source"

	"slipway.dev/slipway/api/v1alpha1"
)

const (
	// Indexes by which a release is found from what it is about.
	byTarget  = "spec.targetRef.name"
	byService = "spec.serviceRef.name"
	// byDeployment finds ReplicaSets, so that a look at one release does not read those of all others.
	byDeployment = "slipway.dev/deployment"
)

// Setup has the manager run releases, and whenever somebody wakes one up.
func (r *CanaryReconciler) Setup(ctx context.Context, mgr ctrl.Manager, waker *Waker, workers int) error {
	if err := indexReleases(ctx, mgr.GetFieldIndexer()); err != nil {
		return err
	}
	return ctrl.NewControllerManagedBy(mgr).
		For(&v1alpha1.CanaryRelease{}).
		Owns(&v1alpha1.TrafficSplit{}).
		Owns(&appsv1.ControllerRevision{}, builder.WithPredicates(predicate.Funcs{
			CreateFunc: func(event.CreateEvent) bool { return false },
			UpdateFunc: func(event.UpdateEvent) bool { return false },
		})).
		Watches(&appsv1.Deployment{}, handler.EnqueueRequestsFromMapFunc(r.ofDeployment)).
		Watches(&appsv1.ReplicaSet{}, handler.EnqueueRequestsFromMapFunc(r.ofReplicaSet)).
		Watches(&corev1.Pod{}, handler.EnqueueRequestsFromMapFunc(r.ofPod)).
		Watches(&corev1.Service{}, handler.EnqueueRequestsFromMapFunc(r.ofService)).
		WatchesRawSource(source.Func(waker.listen)).
		WithOptions(controller.Options{MaxConcurrentReconciles: workers}).
		Named("canaryrelease").
		Complete(r)
}

func indexReleases(ctx context.Context, indexer client.FieldIndexer) error {
	err := indexer.IndexField(ctx, &v1alpha1.CanaryRelease{}, byTarget, func(o client.Object) []string {
		return []string{o.(*v1alpha1.CanaryRelease).Spec.TargetRef.Name}
	})
	if err != nil {
		return wrap("index CanaryReleases by target", err)
	}
	err = indexer.IndexField(ctx, &v1alpha1.CanaryRelease{}, byService, func(o client.Object) []string {
		return []string{o.(*v1alpha1.CanaryRelease).Spec.ServiceRef.Name}
	})
	if err != nil {
		return wrap("index CanaryReleases by Service", err)
	}
	return wrap("index ReplicaSets by Deployment", indexer.IndexField(ctx, &appsv1.ReplicaSet{}, byDeployment, deploymentOf))
}

// deploymentOf is the Deployment that a ReplicaSet belongs to, if it does.
func deploymentOf(o client.Object) []string {
	owner := metav1.GetControllerOf(o)
	if owner == nil || owner.Kind != "Deployment" {
		return nil
	}
	return []string{owner.Name}
}

// ofDeployment: the target itself, or the twin, which its owner names.
func (r *CanaryReconciler) ofDeployment(ctx context.Context, o client.Object) []reconcile.Request {
	if owner := metav1.GetControllerOf(o); owner != nil && owner.Kind == "CanaryRelease" {
		return []reconcile.Request{{NamespacedName: types.NamespacedName{Namespace: o.GetNamespace(), Name: owner.Name}}}
	}
	return r.releasesBy(ctx, byTarget, o.GetNamespace(), o.GetName())
}

// ofReplicaSet: a ReplicaSet of the target. Those of the twin change the twin's own status too.
func (r *CanaryReconciler) ofReplicaSet(ctx context.Context, o client.Object) []reconcile.Request {
	var out []reconcile.Request
	for _, deployment := range deploymentOf(o) {
		out = append(out, r.releasesBy(ctx, byTarget, o.GetNamespace(), deployment)...)
	}
	return out
}

// ofPod: a pod of a twin. Pods are found by the twin's ReplicaSet, which carries the twin's labels.
func (r *CanaryReconciler) ofPod(ctx context.Context, o client.Object) []reconcile.Request {
	owner := metav1.GetControllerOf(o)
	if owner == nil || owner.Kind != "ReplicaSet" {
		return nil
	}
	set := &appsv1.ReplicaSet{}
	if err := r.Client.Get(ctx, types.NamespacedName{Namespace: o.GetNamespace(), Name: owner.Name}, set); err != nil {
		return nil
	}
	up := metav1.GetControllerOf(set)
	if up == nil || up.Kind != "Deployment" {
		return nil
	}
	twin := &appsv1.Deployment{}
	if err := r.Client.Get(ctx, types.NamespacedName{Namespace: o.GetNamespace(), Name: up.Name}, twin); err != nil {
		return nil
	}
	if release := metav1.GetControllerOf(twin); release != nil && release.Kind == "CanaryRelease" {
		return []reconcile.Request{{NamespacedName: types.NamespacedName{Namespace: o.GetNamespace(), Name: release.Name}}}
	}
	return nil
}

func (r *CanaryReconciler) ofService(ctx context.Context, o client.Object) []reconcile.Request {
	if owner := metav1.GetControllerOf(o); owner != nil && owner.Kind == "CanaryRelease" {
		return []reconcile.Request{{NamespacedName: types.NamespacedName{Namespace: o.GetNamespace(), Name: owner.Name}}}
	}
	return r.releasesBy(ctx, byService, o.GetNamespace(), o.GetName())
}

func (r *CanaryReconciler) releasesBy(ctx context.Context, index, namespace, name string) []reconcile.Request {
	list := &v1alpha1.CanaryReleaseList{}
	if err := r.Client.List(ctx, list, client.InNamespace(namespace), client.MatchingFields{index: name}); err != nil {
		return nil
	}
	var out []reconcile.Request
	for _, cr := range list.Items {
		out = append(out, reconcile.Request{NamespacedName: client.ObjectKeyFromObject(&cr)})
	}
	slices.SortFunc(out, func(a, b reconcile.Request) int { return compareKeys(a.NamespacedName, b.NamespacedName) })
	return out
}

func compareKeys(a, b types.NamespacedName) int {
	switch {
	case a.String() < b.String():
		return -1
	case a.String() > b.String():
		return 1
	}
	return 0
}
