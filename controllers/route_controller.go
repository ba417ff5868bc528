package controllers

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/events"
	"k8s.io/klog/v2"
	"k8s.io/utils/clock"
	"k8s.io/utils/ptr"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"slipway.dev/slipway/api/v1alpha1"
	"slipway.dev/slipway/internal/store"
	"slipway.dev/slipway/internal/traffic"
	"slipway.dev/slipway/internal/traffic/gatewayapi"
)

// httpRouter is the translator for HTTPRoutes.
var httpRouter = gatewayapi.HTTPRoute{}

// +kubebuilder:rbac:groups=gateway.networking.k8s.io,resources=httproutes,verbs=get;list;watch;patch
// +kubebuilder:rbac:groups=slipway.dev,resources=trafficsplits,verbs=get;list;watch
// +kubebuilder:rbac:groups=slipway.dev,resources=trafficsplits/status,verbs=patch
// +kubebuilder:rbac:groups=events.k8s.io,resources=events,verbs=create;patch

// RouteReconciler makes one HTTPRoute carry what the records of all splits that name it say, and nothing else. It decides
// nothing: it is the only one that writes routes, and it puts back what somebody else writes over a split.
type RouteReconciler struct {
	cache   client.Reader
	live    client.Reader
	store   *store.Store
	clock   clock.PassiveClock
	events  events.EventRecorder
	contest *routeContest
}

// Reconcile writes one route if it is not as it should be.
func (r *RouteReconciler) Reconcile(ctx context.Context, req ctrl.Request) (ctrl.Result, error) {
	result, err := r.follow(ctx, req.NamespacedName)
	if store.IsConflict(err) || errors.Is(err, traffic.ErrOvertaken) {
		return ctrl.Result{RequeueAfter: conflictRetry}, nil
	}
	return result, client.IgnoreNotFound(err)
}

func (r *RouteReconciler) follow(ctx context.Context, key types.NamespacedName) (ctrl.Result, error) {
	route := newHTTPRoute()
	if err := r.cache.Get(ctx, key, route); err != nil {
		if apierrors.IsNotFound(err) {
			r.contest.forget(key)
		}
		return ctrl.Result{}, ignoreNotFound("HTTPRoute", key, err)
	}
	splits, err := splitsOn(ctx, r.cache, key)
	if err != nil {
		return ctrl.Result{}, err
	}
	carried := gatewayapi.Carried(route)
	if len(splits) == 0 && len(carried) == 0 {
		return ctrl.Result{}, nil
	}
	intent, err := r.intentOf(ctx, key)
	if err != nil {
		return ctrl.Result{}, err
	}
	if err := r.checkLeaving(ctx, key.Namespace, carried, intent); err != nil {
		return ctrl.Result{}, err
	}
	return r.write(ctx, route, splits, intent)
}

// write renders the route and projects it. A split that has a newer record is written at once; one that was written over
// is put back at once too, unless somebody does it again and again.
func (r *RouteReconciler) write(ctx context.Context, route *unstructured.Unstructured, splits []v1alpha1.TrafficSplit, intent traffic.Intent) (ctrl.Result, error) {
	after, err := httpRouter.Render(route, intent)
	if err != nil {
		return ctrl.Result{}, err
	}
	if reflect.DeepEqual(route.Object, after.Object) {
		return ctrl.Result{}, nil
	}
	key := client.ObjectKeyFromObject(route)
	manager, repair := foreignWriter(route, splits)
	if wait := r.contest.wait(key, r.clock.Now()); repair && wait > 0 && sameRecords(gatewayapi.Carried(route), intent) {
		return ctrl.Result{RequeueAfter: wait}, nil
	}
	if _, err := r.store.ProjectUnstamped(ctx, route.DeepCopy(), after); err != nil {
		return ctrl.Result{}, err
	}
	klog.FromContext(ctx).Info("Projecting route", "HTTPRoute", klog.KObj(route), "splits", stampsOf(intent), "repairedFrom", manager)
	if !repair {
		return ctrl.Result{}, nil
	}
	r.contest.repaired(key, manager, r.clock.Now())
	routeRepairs.Inc()
	return ctrl.Result{}, r.reportRepair(ctx, route, splits, manager)
}

// intentOf is what the route is to carry: the records of the splits that hold it.
func (r *RouteReconciler) intentOf(ctx context.Context, key types.NamespacedName) (traffic.Intent, error) {
	composition, err := composeNamespace(ctx, r.cache, key.Namespace)
	if err != nil {
		return traffic.Intent{}, err
	}
	intent := composition.Intents[key.Name]
	intent.Splits = slices.DeleteFunc(intent.Splits, func(s traffic.Split) bool { return len(s.Backends) == 0 })
	return intent, nil
}

