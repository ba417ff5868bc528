package controllers

import (
	"fmt"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"slipway.dev/slipway/api/v1alpha1"
	"slipway.dev/slipway/internal/release"
	"slipway.dev/slipway/internal/store"
	"slipway.dev/slipway/internal/workload"
)

// observe puts what was read into the core's terms. A fact that could not be had stays at its zero value.
func (w *world) observe(now time.Time, verdict release.Verdict) release.Observation {
	target := w.targetFacts()
	target.StableBroken = target.StableBroken && w.untilBroken(now) == 0
	return release.Observation{
		Now: now, Target: target, Twin: w.twinFacts(), Hold: w.holdFacts(), Traffic: w.trafficFacts(),
		Verdict: verdict, Request: requestOf(w.cr), Refusals: w.refusals, Stamped: w.stamped(),
	}
}

// stamped is the latest of this release's records that an object follows.
func (w *world) stamped() int64 {
	var latest int64
	for _, o := range []client.Object{orNone(w.split), orNone(w.twin), orNone(w.twinService), orNone(w.holdService)} {
		if o == nil {
			continue
		}
		stamp, err := store.ParseStamp(o.GetAnnotations()[v1alpha1.StampAnnotation])
		if err == nil && stamp.UID == string(w.cr.UID) {
			latest = max(latest, stamp.Sequence)
		}
	}
	return latest
}

// orNone is an object that may be compared with nil.
func orNone[T any, P interface {
	*T
	client.Object
}](o P) client.Object {
	if o == nil {
		return nil
	}
	return o
}

func (w *world) targetFacts() release.TargetFacts {
	d := w.target
	if d == nil {
		return release.TargetFacts{}
	}
	f := release.TargetFacts{
		Found:        true,
		Held:         workload.Held(d),
		PausedByUser: workload.PausedByUser(d),
		Revision:     workload.Revision(d.Spec.Template),
		RolledOut:    workload.RolledOut(d),
		Failed:       workload.DeadlineExceeded(d) != nil,
		Mixed:        mixed(d, w.replicaSets),
		Ours:         w.templateIsOurs,
	}
	if w.serving != nil {
		f.Serving = release.Stable{UID: string(w.serving.UID), Revision: workload.Revision(w.serving.Spec.Template)}
	}
	if w.stable != nil {
		f.SameAsStable = workload.SameTemplate(d.Spec.Template, w.stable.Spec.Template)
		f.OnlyRestarted = workload.OnlyRestarted(d.Spec.Template, w.stable.Spec.Template)
		f.OnlyStablePods = workload.OnlyReplicaSet(d, w.stable, w.replicaSets)
	}
	f.StableBroken = stableBroken(d, w.stable)
	f.PromotedBefore = workload.PromotedBefore(w.cr, w.revisions, d.Spec.Template)
	f.Rejected = workload.FindTemplate(w.revisions, workload.RevisionRejected, d.Spec.Template) != nil
	return f
}

// stableBroken says that nobody could be protected by holding a change. Where stable is not known, the Deployment as a
// whole must have no available pod: not knowing is no proof.
func stableBroken(d *appsv1.Deployment, stable *appsv1.ReplicaSet) bool {
	if stable == nil {
		return d.Status.AvailableReplicas == 0
	}
	return stable.Status.AvailableReplicas == 0
}

// brokenAfter is how long a stable version that has served may be without an available pod before there is nothing left to
// protect. All pods of a busy node fail a probe now and then, and a change must not get to all users by that.
const brokenAfter = 30 * time.Second

// untilBroken is how long the pods of a stable version that has served may stay away before it counts as broken; 0: it is
// broken as soon as it has none. It has been without since its last pod was seen to fail, or was made anew.
func (w *world) untilBroken(now time.Time) time.Duration {
	if w.target == nil || w.stable == nil || string(w.stable.UID) != w.run.Stable.UID || mixed(w.target, w.replicaSets) {
		return 0
	}
	var wait time.Duration
	for i := range w.stablePods {
		pod := &w.stablePods[i]
		if !metav1.IsControlledBy(pod, w.stable) || !pod.DeletionTimestamp.IsZero() {
			continue
		}
		since := pod.CreationTimestamp.Time
		for _, c := range pod.Status.Conditions {
			switch {
			case c.Type != corev1.PodReady:
			case c.Status == corev1.ConditionTrue:
				// It takes requests, whatever minReadySeconds makes of that; or its ReplicaSet's status is late.
				return brokenAfter
			case c.LastTransitionTime.After(since):
				since = c.LastTransitionTime.Time
			}
		}
		wait = max(wait, brokenAfter-now.Sub(since))
	}
	return wait
}

func mixed(d *appsv1.Deployment, sets []appsv1.ReplicaSet) bool {
	with := 0
	for _, rs := range workload.OwnedReplicaSets(d, sets) {
		if rs.Status.Replicas > 0 {
			with++
		}
	}
	return with > 1
}

// wantedTwinPods is how many pods the present record needs.
func (w *world) wantedTwinPods(want release.Want) int32 {
	if !want.Twin || want.TwinPercent == 0 || w.target == nil {
		return 0
	}
	return workload.TwinReplicas(ptr.Deref(w.target.Spec.Replicas, 1), want.TwinPercent,
		orInt(w.cr.Spec.Canary.MinReplicas, defaultMinReplicas))
}

