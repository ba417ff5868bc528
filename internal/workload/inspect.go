package workload

import (
	"fmt"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"slipway.dev/slipway/api/v1alpha1"
)

// TwinFacts is what the twin and its pods say. The zero value says that there is no twin.
type TwinFacts struct {
	// Exists says that there is a Deployment of the twin's name; Foreign that the CanaryRelease does not control it.
	// Nothing more is said of a foreign one.
	Exists, Foreign bool
	// Revision is that of the template that the twin runs, without the changed label, so that it can be compared with
	// that of the held template. Empty when it cannot be known.
	Revision string
	// Desired and Ready count pods. Ready are those of the twin's present template that are not going away.
	Desired, Ready int32
	// CrashLooping says that a container of a pod that is not ready crashes again and again.
	CrashLooping bool
	// Failed says that the twin has exceeded its progress deadline, that neither a quota nor the scheduler is why, and that
	// every pod found its node before: one that waited for room until the deadline has had no time to become ready.
	Failed bool
	// NotAdmitted says that a quota or the scheduler keeps pods from running. That is no fault of the version.
	NotAdmitted bool
	// Trouble says why pods are not ready; empty when nothing is known to be wrong.
	Trouble string
	// LatestReady is when the newest ready pod became ready; zero when none is.
	LatestReady time.Time
}

// InspectTwin reads the facts off twin (nil when there is none), the pods and the ReplicaSets of its namespace. Both may
// hold those of others.
func InspectTwin(cr *v1alpha1.CanaryRelease, twin *appsv1.Deployment, pods []corev1.Pod, replicaSets []appsv1.ReplicaSet) TwinFacts {
	if twin == nil {
		return TwinFacts{}
	}
	if !metav1.IsControlledBy(twin, cr) {
		return TwinFacts{Exists: true, Foreign: true}
	}
	facts := TwinFacts{Exists: true, Revision: twinRevision(twin), Desired: desired(twin.Spec.Replicas)}
	if facts.Desired == 0 {
		return facts
	}
	present := NewestReplicaSet(twin, replicaSets)
	mine := podsOf(present, pods)
	for i := range mine {
		if since, ok := readySince(&mine[i]); ok {
			facts.Ready++
			facts.LatestReady = later(facts.LatestReady, since)
		}
		facts.CrashLooping = facts.CrashLooping || crashLoops(&mine[i])
	}
	quota := quotaTrouble(twin, present)
	facts.NotAdmitted = quota != "" || anyUnschedulable(mine)
	exceeded := DeadlineExceeded(twin)
	facts.Failed = exceeded != nil && !facts.NotAdmitted && !anyScheduledAfter(mine, exceeded.LastTransitionTime)
	facts.Trouble = troubleOf(mine, facts.Desired, quota)
	if facts.Trouble == "" && facts.Failed {
		facts.Trouble = fmt.Sprintf("not ready within progressDeadlineSeconds (%d)", deadlineSeconds(twin))
	}
	return facts
}

// twinRevision names the twin's template as it was before the label was changed.
func twinRevision(twin *appsv1.Deployment) string {
	label := twin.Annotations[CanaryLabelAnnotation]
	template := twin.Spec.Template.DeepCopy()
	value, ok := cutTwinValue(template.Labels[label])
	if label == "" || !ok {
		return ""
	}
	template.Labels[label] = value
	return Revision(*template)
}

// podsOf are the pods of rs that are not on their way out.
func podsOf(rs *appsv1.ReplicaSet, pods []corev1.Pod) []corev1.Pod {
	if rs == nil {
		return nil
	}
	var out []corev1.Pod
	for i := range pods {
		gone := pods[i].Status.Phase == corev1.PodFailed || pods[i].Status.Phase == corev1.PodSucceeded
		if metav1.IsControlledBy(&pods[i], rs) && pods[i].DeletionTimestamp == nil && !gone {
			out = append(out, pods[i])
		}
	}
	return out
}

func readySince(pod *corev1.Pod) (time.Time, bool) {
	for _, c := range pod.Status.Conditions {
		if c.Type == corev1.PodReady && c.Status == corev1.ConditionTrue {
			return c.LastTransitionTime.Time, true
		}
	}
	return time.Time{}, false
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

// crashesBeforeLoop is how often a container must have been started again before it counts as crashing again and again:
// once may be a dependency that was not there yet.
const crashesBeforeLoop = 2

// crashLoops looks at the last termination too, because between two crashes a container runs for a moment.
func crashLoops(pod *corev1.Pod) bool {
	for _, s := range containerStatuses(pod) {
		if s.Ready || s.RestartCount < crashesBeforeLoop {
			continue
		}
		if lastCrash(s) != nil {
			return true
		}
	}
	return false
}

// lastCrash is how s ended last, when it ended with an error.
func lastCrash(s corev1.ContainerStatus) *corev1.ContainerStateTerminated {
	for _, ended := range []*corev1.ContainerStateTerminated{s.State.Terminated, s.LastTerminationState.Terminated} {
		if ended != nil && ended.ExitCode != 0 {
			return ended
		}
	}
	return nil
}

func containerStatuses(pod *corev1.Pod) []corev1.ContainerStatus {
	out := make([]corev1.ContainerStatus, 0, len(pod.Status.InitContainerStatuses)+len(pod.Status.ContainerStatuses))
	return append(append(out, pod.Status.InitContainerStatuses...), pod.Status.ContainerStatuses...)
}

// DeadlineExceeded is the condition by which a Deployment says that its rollout took longer than its progress deadline, or
// nil. It is believed only of the present spec.
func DeadlineExceeded(d *appsv1.Deployment) *appsv1.DeploymentCondition {
	if d.Status.ObservedGeneration < d.Generation {
		return nil
	}
	for i, c := range d.Status.Conditions {
		if c.Type == appsv1.DeploymentProgressing && c.Status == corev1.ConditionFalse && c.Reason == "ProgressDeadlineExceeded" {
			return &d.Status.Conditions[i]
		}
	}
	return nil
}

// anyScheduledAfter says that a pod found its node after the deadline had passed. The Deployment controller goes on
// calling the deadline exceeded until such a pod is ready.
func anyScheduledAfter(pods []corev1.Pod, deadline metav1.Time) bool {
	for i := range pods {
		for _, c := range pods[i].Status.Conditions {
			if c.Type == corev1.PodScheduled && c.Status == corev1.ConditionTrue && deadline.Before(&c.LastTransitionTime) {
				return true
			}
		}
	}
	return false
}

// deadlineSeconds is the twin's; the API's default is 600.
func deadlineSeconds(twin *appsv1.Deployment) int32 {
	if twin.Spec.ProgressDeadlineSeconds == nil {
		return 600
	}
	return *twin.Spec.ProgressDeadlineSeconds
}
