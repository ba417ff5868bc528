package simulation

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"slipway.dev/slipway/internal/workload"
)

// rollout is the Deployment controller together with that of ReplicaSets and the kubelet: it rolls with a surge of one
// pod and none unavailable, in steps between which anything may happen.
type rollout struct {
	server *server
	loop   *loop
	chance *chance
	// stalledUntil is until when the controller does nothing.
	stalledUntil time.Time
	// noRoom says that new pods of the twin find no node.
	noRoom bool
	// behave says what becomes of the pods of a version.
	behave func(version string) behaviour
	queued map[types.NamespacedName]bool
	// progress is when each Deployment last came on.
	progress map[types.NamespacedName]time.Time
	pods     int
}

// behaviour is how a version's pods come up.
type behaviour struct {
	startup time.Duration
	// never: the pods do not become ready. crashes: their container exits again and again.
	never, crashes bool
}

func newRollout(s *server, c *chance) *rollout {
	r := &rollout{
		server: s, loop: s.loop, chance: c, queued: map[types.NamespacedName]bool{},
		progress: map[types.NamespacedName]time.Time{},
		behave:   func(string) behaviour { return behaviour{startup: 3 * time.Second} },
	}
	s.heard = append(s.heard, r.hear)
	return r
}

// hear has the Deployment of a changed object looked at.
func (r *rollout) hear(c change) {
	o := c.new
	if o == nil {
		o = c.old
	}
	switch c.kind {
	case kindDeployment:
		r.look(c.key, c.old == nil)
	case kindReplicaSet, kindPod:
		r.look(types.NamespacedName{Namespace: namespace, Name: o.GetLabels()["deployment"]}, false)
	}
}

func (r *rollout) look(key types.NamespacedName, fresh bool) {
	if fresh {
		r.progress[key] = r.loop.now
	}
	if r.queued[key] || key.Name == "" {
		return
	}
	r.queued[key] = true
	r.loop.after(r.chance.between(100, 900), func() { r.run(key) })
}

func (r *rollout) run(key types.NamespacedName) {
	if wait := r.stalledUntil.Sub(r.loop.now); wait > 0 {
		r.loop.after(wait, func() { r.run(key) })
		return
	}
	r.queued[key] = false
	d, ok := r.server.get(kindDeployment, key).(*appsv1.Deployment)
	if !ok {
		return
	}
	sets := r.owned(d)
	newest := workload.NewestReplicaSet(d, values(sets))
	if newest == nil && !d.Spec.Paused {
		r.newReplicaSet(d)
		return
	}
	r.scale(d, sets, newest)
	for _, rs := range r.owned(d) {
		r.runPods(rs)
	}
	r.forget(d)
	r.report(d)
}

func (r *rollout) owned(d *appsv1.Deployment) []*appsv1.ReplicaSet {
	var out []*appsv1.ReplicaSet
	for _, o := range r.server.list(kindReplicaSet) {
		if metav1.IsControlledBy(o, d) {
			out = append(out, o.(*appsv1.ReplicaSet))
		}
	}
	return out
}

func values(sets []*appsv1.ReplicaSet) []appsv1.ReplicaSet {
	out := make([]appsv1.ReplicaSet, len(sets))
	for i, rs := range sets {
		out[i] = *rs
	}
	return out
}

func (r *rollout) newReplicaSet(d *appsv1.Deployment) {
	r.progress[client.ObjectKeyFromObject(d)] = r.loop.now
	hash := workload.Revision(d.Spec.Template)
	template := *d.Spec.Template.DeepCopy()
	template.Labels[appsv1.DefaultDeploymentUniqueLabelKey] = hash
	labels := maps.Clone(template.Labels)
	labels["deployment"] = d.Name
	_ = r.server.create(deploymentUser, &appsv1.ReplicaSet{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: d.Namespace, Name: d.Name + "-" + hash, Labels: labels,
			OwnerReferences: []metav1.OwnerReference{*metav1.NewControllerRef(d, appsv1.SchemeGroupVersion.WithKind(kindDeployment))},
		},
		Spec: appsv1.ReplicaSetSpec{Replicas: new(int32(0)), Selector: &metav1.LabelSelector{MatchLabels: template.Labels}, Template: template},
	})
}

