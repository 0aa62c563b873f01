package main

import (
	"archive/tar"
	"bytes"
	"io"
	"slices"
	"strings"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"
)

func TestPlan(t *testing.T) {
	plan := "Reading package lists...\n" +
		"Inst libc6 (2.36-9+deb12u14 Debian:12.12/stable, Debian-Security:12/stable-security [amd64])\n" +
		"Inst tzdata (2026f-0+deb12u1 Debian:12.12/stable [all])\n" +
		"Inst libacl1 (1:2.3.1-3 Debian:12.12/stable [amd64])\n" +
		"Conf libc6 (2.36-9+deb12u14 Debian:12.12/stable [amd64])\n"
	packages, err := parsePlan(plan)
	if err != nil {
		t.Fatal(err)
	}
	var files []string
	for _, p := range packages {
		files = append(files, p.file())
	}
	want := []string{"libc6_2.36-9+deb12u14_amd64.deb", "tzdata_2026f-0+deb12u1_all.deb", "libacl1_1%3a2.3.1-3_amd64.deb"}
	if !slices.Equal(files, want) {
		t.Errorf("%q", files)
	}
	if name := packageName("/cache/" + files[2]); name != "libacl1" {
		t.Errorf("name %q", name)
	}
	if _, err := parsePlan("nothing to do\n"); err == nil {
		t.Error("no error for a plan without packages")
	}
}

func entries(t *testing.T, layer []byte) map[string]tar.Header {
	t.Helper()
	all := map[string]tar.Header{}
	err := readTar(bytes.NewReader(layer), func(h *tar.Header, _ io.Reader) error {
		if _, twice := all[h.Name]; twice {
			t.Errorf("%s is in the layer twice", h.Name)
		}
		all[h.Name] = *h
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func TestLayerIsMergedAndReproducible(t *testing.T) {
	make := func() []byte {
		var out bytes.Buffer
		w := newLayerWriter(&out)
		for _, h := range []tar.Header{
			{Name: "./", Typeflag: tar.TypeDir},
			{Name: "./lib/", Typeflag: tar.TypeDir, Mode: 0o755},
			{Name: "./usr/lib/", Typeflag: tar.TypeDir, Mode: 0o755},
			{Name: "./lib/a", Typeflag: tar.TypeReg, Mode: 0o755, Uid: 7},
			{Name: "./bin/b", Typeflag: tar.TypeLink, Linkname: "./lib/a"},
			{Name: "./usr/share/doc/a/copyright", Typeflag: tar.TypeReg},
			{Name: "./usr/share/documents", Typeflag: tar.TypeReg},
		} {
			if err := w.add(h, strings.NewReader("")); err != nil {
				t.Fatal(err)
			}
		}
		if err := w.tar.Close(); err != nil {
			t.Fatal(err)
		}
		return out.Bytes()
	}
	layer := make()
	if !bytes.Equal(layer, make()) {
		t.Error("two layers of the same files differ")
	}
	all := entries(t, layer)
	if got, want := sortedKeys(all), []string{"usr/bin/b", "usr/lib/", "usr/lib/a", "usr/share/documents"}; !slices.Equal(got, want) {
		t.Errorf("%q", got)
	}
	if link := all["usr/bin/b"].Linkname; link != "usr/lib/a" {
		t.Errorf("hard link to %q", link)
	}
	if a := all["usr/lib/a"]; a.Uid != 7 || a.Mode != 0o755 {
		t.Errorf("owner or mode is lost: %+v", a)
	}
}

func TestDevicesAreRefused(t *testing.T) {
	w := newLayerWriter(io.Discard)
	if err := w.add(tar.Header{Name: "dev/null", Typeflag: tar.TypeChar}, nil); err == nil {
		t.Error("no error")
	}
}

func TestStoreBuildsOnce(t *testing.T) {
	s, err := newStore(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	builds := 0
	build := func(w *layerWriter) error {
		builds++
		return w.text("a", 0o644, "content")
	}
	first, err := s.make("key", build)
	if err != nil {
		t.Fatal(err)
	}
	second, err := s.make("key", build)
	if err != nil || builds != 1 || first.Hash != second.Hash {
		t.Errorf("built %d times, %v and %v, %v", builds, first, second, err)
	}
}

func TestArchiveHoldsSharedLayersOnce(t *testing.T) {
	s, err := newStore(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	shared, err := s.make("shared", func(w *layerWriter) error { return w.text("a", 0o644, "a") })
	if err != nil {
		t.Fatal(err)
	}
	var images []image
	var made []v1.Image
	for _, name := range []string{"one:1", "two:1"} {
		i := image{name: name, layers: []layer{users{}}, config: v1.Config{User: "1000"}}
		img, err := assemble(i, []*stored{shared})
		if err != nil {
			t.Fatal(err)
		}
		images, made = append(images, i), append(made, img)
	}
	for _, has := range []bool{false, true} {
		var out bytes.Buffer
		if err := export(&out, images, made, func(v1.Hash) bool { return has }); err != nil {
			t.Fatal(err)
		}
		if _, ok := entries(t, out.Bytes())[blobPath(shared.Hash)]; ok == has {
			t.Errorf("a reader that has the layer (%v) gets it: %v", has, ok)
		}
	}
}

func TestOverlay(t *testing.T) {
	text := overlayText([]image{
		{name: "mlflow:3.17.2", setting: "images.mlflow"},
		{name: "postgres:15", setting: "values.pg.image"},
		{name: "pause:1"},
	})
	want := `# Images that were made for this cluster's node. To be merged into mlops.yaml.
images:
  mlflow: localhost/mlopsctl-test/mlflow:3.17.2
values:
  pg:
    image:
      registry: localhost
      repository: mlopsctl-test/postgres
      tag: "15"
`
	if text != want {
		t.Error(text)
	}
}

// Names, since a stand-in must never look like the image it stands for.
func TestNoImageHasAForeignName(t *testing.T) {
	for _, i := range catalog(map[string]string{}, "images") {
		if strings.Contains(i.name, "/") || !strings.Contains(i.name, ":") || strings.HasSuffix(i.name, ":latest") {
			t.Errorf("%s%s", prefix, i.name)
		}
	}
}
