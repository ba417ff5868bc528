package main

import (
	"archive/tar"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"runtime"
	"strings"
)

// image is a container image of one layer, packed from files without a container engine.
type image struct {
	Name       string            // with tag
	Files      map[string]string // path inside the image: file of this machine
	Libraries  bool              // take along the shared libraries that the files need
	User       string
	Env        []string
	Entrypoint []string
}

// pack writes the archive that `docker save` would, which containerd imports.
func (i image) pack(target string) error {
	if i.Libraries {
		if err := i.addLibraries(); err != nil {
			return err
		}
	}
	layer, err := i.layer()
	if err != nil {
		return err
	}
	layerSum := digest(layer)
	config, err := i.config(layerSum)
	if err != nil {
		return err
	}
	configName, layerName := digest(config)+".json", layerSum+"/layer.tar"
	manifest, err := json.Marshal([]map[string]any{{"Config": configName, "RepoTags": []string{i.Name}, "Layers": []string{layerName}}})
	if err != nil {
		return err
	}
	// A new file takes the old one's place at once, so nobody imports half an archive.
	out, err := os.CreateTemp(filepath.Dir(target), filepath.Base(target)+"-")
	if err != nil {
		return err
	}
	defer os.Remove(out.Name())
	archive := tar.NewWriter(out)
	for _, entry := range []struct {
		name    string
		content []byte
	}{{configName, config}, {layerName, layer}, {"manifest.json", manifest}} {
		if err := addFile(archive, entry.name, entry.content, 0o644); err != nil {
			return err
		}
	}
	if err := archive.Close(); err != nil {
		return err
	}
	if err := out.Close(); err != nil {
		return err
	}
	return os.Rename(out.Name(), target)
}

func (i image) config(layerSum string) ([]byte, error) {
	return json.Marshal(map[string]any{
		"architecture": runtime.GOARCH,
		"os":           "linux",
		"config": map[string]any{
			"Env":        append([]string{"PATH=/usr/local/bin:/usr/bin:/bin:/"}, i.Env...),
			"Entrypoint": i.Entrypoint,
			"User":       i.User,
			"WorkingDir": "/",
		},
		"rootfs":  map[string]any{"type": "layers", "diff_ids": []string{"sha256:" + layerSum}},
		"history": []map[string]any{{}},
	})
}

func (i image) layer() ([]byte, error) {
	var buffer bytes.Buffer
	layer := tar.NewWriter(&buffer)
	folders := map[string]bool{"/": true, "/tmp": true}
	if err := layer.WriteHeader(&tar.Header{Name: "tmp", Typeflag: tar.TypeDir, Mode: 0o1777}); err != nil {
		return nil, err
	}
	for _, inside := range sortedKeys(i.Files) {
		if err := addFolders(layer, folders, path.Dir(inside)); err != nil {
			return nil, err
		}
		if err := addFromDisk(layer, inside, i.Files[inside]); err != nil {
			return nil, err
		}
	}
	if err := addUsers(layer, folders); err != nil {
		return nil, err
	}
	err := layer.Close()
	return buffer.Bytes(), err
}

// addUsers gives names to the two user ids that images of ours run as.
func addUsers(layer *tar.Writer, folders map[string]bool) error {
	if err := addFolders(layer, folders, "/etc"); err != nil {
		return err
	}
	if err := addFile(layer, "etc/passwd", []byte("root:x:0:0::/:/\nnonroot:x:65532:65532::/:/\n"), 0o644); err != nil {
		return err
	}
	return addFile(layer, "etc/group", []byte("root:x:0:\nnonroot:x:65532:\n"), 0o644)
}

func addFolders(layer *tar.Writer, done map[string]bool, folder string) error {
	if done[folder] {
		return nil
	}
	if err := addFolders(layer, done, path.Dir(folder)); err != nil {
		return err
	}
	done[folder] = true
	return layer.WriteHeader(&tar.Header{Name: strings.TrimPrefix(folder, "/"), Typeflag: tar.TypeDir, Mode: 0o755})
}