// scale takes one step towards what the Deployment asks for.
func (r *rollout) scale(d *appsv1.Deployment, sets []*appsv1.ReplicaSet, newest *appsv1.ReplicaSet) {
	want := ptr.Deref(d.Spec.Replicas, 1)
	total, available := int32(0), int32(0)
	for _, rs := range sets {
		total += ptr.Deref(rs.Spec.Replicas, 0)
		available += rs.Status.AvailableReplicas
	}
	if d.Spec.Paused {
		r.scalePaused(sets, newest, want-total)
		return
	}
	has := ptr.Deref(newest.Spec.Replicas, 0)
	switch {
	case has > want:
		r.setReplicas(newest, want)
	case has < want && (total <= want || total == has):
		r.setReplicas(newest, min(want, has+max(1, want+1-total)))
	default:
		r.shrinkOld(sets, newest, available-want)
	}
}

// scalePaused follows a change of replicas with the pods that there are; from zero, with the newest template's.
func (r *rollout) scalePaused(sets []*appsv1.ReplicaSet, newest *appsv1.ReplicaSet, more int32) {
	if more == 0 || len(sets) == 0 {
		return
	}
	largest := newest
	for _, rs := range sets {
		if largest == nil || ptr.Deref(rs.Spec.Replicas, 0) > ptr.Deref(largest.Spec.Replicas, 0) {
			largest = rs
		}
	}
	r.setReplicas(largest, max(0, ptr.Deref(largest.Spec.Replicas, 0)+more))
}

// shrinkOld takes old pods away: those that are not available at once, others as far as spare ones are there.
func (r *rollout) shrinkOld(sets []*appsv1.ReplicaSet, newest *appsv1.ReplicaSet, spare int32) {
	for _, rs := range sets {
		has := ptr.Deref(rs.Spec.Replicas, 0)
		if rs.UID == newest.UID || has == 0 {
			continue
		}
		broken := max(0, has-rs.Status.AvailableReplicas)
		less := min(has, broken+max(0, spare))
		if less > 0 {
			r.setReplicas(rs, has-less)
			return
		}
	}
}

func (r *rollout) setReplicas(rs *appsv1.ReplicaSet, n int32) {
	if ptr.Deref(rs.Spec.Replicas, 0) == n {
		return
	}
	r.server.edit(deploymentUser, "", kindReplicaSet, client.ObjectKeyFromObject(rs), func(o client.Object) {
		o.(*appsv1.ReplicaSet).Spec.Replicas = new(n)
	})
}

func (r *rollout) podsOf(rs *appsv1.ReplicaSet) []*corev1.Pod {
	var out []*corev1.Pod
	for _, o := range r.server.list(kindPod) {
		if metav1.IsControlledBy(o, rs) {
			out = append(out, o.(*corev1.Pod))
		}
	}
	return out
}

// runPods makes and removes the pods of a ReplicaSet and writes its status.
func (r *rollout) runPods(rs *appsv1.ReplicaSet) {
	pods := r.podsOf(rs)
	want := int(ptr.Deref(rs.Spec.Replicas, 0))
	for len(pods) < want {
		r.newPod(rs)
		pods = r.podsOf(rs)
	}
	slices.SortStableFunc(pods, func(a, b *corev1.Pod) int { return int(readyCount(b)) - int(readyCount(a)) })
	for _, pod := range pods[min(want, len(pods)):] {
		r.server.delete(deploymentUser, kindPod, client.ObjectKeyFromObject(pod))
	}
	ready := int32(0)
	left := r.podsOf(rs)
	for _, pod := range left {
		ready += readyCount(pod)
	}
	r.server.edit(deploymentUser, "status", kindReplicaSet, client.ObjectKeyFromObject(rs), func(o client.Object) {
		now := o.(*appsv1.ReplicaSet)
		now.Status.ObservedGeneration = now.Generation
		now.Status.Replicas, now.Status.ReadyReplicas, now.Status.AvailableReplicas = int32(len(left)), ready, ready //nolint:gosec // a few pods
	})
}