func (w *world) twinFacts() release.TwinFacts {
	says := w.twinSays
	wanted := w.wantedTwinPods(w.run.Want)
	f := release.TwinFacts{
		Exists: w.twinIsOurs(), ReadyPods: says.Ready, WantedPods: wanted,
		CrashLooping: says.CrashLooping, Failed: says.Failed, NotAdmitted: says.NotAdmitted, Trouble: says.Trouble,
	}
	f.Ready = f.Exists && w.twinService != nil && wanted > 0 && says.Ready >= wanted && says.Revision == w.run.Canary
	if says.Revision != w.run.Canary {
		// What the pods of another template say is no fact about this one.
		f.CrashLooping, f.Failed, f.NotAdmitted = false, false, false
	}
	asAsked := f.Exists && w.twinService != nil && says.Revision == w.run.Canary && says.Desired >= wanted
	if w.refusal != "" && !asAsked {
		f.NotAdmitted, f.Trouble = true, w.refusal
	}
	return f
}

func (w *world) holdFacts() release.HoldFacts {
	f := release.HoldFacts{Exists: w.holdService != nil && metav1.IsControlledBy(w.holdService, w.cr)}
	if !f.Exists {
		f.Trouble = w.refusal
	}
	if w.stable == nil {
		return f
	}
	f.ReadyPods = w.stable.Status.ReadyReplicas
	if w.target != nil {
		// Half of the pods carry the traffic for the time of a put-back; fewer would fail users who were fine.
		f.Enough = f.Exists && f.ReadyPods > 0 && 2*f.ReadyPods >= ptr.Deref(w.target.Spec.Replicas, 1)
	}
	return f
}

func (w *world) trafficFacts() release.TrafficFacts {
	s := w.split
	if s == nil {
		return release.TrafficFacts{}
	}
	f := release.TrafficFacts{Exists: true, CanaryShare: carriesCanary(s, w.twinName())}
	if !metav1.IsControlledBy(s, w.cr) {
		f.Refused, f.RefusedReason = true, v1alpha1.ReasonRouteConflict
		f.Message = fmt.Sprintf("there is a TrafficSplit %q that does not belong to CanaryRelease %q, which needs the name; rename or delete it", s.Name, w.cr.Name)
		return f
	}
	current := ptr.Deref(s.Status.ObservedGeneration, 0) == s.Generation && s.DeletionTimestamp.IsZero()
	if c := meta.FindStatusCondition(s.Status.Conditions, v1alpha1.ConditionAccepted); current && c != nil && c.Status == metav1.ConditionFalse {
		f.Refused, f.RefusedReason, f.Message = true, release.Reason(refusalReason(c.Reason)), c.Message
	}
	c := meta.FindStatusCondition(s.Status.Conditions, v1alpha1.ConditionTrafficApplied)
	if c == nil {
		return f
	}
	if f.Message == "" && c.Status != metav1.ConditionTrue {
		f.Message = c.Message
	}
	if current && c.Status == metav1.ConditionTrue && w.splitSays(w.run.Want) {
		f.Applied, f.AppliedAt = true, c.LastTransitionTime.Time
		if run := s.Status.Run; run.AppliedAt != nil {
			f.AppliedAt = run.AppliedAt.Time
		}
	}
	return f
}

// refusalReason translates the split's reason into the release's.
func refusalReason(splitReason string) string {
	if splitReason == reasonConflicted {
		return v1alpha1.ReasonRouteConflict
	}
	return splitReason
}

// carriesCanary says that the routes are to carry the twin, by the split's record or its spec.
func carriesCanary(s *v1alpha1.TrafficSplit, twin string) bool {
	has := func(backends []v1alpha1.WeightedBackend) bool {
		for _, b := range backends {
			if b.Name == twin && ptr.Deref(b.Weight, 0) > 0 {
				return true
			}
		}
		return false
	}
	return has(s.Spec.Backends) || has(s.Status.Run.Backends)
}

// splitSays reports that the split's spec is what a record wants.
func (w *world) splitSays(want release.Want) bool {
	return want.Split && w.split != nil && sameBackends(w.split.Spec.Backends, w.backendsOf(want.Shares))
}

func sameBackends(a, b []v1alpha1.WeightedBackend) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i].Name != b[i].Name || ptr.Deref(a[i].Weight, 0) != ptr.Deref(b[i].Weight, 0) {
			return false
		}
	}
	return true
}

func (w *world) twinName() string { return w.cr.Spec.TargetRef.Name + v1alpha1.CanarySuffix }

func (w *world) holdName() string { return w.cr.Spec.TargetRef.Name + v1alpha1.StableHoldSuffix }

// backendsOf writes shares as a split's backends.
func (w *world) backendsOf(s release.Shares) []v1alpha1.WeightedBackend {
	out := []v1alpha1.WeightedBackend{{Name: w.cr.Spec.ServiceRef.Name, Weight: new(s.Stable)}}
	if s.Canary > 0 {
		out = append(out, v1alpha1.WeightedBackend{Name: w.twinName(), Weight: new(s.Canary)})
	}
	if s.Hold > 0 {
		out = append(out, v1alpha1.WeightedBackend{Name: w.holdName(), Weight: new(s.Hold)})
	}
	return out
}

// requestOf is a person's word; of several the first in the order of urgency.
func requestOf(cr *v1alpha1.CanaryRelease) release.Request {
	for _, ask := range requests() {
		if revision, ok := cr.Annotations[ask.annotation]; ok {
			return release.Request{Verb: ask.verb, Revision: revision}
		}
	}
	return release.Request{}
}

type request struct {
	verb       release.Verb
	annotation string
}

func requests() []request {
	return []request{
		{release.Abort, v1alpha1.RequestAbort},
		{release.Pause, v1alpha1.RequestPause},
		{release.Resume, v1alpha1.RequestResume},
		{release.Promote, v1alpha1.RequestPromote},
		{release.Retry, v1alpha1.RequestRetry},
	}
}
