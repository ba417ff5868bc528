package e2e

import (
	"context"
	"encoding/json"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// report logs what a person would look at first.
func (s *scene) report(ctx context.Context) {
	s.reportReleases()
	for _, e := range lastOf(s.splits) {
		s.Logf("TrafficSplit %s: spec %s status %s", e.object.Name, compact(e.object.Spec), compact(e.object.Status))
	}
	for _, e := range lastOf(s.routes) {
		s.Logf("HTTPRoute %s: annotations %s spec %s", e.object.GetName(), compact(e.object.GetAnnotations()), specText(e.object))
	}
	s.reportPods(ctx)
	s.reportLog(ctx)
}

func (s *scene) reportReleases() {
	for _, e := range s.releases.since(0) {
		s.Logf("%s %s %s", e.at.Format("15:04:05.000"), e.object.Name, describe(e.object))
	}
	for _, e := range lastOf(s.releases) {
		status := e.object.Status.DeepCopy()
		s.Logf("CanaryRelease %s: conditions %s metrics %s", e.object.Name, compact(status.Conditions), compact(status.Metrics))
	}
}

// lastOf gives the newest state of each object.
func lastOf[T client.Object](j *journal[T]) map[string]entry[T] {
	newest := map[string]entry[T]{}
	for _, e := range j.since(0) {
		newest[e.object.GetName()] = e
	}
	return newest
}

func compact(value any) string {
	text, err := json.Marshal(value)
	if err != nil {
		return err.Error()
	}
	return string(text)
}

func (s *scene) reportPods(ctx context.Context) {
	deployments, pods := &appsv1.DeploymentList{}, &corev1.PodList{}
	for _, list := range []client.ObjectList{deployments, pods} {
		if err := shared.List(ctx, list, client.InNamespace(s.namespace)); err != nil {
			s.Logf("list for the report: %v", err)
		}
	}
	for _, d := range deployments.Items {
		s.Logf("Deployment %s: version %s paused %t annotations %s status %s",
			d.Name, versionOf(d.Spec.Template), d.Spec.Paused, compact(d.Annotations), compact(d.Status))
	}
	for _, pod := range pods.Items {
		s.Logf("Pod %s: phase %s ready %t", pod.Name, pod.Status.Phase, podReady(&pod))
	}
}

// reportLog gives the newest lines of the operator's log that are about this scene.
func (s *scene) reportLog(ctx context.Context) {
	const lines = 60
	pods, err := shared.operatorPods(ctx)
	if err != nil {
		s.Logf("find the operator: %v", err)
	}
	for _, pod := range pods {
		text, err := shared.logs.CoreV1().Pods(operatorNamespace).GetLogs(pod.Name, &corev1.PodLogOptions{TailLines: ptr.To[int64](20000)}).DoRaw(ctx)
		if err != nil {
			s.Logf("read the log of %s: %v", pod.Name, err)
		}
		var about []string
		for line := range strings.Lines(string(text)) {
			if strings.Contains(line, s.namespace) {
				about = append(about, line)
			}
		}
		s.Logf("operator %s, %d restarts:\n%s", pod.Name, restarts(&pod), strings.Join(about[max(0, len(about)-lines):], ""))
	}
}

func restarts(pod *corev1.Pod) int32 {
	var n int32
	for _, container := range pod.Status.ContainerStatuses {
		n += container.RestartCount
	}
	return n
}