func readyCount(pod *corev1.Pod) int32 {
	for _, c := range pod.Status.Conditions {
		if c.Type == corev1.PodReady && c.Status == corev1.ConditionTrue {
			return 1
		}
	}
	return 0
}

func (r *rollout) newPod(rs *appsv1.ReplicaSet) {
	r.pods++
	labels := maps.Clone(rs.Spec.Template.Labels)
	labels["deployment"] = rs.Labels["deployment"]
	pod := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: rs.Namespace, Name: fmt.Sprintf("%s-%04d", rs.Name, r.pods), Labels: labels,
			OwnerReferences: []metav1.OwnerReference{*metav1.NewControllerRef(rs, appsv1.SchemeGroupVersion.WithKind(kindReplicaSet))},
		},
		Spec:   corev1.PodSpec{Containers: rs.Spec.Template.Spec.Containers},
		Status: corev1.PodStatus{Phase: corev1.PodPending},
	}
	_ = r.server.create(deploymentUser, pod)
	r.start(client.ObjectKeyFromObject(pod))
}

// start is the kubelet: a pod gets a node, and then is ready, or crashes, or neither.
func (r *rollout) start(key types.NamespacedName) {
	pod, ok := r.server.get(kindPod, key).(*corev1.Pod)
	if !ok {
		return
	}
	if r.noRoom && pod.Labels["deployment"] == twinName {
		r.setPod(key, corev1.PodScheduled, corev1.ConditionFalse, "Unschedulable")
		r.loop.after(5*time.Second, func() { r.start(key) })
		return
	}
	r.setPod(key, corev1.PodScheduled, corev1.ConditionTrue, "Scheduled")
	how := r.behave(pod.Spec.Containers[0].Image)
	switch {
	case how.crashes:
		r.loop.after(how.startup, func() { r.crash(key, 1) })
	case !how.never:
		r.loop.after(how.startup+r.chance.between(0, 2000), func() { r.setPod(key, corev1.PodReady, corev1.ConditionTrue, "") })
	}
}

func (r *rollout) crash(key types.NamespacedName, times int32) {
	there := r.server.edit(deploymentUser, "status", kindPod, key, func(o client.Object) {
		pod := o.(*corev1.Pod)
		pod.Status.ContainerStatuses = []corev1.ContainerStatus{{
			Name: "app", RestartCount: times,
			State: corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: "CrashLoopBackOff"}},
			LastTerminationState: corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{
				ExitCode: 1, Reason: "Error",
			}},
		}}
	})
	if there && times < 4 {
		r.loop.after(10*time.Second, func() { r.crash(key, times+1) })
	}
}

func (r *rollout) setPod(key types.NamespacedName, kind corev1.PodConditionType, status corev1.ConditionStatus, reason string) {
	r.server.edit(deploymentUser, "status", kindPod, key, func(o client.Object) {
		pod := o.(*corev1.Pod)
		pod.Status.Phase = corev1.PodRunning
		c := corev1.PodCondition{Type: kind, Status: status, Reason: reason, LastTransitionTime: metav1.NewTime(r.loop.now.Truncate(time.Second))}
		at := slices.IndexFunc(pod.Status.Conditions, func(c corev1.PodCondition) bool { return c.Type == kind })
		switch {
		case at < 0:
			pod.Status.Conditions = append(pod.Status.Conditions, c)
		case pod.Status.Conditions[at].Status != status:
			pod.Status.Conditions[at] = c
		}
	})
}

