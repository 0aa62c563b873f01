package main

import (
	"archive/tar"
	_ "embed"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
)

//go:embed postgres-entry.sh
var postgresEntry string

//go:embed mlflow/requirements.lock
var mlflowLock string

// format changes when the same recipe gives another layer than before.
const format = "1"

// layer is a recipe.
type layer interface {
	// title says in a few words what is in it.
	title() string
	// inputs are all that decides about its content.
	inputs() ([]string, error)
	build(b *builder, w *layerWriter) error
}

// builder has what recipes are made with.
type builder struct {
	apt     *apt
	python  *python
	cache   string
	scratch string // folder of this run
}

// users is the lowest layer: folders, and the users that the charts' pods run as.
type users struct{}

const passwd = `root:x:0:0:root:/root:/usr/sbin/nologin
postgres:x:999:999:PostgreSQL:/var/lib/postgresql:/bin/sh
app:x:1000:1000::/tmp:/usr/sbin/nologin
nobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin
`

const groups = "root:x:0:\npostgres:x:999:\napp:x:1000:\nnogroup:x:65534:\n"

func (users) title() string             { return "folders and users" }
func (users) inputs() ([]string, error) { return []string{passwd, groups}, nil }

func (users) build(_ *builder, w *layerWriter) error {
	for _, dir := range []string{"dev", "etc", "proc", "root", "run", "sys", "usr", "usr/bin", "usr/lib", "usr/lib64", "usr/sbin", "var", "var/lib"} {
		if err := w.folder(dir, 0o755, 0); err != nil {
			return err
		}
	}
	for _, dir := range []string{"tmp", "var/tmp"} {
		if err := w.folder(dir, 0o1777, 0); err != nil {
			return err
		}
	}
	// Of the server's user, as in the official image: a new volume has no other owner to take over.
	if err := w.folder("var/lib/postgresql", 0o1777, 999); err != nil {
		return err
	}
	for _, name := range merged {
		// inUsr would move the link itself.
		h := tar.Header{Name: name, Typeflag: tar.TypeSymlink, Mode: 0o777, Linkname: "usr/" + name, Format: tar.FormatPAX}
		if err := w.tar.WriteHeader(&h); err != nil {
			return err
		}
	}
	if err := w.link("var/run", "/run"); err != nil {
		return err
	}
	for name, text := range map[string]string{"etc/passwd": passwd, "etc/group": groups, "etc/nsswitch.conf": "passwd: files\ngroup: files\nhosts: files dns\n"} {
		if err := w.text(name, 0o644, text); err != nil {
			return err
		}
	}
	return nil
}

// debian is packages with all that they depend on, as files: no script of theirs runs.
type debian struct {
	names   []string
	below   []string // packages of lower layers, which are left out with their dependencies
	without []string // packages that are left out
	files   []string // beginnings of paths that are left out
	only    bool     // nothing that they depend on
}

func (d debian) title() string { return strings.Join(d.names, ", ") }

func (d debian) inputs() ([]string, error) {
	return []string{codename, runtime.GOARCH, fmt.Sprintf("%q %q %q %q %v", d.names, d.below, d.without, d.files, d.only)}, nil
}

