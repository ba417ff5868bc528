package e2e

import (
	"context"
	"fmt"
	"net/http"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// turnBad has every pod of a version, also one that comes later, answer with errors from the moment that it is ready.
// The harm that shows in nobody's tests is of this kind: the version was good for as long as it was looked at.
func (s *scene) turnBad(version string, errorPercent int) {
	s.Helper()
	s.Logf("%s turns bad", version)
	told := map[types.UID]bool{}
	ctx, cancel := context.WithCancel(s.Context())
	var done sync.WaitGroup
	s.Cleanup(func() {
		cancel()
		done.Wait()
	})
	if err := tellPods(ctx, s.namespace, version, errorPercent, told); err != nil {
		s.Fatalf("turn %s bad: %v", version, err)
	}
	done.Go(func() {
		for {
			select {
			case <-ctx.Done():
				return
			case <-time.After(250 * time.Millisecond):
			}
			// A pod that cannot be told yet is told in the next round; a version that stays good fails the scenario.
			_ = tellPods(ctx, s.namespace, version, errorPercent, told)
		}
	})
}

// tellPods tells those pods of a version that are ready and have not been told.
func tellPods(ctx context.Context, namespace, version string, errorPercent int, told map[types.UID]bool) error {
	pods := &corev1.PodList{}
	if err := shared.List(ctx, pods, client.InNamespace(namespace)); err != nil {
		return err
	}
	for _, pod := range pods.Items {
		if told[pod.UID] || !podReady(&pod) || versionOf(corev1.PodTemplateSpec{Spec: pod.Spec}) != version {
			continue
		}
		url := fmt.Sprintf("http://%s:8080/behave?errorPercent=%d", pod.Status.PodIP, errorPercent)
		request, err := http.NewRequestWithContext(ctx, http.MethodPost, url, nil)
		if err != nil {
			return err
		}
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			return err
		}
		if err := response.Body.Close(); err != nil || response.StatusCode != http.StatusOK {
			return fmt.Errorf("pod %s answers %s: %w", pod.Name, response.Status, err)
		}
		told[pod.UID] = true
	}
	return nil
}
