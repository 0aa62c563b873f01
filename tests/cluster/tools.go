package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"time"
)

// module is one folder under tools/: a go.mod that pins programs, or a program
// of our own. Programs whose dependencies exclude each other live in different
// modules.
type module struct {
	folder   string
	programs []program
	// stamps says which string variables of the module's packages hold the
	// version. A plain `go build` leaves them empty or wrong, and both mlopsctl
	// and charts decide by them.
	stamps func(pinned func(module string) string) map[string]string
	tags   string // build tags
}

type program struct {
	name string // file name in the cache
	pkg  string
	cold int  // seconds of a build with an empty build cache on 2 cores
	real bool // needed by a real node only
}

// modules lists the tools in build order: what every cluster needs comes first.
func modules(o options) []module {
	folder := "kubernetes"
	if o.kubernetes != "" {
		folder += "-" + o.kubernetes
	}
	return []module{
		{folder: folder, programs: []program{
			{name: "etcd", pkg: "go.etcd.io/etcd/server/v3", cold: 65},
			{name: "kube-apiserver", pkg: "k8s.io/kubernetes/cmd/kube-apiserver", cold: 235},
			{name: "kube-controller-manager", pkg: "k8s.io/kubernetes/cmd/kube-controller-manager", cold: 140},
			{name: "kube-scheduler", pkg: "k8s.io/kubernetes/cmd/kube-scheduler", cold: 15},
			{name: "kubectl", pkg: "k8s.io/kubernetes/cmd/kubectl", cold: 40},
			{name: "kubelet", pkg: "k8s.io/kubernetes/cmd/kubelet", cold: 60, real: true},
			{name: "kube-proxy", pkg: "k8s.io/kubernetes/cmd/kube-proxy", cold: 25, real: true},
		}, stamps: func(pinned func(string) string) map[string]string {
			version := pinned("k8s.io/kubernetes")
			minor := strings.Split(version, ".")[1]
			stamps := map[string]string{}
			for _, pkg := range []string{"k8s.io/component-base/version.", "k8s.io/client-go/pkg/version."} {
				stamps[pkg+"gitVersion"] = version
				stamps[pkg+"gitMajor"] = "1"
				stamps[pkg+"gitMinor"] = minor
				stamps[pkg+"gitCommit"] = ""
			}
			return stamps
		}},
		{folder: "kwok", programs: []program{{name: "kwok", pkg: "sigs.k8s.io/kwok/cmd/kwok", cold: 125}}},
		{folder: "helm4", programs: []program{{name: "helm", pkg: "helm.sh/helm/v4/cmd/helm", cold: 115}}, stamps: func(pinned func(string) string) map[string]string {
			return map[string]string{"helm.sh/helm/v4/internal/version.version": pinned("helm.sh/helm/v4")}
		}},
		{folder: "helm3", programs: []program{{name: "helm", pkg: "helm.sh/helm/v3/cmd/helm", cold: 70}}, stamps: func(pinned func(string) string) map[string]string {
			// Helm 3 takes the Kubernetes version of `helm template` from here.
			minor := strings.Split(pinned("k8s.io/client-go"), ".")[1]
			return map[string]string{
				"helm.sh/helm/v3/internal/version.version":       pinned("helm.sh/helm/v3"),
				"helm.sh/helm/v3/pkg/chartutil.k8sVersionMajor":  "1",
				"helm.sh/helm/v3/pkg/chartutil.k8sVersionMinor":  minor,
				"helm.sh/helm/v3/pkg/lint/rules.k8sVersionMajor": "1",
				"helm.sh/helm/v3/pkg/lint/rules.k8sVersionMinor": minor,
			}
		}},
		{folder: "images", programs: []program{
			{name: "images", pkg: ".", cold: 20, real: true},
			{name: "pause", pkg: "./pause", cold: 2, real: true},
		}},
		{folder: "coredns", programs: []program{{name: "coredns", pkg: ".", cold: 90, real: true}}},
		{folder: "localpath", programs: []program{{name: "local-path-provisioner", pkg: "github.com/rancher/local-path-provisioner", cold: 90, real: true}}},
		{folder: "mc", programs: []program{{name: "mc", pkg: "github.com/minio/mc", cold: 115, real: true}}},
		{folder: "minio", programs: []program{{name: "minio", pkg: "github.com/minio/minio", cold: 180, real: true}}},
		// Without the targets of all clouds, which are most of it.
		{
			folder: "prometheus", tags: "remove_all_sd,enable_kubernetes_sd",
			programs: []program{{name: "prometheus", pkg: "github.com/prometheus/prometheus/cmd/prometheus", cold: 130, real: true}},
		},
	}
}

