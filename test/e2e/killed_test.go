package e2e

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"slipway.dev/slipway/api/v1alpha1"
)

// The operator dies at several points of a release. It goes on where it was: nothing goes back, nothing is made twice.
func operatorKilled(tb testing.TB) {
	s := newScene(tb, setting{rate: 100})
	s.adopt(plan{steps: holdFirst})
	stable := s.pods()
	s.push(good("v2"))
	s.awaitStage("Preparing")
	s.killOperator()
	s.awaitStage("Shifting")
	s.killOperator()
	s.awaitHold("1/2")
	twin := s.twin().UID

	s.killOperator()
	s.annotate(v1alpha1.RequestResume)
	s.wantShare(s.sample(fewest), "v2", 0.2)
	s.wantHeld(good("v2"), stable)
	s.awaitStage("PromotionRolling")
	s.killOperator()
	if have := s.twin().UID; have != twin {
		s.Errorf("the canary's Deployment was made again: UID %s, was %s", have, twin)
	}
	s.awaitPromoted()
	s.wantStepsNeverBack()
	s.wantShare(s.sample(fewest), "v2", 1)
	s.wantNoHarm()
}

func (s *scene) awaitStage(stage string) {
	s.Helper()
	s.awaitState("stage "+stage, long, func(cr *v1alpha1.CanaryRelease) bool { return cr.Status.Stage == stage })
}

// killOperator ends the operator's process as a kernel out of memory would: it hears nothing of it. Its pod goes too, so
// that the next one does not have to wait for the kubelet's patience with crashes.
func (s *scene) killOperator() {
	s.Helper()
	s.until("process of the operator", usual, func() (bool, string) {
		pods, err := shared.operatorPods(s.Context())
		if err != nil {
			return false, err.Error()
		}
		have := "no pod"
		for _, pod := range pods {
			pid, err := processOf(string(pod.UID), "operator")
			if err == nil {
				err = syscall.Kill(pid, syscall.SIGKILL)
			}
			if err == nil {
				err = shared.Delete(s.Context(), &pod, client.GracePeriodSeconds(0))
			}
			if err == nil {
				s.Logf("killed process %d of pod %s at stage %q", pid, pod.Name, s.current().Status.Stage)
				return true, ""
			}
			have = err.Error()
		}
		return false, have
	})
}

// processOf finds the process of a pod that has an argument. The cluster's node is this machine.
func processOf(podUID, argument string) (int, error) {
	groups, err := filepath.Glob("/proc/[0-9]*/cgroup")
	if err != nil {
		return 0, err
	}
	for _, path := range groups {
		// A process that has ended meanwhile is not the one that is looked for.
		group, err := os.ReadFile(path)
		if err != nil || !bytes.Contains(group, []byte("pod"+podUID)) {
			continue
		}
		dir := filepath.Dir(path)
		arguments, err := os.ReadFile(filepath.Join(dir, "cmdline"))
		if err == nil && bytes.Contains(arguments, []byte("\x00"+argument+"\x00")) {
			return strconv.Atoi(filepath.Base(dir))
		}
	}
	return 0, fmt.Errorf("no process of pod %s has the argument %q", podUID, argument)
}
