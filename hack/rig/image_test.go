package main

import (
	"archive/tar"
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"
)

func unpack(t *testing.T, archive io.Reader) map[string][]byte {
	t.Helper()
	files := map[string][]byte{}
	for reader := tar.NewReader(archive); ; {
		header, err := reader.Next()
		if errors.Is(err, io.EOF) {
			return files
		}
		if err != nil {
			t.Fatal(err)
		}
		if files[header.Name], err = io.ReadAll(reader); err != nil {
			t.Fatal(err)
		}
	}
}

func TestPackedImageHoldsItsFilesAndConfig(t *testing.T) {
	dir := t.TempDir()
	program := filepath.Join(dir, "program")
	if err := os.WriteFile(program, []byte("binary"), 0o755); err != nil {
		t.Fatal(err)
	}
	img := image{Name: "localhost/x:1", Files: map[string]string{"/usr/bin/x": program}, User: "65532", Entrypoint: []string{"/usr/bin/x"}}
	target := filepath.Join(dir, "x.tar")
	if err := img.pack(target); err != nil {
		t.Fatal(err)
	}
	raw, err := os.ReadFile(target)
	if err != nil {
		t.Fatal(err)
	}
	outer := unpack(t, bytes.NewReader(raw))
	var manifest []struct {
		Config   string
		RepoTags []string
		Layers   []string
	}
	if err := json.Unmarshal(outer["manifest.json"], &manifest); err != nil {
		t.Fatal(err)
	}
	if len(manifest) != 1 || manifest[0].RepoTags[0] != img.Name {
		t.Fatalf("have manifest %+v", manifest)
	}
	var config struct {
		Config struct {
			User       string
			Entrypoint []string
		} `json:"config"`
		RootFS struct {
			DiffIDs []string `json:"diff_ids"`
		} `json:"rootfs"`
	}
	if err := json.Unmarshal(outer[manifest[0].Config], &config); err != nil {
		t.Fatal(err)
	}
	layer := outer[manifest[0].Layers[0]]
	if config.RootFS.DiffIDs[0] != "sha256:"+digest(layer) {
		t.Error("the config names another layer than the archive holds")
	}
	if config.Config.User != "65532" || config.Config.Entrypoint[0] != "/usr/bin/x" {
		t.Errorf("have config %+v", config.Config)
	}
	if inside := unpack(t, bytes.NewReader(layer)); string(inside["usr/bin/x"]) != "binary" || inside["etc/passwd"] == nil {
		t.Errorf("the layer lacks files: %d entries", len(inside))
	}
}

func TestSameFilesMakeTheSameImage(t *testing.T) {
	program := filepath.Join(t.TempDir(), "program")
	if err := os.WriteFile(program, []byte("binary"), 0o755); err != nil {
		t.Fatal(err)
	}
	img := image{Name: "localhost/x:1", Files: map[string]string{"/x": program, "/y": program}}
	first, err := img.layer()
	if err != nil {
		t.Fatal(err)
	}
	second, err := img.layer()
	if err != nil || !bytes.Equal(first, second) {
		t.Errorf("layers differ, %v", err)
	}
}