// toolset finds the built programs.
type toolset struct {
	folders map[string]string // folder under tools/ (without version) to folder in the cache
	version string            // of Kubernetes
}

func (t toolset) path(folder, name string) string { return filepath.Join(t.folders[folder], name) }

// kube is the path of a program of the control plane.
func (t toolset) kube(name string) string { return t.path("kubernetes", name) }

// recipe is everything that decides what a build of a module gives.
type recipe struct {
	goMod, goSum []byte
	sources      []byte // of a program of our own, else empty
	flags        []string
	goVersion    string
}

// buildFlags make the programs independent of the machine: no paths, no
// repository state, no C library, and no symbol tables, which halves them.
var buildFlags = []string{"-trimpath", "-buildvcs=false", "-mod=readonly"}

// key names the recipe; the cache holds one folder for each.
func (r recipe) key() string {
	h := sha256.New()
	parts := [][]byte{r.goMod, r.goSum, []byte(strings.Join(r.flags, "\x00")), []byte(r.goVersion)}
	if len(r.sources) > 0 {
		parts = append(parts, r.sources)
	}
	for _, part := range parts {
		// The length keeps two neighbours from trading bytes unseen.
		fmt.Fprintf(h, "%d\n", len(part))
		h.Write(part)
	}
	return hex.EncodeToString(h.Sum(nil))[:16]
}

// pinned reads the version of a module from a go.mod.
func pinned(goMod []byte, name string) string {
	line := regexp.MustCompile(`(?m)^\s*(?:require )?` + regexp.QuoteMeta(name) + ` (v\S+)`)
	if m := line.FindSubmatch(goMod); m != nil {
		return string(m[1])
	}
	return "v0.0.0"
}

// source is the folder of this program's sources, with tools/ in it.
func source() string { return os.Getenv("MLOPSCTL_TEST_SOURCE") }

func cacheDir() string { return os.Getenv("MLOPSCTL_TEST_CACHE") }

// goCommand runs the Go toolchain in a module, free of the caller's settings
// that would give another program than the recipe says.
func goCommand(dir string, args ...string) *exec.Cmd {
	c := exec.Command("go", args...)
	c.Dir = dir
	c.Env = append(os.Environ(), "CGO_ENABLED=0", "GOFLAGS=", "GOWORK=off", "GOOS=linux", "GOEXPERIMENT=")
	return c
}

func (m module) recipe() (recipe, error) {
	dir := filepath.Join(source(), "tools", m.folder)
	var r recipe
	var err error
	if r.goMod, err = os.ReadFile(filepath.Join(dir, "go.mod")); os.IsNotExist(err) {
		return r, usageErrorf("there is no tools/%s", m.folder)
	} else if err != nil {
		return r, err
	}
	if r.goSum, err = os.ReadFile(filepath.Join(dir, "go.sum")); err != nil {
		return r, err
	}
	if r.sources, err = sources(dir); err != nil {
		return r, err
	}
	version, err := goCommand(dir, "env", "GOVERSION", "GOARCH").Output()
	if err != nil {
		return r, fmt.Errorf("the Go toolchain does not run: %w", err)
	}
	r.goVersion = string(version)
	ld := []string{"-s", "-w"}
	if m.stamps != nil {
		stamps := m.stamps(func(name string) string { return pinned(r.goMod, name) })
		for _, name := range sortedKeys(stamps) {
			ld = append(ld, "-X", name+"="+stamps[name])
		}
	}
	r.flags = append(append(r.flags, buildFlags...), "-ldflags", strings.Join(ld, " "))
	if m.tags != "" {
		r.flags = append(r.flags, "-tags", m.tags)
	}
	return r, nil
}

