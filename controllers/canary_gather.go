package controllers

import (
	"context"
	"encoding/json"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"slipway.dev/slipway/api/v1alpha1"
	"slipway.dev/slipway/internal/analysis"
	"slipway.dev/slipway/internal/hearing"
	"slipway.dev/slipway/internal/release"
	"slipway.dev/slipway/internal/workload"
)

// world is everything that was read for one look at one release.
type world struct {
	cr    *v1alpha1.CanaryRelease
	plan  release.Plan
	terms hearing.Terms
	run   release.Run
	// target is nil when there is no such Deployment; so with the others.
	target  *appsv1.Deployment
	service *corev1.Service
	// replicaSets are those of the target and of the twin.
	replicaSets []appsv1.ReplicaSet
	revisions   []appsv1.ControllerRevision
	twin        *appsv1.Deployment
	twinService *corev1.Service
	holdService *corev1.Service
	split       *v1alpha1.TrafficSplit
	pods        []corev1.Pod
	// stablePods are the Deployment's pods, read only when stable has none that is available.
	stablePods []corev1.Pod
	// stable is the ReplicaSet that serves stable, or nil; serving is the one that would be if the present were adopted.
	stable  *appsv1.ReplicaSet
	serving *appsv1.ReplicaSet
	// templateIsOurs says that the operator owns fields of the Deployment's template; known only where it has written it.
	templateIsOurs bool
	// label tells the twin's pods from stable's.
	label    string
	twinSays workload.TwinFacts
	refusals []release.Refusal
	sources  sources
	// contested says that the Deployment is another release's.
	contested bool
	// refusal is what the API server said against the canary, if it did; refusalSaid what of it was known before this look.
	refusal, refusalSaid string
	// uncovered are objects that cover stable's pods and not the canary's, as far as knowsUncovered.
	uncovered      []string
	knowsUncovered bool
}

func (r *CanaryReconciler) gather(ctx context.Context, cr *v1alpha1.CanaryRelease) (*world, error) {
	w := &world{cr: cr}
	w.run = readRun(cr.Status.Run)
	var err error
	if w.plan, err = planOf(cr); err != nil {
		w.refuse(release.Refused, "spec."+err.Error())
	}
	if w.terms, err = analysis.Terms(cr.Spec.Analysis, len(cr.Spec.Steps)); err != nil {
		w.refuse(release.Refused, "spec."+err.Error())
	}
	if err := r.readObjects(ctx, w); err != nil {
		return nil, err
	}
	w.identify()
	w.refusal = r.Judge.refusal(w)
	w.refusalSaid = w.refusal
	if err := r.readOwners(ctx, w); err != nil {
		return nil, err
	}
	if err := r.readStablePods(ctx, w); err != nil {
		return nil, err
	}
	return w, r.check(ctx, w)
}

// readRun reads the record. One that cannot be read counts as lost, which Repair makes safe.
func readRun(record v1alpha1.RunRecord) release.Run {
	run := release.Run{}
	if record.Record == "" {
		return run
	}
	if err := json.Unmarshal([]byte(record.Record), &run); err != nil {
		return release.Run{Stage: "Unreadable", Sequence: ptr.Deref(record.Sequence, 0)}
	}
	return run
}

func (r *CanaryReconciler) readObjects(ctx context.Context, w *world) error {
	ns, name := w.cr.Namespace, w.cr.Spec.TargetRef.Name
	var err error
	if w.target, err = read(ctx, r.Client, ns, name, &appsv1.Deployment{}); err != nil {
		return err
	}
	if w.service, err = read(ctx, r.Client, ns, w.cr.Spec.ServiceRef.Name, &corev1.Service{}); err != nil {
		return err
	}
	if w.twin, err = read(ctx, r.Client, ns, name+v1alpha1.CanarySuffix, &appsv1.Deployment{}); err != nil {
		return err
	}
	if w.twinService, err = read(ctx, r.Client, ns, name+v1alpha1.CanarySuffix, &corev1.Service{}); err != nil {
		return err
	}
	if w.holdService, err = read(ctx, r.Client, ns, name+v1alpha1.StableHoldSuffix, &corev1.Service{}); err != nil {
		return err
	}
	if w.split, err = read(ctx, r.Client, ns, w.cr.Name, &v1alpha1.TrafficSplit{}); err != nil {
		return err
	}
	return r.readLists(ctx, w)
}

