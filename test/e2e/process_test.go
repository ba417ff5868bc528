package e2e

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
)

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
