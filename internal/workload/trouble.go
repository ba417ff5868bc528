package workload

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"

	"slipway.dev/slipway/api/v1alpha1"
)

// podNamePattern is the random name in the message of a pod that was not created; it differs at every attempt.
var podNamePattern = regexp.MustCompile(`^pods "[^"]*" is forbidden: `)

// quotaTrouble is why pods are not created: a quota, a limit range, a policy. It is a function of the state: without the
// name of the pod that was tried last.
func quotaTrouble(twin *appsv1.Deployment, present *appsv1.ReplicaSet) string {
	var message string
	if present != nil {
		for _, c := range present.Status.Conditions {
			if c.Type == appsv1.ReplicaSetReplicaFailure && c.Status == corev1.ConditionTrue {
				message = c.Message
			}
		}
	}
	for _, c := range twin.Status.Conditions {
		if message == "" && c.Type == appsv1.DeploymentReplicaFailure && c.Status == corev1.ConditionTrue {
			message = c.Message
		}
	}
	return podNamePattern.ReplaceAllString(message, "")
}

func anyUnschedulable(pods []corev1.Pod) bool {
	return slices.ContainsFunc(pods, func(p corev1.Pod) bool { return unschedulable(&p) != "" })
}

func unschedulable(pod *corev1.Pod) string {
	for _, c := range pod.Status.Conditions {
		if c.Type == corev1.PodScheduled && c.Status == corev1.ConditionFalse && c.Reason == corev1.PodReasonUnschedulable {
			// What follows is about preemption, says nothing more and changes with every attempt.
			message, _, _ := strings.Cut(c.Message, " preemption:")
			return strings.TrimSuffix(message, ".")
		}
	}
	return ""
}

// troubleOf says each cause once, with the number of pods it concerns, sorted.
func troubleOf(pods []corev1.Pod, want int32, quota string) string {
	counts := map[string]int{}
	for i := range pods {
		if _, ready := readySince(&pods[i]); ready {
			continue
		}
		for _, cause := range podTrouble(&pods[i]) {
			counts[cause]++
		}
	}
	var causes []string
	for cause, n := range counts {
		causes = append(causes, fmt.Sprintf("%s (%d of %d pods)", cause, n, want))
	}
	if quota != "" {
		causes = append(causes, fmt.Sprintf("pods are not created: %s (%d of %d pods exist)", quota, len(pods), want))
	}
	slices.Sort(causes)
	return strings.Join(causes, "; ")
}

// podTrouble is why one pod that is not ready is not: each cause once.
func podTrouble(pod *corev1.Pod) []string {
	if why := unschedulable(pod); why != "" {
		return []string{"unschedulable: " + why}
	}
	images := map[string]string{}
	for _, c := range slices.Concat(pod.Spec.InitContainers, pod.Spec.Containers) {
		images[c.Name] = c.Image
	}
	var out []string
	for _, s := range containerStatuses(pod) {
		if cause := containerTrouble(s, images[s.Name]); cause != "" {
			out = append(out, cause)
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

func containerTrouble(s corev1.ContainerStatus, image string) string {
	if s.Ready {
		return ""
	}
	if waiting := s.State.Waiting; waiting != nil {
		switch waiting.Reason {
		case "ErrImagePull", "ImagePullBackOff":
			// The kubelet goes to and fro between the two; the state is one.
			return fmt.Sprintf("image %s cannot be pulled: ImagePullBackOff", image)
		case "ErrImageNeverPull", "InvalidImageName", "ImageInspectError", "RegistryUnavailable":
			return fmt.Sprintf("image %s cannot be pulled: %s", image, waiting.Reason)
		case "CreateContainerConfigError", "CreateContainerError", "RunContainerError":
			return fmt.Sprintf("container %s cannot be started: %s", s.Name, firstLine(waiting.Message, waiting.Reason))
		}
	}
	if ended := lastCrash(s); ended != nil {
		return fmt.Sprintf("container %s crashes: %sexit code %d", s.Name, killer(ended.Reason), ended.ExitCode)
	}
	if s.State.Running != nil && s.Started != nil && *s.Started {
		return fmt.Sprintf("container %s runs but is not ready", s.Name)
	}
	return ""
}

// killer names the cause of an end that an exit code does not say.
func killer(reason string) string {
	if reason == "" || reason == "Error" {
		return ""
	}
	return reason + ", "
}

// volatilePattern is what the kubelet puts into messages of its own: container ids and addresses.
var volatilePattern = regexp.MustCompile(`[0-9a-f]{32,}|0x[0-9a-f]+`)

func firstLine(message, otherwise string) string {
	line, _, _ := strings.Cut(strings.TrimSpace(message), "\n")
	if line == "" {
		return otherwise
	}
	return volatilePattern.ReplaceAllString(line, "…")
}

// cutTwinValue is the value that stable's label has where the twin's says value.
func cutTwinValue(value string) (string, bool) {
	return strings.CutSuffix(value, v1alpha1.CanarySuffix)
}