func (r *CanaryReconciler) readLists(ctx context.Context, w *world) error {
	for _, deployment := range []string{w.cr.Spec.TargetRef.Name, w.twinName()} {
		sets := &appsv1.ReplicaSetList{}
		if err := r.Client.List(ctx, sets, client.InNamespace(w.cr.Namespace), client.MatchingFields{byDeployment: deployment}); err != nil {
			return wrap("list ReplicaSets", err)
		}
		w.replicaSets = append(w.replicaSets, sets.Items...)
	}
	revisions := &appsv1.ControllerRevisionList{}
	err := r.Client.List(ctx, revisions, client.InNamespace(w.cr.Namespace), client.MatchingLabels{v1alpha1.ReleaseLabel: w.cr.Name})
	if err != nil {
		return wrap("list ControllerRevisions", err)
	}
	w.revisions = revisions.Items
	if w.twin == nil {
		return nil
	}
	pods := &corev1.PodList{}
	err = r.Client.List(ctx, pods, client.InNamespace(w.cr.Namespace), client.MatchingLabels(w.twin.Spec.Selector.MatchLabels))
	w.pods = pods.Items
	return wrap("list Pods", err)
}

// read gets an object from the cache; nil when there is none.
func read[T client.Object](ctx context.Context, c client.Reader, namespace, name string, into T) (T, error) {
	err := c.Get(ctx, types.NamespacedName{Namespace: namespace, Name: name}, into)
	if apierrors.IsNotFound(err) {
		var none T
		return none, nil
	}
	return into, wrap("read "+name, err)
}

func (r *CanaryReconciler) readStablePods(ctx context.Context, w *world) error {
	if w.target == nil || !stableBroken(w.target, w.stable) || w.target.Spec.Selector == nil {
		return nil
	}
	pods := &corev1.PodList{}
	err := r.Client.List(ctx, pods, client.InNamespace(w.cr.Namespace), client.MatchingLabels(w.target.Spec.Selector.MatchLabels))
	w.stablePods = pods.Items
	return wrap("list Pods", err)
}

// readOwners reads live who owns the template, in the stages that write it: what a cache keeps of that is nobody's promise.
func (r *CanaryReconciler) readOwners(ctx context.Context, w *world) error {
	writes := w.run.Want.Target == release.PutBack || w.run.Want.Target == release.Rehold
	if w.target == nil || !writes {
		return nil
	}
	live, err := read(ctx, r.Live, w.target.Namespace, w.target.Name, &appsv1.Deployment{})
	if err == nil && live != nil {
		w.templateIsOurs = workload.OperatorOwnsTemplate(live)
	}
	return err
}

// identify finds out which ReplicaSet is which.
func (w *world) identify() {
	w.twinSays = workload.InspectTwin(w.cr, w.twin, w.pods, w.replicaSets)
	if w.target == nil {
		return
	}
	w.serving, _ = workload.StableReplicaSet(workload.StableFacts{
		Deployment: w.target, ReplicaSets: w.replicaSets, Stable: workload.PresentStable(w.cr, w.revisions),
	})
	w.stable, _ = workload.StableReplicaSet(workload.StableFacts{
		Deployment: w.target, ReplicaSets: w.replicaSets, Stable: workload.PresentStable(w.cr, w.revisions),
		RecordedUID: types.UID(w.run.Stable.UID),
	})
	if !workload.Held(w.target) {
		// What is not held serves as soon as it has rolled out, whatever was recorded.
		w.serving = workload.NewestReplicaSet(w.target, w.replicaSets)
	}
	if w.service != nil {
		w.label, _ = workload.TwinLabel(w.service, w.target, w.cr.Spec.Canary.Label)
	}
}

func (w *world) refuse(reason release.Reason, message string) {
	w.refusals = append(w.refusals, release.Refusal{Reason: reason, Message: message})
}

// key names the release.
func (w *world) key() types.NamespacedName { return client.ObjectKeyFromObject(w.cr) }

// twinIsOurs says that the canary's Deployment belongs to this release.
func (w *world) twinIsOurs() bool { return w.twin != nil && !w.twinSays.Foreign }
