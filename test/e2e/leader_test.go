package e2e

import (
	"fmt"
	"strings"
	"syscall"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// takeover is how long a lease and its taking over may last, with the machine busy.
const takeover = usual

// Of two replicas the leader stands still in the midst of a step, as on a node that is starved. The other takes over and the
// release goes on; the first wakes up with all that it was about to write, and changes nothing. Then the new leader is killed.
func leaderKilled(tb testing.TB) {
	s := newScene(tb, setting{rate: 80})
	s.adopt(plan{})
	defer s.scaleOperator(1)
	s.scaleOperator(2)
	s.push(good("v2"))
	s.awaitStage("Preparing")
	first, pid := s.leader()
	s.signal(pid, syscall.SIGSTOP)
	second := s.awaitOtherLeader(first)
	s.awaitStage("Judging")
	s.signal(pid, syscall.SIGCONT)
	s.awaitStage("PromotionRolling")

	now, pid := s.leader()
	if now != second {
		s.Errorf("the leader is %s, was %s: the one that had stood still took the lease back", now, second)
	}
	s.signal(pid, syscall.SIGKILL)
	s.awaitOtherLeader(now)
	s.awaitPromoted()
	s.wantStepsNeverBack()
	s.wantRecordsNeverBack()
	s.wantTemplates("v1", "v2")
	s.wantShare(s.sample(fewest), "v2", 1)
	s.wantNoHarm()
}

func (s *scene) signal(pid int, signal syscall.Signal) {
	s.Helper()
	s.Logf("signal %q to process %d at stage %q", signal, pid, s.current().Status.Stage)
	if err := syscall.Kill(pid, signal); err != nil {
		s.Fatalf("%s to process %d: %v", signal, pid, err)
	}
}

// scaleOperator changes the number of the operator's replicas and waits until these, and no others, are ready.
func (s *scene) scaleOperator(replicas int32) {
	s.Helper()
	s.until("scaling of the operator", usual, func() (bool, string) {
		d := &appsv1.Deployment{}
		if err := shared.Get(s.Context(), client.ObjectKey{Namespace: operatorNamespace, Name: operatorName}, d); err != nil {
			return false, err.Error()
		}
		before := d.DeepCopy()
		d.Spec.Replicas = &replicas
		if err := shared.Patch(s.Context(), d, client.MergeFrom(before)); err != nil {
			return false, err.Error()
		}
		return true, ""
	})
	s.until(fmt.Sprintf("%d ready operators", replicas), takeover, func() (bool, string) {
		pods, err := shared.operatorPods(s.Context())
		if err != nil {
			return false, err.Error()
		}
		ready := 0
		for _, pod := range pods {
			if podReady(&pod) {
				ready++
			}
		}
		return ready == int(replicas) && len(pods) == ready, fmt.Sprintf("%d pods, %d ready", len(pods), ready)
	})
}

// leader is the holder of the lease, and its process. A process that starts again in the same pod is another holder.
func (s *scene) leader() (holder string, pid int) {
	s.Helper()
	s.until("leader", takeover, func() (bool, string) {
		held := &coordinationv1.Lease{}
		if err := shared.Get(s.Context(), client.ObjectKey{Namespace: operatorNamespace, Name: lease}, held); err != nil {
			return false, err.Error()
		}
		pods, err := shared.operatorPods(s.Context())
		if err != nil {
			return false, err.Error()
		}
		holder = ptr.Deref(held.Spec.HolderIdentity, "")
		for _, one := range pods {
			if leads(&one, holder) {
				pid, err = processOf(string(one.UID), "operator")
				return err == nil, fmt.Sprint(err)
			}
		}
		return false, fmt.Sprintf("the lease is of %q", holder)
	})
	return holder, pid
}

func leads(pod *corev1.Pod, holder string) bool { return strings.HasPrefix(holder, pod.Name+"_") }

func (s *scene) awaitOtherLeader(than string) string {
	s.Helper()
	var now string
	s.until("other leader", takeover, func() (bool, string) {
		now, _ = s.leader()
		return now != than, "the leader is still the same"
	})
	s.Logf("another leader, at stage %q", s.current().Status.Stage)
	return now
}
