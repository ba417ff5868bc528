package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// daemons in the order in which they must stop: what starts containers first, what stores last.
var daemons = []string{"kube-proxy", "kubelet", "kube-scheduler", "kube-controller-manager", "containerd", "kube-apiserver", "etcd"}

func (r *rig) hostCommand(ctx context.Context, args ...string) *exec.Cmd {
	return exec.CommandContext(ctx, args[0], args[1:]...)
}

// up makes the cluster run, from whatever is there now. If it cannot, it leaves nothing behind.
func (r *rig) up(ctx context.Context) error {
	if os.Geteuid() != 0 {
		return fmt.Errorf("up: need root for network namespaces and containers")
	}
	if err := r.makeDirs(); err != nil {
		return err
	}
	unlock, err := lock(r.path("lock"), "another up or down of this rig")
	if err != nil {
		return err
	}
	defer unlock()
	if r.healthy(ctx) {
		return r.keep(ctx)
	}
	k, err := r.builtKit(ctx)
	if err != nil {
		return err
	}
	if err := installPackages(ctx); err != nil { // the kit may come from a cache, the machine be new
		return err
	}
	if r.anything() {
		say("Found parts of a cluster that is not whole: removing them.")
		if err := r.remove(); err != nil {
			return err
		}
		if err := r.makeDirs(); err != nil {
			return err
		}
	}
	began := time.Now()
	if err := r.startAll(ctx, k); err != nil {
		say("Stopping what was started.")
		return errors.Join(err, r.remove())
	}
	say("The cluster is up after %.0fs. Use it with: rig shell, or rig exec COMMAND. KUBECONFIG=%s, network namespace %s.",
		time.Since(began).Seconds(), r.kubeconfig(), r.name)
	return nil
}

// keep leaves a running cluster alone, except that add-ons which do not work are applied again.
func (r *rig) keep(ctx context.Context) error {
	say("The cluster is running already. KUBECONFIG=%s, network namespace %s.", r.kubeconfig(), r.name)
	k, err := r.kit()
	if err != nil {
		return err
	}
	if runs, err := os.Readlink(r.path("bin", "kubectl")); err == nil && runs != k.bin("kubectl") {
		say("It runs other versions than this checkout names; down and up change them.")
	}
	if r.addonsReady(ctx, time.Second) == nil {
		return nil
	}
	say("Not all add-ons work: applying them again.")
	return r.addons(ctx)
}

// anything tells whether a cluster left traces, alive or not.
func (r *rig) anything() bool {
	if exists(r.netns()) {
		return true
	}
	for _, daemon := range daemons {
		if _, found := r.recorded(daemon); found {
			return true
		}
	}
	return false
}

func (r *rig) healthy(ctx context.Context) bool {
	for _, daemon := range daemons {
		if !r.running(daemon) {
			return false
		}
	}
	return r.apiReady(ctx)
}

func (r *rig) apiReady(ctx context.Context) bool {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	out, err := r.kubectl(ctx, "get", "--raw", "/readyz")
	return err == nil && out == "ok"
}

func (r *rig) kubectl(ctx context.Context, args ...string) (string, error) {
	return finish(r.inside(ctx, append([]string{r.path("bin", "kubectl")}, args...)...))
}

func (r *rig) startAll(ctx context.Context, k kit) error {
	say("Starting Kubernetes %s in network namespace %s.", kubeVersion, r.name)
	if err := r.linkPrograms(k); err != nil {
		return err
	}
	err := step("make network and credentials", func() error {
		return together(func() error { return r.makeNetwork(ctx) }, r.writeCredentials, r.writePodNetwork, r.writeKubeletConfig, r.writeContainerdConfig)
	})
	if err != nil {
		return err
	}
	return allOrNone(ctx,
		func(ctx context.Context) error { return r.startContainers(ctx, k) },
		func(ctx context.Context) error { return r.startControlPlane(ctx, k) },
	)
}

// linkPrograms makes r.dir/bin the place where kubectl and others are found.
func (r *rig) linkPrograms(k kit) error {
	for _, name := range append([]string{"etcd"}, kubeNames...) {
		_ = os.Remove(r.path("bin", name))
		if err := os.Symlink(k.bin(name), r.path("bin", name)); err != nil {
			return err
		}
	}
	return nil
}

func (r *rig) startContainers(ctx context.Context, k kit) error {
	err := step("start containerd", func() error {
		if err := r.start("containerd", "-c", r.path("conf", "containerd.toml")); err != nil {
			return err
		}
		return r.await(ctx, "containerd", 30*time.Second, func() bool { return r.ctr(ctx, "version").Run() == nil })
	})
	if err != nil {
		return err
	}
	return step("load images", func() error {
		for _, name := range sortedKeys(partImages) {
			if err := r.loadImages(ctx, k.image(name)); err != nil {
				return err
			}
		}
		return os.WriteFile(r.imagesMark(), nil, 0o644)
	})
}

