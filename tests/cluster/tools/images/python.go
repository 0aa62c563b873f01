package main

import (
	"bufio"
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

// The Python of Debian 12. Packages lie in a virtual environment of it, where the project's images have theirs.
const (
	pythonVersion = "3.11"
	app           = "opt/app"
	sitePackages  = app + "/lib/python" + pythonVersion + "/site-packages"
)

// python is this machine's interpreter. It installs packages for the images, so it must be of the same version.
type python struct{ program string }

func newPython() (*python, error) {
	p := &python{os.Getenv("PYTHON")}
	if p.program == "" {
		p.program = "python3"
	}
	out, err := exec.Command(p.program, "-c", `import sys, pip; print("%d.%d" % sys.version_info[:2])`).Output()
	if err != nil {
		return nil, fmt.Errorf("%s with pip does not run (%w): install Python %s or name one in PYTHON", p.program, err, pythonVersion)
	}
	if version := strings.TrimSpace(string(out)); version != pythonVersion {
		return nil, fmt.Errorf("%s is Python %s, the images hold %s: name one of that version in PYTHON", p.program, version, pythonVersion)
	}
	return p, nil
}

func (p *python) run(environment []string, args ...string) error {
	c := exec.Command(p.program, args...)
	c.Env = append(os.Environ(), environment...)
	var problems bytes.Buffer
	c.Stdout, c.Stderr = &problems, &problems
	if err := c.Run(); err != nil {
		return fmt.Errorf("%s %s: %w\n%s", p.program, strings.Join(args[:min(3, len(args))], " "), err, lastLines(problems.String(), 10))
	}
	return nil
}

var pipInstall = []string{"-m", "pip", "--quiet", "--disable-pip-version-check", "install", "--no-compile", "--no-warn-script-location"}

// install puts exactly what a lock file names into a folder. The file names all that the packages depend on.
func (p *python) install(lock, target string) error {
	return p.run(nil, append(pipInstall, "--no-deps", "--require-hashes", "--only-binary", ":all:", "--target", target, "--requirement", lock)...)
}

// build installs a package from its source; builder is a folder with its build tools.
func (p *python) build(source, builder, target string) error {
	return p.run([]string{"PYTHONPATH=" + builder}, append(pipInstall, "--no-deps", "--no-index", "--no-build-isolation", "--target", target, source)...)
}

// compile makes the byte code, since the file system of a pod is read-only and its processes would do it at each start.
func (p *python) compile(target string) error {
	// Some packages carry templates that are no Python; pip passes over them as well.
	err := p.run(nil, "-m", "compileall", "-qq", "-j0", "--invalidation-mode", "unchecked-hash", "-s", target, "-p", "/"+sitePackages, target)
	var failed *exec.ExitError
	if errors.As(err, &failed) {
		return nil
	}
	return err
}

// heavyTests are of no use without pytest, and a fifth of the size.
var heavyTests = regexp.MustCompile(`^(numpy|pandas|pyarrow|scipy|sklearn)/(.+/)?tests$`)

// packages writes a folder made by install or build as part of the virtual environment.
func (w *layerWriter) packages(target string) error {
	bin := filepath.Join(target, "bin")
	scripts, err := os.ReadDir(bin)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	for _, s := range scripts {
		if s.IsDir() {
			continue // byte code of scripts
		}
		if err := w.script(app+"/bin/"+s.Name(), filepath.Join(bin, s.Name())); err != nil {
			return err
		}
	}
	return w.tree(target, func(name string) string {
		switch first, _, _ := strings.Cut(name, "/"); {
		case first == "bin" || heavyTests.MatchString(name):
			return ""
		case first == "share" || first == "etc":
			return app + "/" + name
		}
		return sitePackages + "/" + name
	})
}

// script writes a console script with the interpreter of the image; the installed one names that of this machine.
func (w *layerWriter) script(name, file string) error {
	f, err := os.Open(file)
	if err != nil {
		return err
	}
	defer f.Close()
	r := bufio.NewReader(f)
	head, err := r.Peek(2)
	if err != nil || string(head) != "#!" {
		return w.file(name, 0o755, file)
	}
	first, err := r.ReadString('\n')
	if err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	rest, err := io.ReadAll(r)
	if err != nil {
		return err
	}
	if strings.Contains(first, "python") {
		first = "#!/" + app + "/bin/python3\n"
	}
	return w.text(name, 0o755, first+string(rest))
}

// environment writes an empty virtual environment.
func (w *layerWriter) environment() error {
	config := "home = /usr/bin\ninclude-system-site-packages = false\n"
	err := w.text(app+"/pyvenv.cfg", 0o644, config)
	for _, name := range []string{"python", "python3", "python" + pythonVersion} {
		err = errors.Join(err, w.link(app+"/bin/"+name, "/usr/bin/python"+pythonVersion))
	}
	return err
}
