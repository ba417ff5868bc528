package main

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
)

const (
	kubeVersion  = "1.36.3"
	envoyVersion = "1.40.0"
	// imageForm changes when images are packed differently from the same binaries.
	imageForm = "1"

	partsModule = "slipway.dev/slipway/hack/rig/parts"

	buildTags = "remove_all_sd,enable_kubernetes_sd" // Prometheus without the SDKs of clouds
	linkFlags = "-s -w -X k8s.io/component-base/version.gitVersion=v" + kubeVersion +
		" -X k8s.io/client-go/pkg/version.gitVersion=v" + kubeVersion
)

// goParts are the programs that are built, by package. All are in one module graph (parts/go.mod), so that
// what they share, k8s.io/* above all, is compiled once.
var goParts = map[string]string{
	"./pause":                   "pause",
	"./coredns":                 "coredns",
	"./kube":                    "kube",
	"go.etcd.io/etcd/server/v3": "etcd",
	"github.com/envoyproxy/gateway/cmd/envoy-gateway": "envoy-gateway",
	"github.com/prometheus/prometheus/cmd/prometheus": "prometheus",
}

// kubeNames are the names by which the one kube binary is called.
var kubeNames = []string{"kube-apiserver", "kube-controller-manager", "kube-scheduler", "kube-proxy", "kubelet", "kubectl"}

// partImages are what the cluster itself runs as pods.
var partImages = map[string]image{
	"pause":         {Name: "localhost/pause:rig", Entrypoint: []string{"/pause"}, User: "65532", Files: map[string]string{"/pause": "pause"}},
	"coredns":       {Name: "localhost/coredns:rig", Entrypoint: []string{"/coredns"}, Files: map[string]string{"/coredns": "coredns"}},
	"envoy-gateway": {Name: "localhost/envoy-gateway:rig", Entrypoint: []string{"/usr/local/bin/envoy-gateway"}, User: "65532", Files: map[string]string{"/usr/local/bin/envoy-gateway": "envoy-gateway"}},
	"envoy":         {Name: "localhost/envoy:rig", Entrypoint: []string{"/usr/local/bin/envoy"}, User: "65532", Libraries: true, Files: map[string]string{"/usr/local/bin/envoy": "envoy"}},
	"prometheus":    {Name: "localhost/prometheus:rig", Entrypoint: []string{"/prometheus"}, Files: map[string]string{"/prometheus": "prometheus"}},
}

// kit is one built set of parts. Its folder is named after everything that went into it.
type kit struct{ dir string }

func (k kit) bin(name string) string   { return filepath.Join(k.dir, "bin", name) }
func (k kit) image(name string) string { return filepath.Join(k.dir, "images", name+".tar") }
func (k kit) crds() string             { return filepath.Join(k.dir, "crds") }

// complete is written last, so that an interrupted build is never taken for a whole one.
func (k kit) completeMark() string { return filepath.Join(k.dir, "complete") }

func (k kit) complete() bool { return exists(k.completeMark()) }

func (r *rig) partsSource() string { return filepath.Join(r.project, "hack", "rig", "parts") }

// kit finds the folder for the parts of this checkout; it may not be built yet.
func (r *rig) kit() (kit, error) {
	sum := sha256.New()
	fmt.Fprintln(sum, runtime.Version(), runtime.GOARCH, kubeVersion, envoyVersion, imageForm, buildTags, linkFlags)
	err := filepath.WalkDir(r.partsSource(), func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		content, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		name, err := filepath.Rel(r.partsSource(), path)
		fmt.Fprintln(sum, name, sha256.Sum256(content))
		return err
	})
	if err != nil {
		return kit{}, fmt.Errorf("hash the sources of the parts: %w", err)
	}
	return kit{dir: filepath.Join(r.cache, hex.EncodeToString(sum.Sum(nil))[:16])}, nil
}
