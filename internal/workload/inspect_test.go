package workload

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

const quotaMessage = `pods "shop-canary-7d9f-%s" is forbidden: exceeded quota: compute, requested: pods=1, used: pods=5, limited: pods=5`

// twinPod is a pod of rs that runs shop:v2 and is not ready.
func twinPod(rs appsv1.ReplicaSet, n int) corev1.Pod {
	return corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{
			Name:            fmt.Sprintf("%s-%d", rs.Name, n),
			OwnerReferences: []metav1.OwnerReference{*metav1.NewControllerRef(&rs, appsv1.SchemeGroupVersion.WithKind("ReplicaSet"))},
		},
		Spec: corev1.PodSpec{Containers: []corev1.Container{{Name: "shop", Image: "shop:v2"}}},
	}
}

func ready(atSeconds int64) func(*corev1.Pod) {
	return func(p *corev1.Pod) {
		p.Status.Conditions = []corev1.PodCondition{{Type: corev1.PodReady, Status: corev1.ConditionTrue, LastTransitionTime: metav1.Unix(atSeconds, 0)}}
		p.Status.ContainerStatuses = []corev1.ContainerStatus{{Name: "shop", Ready: true, RestartCount: 7}}
	}
}

func waiting(reason, message string) func(*corev1.Pod) {
	return container(corev1.ContainerStatus{State: corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: reason, Message: message}}})
}

func container(status corev1.ContainerStatus) func(*corev1.Pod) {
	status.Name = "shop"
	return func(p *corev1.Pod) { p.Status.ContainerStatuses = []corev1.ContainerStatus{status} }
}

func crashed(restarts, code int32, reason string) corev1.ContainerStatus {
	return corev1.ContainerStatus{
		RestartCount:         restarts,
		State:                corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: "CrashLoopBackOff"}},
		LastTerminationState: corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{ExitCode: code, Reason: reason}},
	}
}

func notScheduled(message string) func(*corev1.Pod) {
	return func(p *corev1.Pod) {
		p.Status.Conditions = []corev1.PodCondition{{Type: corev1.PodScheduled, Status: corev1.ConditionFalse, Reason: corev1.PodReasonUnschedulable, Message: message}}
	}
}

func leaving(p *corev1.Pod) {
	now := metav1.Unix(1, 0)
	p.DeletionTimestamp = &now
}

func exceeded(d *appsv1.Deployment) {
	d.Status.Conditions = []appsv1.DeploymentCondition{{Type: appsv1.DeploymentProgressing, Status: corev1.ConditionFalse, Reason: "ProgressDeadlineExceeded", LastTransitionTime: metav1.Unix(500, 0)}}
}

func scheduled(atSeconds int64) func(*corev1.Pod) {
	return func(p *corev1.Pod) {
		p.Status.Conditions = []corev1.PodCondition{{Type: corev1.PodScheduled, Status: corev1.ConditionTrue, LastTransitionTime: metav1.Unix(atSeconds, 0)}}
	}
}

func quota(d *appsv1.Deployment) {
	d.Status.Conditions = append(d.Status.Conditions, appsv1.DeploymentCondition{
		Type: appsv1.DeploymentReplicaFailure, Status: corev1.ConditionTrue, Message: fmt.Sprintf(quotaMessage, "abcde"),
	})
}

