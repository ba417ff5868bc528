package e2e

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"syscall"
	"testing"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"slipway.dev/slipway/api/v1alpha1"
)

// lease is what the operator's replicas are told apart by.
const lease = "slipway.dev"

// killer ends the operator's process, as a kernel out of memory would, as soon as a release is in one of some stages.
// The operator hears nothing of it. Another one starts at once: its pod does not wait for the kubelet's patience with
// crashes, and it does not wait for the lease of a process that is known to be dead.
type killer struct {
	testing.TB
	mu   sync.Mutex
	left map[*scene][]string
	// late are stages that were over before the process was.
	late   []string
	cancel context.CancelFunc
	done   sync.WaitGroup
}

func startKiller(tb testing.TB) *killer {
	tb.Helper()
	ctx, cancel := context.WithCancel(tb.Context())
	k := &killer{TB: tb, left: map[*scene][]string{}, cancel: cancel}
	k.done.Go(func() { k.work(ctx) })
	tb.Cleanup(k.end)
	return k
}

func (k *killer) end() {
	k.cancel()
	k.done.Wait()
}

// stop ends the killing and says which stages the operator did not die in.
func (k *killer) stop() {
	k.Helper()
	k.end()
	for s, stages := range k.left {
		k.Errorf("%s: the operator was not killed in %q", s.namespace, stages)
	}
	k.Logf("over before the operator was dead: %q", k.late)
}

// killIn has the operator die once in each of the stages of a scene's release.
func (k *killer) killIn(s *scene, stages ...string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.left[s] = stages
}

// awaitDone waits until the operator has died in all stages of a scene.
func (k *killer) awaitDone(s *scene) {
	s.Helper()
	s.until("end of the killing", usual, func() (bool, string) {
		k.mu.Lock()
		defer k.mu.Unlock()
		return len(k.left[s]) == 0, fmt.Sprintf("left are %q", k.left[s])
	})
}

func (k *killer) work(ctx context.Context) {
	for ctx.Err() == nil {
		pod, pid, err := runningOperator(ctx)
		if err != nil {
			pause(ctx, 300*time.Millisecond)
			continue
		}
		stages := k.awaitStages(ctx)
		if len(stages) == 0 {
			return
		}
		if err := k.kill(ctx, pod, pid, stages); err != nil && ctx.Err() == nil {
			k.Errorf("kill the operator: %v", err)
			return
		}
	}
}

func pause(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}

// awaitStages waits until a release is where the operator is to die, and says in which stages that is.
func (k *killer) awaitStages(ctx context.Context) map[*scene]string {
	for ctx.Err() == nil {
		found := map[*scene]string{}
		k.mu.Lock()
		for s, stages := range k.left {
			if cr, ok := s.releases.last("shop"); ok && slices.Contains(stages, cr.Status.Stage) {
				found[s] = cr.Status.Stage
			}
		}
		k.mu.Unlock()
		if len(found) > 0 {
			return found
		}
		// Some stages are over within a moment.
		pause(ctx, 2*time.Millisecond)
	}
	return nil
}

func (k *killer) kill(ctx context.Context, pod *corev1.Pod, pid int, seen map[*scene]string) error {
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		return err
	}
	for syscall.Kill(pid, 0) == nil && ctx.Err() == nil {
		pause(ctx, time.Millisecond)
	}
	k.noteKill(ctx, seen)
	if err := shared.Delete(ctx, pod, client.GracePeriodSeconds(0)); client.IgnoreNotFound(err) != nil {
		return err
	}
	held := &coordinationv1.Lease{ObjectMeta: metav1.ObjectMeta{Namespace: operatorNamespace, Name: lease}}
	return client.IgnoreNotFound(shared.Delete(ctx, held))
}

// noteKill crosses off the stages that the releases are in, now that nobody moves them.
func (k *killer) noteKill(ctx context.Context, seen map[*scene]string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for s := range k.left {
		cr := &v1alpha1.CanaryRelease{}
		if err := shared.Get(ctx, client.ObjectKey{Namespace: s.namespace, Name: "shop"}, cr); err != nil {
			continue
		}
		k.Logf("killed at stage %q of %s", cr.Status.Stage, s.namespace)
		if meant := seen[s]; meant != "" && meant != cr.Status.Stage {
			k.late = append(k.late, meant)
			k.cross(s, meant)
		}
		k.cross(s, cr.Status.Stage)
	}
}

func (k *killer) cross(s *scene, stage string) {
	k.left[s] = slices.DeleteFunc(k.left[s], func(one string) bool { return one == stage })
	if len(k.left[s]) == 0 {
		delete(k.left, s)
	}
}

// runningOperator is the operator's process, with the pod that it is in.
func runningOperator(ctx context.Context) (*corev1.Pod, int, error) {
	pods, err := shared.operatorPods(ctx)
	if err != nil {
		return nil, 0, err
	}
	for _, pod := range pods {
		if pid, err := processOf(string(pod.UID), "operator"); err == nil {
			return &pod, pid, nil
		}
	}
	return nil, 0, errors.New("no process of the operator")
}
