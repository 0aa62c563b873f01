package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"time"
)

// The addresses of a cluster with a real node. They are of its own network,
// which nothing connects to the machine's.
const (
	realNode         = "real-1"
	realNodeIP       = "10.41.0.1"
	realPodCIDR      = "10.42.0.0/24"
	simulatedPodCIDR = "10.42.128.0/17"
	clusterDNS       = "10.43.0.10"
)

// real is one node that runs its pods, beside simulated ones. The whole
// cluster lives in network, mount and process namespaces of its own: it cannot
// reach anything outside, changes nothing on the machine, and ends as a whole.
type real struct {
	simulated
	hostTools string // folder with the unpacked Debian packages of the node
	archive   []string
	key       string // of the set of images
}

// canBeReal says why this machine cannot run a real node.
func canBeReal() error {
	if os.Geteuid() != 0 {
		return errors.New("only root may make namespaces and mounts")
	}
	if release, _ := os.ReadFile("/etc/os-release"); !bytes.Contains(release, []byte("VERSION_CODENAME=bookworm")) {
		return errors.New("it is not Debian 12 (bookworm), whose packages the node and its images are made of")
	}
	for _, name := range []string{"apt-get", "dpkg-deb"} {
		if _, err := exec.LookPath(name); err != nil {
			return fmt.Errorf("%s is missing", name)
		}
	}
	if kinds, _ := os.ReadFile("/proc/filesystems"); !bytes.Contains(kinds, []byte("\toverlay\n")) {
		return errors.New("its kernel has no overlay file system (modprobe overlay)")
	}
	if _, err := os.Stat("/proc/sys/net/bridge/bridge-nf-call-iptables"); err != nil {
		return errors.New("its kernel does not filter bridges (modprobe br_netfilter)")
	}
	if len(cgroupMounts()) == 0 {
		return errors.New("no cgroup with a memory controller is mounted under /sys/fs/cgroup")
	}
	out, err := exec.Command(pythonProgram(), "-c", `import sys, pip; print("%d.%d" % sys.version_info[:2])`).Output()
	if err != nil || strings.TrimSpace(string(out)) != "3.11" {
		return fmt.Errorf("%s is not Python 3.11 with pip (set PYTHON)", pythonProgram())
	}
	return probeNamespaces()
}

func pythonProgram() string {
	if p := os.Getenv("PYTHON"); p != "" {
		return p
	}
	return "python3"
}

// imagePrograms are the built tools that go into images.
var imagePrograms = map[string]string{
	"pause": "images", "coredns": "coredns", "local-path-provisioner": "localpath", "mc": "mc", "minio": "minio",
	"prometheus": "prometheus",
}

// prepare unpacks the node's programs and makes the images, where they are not
// in the cache.
func (r *real) prepare(t toolset) error {
	out, err := r.images(t, "host", "--cache", cacheDir())
	if err != nil {
		return err
	}
	r.hostTools = strings.TrimSpace(string(out))
	r.archive = []string{"--cache", cacheDir(), "--sources", filepath.Join(source(), "..", "..", "images")}
	for _, name := range sortedKeys(imagePrograms) {
		r.archive = append(r.archive, name+"="+t.path(imagePrograms[name], name))
	}
	argo, err := argoPrograms()
	if err != nil {
		return err
	}
	for _, name := range []string{"argoexec", "workflow-controller"} {
		r.archive = append(r.archive, name+"="+filepath.Join(argo, name))
	}
	digests, err := r.images(t, append([]string{"build"}, r.archive...)...)
	if err != nil {
		return err
	}
	sum := sha256.Sum256(digests)
	r.key = hex.EncodeToString(sum[:])[:16]
	return nil
}

// argoPrograms builds Argo Workflows, which needs more than a plain build, and
// returns the folder of its programs.
func argoPrograms() (string, error) {
	c := exec.Command(filepath.Join(source(), "argo"))
	var problems bytes.Buffer
	c.Stderr = io.MultiWriter(&problems, lineWriter{})
	out, err := c.Output()
	if err != nil {
		return "", fmt.Errorf("tests/cluster/argo: %w\n%s", err, tail(problems.String(), 20))
	}
	return strings.TrimSpace(string(out)), nil
}

// images runs the program that makes images, one at a time; its progress
// becomes ours.
func (r *real) images(t toolset, args ...string) ([]byte, error) {
	unlock, err := lock(filepath.Join(cacheDir(), "lock"), "another run is making the images; waiting for it")
	if err != nil {
		return nil, err
	}
	defer unlock()
	c := exec.Command(t.path("images", "images"), args...)
	var out bytes.Buffer
	c.Stdout = &out
	// It must not outlive an interrupted run. The death signal follows the
	// thread that started the process.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	c.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGTERM}
	progress, err := c.StderrPipe()
	if err != nil {
		return nil, err
	}
	if err := c.Start(); err != nil {
		return nil, err
	}
	text, _ := io.ReadAll(io.TeeReader(progress, lineWriter{}))
	if err := c.Wait(); err != nil {
		return nil, fmt.Errorf("making the images: %s", tail(string(text), 10))
	}
	return out.Bytes(), nil
}

// lineWriter shows lines as progress.
type lineWriter struct{}

func (lineWriter) Write(text []byte) (int, error) {
	for line := range strings.Lines(string(text)) {
		if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "images: ") {
			say("%s", line)
		}
	}
	return len(text), nil
}

// boot starts the cluster in namespaces of its own, and shows its progress
// until it is up.
func (r *real) boot(ctx context.Context, c *cluster) error {
	overlay := append([]string{"build", "--overlay", c.layout.images()}, r.archive...)
	if _, err := r.images(c.tools, overlay...); err != nil {
		return err
	}
	return startInside(ctx, c, r)
}

// start brings the node up; the control plane runs already, and all this
// happens inside the namespaces.
func (r *real) start(ctx context.Context, c *cluster) error {
	if err := r.startNode(ctx, c); err != nil {
		return err
	}
	if r.count == 0 {
		return nil
	}
	return r.simulated.start(ctx, c)
}

func (r *real) wait(ctx context.Context, c *cluster) error {
	if err := r.simulated.wait(ctx, c); err != nil {
		return err
	}
	err := c.wait(ctx, "the real node", time.Minute, func() bool { return readyNodes(c.api, realNode) == 1 })
	if err != nil {
		return err
	}
	say("the real node is Ready")
	for _, name := range []string{"coredns", "local-path-provisioner"} {
		err := c.wait(ctx, name, time.Minute, func() bool {
			var d struct {
				Status struct{ AvailableReplicas int }
			}
			return c.api.get("/apis/apps/v1/namespaces/kube-system/deployments/"+name, &d) == nil && d.Status.AvailableReplicas > 0
		})
		if err != nil {
			return err
		}
	}
	return nil
}