// forget removes old ReplicaSets over the limit.
func (r *rollout) forget(d *appsv1.Deployment) {
	newest := workload.NewestReplicaSet(d, values(r.owned(d)))
	var empty []*appsv1.ReplicaSet
	for _, rs := range r.owned(d) {
		if ptr.Deref(rs.Spec.Replicas, 0) == 0 && rs.Status.Replicas == 0 && (newest == nil || rs.UID != newest.UID) {
			empty = append(empty, rs)
		}
	}
	slices.SortFunc(empty, func(a, b *appsv1.ReplicaSet) int { return number(a) - number(b) })
	for _, rs := range empty[:max(0, len(empty)-int(ptr.Deref(d.Spec.RevisionHistoryLimit, 10)))] {
		r.server.delete(deploymentUser, kindReplicaSet, client.ObjectKeyFromObject(rs))
	}
}

func number(o client.Object) int {
	n, _ := strconv.Atoi(string(o.GetUID())[len("uid-"):])
	return n
}

// report writes the Deployment's status.
func (r *rollout) report(d *appsv1.Deployment) {
	sets := r.owned(d)
	newest := workload.NewestReplicaSet(d, values(sets))
	status := appsv1.DeploymentStatus{ObservedGeneration: d.Generation}
	for _, rs := range sets {
		status.Replicas += rs.Status.Replicas
		status.ReadyReplicas += rs.Status.ReadyReplicas
		status.AvailableReplicas += rs.Status.AvailableReplicas
		if newest != nil && rs.UID == newest.UID {
			status.UpdatedReplicas = rs.Status.Replicas
		}
	}
	key := client.ObjectKeyFromObject(d)
	status.Conditions = r.progressOf(d, status)
	changed := d.Status.UpdatedReplicas != status.UpdatedReplicas || d.Status.AvailableReplicas != status.AvailableReplicas ||
		d.Status.Replicas != status.Replicas || d.Status.ObservedGeneration != status.ObservedGeneration
	if changed {
		r.progress[key] = r.loop.now
	}
	r.server.edit(deploymentUser, "status", kindDeployment, key, func(o client.Object) { o.(*appsv1.Deployment).Status = status })
}

// progressOf is the condition by which a rollout is known to be stuck. While a Deployment is paused the controller leaves
// such a condition as it is; a new ReplicaSet, and every pod that comes up or goes, is progress.
func (r *rollout) progressOf(d *appsv1.Deployment, now appsv1.DeploymentStatus) []appsv1.DeploymentCondition {
	key := client.ObjectKeyFromObject(d)
	deadline := time.Duration(ptr.Deref(d.Spec.ProgressDeadlineSeconds, 600)) * time.Second
	condition := func(status corev1.ConditionStatus, reason string) []appsv1.DeploymentCondition {
		return []appsv1.DeploymentCondition{{
			Type: appsv1.DeploymentProgressing, Status: status, Reason: reason,
			LastTransitionTime: metav1.NewTime(r.progress[key].Truncate(time.Second)),
		}}
	}
	if d.Spec.Paused {
		if len(d.Status.Conditions) > 0 && d.Status.Conditions[0].Reason == exceeded {
			return d.Status.Conditions
		}
		return condition(corev1.ConditionUnknown, "DeploymentPaused")
	}
	if len(d.Status.Conditions) > 0 && d.Status.Conditions[0].Reason == "DeploymentPaused" {
		r.progress[key] = r.loop.now
	}
	want := ptr.Deref(d.Spec.Replicas, 1)
	if now.UpdatedReplicas == want && now.AvailableReplicas == want && now.Replicas == want {
		return condition(corev1.ConditionTrue, "NewReplicaSetAvailable")
	}
	if left := deadline - r.loop.now.Sub(r.progress[key]); left > 0 {
		r.loop.after(left, func() { r.look(key, false) })
		return condition(corev1.ConditionTrue, "ReplicaSetUpdated")
	}
	if len(d.Status.Conditions) > 0 && d.Status.Conditions[0].Reason == exceeded {
		return d.Status.Conditions
	}
	r.progress[key] = r.loop.now.Add(-deadline)
	return []appsv1.DeploymentCondition{{
		Type: appsv1.DeploymentProgressing, Status: corev1.ConditionFalse, Reason: exceeded,
		LastTransitionTime: metav1.NewTime(r.loop.now.Truncate(time.Second)),
	}}
}

const exceeded = "ProgressDeadlineExceeded"
