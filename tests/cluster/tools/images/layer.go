package main

import (
	"archive/tar"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
	"time"
)

// layerWriter writes a layer: each path once, the merged /usr of Debian, and nothing that depends on when or where it is made.
type layerWriter struct {
	tar  *tar.Writer
	seen map[string]bool
}

func newLayerWriter(to io.Writer) *layerWriter {
	return &layerWriter{tar.NewWriter(to), map[string]bool{}}
}

// merged are the folders that Debian keeps below /usr, with links in their old places.
var merged = []string{"bin", "sbin", "lib", "lib64"}

// inUsr gives the place of a file in a file system with merged /usr.
func inUsr(name string) string {
	first, _, _ := strings.Cut(name, "/")
	for _, m := range merged {
		if first == m {
			return "usr/" + name
		}
	}
	return name
}

// skipped are files that no program in these images reads.
var skipped = []string{"usr/share/doc/", "usr/share/man/", "usr/share/locale/", "usr/share/info/", "usr/share/lintian/", "usr/share/bug/", "var/cache/"}

func unneeded(name string) bool {
	for _, prefix := range skipped {
		if strings.HasPrefix(name+"/", prefix) {
			return true
		}
	}
	return false
}

// add writes one entry under a clean path without a leading slash.
func (w *layerWriter) add(h tar.Header, content io.Reader) error {
	name := inUsr(strings.TrimPrefix(path.Clean("/"+h.Name), "/"))
	if name == "" || w.seen[name] || unneeded(name) {
		return nil
	}
	if h.Typeflag != tar.TypeDir && h.Typeflag != tar.TypeReg && h.Typeflag != tar.TypeSymlink && h.Typeflag != tar.TypeLink {
		return fmt.Errorf("%s: a device or the like has no place in a layer", name)
	}
	w.seen[name] = true
	out := tar.Header{Name: name, Typeflag: h.Typeflag, Mode: h.Mode & 0o7777, Uid: h.Uid, Gid: h.Gid, Size: h.Size, Linkname: h.Linkname, ModTime: time.Unix(0, 0), Format: tar.FormatPAX}
	switch h.Typeflag {
	case tar.TypeDir:
		out.Name += "/"
	case tar.TypeLink:
		out.Linkname = inUsr(strings.TrimPrefix(path.Clean("/"+h.Linkname), "/"))
	}
	if err := w.tar.WriteHeader(&out); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	if h.Typeflag != tar.TypeReg {
		return nil
	}
	if _, err := io.Copy(w.tar, content); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	return nil
}

func (w *layerWriter) text(name string, mode int64, content string) error {
	h := tar.Header{Name: name, Typeflag: tar.TypeReg, Mode: mode, Size: int64(len(content))}
	return w.add(h, strings.NewReader(content))
}

func (w *layerWriter) link(name, target string) error {
	return w.add(tar.Header{Name: name, Typeflag: tar.TypeSymlink, Mode: 0o777, Linkname: target}, nil)
}

func (w *layerWriter) folder(name string, mode int64, owner int) error {
	return w.add(tar.Header{Name: name, Typeflag: tar.TypeDir, Mode: mode, Uid: owner, Gid: owner}, nil)
}

func (w *layerWriter) file(name string, mode int64, from string) error {
	f, err := os.Open(from)
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	return w.add(tar.Header{Name: name, Typeflag: tar.TypeReg, Mode: mode, Size: info.Size()}, f)
}

// tree writes what is in a folder, owned by root. place gives the path in the image; an empty one leaves the file out.
func (w *layerWriter) tree(root string, place func(string) string) error {
	return filepath.WalkDir(root, func(file string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		relative, err := filepath.Rel(root, file)
		if err != nil || relative == "." {
			return err
		}
		name := place(relative)
		if name == "" {
			if d.IsDir() {
				return filepath.SkipDir
			}
			return nil
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		switch {
		case d.IsDir():
			return w.folder(name, 0o755, 0)
		case d.Type()&fs.ModeSymlink != 0:
			target, err := os.Readlink(file)
			if err != nil {
				return err
			}
			return w.link(name, target)
		}
		mode := int64(0o644)
		if info.Mode()&0o111 != 0 {
			mode = 0o755
		}
		return w.file(name, mode, file)
	})
}

// hashFile returns the hex SHA-256 of a file.
func hashFile(file string) (string, error) {
	f, err := os.Open(file)
	if err != nil {
		return "", err
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return "", err
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

// keyOf names a recipe by all that goes into it.
func keyOf(parts ...string) string {
	h := sha256.New()
	for _, part := range parts {
		// The length keeps two neighbours from trading bytes unseen.
		fmt.Fprintf(h, "%d\n%s", len(part), part)
	}
	return hex.EncodeToString(h.Sum(nil))
}