// checkLeaving makes sure, for each split that the route carries and is not to carry any more, that the cache is not
// just late: it compares what was read with what the API server has now.
func (r *RouteReconciler) checkLeaving(ctx context.Context, namespace string, carried []traffic.Split, intent traffic.Intent) error {
	for _, on := range carried {
		if slices.ContainsFunc(intent.Splits, func(s traffic.Split) bool { return s.UID == on.UID }) {
			continue
		}
		key := types.NamespacedName{Namespace: namespace, Name: on.Name}
		if undecided, err := r.undecided(ctx, key, on.UID); err != nil || undecided {
			return cmp.Or(err, fmt.Errorf("follow TrafficSplit %s: its change is not decided on yet: %w", key, store.ErrStale))
		}
		now, err := versionOf(ctx, r.live, key, on.UID)
		if err != nil {
			return err
		}
		read, err := versionOf(ctx, r.cache, key, on.UID)
		if err != nil {
			return err
		}
		if now != read {
			return fmt.Errorf("read TrafficSplit %s: %w", key, store.ErrStale)
		}
	}
	return nil
}

// undecided says that a split's spec has changed and that its record does not follow yet: whether the route is being left,
// and how, is to be decided first.
func (r *RouteReconciler) undecided(ctx context.Context, key types.NamespacedName, uid string) (bool, error) {
	split := &v1alpha1.TrafficSplit{}
	if err := r.cache.Get(ctx, key, split); err != nil {
		return false, ignoreNotFound("TrafficSplit", key, err)
	}
	run := split.Status.Run
	return string(split.UID) == uid && split.DeletionTimestamp.IsZero() && run.Sequence != nil &&
		ptr.Deref(run.Generation, 0) != split.Generation, nil
}

// versionOf is the resourceVersion of the split of that uid, or empty when it is gone.
func versionOf(ctx context.Context, reader client.Reader, key types.NamespacedName, uid string) (string, error) {
	split := &v1alpha1.TrafficSplit{}
	if err := reader.Get(ctx, key, split); err != nil {
		return "", ignoreNotFound("TrafficSplit", key, err)
	}
	if string(split.UID) != uid {
		return "", nil
	}
	return split.ResourceVersion, nil
}

// repairAttempts is how often the count of a repair is written against others who write the same status.
const repairAttempts = 5

// reportRepair says on each split of the route whose write was put back. What the route is to carry was recorded before;
// this is only the count, made after the write so that a write which failed is not counted.
func (r *RouteReconciler) reportRepair(ctx context.Context, route *unstructured.Unstructured, splits []v1alpha1.TrafficSplit, manager string) error {
	var errs []error
	for i := range splits {
		split := &splits[i]
		r.events.Eventf(split, route, "Warning", reasonRepaired, "PutBack",
			"HTTPRoute %s: field manager %q wrote over the split; it was put back", route.GetName(), manager)
		errs = append(errs, r.countRepair(ctx, client.ObjectKeyFromObject(split), route.GetName(), manager))
	}
	return errors.Join(errs...)
}

// countRepair reads past the cache: the split's own controller is most likely writing its status because of the same
// change of the route.
func (r *RouteReconciler) countRepair(ctx context.Context, key types.NamespacedName, route, manager string) error {
	var err error
	for range repairAttempts {
		split := &v1alpha1.TrafficSplit{}
		if err := r.live.Get(ctx, key, split); err != nil {
			return ignoreNotFound("TrafficSplit", key, err)
		}
		after := split.DeepCopy()
		for i := range after.Status.Routes {
			if s := &after.Status.Routes[i]; s.Name == route {
				s.Repairs, s.RepairedFrom = new(ptr.Deref(s.Repairs, 0)+1), manager
			}
		}
		if _, err = r.store.Record(ctx, split, after); !store.IsConflict(err) {
			return err
		}
	}
	return err
}

// sameRecords says whether the route claims to carry exactly the intent.
func sameRecords(carried []traffic.Split, intent traffic.Intent) bool {
	stamps := func(splits []traffic.Split) []string { return stampsOf(traffic.Intent{Splits: splits}) }
	return slices.Equal(stamps(carried), stamps(intent.Splits))
}

func stampsOf(intent traffic.Intent) []string {
	out := make([]string, 0, len(intent.Splits))
	for _, s := range intent.Splits {
		out = append(out, s.Name+" "+store.Stamp{UID: s.UID, Sequence: s.Sequence}.String())
	}
	return out
}

func ignoreNotFound(kind string, key types.NamespacedName, err error) error {
	if apierrors.IsNotFound(err) {
		return nil
	}
	return fmt.Errorf("read %s %s: %w", kind, key, err)
}