// imagesMark says that pods may start: a pod whose image is missing waits long before it looks again.
func (r *rig) imagesMark() string { return filepath.Join(r.run, "images-loaded") }

func (r *rig) startControlPlane(ctx context.Context, k kit) error {
	if err := step("start etcd and kube-apiserver", func() error { return r.startAPI(ctx) }); err != nil {
		return err
	}
	if err := step("apply CRDs", func() error { return r.applyCRDs(ctx, k) }); err != nil {
		return err
	}
	if err := r.await(ctx, "containerd", 3*time.Minute, func() bool { return exists(r.imagesMark()) }); err != nil {
		return fmt.Errorf("load images: %w", err)
	}
	if err := step("start controllers, scheduler, proxy and kubelet", func() error { return r.startNode(ctx) }); err != nil {
		return err
	}
	return r.addons(ctx)
}

func (r *rig) startAPI(ctx context.Context) error {
	pki := func(name string) string { return r.path("pki", name) }
	err := r.start(r.path("bin", "etcd"), "--data-dir="+r.path("etcd"), "--unsafe-no-fsync", "--log-level=warn",
		"--listen-client-urls=http://127.0.0.1:2379", "--advertise-client-urls=http://127.0.0.1:2379",
		"--listen-peer-urls=http://127.0.0.1:2380")
	if err != nil {
		return err
	}
	err = r.start(r.path("bin", "kube-apiserver"), "--etcd-servers=http://127.0.0.1:2379",
		"--bind-address=0.0.0.0", "--secure-port=6443", "--advertise-address="+nodeAddress,
		"--tls-cert-file="+pki("apiserver.crt"), "--tls-private-key-file="+pki("apiserver.key"), "--cert-dir="+r.path("pki"),
		"--service-account-issuer=https://kubernetes.default.svc.cluster.local",
		"--service-account-key-file="+pki("service-accounts.key"), "--service-account-signing-key-file="+pki("service-accounts.key"),
		"--service-cluster-ip-range="+serviceRange, "--token-auth-file="+pki("tokens.csv"),
		"--authorization-mode=Node,RBAC", "--enable-admission-plugins=NodeRestriction", "--allow-privileged=true",
		// kubectl logs and the proxy to pods ask the node by address: no name server knows it.
		"--kubelet-preferred-address-types=InternalIP")
	if err != nil {
		return err
	}
	return r.await(ctx, "kube-apiserver", 2*time.Minute, func() bool { return r.apiReady(ctx) })
}

func (r *rig) startNode(ctx context.Context) error {
	if err := r.makeCgroups(); err != nil {
		return err
	}
	starts := [][]string{
		{
			"kube-controller-manager", "--kubeconfig=" + r.configOf("system:kube-controller-manager"), "--leader-elect=false",
			// Each controller as its own service account, as in a real cluster: admission policies tell them apart.
			"--use-service-account-credentials=true", "--controllers=*",
			"--service-account-private-key-file=" + r.path("pki", "service-accounts.key"), "--root-ca-file=" + r.path("pki", "ca.crt"),
		},
		{"kube-scheduler", "--kubeconfig=" + r.configOf("system:kube-scheduler"), "--leader-elect=false"},
		{
			"kube-proxy", "--kubeconfig=" + r.configOf("system:kube-proxy"), "--proxy-mode=nftables", "--cluster-cidr=" + podRange,
			"--hostname-override=" + nodeName, "--conntrack-max-per-core=0", // 0: leave the machine's own limit alone
		},
		{
			"kubelet", "--kubeconfig=" + r.configOf("system:node:"+nodeName), "--config=" + r.path("conf", "kubelet.yaml"),
			"--root-dir=" + r.kubeletDir(), "--hostname-override=" + nodeName, "--node-ip=" + nodeAddress, "--v=1",
		},
	}
	for _, program := range starts {
		if err := r.start(r.path("bin", program[0]), program[1:]...); err != nil {
			return err
		}
	}
	return r.await(ctx, "kubelet", time.Minute, func() bool {
		out, err := r.kubectl(ctx, "get", "node", nodeName, "-o", `jsonpath={.status.conditions[?(@.type=="Ready")].status}`)
		return err == nil && out == "True"
	})
}

// kubeletDir is r.dir/kubelet by a short way: kubelet makes sockets in it.
func (r *rig) kubeletDir() string { return filepath.Join(r.run, "kubelet") }