func addFromDisk(layer *tar.Writer, inside, file string) error {
	content, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	info, err := os.Stat(file)
	if err != nil {
		return err
	}
	mode := int64(0o644)
	if info.Mode()&0o111 != 0 {
		mode = 0o755
	}
	return addFile(layer, strings.TrimPrefix(inside, "/"), content, mode)
}

func addFile(archive *tar.Writer, name string, content []byte, mode int64) error {
	if err := archive.WriteHeader(&tar.Header{Name: name, Size: int64(len(content)), Mode: mode}); err != nil {
		return err
	}
	_, err := io.Copy(archive, bytes.NewReader(content))
	return err
}

func digest(content []byte) string {
	sum := sha256.Sum256(content)
	return hex.EncodeToString(sum[:])
}

// addLibraries puts each library where the loader looked for it on this machine.
func (i image) addLibraries() error {
	for _, file := range sortedKeys(i.Files) {
		out, err := finish(exec.Command("ldd", i.Files[file]))
		if err != nil {
			return err
		}
		for word := range strings.FieldsSeq(out) {
			if !strings.HasPrefix(word, "/") {
				continue
			}
			if i.Files[word], err = filepath.EvalSymlinks(word); err != nil {
				return err
			}
		}
	}
	return nil
}

// loadImages imports archives into the cluster's containerd.
func (r *rig) loadImages(ctx context.Context, archives ...string) error {
	for _, archive := range archives {
		if _, err := finish(r.ctr(ctx, "images", "import", archive)); err != nil {
			return err
		}
	}
	return nil
}

func (r *rig) ctr(ctx context.Context, args ...string) *exec.Cmd {
	return exec.CommandContext(ctx, "ctr", append([]string{"-a", r.containerdSocket(), "-n", "k8s.io"}, args...)...)
}

func runLoadImage(ctx context.Context, r *rig, archives []string) error {
	for _, archive := range archives {
		if err := step("load "+archive, func() error { return r.loadImages(ctx, archive) }); err != nil {
			return err
		}
	}
	return nil
}

func runImport(ctx context.Context, r *rig, pairs []string) error {
	for _, pair := range pairs {
		name, binary, found := strings.Cut(pair, "=")
		if !found {
			return fmt.Errorf("import %q: want IMAGE=BINARY", pair)
		}
		inside := "/" + filepath.Base(binary)
		img := image{Name: name, Files: map[string]string{inside: binary}, User: "65532", Entrypoint: []string{inside}}
		if err := step("load "+name, func() error { return r.packAndLoad(ctx, img) }); err != nil {
			return err
		}
	}
	return nil
}

func (r *rig) packAndLoad(ctx context.Context, img image) error {
	archive, err := os.CreateTemp("", "rig-image-*.tar")
	if err != nil {
		return err
	}
	defer os.Remove(archive.Name())
	defer archive.Close()
	if err := img.pack(archive.Name()); err != nil {
		return err
	}
	return r.loadImages(ctx, archive.Name())
}

func runImage(_ context.Context, _ *rig, args []string) error {
	flags := flag.NewFlagSet("image", flag.ContinueOnError)
	img := image{Files: map[string]string{}}
	flags.BoolVar(&img.Libraries, "libraries", false, "take along the shared libraries that the files need")
	flags.StringVar(&img.User, "user", "65532", "user id to run as")
	entrypoint := flags.String("entrypoint", "", "command line to run, split at spaces; the first file when empty")
	flags.Func("env", "NAME=VALUE, may be repeated", func(pair string) error { img.Env = append(img.Env, pair); return nil })
	if err := flags.Parse(args); err != nil {
		return err
	}
	if flags.NArg() < 3 {
		return fmt.Errorf("image: want NAME OUT.tar FILE=PATH..., have %q", flags.Args())
	}
	img.Name = flags.Arg(0)
	for _, pair := range flags.Args()[2:] {
		file, inside, found := strings.Cut(pair, "=")
		if !found || !path.IsAbs(inside) {
			return fmt.Errorf("image: %q: want FILE=/PATH", pair)
		}
		img.Files[inside] = file
		if len(img.Entrypoint) == 0 {
			img.Entrypoint = []string{inside}
		}
	}
	if *entrypoint != "" {
		img.Entrypoint = strings.Fields(*entrypoint)
	}
	return img.pack(flags.Arg(1))
}
