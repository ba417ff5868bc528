package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestProgramsAreFoundUnderTheNameThatGoGivesThem(t *testing.T) {
	for pkg, want := range map[string]string{
		"./kube":                    "kube",
		"go.etcd.io/etcd/server/v3": "server",
		"example.org/cmd/vet":       "vet",
		"example.org/cmd/v":         "v",
	} {
		if have := builtName(pkg); have != want {
			t.Errorf("%s: have %q, want %q", pkg, have, want)
		}
	}
}

func TestProgressGoesByTheSizeOfSources(t *testing.T) {
	dir := t.TempDir()
	for name, size := range map[string]int{"big.go": 900, "small.go": 100} {
		if err := os.WriteFile(filepath.Join(dir, name), make([]byte, size), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	work := parseSources("a/big\t" + dir + "\tbig.go\nb/small\t" + dir + "\tsmall.go\n" + "go.etcd.io/etcd/server/v3\t" + dir + "\tbig.go\n")
	work.saw("a/big")
	work.saw("a/big")           // is told once by go, but must not count twice
	work.saw("somebody/else's") // was not asked for
	state := work.state(60 * time.Second)
	if !strings.HasPrefix(state, "compiled 1 of 2 packages (90% of the source), 1m0s so far, about 5s left") {
		t.Errorf("have %q", state)
	}
	work.saw("b/small")
	if state := work.state(time.Minute); !strings.HasPrefix(state, "linking") {
		t.Errorf("have %q", state)
	}
}

func TestAKitChangesWithItsSources(t *testing.T) {
	project := t.TempDir()
	source := filepath.Join(project, "hack", "rig", "parts")
	if err := os.MkdirAll(source, 0o755); err != nil {
		t.Fatal(err)
	}
	kitOf := func(content string) string {
		if err := os.WriteFile(filepath.Join(source, "go.mod"), []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
		k, err := (&rig{project: project, cache: "/cache"}).kit()
		if err != nil {
			t.Fatal(err)
		}
		return k.dir
	}
	one, other, again := kitOf("one"), kitOf("other"), kitOf("one")
	if one == other || one != again {
		t.Errorf("have %s, %s, %s", one, other, again)
	}
}

func TestNamesThatCannotBeUsedAreRefused(t *testing.T) {
	t.Chdir("../..")
	for _, name := range []string{"../x", "Upper", "-dash", strings.Repeat("x", 30)} {
		t.Setenv("RIG_NAME", name)
		if _, err := fromEnvironment(); err == nil {
			t.Errorf("%q was taken", name)
		}
	}
}
