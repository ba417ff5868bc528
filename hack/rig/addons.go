package main

import (
	"context"
	"embed"
	"fmt"
	"os"
	"strings"
	"time"
)

//go:embed manifests/*.yaml
var manifests embed.FS

// addonManifests in the order in which they are applied.
var addonManifests = []string{"coredns", "envoy-gateway", "gateway", "prometheus"}

func (r *rig) applyCRDs(ctx context.Context, k kit) error {
	if _, err := r.kubectl(ctx, "apply", "--server-side", "--force-conflicts", "-f", k.crds()); err != nil {
		return err
	}
	_, err := r.kubectl(ctx, "wait", "--for=condition=Established", "--timeout=60s", "crd", "--all")
	return err
}

// addons applies what runs inside the cluster and waits until it works.
func (r *rig) addons(ctx context.Context) error {
	if err := step("make certificates for Envoy Gateway", func() error { return r.envoyGatewayCertificates(ctx) }); err != nil {
		return err
	}
	if err := step("apply "+strings.Join(addonManifests, ", "), func() error { return r.applyAddons(ctx) }); err != nil {
		return err
	}
	return step("wait for gateways and Prometheus", func() error { return r.addonsReady(ctx, 3*time.Minute) })
}

func (r *rig) envoyGatewayCertificates(ctx context.Context) error {
	const namespace = "envoy-gateway-system"
	if err := r.applyText(ctx, "apiVersion: v1\nkind: Namespace\nmetadata: {name: "+namespace+"}\n"); err != nil {
		return err
	}
	k, err := r.kit()
	if err != nil {
		return err
	}
	cmd := r.inside(ctx, k.bin("envoy-gateway"), "certgen", "--disable-topology-injector")
	cmd.Env = append(cmd.Env, "ENVOY_GATEWAY_NAMESPACE="+namespace, "KUBERNETES_CLUSTER_DOMAIN=cluster.local")
	_, err = finish(cmd)
	return err
}

func (r *rig) applyAddons(ctx context.Context) error {
	var all strings.Builder
	for _, name := range addonManifests {
		text, err := manifests.ReadFile("manifests/" + name + ".yaml")
		if err != nil {
			return err
		}
		all.WriteString("---\n")
		all.Write(text)
	}
	return r.applyText(ctx, all.String())
}

func (r *rig) applyText(ctx context.Context, text string) error {
	file, err := os.CreateTemp(r.path("conf"), "apply-*.yaml")
	if err != nil {
		return err
	}
	defer os.Remove(file.Name())
	if _, err := file.WriteString(text); err != nil {
		return err
	}
	if err := file.Close(); err != nil {
		return err
	}
	_, err = r.kubectl(ctx, "apply", "--server-side", "--force-conflicts", "-f", file.Name())
	return err
}

func (r *rig) addonsReady(ctx context.Context, limit time.Duration) error {
	timeout := fmt.Sprintf("--timeout=%s", limit)
	wait := func(args ...string) func() error {
		return func() error {
			_, err := r.kubectl(ctx, append([]string{"wait", timeout}, args...)...)
			return err
		}
	}
	return together(
		wait("--for=condition=Programmed", "-n", "gateway-system", "gateway", "gw", "gw-plain"),
		wait("--for=condition=Available", "-n", "monitoring", "deployment", "prometheus"),
		wait("--for=condition=Available", "-n", "kube-system", "deployment", "coredns"),
	)
}