// sources reads the files of a module but for go.mod and go.sum, with their
// names. Tests are among them: a name less to know for one build more.
func sources(dir string) ([]byte, error) {
	var all bytes.Buffer
	err := filepath.WalkDir(dir, func(file string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || strings.HasPrefix(d.Name(), "go.") {
			return err
		}
		text, err := os.ReadFile(file)
		relative, _ := filepath.Rel(dir, file)
		fmt.Fprintf(&all, "%s %d\n%s", relative, len(text), text)
		return err
	})
	return all.Bytes(), err
}

// job is one program that is not in the cache.
type job struct {
	program
	dir, file, version string
	flags              []string
}

// buildTools makes sure that every tool that the cluster needs is in the cache.
func buildTools(o options) (toolset, error) {
	t := toolset{folders: map[string]string{}}
	missing := func() ([]job, error) {
		var jobs []job
		for _, m := range modules(o) {
			programs := slices.DeleteFunc(m.programs, func(p program) bool { return p.real && o.nodes != "real" })
			if len(programs) == 0 {
				continue
			}
			r, err := m.recipe()
			if err != nil {
				return nil, err
			}
			folder := filepath.Join(cacheDir(), "tools", m.folder+"-"+r.key())
			name, _, _ := strings.Cut(m.folder, "-")
			t.folders[name] = folder
			if name == "kubernetes" {
				t.version = pinned(r.goMod, "k8s.io/kubernetes")
			}
			for _, p := range programs {
				file := filepath.Join(folder, p.name)
				if _, err := os.Stat(file); err == nil {
					continue
				}
				dir := filepath.Join(source(), "tools", m.folder)
				jobs = append(jobs, job{p, dir, file, moduleVersion(r.goMod, p.pkg), r.flags})
			}
		}
		return jobs, nil
	}
	jobs, err := missing()
	if err != nil || len(jobs) == 0 {
		return t, err
	}
	if err := os.MkdirAll(cacheDir(), 0o755); err != nil {
		return t, err
	}
	unlock, err := lock(filepath.Join(cacheDir(), "lock"), "another run is building the tools; waiting for it")
	if err != nil {
		return t, err
	}
	defer unlock()
	// The run that held the lock may have built them all.
	if jobs, err = missing(); err != nil || len(jobs) == 0 {
		return t, err
	}
	cold := 0
	for _, j := range jobs {
		cold += j.cold
	}
	say("%d tools to build: about %d min on 2 cores when nothing is cached, less with more cores (here: %d)",
		len(jobs), (cold+59)/60, runtime.NumCPU())
	for i, j := range jobs {
		if err := j.build(fmt.Sprintf("[%d/%d] %s %s", i+1, len(jobs), path.Base(j.file), j.version)); err != nil {
			return t, err
		}
	}
	say("all tools are in %s", cacheDir())
	return t, nil
}

// build builds under another name and renames, so that a file under its own
// name is always whole.
func (j job) build(label string) error {
	begin := time.Now()
	say("%s ... (about %d s cold)", label, j.cold)
	if err := os.MkdirAll(filepath.Dir(j.file), 0o755); err != nil {
		return err
	}
	half := j.file + ".half"
	defer os.Remove(half)
	args := append([]string{"build"}, j.flags...)
	c := goCommand(j.dir, append(args, "-o", half, j.pkg)...)
	var output bytes.Buffer
	c.Stdout, c.Stderr = &output, &output
	// A build must not outlive an interrupted run: it would go on unseen.
	c.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGTERM}
	done := make(chan error, 1)
	go func() {
		// The death signal follows the thread that started the process.
		runtime.LockOSThread()
		done <- c.Run()
	}()
	tick := time.NewTicker(30 * time.Second)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			say("%s: %.0f s", label, time.Since(begin).Seconds())
		case err := <-done:
			if err != nil {
				return fmt.Errorf("%s does not build: %w\n%s", j.pkg, err, tail(output.String(), 20))
			}
			return os.Rename(half, j.file)
		}
	}
}

// moduleVersion is the pinned version of the module that holds a package.
func moduleVersion(goMod []byte, pkg string) string {
	for p := pkg; p != "."; p = path.Dir(p) {
		if v := pinned(goMod, p); v != "v0.0.0" {
			return v
		}
	}
	return ""
}
