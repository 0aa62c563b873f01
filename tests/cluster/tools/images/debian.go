package main

import (
	"archive/tar"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
)

// codename is the Debian release that packages and images are made of. It fits the Python version of the images' lock files.
const codename = "bookworm"

// apt resolves and downloads packages with the machine's own sources and their signatures. Its state is in the cache: what is
// installed on the machine neither counts nor changes.
type apt struct{ dir string }

func newApt(cache string) (*apt, error) {
	a := &apt{filepath.Join(cache, "apt")}
	for _, dir := range []string{"archives/partial", "lists/partial"} {
		if err := os.MkdirAll(filepath.Join(a.dir, dir), 0o755); err != nil {
			return nil, err
		}
	}
	return a, nil
}

func (a *apt) run(lists string, args ...string) (string, error) {
	c := exec.Command("apt-get", append([]string{
		"-q", "-y", "--no-install-recommends",
		"-o", "Dir::State::status=/dev/null",
		"-o", "Dir::State::lists=" + lists,
		"-o", "Dir::Cache::archives=" + filepath.Join(a.dir, "archives"),
		"-o", "Dir::Cache::pkgcache=", "-o", "Dir::Cache::srcpkgcache=",
		"-o", "Debug::NoLocking=true", "-o", "APT::Sandbox::User=root", "-o", "APT::Keep-Downloaded-Packages=true",
	}, args...)...)
	c.Env = append(os.Environ(), "LC_ALL=C", "DEBIAN_FRONTEND=noninteractive")
	var out, problems bytes.Buffer
	c.Stdout, c.Stderr = &out, &problems
	if err := c.Run(); err != nil {
		return "", fmt.Errorf("apt-get %s: %w\n%s", strings.Join(args, " "), err, lastLines(problems.String(), 5))
	}
	return out.String(), nil
}

// download gets the packages with all that they depend on, and returns the files, dependencies first.
func (a *apt) download(names ...string) ([]string, error) {
	own := filepath.Join(a.dir, "lists")
	// The lists of the machine serve as long as its mirror still has what they name.
	files, err := a.fetch("/var/lib/apt/lists", names)
	if err == nil {
		return files, nil
	}
	if files, err = a.fetch(own, names); err == nil {
		return files, nil
	}
	if _, err := a.run(own, "update"); err != nil {
		return nil, err
	}
	return a.fetch(own, names)
}

func (a *apt) fetch(lists string, names []string) ([]string, error) {
	plan, err := a.run(lists, append([]string{"--simulate", "install"}, names...)...)
	if err != nil {
		return nil, err
	}
	packages, err := parsePlan(plan)
	if err != nil {
		return nil, err
	}
	if _, err := a.run(lists, append([]string{"--download-only", "install"}, names...)...); err != nil {
		return nil, err
	}
	var files []string
	for _, p := range packages {
		file := filepath.Join(a.dir, "archives", p.file())
		if _, err := os.Stat(file); err != nil {
			return nil, err
		}
		files = append(files, file)
	}
	return files, nil
}

// deb is one version of a package.
type deb struct{ name, version, arch string }

// file is the name that apt gives the package's file: an epoch's colon is escaped.
func (d deb) file() string {
	return fmt.Sprintf("%s_%s_%s.deb", d.name, strings.ReplaceAll(d.version, ":", "%3a"), d.arch)
}

var planLine = regexp.MustCompile(`(?m)^Inst (\S+) \((\S+) .*\[(\S+)\]\)`)

// parsePlan reads what `apt-get --simulate install` would install.
func parsePlan(plan string) ([]deb, error) {
	var packages []deb
	for _, m := range planLine.FindAllStringSubmatch(plan, -1) {
		packages = append(packages, deb{m[1], m[2], m[3]})
	}
	if len(packages) == 0 {
		return nil, errors.New("apt-get names no package to install")
	}
	return packages, nil
}

// packageName reads the name from a package's file name.
func packageName(file string) string {
	name, _, _ := strings.Cut(filepath.Base(file), "_")
	return name
}

// eachFile reads the files of a package without unpacking it.
func eachFile(file string, do func(*tar.Header, io.Reader) error) error {
	c := exec.Command("dpkg-deb", "--fsys-tarfile", file)
	var problems bytes.Buffer
	c.Stderr = &problems
	out, err := c.StdoutPipe()
	if err != nil {
		return err
	}
	if err := c.Start(); err != nil {
		return err
	}
	err = readTar(out, do)
	// The rest is padding; dpkg-deb would fail on a closed pipe.
	io.Copy(io.Discard, out)
	if waited := c.Wait(); err == nil && waited != nil {
		err = fmt.Errorf("%w\n%s", waited, lastLines(problems.String(), 5))
	}
	if err != nil {
		return fmt.Errorf("reading %s: %w", filepath.Base(file), err)
	}
	return nil
}

func readTar(from io.Reader, do func(*tar.Header, io.Reader) error) error {
	r := tar.NewReader(from)
	for {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
		if err := do(h, r); err != nil {
			return err
		}
	}
}

func lastLines(text string, n int) string {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	return strings.Join(lines[max(0, len(lines)-n):], "\n")
}

// unpack extracts a package into a folder.
func unpack(file, dir string) error {
	out, err := exec.Command("dpkg-deb", "--extract", file, dir).CombinedOutput()
	if err != nil {
		return fmt.Errorf("unpacking %s: %w\n%s", filepath.Base(file), err, lastLines(string(out), 5))
	}
	return nil
}
