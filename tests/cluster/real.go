package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
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

// cgroupMounts are the cgroup hierarchies: one with version 2, one for each
// controller with version 1, or both side by side.
func cgroupMounts() []string {
	const root = "/sys/fs/cgroup"
	if _, err := os.Stat(root + "/cgroup.controllers"); err == nil {
		return []string{root}
	}
	if _, err := os.Stat(root + "/memory/cgroup.procs"); err != nil {
		return nil
	}
	entries, _ := os.ReadDir(root)
	var mounts []string
	for _, e := range entries {
		// Some controllers are one hierarchy with a link for each.
		if e.IsDir() {
			mounts = append(mounts, filepath.Join(root, e.Name()))
		}
	}
	return mounts
}

const cgroupPrefix = "mlopsctl-test-"

// cgroup is the group of all pods of a cluster, below each hierarchy.
func (l layout) cgroup() string {
	sum := sha256.Sum256([]byte(l))
	return cgroupPrefix + hex.EncodeToString(sum[:])[:12]
}

// mountPoints are folders that programs of the node insist on. Those that the
// machine does not have are made, and removed with the last cluster: to remove
// a folder ends what other clusters have mounted there.
var mountPoints = []string{"/var/lib/kubelet", "/var/lib/cni", "/var/log/pods", "/var/log/containers"}

// borrowed names the mount points that were made. All clusters of the machine
// share it; a reboot removes it with the clusters.
const borrowed = "/run/mlopsctl-test.borrowed"

// borrow makes what the node needs outside of its folder: mount points and
// cgroups. leaveHost takes it away.
func (l layout) borrow() error {
	unlock, err := lock(borrowed, "another run starts or ends a real node; waiting for it")
	if err != nil {
		return err
	}
	defer unlock()
	for _, dir := range mountPoints {
		if _, err := os.Stat(dir); err == nil {
			continue
		}
		if err := appendLine(borrowed, dir); err != nil {
			return err
		}
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return err
		}
	}
	for _, mount := range cgroupMounts() {
		if err := os.MkdirAll(filepath.Join(mount, l.cgroup()), 0o755); err != nil {
			return err
		}
		// Version 2 hands controllers down only where it is told to.
		controllers, err := os.ReadFile(filepath.Join(mount, "cgroup.controllers"))
		if err != nil {
			continue
		}
		var enable []string
		for name := range strings.FieldsSeq(string(controllers)) {
			enable = append(enable, "+"+name)
		}
		if len(enable) == 0 {
			continue // version 2 beside version 1, without controllers
		}
		for _, dir := range []string{mount, filepath.Join(mount, l.cgroup())} {
			if err := os.WriteFile(filepath.Join(dir, "cgroup.subtree_control"), []byte(strings.Join(enable, " ")), 0o644); err != nil {
				return err
			}
		}
	}
	return nil
}

// leaveHost removes what borrow made; all processes have ended.
func (l layout) leaveHost() error {
	if _, err := os.Stat(borrowed); errors.Is(err, os.ErrNotExist) {
		return nil // no cluster with a real node since the machine was started
	}
	unlock, err := lock(borrowed, "another run starts or ends a real node; waiting for it")
	if err != nil {
		return err
	}
	defer unlock()
	others := 0
	var errs []error
	for _, mount := range cgroupMounts() {
		errs = append(errs, removeCgroup(filepath.Join(mount, l.cgroup())))
		left, _ := filepath.Glob(filepath.Join(mount, cgroupPrefix+"*"))
		others += len(left)
	}
	if others > 0 {
		return errors.Join(errs...)
	}
	made, err := os.ReadFile(borrowed)
	errs = append(errs, err)
	for dir := range strings.FieldsSeq(string(made)) {
		if slices.Contains(mountPoints, dir) {
			os.Remove(dir) // fails where somebody else uses it by now
		}
	}
	return errors.Join(append(errs, os.Remove(borrowed))...)
}

// removeCgroup removes a group with all below it. A group stays busy for a
// moment after its last process.
func removeCgroup(dir string) error {
	var groups []string
	filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err == nil && d.IsDir() {
			groups = append(groups, path)
		}
		return nil
	})
	for _, group := range slices.Backward(groups) {
		var err error
		for range 50 {
			if err = os.Remove(group); err == nil || errors.Is(err, os.ErrNotExist) {
				err = nil
				break
			}
			time.Sleep(20 * time.Millisecond)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func appendLine(file, line string) error {
	f, err := os.OpenFile(file, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(f, line)
	return errors.Join(err, f.Close())
}

// forward hands connections of the machine's own loopback to the API server
// inside. The listener belongs to the network in which it was opened.
func forward(listener net.Listener, port int) {
	for {
		outer, err := listener.Accept()
		if err != nil {
			return
		}
		go func() {
			defer outer.Close()
			inner, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", port))
			if err != nil {
				return
			}
			defer inner.Close()
			done := make(chan struct{}, 2)
			for _, way := range [][2]net.Conn{{inner, outer}, {outer, inner}} {
				go func() {
					io.Copy(way[0], way[1])
					// The other direction may go on: tell it that this one has ended.
					way[0].(*net.TCPConn).CloseWrite()
					done <- struct{}{}
				}()
			}
			<-done
			<-done
		}()
	}
}
