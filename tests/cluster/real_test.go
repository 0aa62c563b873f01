package main

import (
	"os"
	"path/filepath"
	"testing"
)

func TestRemoveCgroup(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "group")
	if err := os.MkdirAll(filepath.Join(dir, "kubepods", "pod1", "container"), 0o755); err != nil {
		t.Fatal(err)
	}
	for range 2 { // also when it is gone
		if err := removeCgroup(dir); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := os.Stat(dir); !os.IsNotExist(err) {
		t.Errorf("still there: %v", err)
	}
}

func TestClustersHaveCgroupsOfTheirOwn(t *testing.T) {
	if layout("/tmp/a").cgroup() == layout("/tmp/b").cgroup() {
		t.Error("two folders share a group")
	}
}

// A cluster writes to its databases, and other clusters read theirs.
func TestLinkedStoreSharesLayersOnly(t *testing.T) {
	from, to := filepath.Join(t.TempDir(), "from"), filepath.Join(t.TempDir(), "to")
	databases := []string{"io.containerd.metadata.v1.bolt/meta.db", "io.containerd.snapshotter.v1.overlayfs/metadata.db"}
	layer := "io.containerd.snapshotter.v1.overlayfs/snapshots/1/fs/file"
	for _, name := range append(databases, layer) {
		file := filepath.Join(from, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte("content"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := linkStore(from, to); err != nil {
		t.Fatal(err)
	}
	shared := func(name string) bool {
		a, err1 := os.Stat(filepath.Join(from, name))
		b, err2 := os.Stat(filepath.Join(to, name))
		if err1 != nil || err2 != nil {
			t.Fatal(err1, err2)
		}
		return os.SameFile(a, b)
	}
	for _, name := range databases {
		if shared(name) {
			t.Errorf("%s is shared", name)
		}
	}
	if !shared(layer) {
		t.Error("the layer was copied")
	}
}