func (d debian) build(b *builder, w *layerWriter) error {
	all, err := b.apt.download(d.names...)
	if err != nil {
		return err
	}
	drop := slices.Clone(d.without)
	if len(d.below) > 0 {
		below, err := b.apt.download(d.below...)
		if err != nil {
			return err
		}
		for _, file := range below {
			drop = append(drop, packageName(file))
		}
	}
	for _, file := range all {
		name := packageName(file)
		if slices.Contains(drop, name) || d.only && !slices.Contains(d.names, name) {
			continue
		}
		err := eachFile(file, func(h *tar.Header, r io.Reader) error {
			path := strings.TrimPrefix(h.Name, "./")
			if slices.ContainsFunc(d.files, func(prefix string) bool { return strings.HasPrefix(path, prefix) }) {
				return nil
			}
			return w.add(*h, r)
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// programLayer is files that were built from Go modules, by their place.
type programLayer struct{ files map[string]string }

func (p programLayer) title() string {
	var names []string
	for name := range p.files {
		names = append(names, filepath.Base(name))
	}
	slices.Sort(names)
	return strings.Join(names, ", ")
}

// The folder of a program in the tool cache is named after its recipe, so the path is enough.
func (p programLayer) inputs() ([]string, error) {
	var parts []string
	for name, file := range p.files {
		if file == "" {
			return nil, fmt.Errorf("no program %s was given", filepath.Base(name))
		}
		parts = append(parts, name+" "+file)
	}
	slices.Sort(parts)
	return parts, nil
}

func (p programLayer) build(_ *builder, w *layerWriter) error {
	for _, name := range sortedKeys(p.files) {
		if err := w.file(name, 0o755, p.files[name]); err != nil {
			return err
		}
	}
	return nil
}

// textLayer is scripts by their place.
type textLayer struct{ files map[string]string }

func (t textLayer) title() string { return strings.Join(sortedKeys(t.files), ", ") }

func (t textLayer) inputs() ([]string, error) {
	var parts []string
	for _, name := range sortedKeys(t.files) {
		parts = append(parts, name, t.files[name])
	}
	return parts, nil
}

func (t textLayer) build(_ *builder, w *layerWriter) error {
	for _, name := range sortedKeys(t.files) {
		if err := w.text(name, 0o755, t.files[name]); err != nil {
			return err
		}
	}
	return nil
}

// lockedText is the Python packages of a lock file, in a virtual environment.
type lockedText struct{ name, lock string }

func (l lockedText) title() string { return "Python packages of " + l.name }
func (l lockedText) inputs() ([]string, error) {
	return []string{pythonVersion, runtime.GOARCH, l.lock}, nil
}

func (l lockedText) build(b *builder, w *layerWriter) error {
	dir, err := os.MkdirTemp(b.scratch, "packages-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	lock, target := filepath.Join(dir, "requirements.lock"), filepath.Join(dir, "packages")
	if err := os.WriteFile(lock, []byte(l.lock), 0o644); err != nil {
		return err
	}
	if err := b.python.install(lock, target); err != nil {
		return err
	}
	if err := b.python.compile(target); err != nil {
		return err
	}
	if err := w.environment(); err != nil {
		return err
	}
	return w.packages(target)
}

// locked is lockedText with the lock file's path.
type locked struct{ file string }

func (l locked) text() (lockedText, error) {
	text, err := os.ReadFile(l.file)
	return lockedText{filepath.Base(filepath.Dir(l.file)), string(text)}, err
}

func (l locked) title() string { return "Python packages of " + filepath.Base(filepath.Dir(l.file)) }

func (l locked) inputs() ([]string, error) {
	t, err := l.text()
	if err != nil {
		return nil, err
	}
	return t.inputs()
}

func (l locked) build(b *builder, w *layerWriter) error {
	t, err := l.text()
	if err != nil {
		return err
	}
	return t.build(b, w)
}

// ownPackage is a package of this project, made from its source with the locked build tools.
type ownPackage struct{ dir, builder string }

func (o ownPackage) title() string { return "the source of " + filepath.Base(o.dir) }

// parts of the folder that belong to the package.
var packageParts = []string{"README.md", "pyproject.toml", "src"}

func (o ownPackage) inputs() ([]string, error) {
	lock, err := os.ReadFile(o.builder)
	if err != nil {
		return nil, err
	}
	parts := []string{pythonVersion, string(lock)}
	for _, part := range packageParts {
		err := filepath.WalkDir(filepath.Join(o.dir, part), func(file string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() || strings.HasSuffix(file, ".pyc") {
				return err
			}
			text, err := os.ReadFile(file)
			relative, _ := filepath.Rel(o.dir, file)
			parts = append(parts, relative, string(text))
			return err
		})
		if err != nil {
			return nil, err
		}
	}
	return parts, nil
}

func (o ownPackage) build(b *builder, w *layerWriter) error {
	dir, err := os.MkdirTemp(b.scratch, "source-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	// A copy: the build would write beside the source.
	source, target := filepath.Join(dir, "source"), filepath.Join(dir, "package")
	for _, part := range packageParts {
		from, to := filepath.Join(o.dir, part), filepath.Join(source, part)
		if info, err := os.Stat(from); err != nil {
			return err
		} else if info.IsDir() {
			err = os.CopyFS(to, os.DirFS(from))
		} else {
			err = copyFile(from, to)
		}
		if err != nil {
			return err
		}
	}
	tools, err := b.buildTools(o.builder)
	if err != nil {
		return err
	}
	if err := b.python.build(source, tools, target); err != nil {
		return err
	}
	if err := b.python.compile(target); err != nil {
		return err
	}
	return w.packages(target)
}

// buildTools installs the build tools of a lock file once.
func (b *builder) buildTools(lock string) (string, error) {
	text, err := os.ReadFile(lock)
	if err != nil {
		return "", err
	}
	dir := filepath.Join(b.cache, "images", "tools-"+keyOf(string(text))[:16])
	if _, err := os.Stat(dir); err == nil {
		return dir, nil
	}
	half := filepath.Join(b.scratch, "tools")
	if err := os.RemoveAll(half); err != nil {
		return "", err
	}
	if err := b.python.install(lock, half); err != nil {
		return "", err
	}
	return dir, os.Rename(half, dir)
}

func copyFile(from, to string) error {
	content, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
		return err
	}
	return os.WriteFile(to, content, 0o644)
}

func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}