func (r *rig) writeKubeletConfig() error {
	if err := os.MkdirAll(r.kubeletDir(), 0o755); err != nil {
		return err
	}
	if err := syscall.Mount(r.path("kubelet"), r.kubeletDir(), "", syscall.MS_BIND, ""); err != nil {
		return fmt.Errorf("bind %s to %s: %w", r.path("kubelet"), r.kubeletDir(), err)
	}
	const form = `apiVersion: kubelet.config.k8s.io/v1beta1
kind: KubeletConfiguration
authentication: {anonymous: {enabled: true}, webhook: {enabled: false}} # reachable inside the namespace only
authorization: {mode: AlwaysAllow}
cgroupDriver: cgroupfs
cgroupRoot: /%s
failCgroupV1: false
failSwapOn: false
containerRuntimeEndpoint: unix://%s
enforceNodeAllocatable: []
evictionHard: {nodefs.available: "1%%", imagefs.available: "1%%", memory.available: "50Mi"}
localStorageCapacityIsolation: false
maxPods: 200
registryPullQPS: 0
podLogsDir: %s
clusterDNS: [%s]
clusterDomain: cluster.local
`
	logs := r.path("logs", "pods")
	return os.WriteFile(r.path("conf", "kubelet.yaml"), fmt.Appendf(nil, form, r.cgroup(), r.containerdSocket(), logs, dnsVIP), 0o644)
}

func (r *rig) writeContainerdConfig() error {
	const form = `version = 2
root = %q
state = %q
disabled_plugins = ["io.containerd.internal.v1.opt"]
[grpc]
  address = %q
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "localhost/pause:rig"
  restrict_oom_score_adj = true # a container may lack the right to lower it
  netns_mounts_under_state_dir = true
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "/usr/lib/cni"
    conf_dir = %q
`
	state := filepath.Join(r.run, "containerd")
	return os.WriteFile(r.path("conf", "containerd.toml"),
		fmt.Appendf(nil, form, r.path("containerd"), state, r.containerdSocket(), r.path("cni")), 0o644)
}

// cgroup is the parent of every pod's cgroup, so that two rigs do not clean up each other's pods.
func (r *rig) cgroup() string { return "slipway-rig-" + r.name }

// cgroupDirs is one folder for cgroup v2, or one for each controller of v1.
func (r *rig) cgroupDirs() []string {
	const root = "/sys/fs/cgroup"
	if exists(filepath.Join(root, "cgroup.controllers")) {
		return []string{filepath.Join(root, r.cgroup())}
	}
	var dirs []string
	entries, _ := os.ReadDir(root)
	for _, entry := range entries {
		if entry.IsDir() {
			dirs = append(dirs, filepath.Join(root, entry.Name(), r.cgroup()))
		}
	}
	return dirs
}

// makeCgroups, because kubelet wants its root to exist.
func (r *rig) makeCgroups() error {
	for _, dir := range r.cgroupDirs() {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return err
		}
		for _, file := range []string{"cpuset.cpus", "cpuset.mems"} { // of v1: empty until copied from above
			if above, err := os.ReadFile(filepath.Join(filepath.Dir(dir), file)); err == nil {
				_ = os.WriteFile(filepath.Join(dir, file), above, 0o644)
			}
		}
		// All pods together would weigh as much as one process beside them: a build would starve the gateway.
		for file, weight := range map[string]string{"cpu.shares": "16384", "cpu.weight": "1000"} {
			if path := filepath.Join(dir, file); exists(path) {
				_ = os.WriteFile(path, []byte(weight), 0o644)
			}
		}
	}
	return nil
}

func (r *rig) status(ctx context.Context) error {
	for _, daemon := range daemons {
		id, found := r.recorded(daemon)
		switch {
		case !found:
			say("%-24s not started", daemon)
		case !id.alive():
			say("%-24s died (log: %s)", daemon, r.path("logs", daemon+".log"))
		default:
			say("%-24s runs, pid %d", daemon, id.PID)
		}
	}
	if !r.apiReady(ctx) {
		return fmt.Errorf("the API server of rig %q does not answer", r.name)
	}
	pods, err := r.kubectl(ctx, "get", "gateways,pods", "-A")
	say("%s", strings.TrimSpace(pods))
	return err
}

func runExec(_ context.Context, r *rig, args []string) error {
	if len(args) == 0 {
		return fmt.Errorf("exec: want a command")
	}
	if !exists(r.netns()) {
		return fmt.Errorf("rig %q is not up: there is no %s", r.name, r.netns())
	}
	nsenter, err := exec.LookPath("nsenter")
	if err != nil {
		return err
	}
	return syscall.Exec(nsenter, append([]string{"nsenter", "--net=" + r.netns()}, args...), r.environment())
}

func runShell(ctx context.Context, r *rig, _ []string) error {
	say("KUBECONFIG=%s; leave with exit.", r.kubeconfig())
	return runExec(ctx, r, []string{valueOr(os.Getenv("SHELL"), "/bin/sh")})
}