func TestInspectTwin(t *testing.T) {
	revision := Revision(testTemplate("shop:v2"))
	facts := func(change func(*TwinFacts)) TwinFacts {
		f := TwinFacts{Exists: true, Revision: revision, Desired: 2}
		change(&f)
		return f
	}
	trouble := func(text string) TwinFacts { return facts(func(f *TwinFacts) { f.Trouble = text }) }
	tests := map[string]struct {
		twin func(*appsv1.Deployment)
		pods []func(*corev1.Pod)
		want TwinFacts
	}{
		"two ready pods; the later one counts": {
			pods: []func(*corev1.Pod){ready(100), ready(200)},
			want: facts(func(f *TwinFacts) { f.Ready, f.LatestReady = 2, time.Unix(200, 0) }),
		},
		"a pod that is going away is not ready": {
			pods: []func(*corev1.Pod){ready(100), func(p *corev1.Pod) { ready(200)(p); leaving(p) }},
			want: facts(func(f *TwinFacts) { f.Ready, f.LatestReady = 1, time.Unix(100, 0) }),
		},
		"no pods yet and nothing wrong": {want: facts(func(*TwinFacts) {})},
		"an image that is not there": {
			pods: []func(*corev1.Pod){waiting("ErrImageNeverPull", ""), waiting("ErrImageNeverPull", "")},
			want: trouble("image shop:v2 cannot be pulled: ErrImageNeverPull (2 of 2 pods)"),
		},
		"pulling and backing off are one state": {
			pods: []func(*corev1.Pod){waiting("ErrImagePull", "x"), waiting("ImagePullBackOff", "y")},
			want: trouble("image shop:v2 cannot be pulled: ImagePullBackOff (2 of 2 pods)"),
		},
		"a missing ConfigMap": {
			pods: []func(*corev1.Pod){waiting("CreateContainerConfigError", `configmap "shop" not found`)},
			want: trouble(`container shop cannot be started: configmap "shop" not found (1 of 2 pods)`),
		},
		"a message of the runtime loses what differs from pod to pod": {
			pods: []func(*corev1.Pod){waiting("RunContainerError", "cannot start 0xc000123abc: no such file\nmore"), waiting("CreateContainerError", "")},
			want: trouble("container shop cannot be started: CreateContainerError (1 of 2 pods); container shop cannot be started: cannot start …: no such file (1 of 2 pods)"),
		},
		"a container that runs and does not become ready": {
			pods: []func(*corev1.Pod){container(corev1.ContainerStatus{Started: new(true), State: corev1.ContainerState{Running: &corev1.ContainerStateRunning{}}})},
			want: trouble("container shop runs but is not ready (1 of 2 pods)"),
		},
		"a first crash is trouble, and no loop yet": {
			pods: []func(*corev1.Pod){container(crashed(1, 1, "Error"))},
			want: trouble("container shop crashes: exit code 1 (1 of 2 pods)"),
		},
		"a crash loop": {
			pods: []func(*corev1.Pod){container(crashed(2, 137, "OOMKilled")), ready(100)},
			want: facts(func(f *TwinFacts) {
				f.CrashLooping, f.Ready, f.LatestReady = true, 1, time.Unix(100, 0)
				f.Trouble = "container shop crashes: OOMKilled, exit code 137 (1 of 2 pods)"
			}),
		},
		"a crash loop in the moment in which the container runs": {
			pods: []func(*corev1.Pod){container(func() corev1.ContainerStatus {
				s := crashed(5, 2, "Error")
				s.State = corev1.ContainerState{Running: &corev1.ContainerStateRunning{}}
				return s
			}())},
			want: facts(func(f *TwinFacts) {
				f.CrashLooping, f.Trouble = true, "container shop crashes: exit code 2 (1 of 2 pods)"
			}),
		},
		"the scheduler finds no room; what it says of preemption is left out": {
			pods: []func(*corev1.Pod){notScheduled("0/3 nodes are available: 3 Insufficient cpu. preemption: 0/3 nodes help."), ready(100)},
			want: facts(func(f *TwinFacts) {
				f.NotAdmitted, f.Ready, f.LatestReady = true, 1, time.Unix(100, 0)
				f.Trouble = "unschedulable: 0/3 nodes are available: 3 Insufficient cpu (1 of 2 pods)"
			}),
		},
		"a quota": {
			twin: quota,
			want: facts(func(f *TwinFacts) {
				f.NotAdmitted = true
				f.Trouble = "pods are not created: exceeded quota: compute, requested: pods=1, used: pods=5, limited: pods=5 (0 of 2 pods exist)"
			}),
		},
		"a deadline that a quota let pass is no failure of the version": {
			twin: func(d *appsv1.Deployment) { exceeded(d); quota(d) },
			want: facts(func(f *TwinFacts) {
				f.NotAdmitted = true
				f.Trouble = "pods are not created: exceeded quota: compute, requested: pods=1, used: pods=5, limited: pods=5 (0 of 2 pods exist)"
			}),
		},
		"a deadline that passed, with nothing else to be seen": {
			twin: exceeded, pods: []func(*corev1.Pod){scheduled(400)},
			want: facts(func(f *TwinFacts) { f.Failed, f.Trouble = true, "not ready within progressDeadlineSeconds (120)" }),
		},
		"a deadline that passed while a pod waited for a node, which it has now": {
			twin: exceeded, pods: []func(*corev1.Pod){scheduled(400), scheduled(501)},
			want: facts(func(*TwinFacts) {}),
		},
		"a deadline of an earlier spec does not count": {
			twin: func(d *appsv1.Deployment) { exceeded(d); d.Generation = 9 },
			want: facts(func(*TwinFacts) {}),
		},
		"scaled to zero, nothing is asked of it": {
			twin: func(d *appsv1.Deployment) { exceeded(d); *d.Spec.Replicas = 0 },
			want: facts(func(f *TwinFacts) { f.Desired = 0 }),
		},
		"somebody else's Deployment": {
			twin: func(d *appsv1.Deployment) { d.OwnerReferences = nil }, want: TwinFacts{Exists: true, Foreign: true},
		},
		"somebody changed the image of the twin": {
			twin: func(d *appsv1.Deployment) { d.Spec.Template.Spec.Containers[0].Image = "shop:v9" },
			want: facts(func(f *TwinFacts) { f.Revision = Revision(testTemplate("shop:v9")) }),
		},
		"somebody took the annotation: the revision cannot be known": {
			twin: func(d *appsv1.Deployment) { d.Annotations = nil }, want: facts(func(f *TwinFacts) { f.Revision = "" }),
		},
		"two causes are sorted": {
			pods: []func(*corev1.Pod){waiting("InvalidImageName", ""), container(crashed(1, 3, ""))},
			want: trouble("container shop crashes: exit code 3 (1 of 2 pods); image shop:v2 cannot be pulled: InvalidImageName (1 of 2 pods)"),
		},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			cr := testRelease()
			twin := Twin(cr, testDeployment(), testTemplate("shop:v2"), "app", 2)
			twin.UID = "twin"
			rs := replicaSet(twin, 0, "shop:v2", 0)
			rs.Spec.Template = *twin.Spec.Template.DeepCopy()
			pods := []corev1.Pod{twinPod(replicaSet(testDeployment(), 1, "shop:v1", 3), 0)}
			ready(999)(&pods[0])
			for i, change := range tc.pods {
				pod := twinPod(rs, i)
				change(&pod)
				pods = append(pods, pod)
			}
			if tc.twin != nil {
				tc.twin(twin)
			}
			if diff := cmp.Diff(tc.want, InspectTwin(cr, twin, pods, []appsv1.ReplicaSet{rs})); diff != "" {
				t.Errorf("facts (-want +got):\n%s", diff)
			}
		})
	}
	if got := InspectTwin(testRelease(), nil, nil, nil); got != (TwinFacts{}) {
		t.Errorf("no twin says %+v", got)
	}
}

func TestQuotaTroubleIsAFunctionOfTheState(t *testing.T) {
	rs := appsv1.ReplicaSet{}
	say := func(pod string) string {
		rs.Status.Conditions = []appsv1.ReplicaSetCondition{{Type: appsv1.ReplicaSetReplicaFailure, Status: corev1.ConditionTrue, Message: fmt.Sprintf(quotaMessage, pod)}}
		return quotaTrouble(&appsv1.Deployment{}, &rs)
	}
	if a, b := say("abcde"), say("fghij"); a != b || a == "" {
		t.Errorf("two attempts say %q and %q", a, b)
	}
}
