// Package controllers is the shell around the core: it reads facts, asks the core what follows, hands that to the store
// and says it in conditions. It decides nothing by itself.
package controllers

import (
	"context"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/tools/events"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"

	"slipway.dev/slipway/api/v1alpha1"
	"slipway.dev/slipway/internal/release"
	"slipway.dev/slipway/internal/store"
)

// +kubebuilder:rbac:groups=slipway.dev,resources=canaryreleases,verbs=get;list;watch;patch
// +kubebuilder:rbac:groups=slipway.dev,resources=canaryreleases/status,verbs=patch
// +kubebuilder:rbac:groups=slipway.dev,resources=canaryreleases/finalizers,verbs=update
// +kubebuilder:rbac:groups=slipway.dev,resources=trafficsplits,verbs=get;list;watch;create;patch;delete
// +kubebuilder:rbac:groups=apps,resources=deployments,verbs=get;list;watch;create;patch;delete
// +kubebuilder:rbac:groups=apps,resources=replicasets,verbs=get;list;watch
// +kubebuilder:rbac:groups=apps,resources=controllerrevisions,verbs=get;list;watch;create;patch;delete
// +kubebuilder:rbac:groups="",resources=services,verbs=get;list;watch;create;patch;delete
// +kubebuilder:rbac:groups="",resources=pods,verbs=get;list;watch;delete
// +kubebuilder:rbac:groups="",resources=persistentvolumeclaims,verbs=get;list
// +kubebuilder:rbac:groups=networking.k8s.io,resources=networkpolicies,verbs=list
// +kubebuilder:rbac:groups=policy,resources=poddisruptionbudgets,verbs=list
// +kubebuilder:rbac:groups=admissionregistration.k8s.io,resources=mutatingadmissionpolicies;mutatingadmissionpolicybindings,verbs=get
// +kubebuilder:rbac:groups=events.k8s.io,resources=events,verbs=create;patch

// CanaryReconciler runs CanaryReleases.
type CanaryReconciler struct {
	// Client reads from the cache; Live reads from the API server, for what is needed rarely.
	Client client.Client
	Live   client.Reader
	Store  *store.Store
	Events events.EventRecorder
	// Judge keeps the evidence of the releases that run.
	Judge *Bench
	// Guard says whether the admission policies are there.
	Guard *AdmissionCheck
	// Endpoints are the names of the Prometheus servers that releases may name.
	Endpoints []string
	Metrics   *Metrics
	// Now is the clock.
	Now func() time.Time
}

// Reconcile looks at one release: facts, decision, record, projection.
func (r *CanaryReconciler) Reconcile(ctx context.Context, req ctrl.Request) (ctrl.Result, error) {
	cr := &v1alpha1.CanaryRelease{}
	if err := r.Client.Get(ctx, req.NamespacedName, cr); err != nil {
		r.forget(req)
		return ctrl.Result{}, client.IgnoreNotFound(err)
	}
	if done, err := r.claim(ctx, cr); done || err != nil {
		return quiet(err)
	}
	w, err := r.gather(ctx, cr)
	if err != nil {
		return quiet(err)
	}
	r.Judge.follow(w)
	verdict := r.Judge.verdict(w)
	d := release.Decide(w.plan, w.run, w.observe(r.Now(), verdict))
	later, err := r.record(ctx, w, d)
	if err != nil {
		return quiet(err)
	}
	// Said as soon as it is on record: a request that was dealt with is not heard again.
	if d.Answer != "" {
		r.Events.Eventf(w.cr, nil, corev1.EventTypeNormal, "Request", "Answer", "%s", d.Answer)
	}
	if err := r.project(ctx, w, d); err != nil {
		return quiet(err)
	}
	r.tell(ctx, w, d)
	return ctrl.Result{RequeueAfter: soonest(soonest(d.Wake, later), w.lookAgain(r.Now()))}, nil
}

// claim puts the finalizer on an object that has none, before anything is done for it. An object that is being deleted
// without it was never worked on.
func (r *CanaryReconciler) claim(ctx context.Context, cr *v1alpha1.CanaryRelease) (done bool, err error) {
	if controllerutil.ContainsFinalizer(cr, v1alpha1.Finalizer) {
		return false, nil
	}
	if !cr.DeletionTimestamp.IsZero() {
		return true, nil
	}
	claimed := cr.DeepCopy()
	controllerutil.AddFinalizer(claimed, v1alpha1.Finalizer)
	_, err = r.Store.ProjectUnstamped(ctx, cr, claimed)
	return true, err
}

func (r *CanaryReconciler) forget(req ctrl.Request) {
	r.Judge.forget(req.NamespacedName)
	r.Metrics.Forget(req.NamespacedName)
}

// quiet turns "somebody else wrote first" into another look. It is no error: the next look has newer facts.
func quiet(err error) (ctrl.Result, error) {
	if store.IsConflict(err) {
		return ctrl.Result{RequeueAfter: conflictPause}, nil
	}
	return ctrl.Result{}, err
}

// conflictPause is how long the cache is given to catch up with a write that was lost to somebody else.
const conflictPause = 20 * time.Millisecond

// tell says what changed: in the log, as an event, in metrics.
func (r *CanaryReconciler) tell(ctx context.Context, w *world, d release.Decision) {
	r.Metrics.Observe(w, d)
	last, lastLook := r.Judge.progress(w)
	r.Metrics.Evidence(w.key(), last)
	r.advise(w)
	if d.Next.Stage == w.run.Stage && d.Next.Step == w.run.Step {
		return
	}
	if d.Reason == release.HarmProven && d.Next.Outcome == release.Rejected && w.run.Outcome == release.Undecided {
		r.Metrics.Detected(r.Now().Sub(lastLook))
	}
	ctrl.LoggerFrom(ctx).Info("Moving release", "from", stageName(w.run.Stage),
		"to", stageName(d.Next.Stage), "step", d.Next.Step+1, "revision", d.Next.Revision, "reason", d.Reason, "detail", d.Detail)
	r.Events.Eventf(w.cr, orNone(w.target), eventType(d), string(d.Reason), stageName(d.Next.Stage), "%s", d.Detail)
}

// advise tells what the user should know of how the release is judged, once for each kind of advice.
func (r *CanaryReconciler) advise(w *world) {
	for _, one := range r.Judge.untold(w) {
		r.Events.Eventf(w.cr, orNone(w.target), corev1.EventTypeWarning, one.reason, "Advise", "%s", cut(one.text, longestNote))
	}
}

// longestNote is what the events API takes, in bytes.
const longestNote = 1024

func eventType(d release.Decision) string {
	if d.Next.Outcome == release.Rejected {
		return corev1.EventTypeWarning
	}
	return corev1.EventTypeNormal
}

func stageName(s release.Stage) string {
	if s == release.Idle {
		return "Idle"
	}
	return string(s)
}

// stamp identifies the record that a projection follows from.
func stampOf(cr *v1alpha1.CanaryRelease, d release.Decision) store.Stamp {
	return store.Stamp{UID: string(cr.UID), Sequence: d.Next.Sequence}
}

func wrap(what string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s: %w", what, err)
}
