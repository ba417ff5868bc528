package simulation

import (
	appsv1 "k8s.io/api/apps/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"slipway.dev/slipway/api/v1alpha1"
	"slipway.dev/slipway/internal/traffic"
	"slipway.dev/slipway/internal/traffic/gatewayapi"
	"slipway.dev/slipway/internal/workload"
)

// admission does in a request what the policies of config/admission do.
type admission struct {
	server *server
	// routesUnguarded: the policy for routes is missing, or failed and was ignored.
	routesUnguarded bool
}

func (a *admission) admit(r request) {
	if r.user == operatorUser {
		return
	}
	switch o := r.new.(type) {
	case *appsv1.Deployment:
		cr, ok := a.server.get(kindRelease, appKey).(*v1alpha1.CanaryRelease)
		if !ok || cr.Spec.TargetRef.Name != o.Name || cr.DeletionTimestamp != nil {
			return
		}
		if r.sub == "scale" {
			keepFloor(cr, r.user, r.old.(*appsv1.Deployment), o)
			return
		}
		hold(cr, r.old.(*appsv1.Deployment), o)
	case *unstructured.Unstructured:
		if o.GetKind() == kindRoute && r.sub == "" && !a.routesUnguarded {
			keepSplit(r.old, o)
		}
	}
}

// hold is hold.yaml.
func hold(cr *v1alpha1.CanaryRelease, old, now *appsv1.Deployment) {
	changed := !workload.SameTemplate(old.Spec.Template, now.Spec.Template)
	resumed := old.Spec.Paused && (old.Status.ObservedGeneration != old.Generation || old.Status.UpdatedReplicas != old.Status.Replicas)
	_, marked := old.Annotations[v1alpha1.HeldAnnotation]
	if !marked && (now.Spec.Paused || !changed && !resumed) {
		return
	}
	if now.Annotations == nil {
		now.Annotations = map[string]string{}
	}
	now.Annotations[v1alpha1.HeldAnnotation] = cr.Name
	now.Spec.Paused = true
	if ptr.Deref(now.Spec.Replicas, 1) == 0 && ptr.Deref(old.Spec.Replicas, 1) > 0 {
		now.Spec.Replicas = new(int32(1))
	}
}

// keepFloor is floor.yaml.
func keepFloor(cr *v1alpha1.CanaryRelease, user string, old, now *appsv1.Deployment) {
	floor, was, wants := ptr.Deref(cr.Status.FloorReplicas, 0), ptr.Deref(old.Spec.Replicas, 1), ptr.Deref(now.Spec.Replicas, 1)
	if floor == 0 || wants >= was {
		return
	}
	least := int32(1)
	if user == scalerUser {
		least = min(floor, was)
	}
	now.Spec.Replicas = new(max(wants, least))
}

// keepSplit is route-guard.yaml: what the route carries is rendered onto what the user writes.
func keepSplit(old client.Object, now *unstructured.Unstructured) {
	was := old.(*unstructured.Unstructured)
	carried := gatewayapi.Carried(was)
	if len(carried) == 0 {
		return
	}
	annotations := now.GetAnnotations()
	if annotations == nil {
		annotations = map[string]string{}
	}
	annotations[v1alpha1.SplitAnnotation] = was.GetAnnotations()[v1alpha1.SplitAnnotation]
	now.SetAnnotations(annotations)
	rendered, err := gatewayapi.HTTPRoute{}.Render(now, traffic.Intent{Splits: carried})
	if err == nil {
		now.Object = rendered.DeepCopy().Object
	}
}
