package main

import (
	"context"
	"fmt"
	"os"
	"strings"
)

// All addresses are inside the network namespace, so every rig has the same ones.
const (
	nodeName      = "node1"
	nodeAddress   = "10.244.0.1" // on the pods' bridge; the API server listens here
	podRange      = "10.244.0.0/24"
	firstPod      = "10.244.0.10"
	serviceRange  = "10.96.0.0/16"
	kubernetesVIP = "10.96.0.1" // first of serviceRange
	dnsVIP        = "10.96.0.10"
	apiServerURL  = "https://" + nodeAddress + ":6443"
)

func (r *rig) netns() string { return "/run/netns/" + r.name }

func (r *rig) makeNetwork(ctx context.Context) error {
	if !exists("/proc/sys/net/bridge") {
		if _, err := finish(r.hostCommand(ctx, "modprobe", "br_netfilter")); err != nil {
			return fmt.Errorf("services need bridged traffic to pass the packet filter: %w", err)
		}
	}
	if _, err := finish(r.hostCommand(ctx, "ip", "netns", "add", r.name)); err != nil {
		return err
	}
	for _, line := range []string{
		"ip link set lo up",
		"ip link add cni0 type bridge",
		"ip addr add " + nodeAddress + "/24 dev cni0",
		"ip link set cni0 up",
		// Programs look for a default route to learn the address of the node.
		"ip route add default dev cni0",
		"sysctl -qw net.ipv4.ip_forward=1 net.bridge.bridge-nf-call-iptables=1",
	} {
		if _, err := finish(r.inside(ctx, strings.Fields(line)...)); err != nil {
			return err
		}
	}
	return nil
}

func (r *rig) writePodNetwork() error {
	const conf = `{"cniVersion": "0.4.0", "name": %q, "plugins": [
  {"type": "bridge", "bridge": "cni0", "isGateway": true, "hairpinMode": true, "ipMasq": false,
   "ipam": {"type": "host-local", "subnet": %q, "rangeStart": %q, "dataDir": %q, "routes": [{"dst": "0.0.0.0/0"}]}},
  {"type": "portmap", "capabilities": {"portMappings": true}}]}
`
	return os.WriteFile(r.path("cni", "10-pods.conflist"),
		fmt.Appendf(nil, conf, r.cniNetwork(), podRange, firstPod, r.path("cni-leases")), 0o644)
}

// cniNetwork names what the CNI library remembers of our pods under /var/lib/cni.
func (r *rig) cniNetwork() string { return "slipway-rig-" + r.name }
