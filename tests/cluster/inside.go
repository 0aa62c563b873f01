package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"
)

// insideCommand is this program's part in the namespaces of a cluster. Its
// first process is their init: it starts the second one, reaps what is left to
// it, and with its end the kernel ends all others. The second one starts the
// cluster, and then forwards connections to the API server.
const insideCommand = "inside"

// Files that the part inside inherits.
const (
	listenerFile = 3 // where the machine asks for the API server
	progressFile = 4 // closed when the cluster is up or has failed
)

// orders is what the part inside is told, by its environment.
type orders struct {
	Dir       string
	Count     int
	Delay     time.Duration
	Ports     []int
	Folders   map[string]string
	Version   string
	HostTools string
	Archive   []string
	Key       string
	Started   time.Time
}

const ordersVariable = "MLOPSCTL_TEST_INSIDE"

// namespaces of a cluster.
const namespaces = syscall.CLONE_NEWNET | syscall.CLONE_NEWNS | syscall.CLONE_NEWPID | syscall.CLONE_NEWIPC

// probeNamespaces says whether this machine lets us make namespaces.
func probeNamespaces() error {
	c := exec.Command("/proc/self/exe", insideCommand, "probe")
	c.SysProcAttr = &syscall.SysProcAttr{Cloneflags: namespaces}
	if out, err := c.CombinedOutput(); err != nil {
		return fmt.Errorf("it refuses namespaces of its own (%w) %s", err, out)
	}
	return nil
}

// startInside starts the cluster in its namespaces and waits until it is up.
func startInside(ctx context.Context, c *cluster, r *real) error {
	if err := c.borrow(); err != nil {
		return err
	}
	listener, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", c.ports.api))
	if err != nil {
		return err
	}
	defer listener.Close()
	accept, err := listener.(*net.TCPListener).File()
	if err != nil {
		return err
	}
	defer accept.Close()
	progress, report, err := os.Pipe()
	if err != nil {
		return err
	}
	defer progress.Close()
	var ports []int
	for _, port := range c.ports.all() {
		ports = append(ports, *port)
	}
	text, err := json.Marshal(orders{
		Dir: string(c.layout), Count: c.count, Delay: c.podReadyDelay, Ports: ports, Folders: c.tools.folders, Version: c.tools.version,
		HostTools: r.hostTools, Archive: r.archive, Key: r.key, Started: started,
	})
	if err != nil {
		return err
	}
	log, err := os.Create(c.state("log", "inside.log"))
	if err != nil {
		return err
	}
	defer log.Close()
	p := exec.Command("/proc/self/exe", insideCommand, "init")
	p.Dir = c.state()
	p.Env = append(c.environment(), ordersVariable+"="+string(text), "MLOPSCTL_TEST_CACHE="+cacheDir(), "MLOPSCTL_TEST_SOURCE="+source())
	p.Stdout, p.Stderr = log, log
	p.ExtraFiles = []*os.File{accept, report}
	p.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Cloneflags: namespaces}
	err = p.Start()
	report.Close()
	if err != nil {
		return fmt.Errorf("making the cluster's namespaces: %w", err)
	}
	id, err := identify("inside", p.Process.Pid)
	if err == nil {
		err = c.record(id)
	}
	if err != nil {
		return errors.Join(err, p.Process.Kill())
	}
	// An interrupt ends what is inside, and that closes the pipe.
	stop := context.AfterFunc(ctx, func() { p.Process.Kill() })
	defer stop()
	if _, err := io.Copy(os.Stderr, progress); err != nil {
		return err
	}
	if ctx.Err() != nil {
		return errors.New("interrupted")
	}
	if _, err := os.Stat(c.state("complete")); err == nil {
		return nil
	}
	if cause, err := os.ReadFile(c.state("failure")); err == nil {
		return errors.New(string(cause))
	}
	return fmt.Errorf("the cluster ended while it started. The last lines of %s:\n%s", log.Name(), lastLinesOf(log.Name()))
}

func lastLinesOf(file string) string {
	text, _ := os.ReadFile(file)
	return tail(string(text), 15)
}

// inside runs one of the two processes and returns its exit code.
func inside() int {
	var err error
	switch role := os.Args[len(os.Args)-1]; role {
	case "probe":
		err = syscall.Mount("", "/", "", syscall.MS_REC|syscall.MS_PRIVATE, "")
	case "init":
		err = insideInit()
	case "main":
		err = insideMain()
	default:
		err = fmt.Errorf("unknown role %q", role)
	}
	if err != nil {
		fmt.Fprintf(os.Stderr, "cluster: %v\n", err)
		return 1
	}
	return 0
}

func insideInit() error {
	ended := make(chan os.Signal, 1)
	signal.Notify(ended, syscall.SIGTERM)
	go func() {
		<-ended
		os.Exit(0)
	}()
	var o orders
	if err := json.Unmarshal([]byte(os.Getenv(ordersVariable)), &o); err != nil {
		return err
	}
	if err := mountPrivate(layout(o.Dir)); err != nil {
		return err
	}
	// Not by os/exec, which would wait for its process beside the loop below.
	attr := &os.ProcAttr{Dir: "/", Env: os.Environ(), Files: []*os.File{
		os.Stdin, os.Stdout, os.Stderr, os.NewFile(listenerFile, "listener"), os.NewFile(progressFile, "progress"),
	}}
	main, err := os.StartProcess("/proc/self/exe", []string{"cluster", insideCommand, "main"}, attr)
	if err != nil {
		return err
	}
	for _, f := range attr.Files[listenerFile:] {
		f.Close()
	}
	for {
		var status syscall.WaitStatus
		pid, err := syscall.Wait4(-1, &status, 0, nil)
		if err != nil && !errors.Is(err, syscall.EINTR) {
			return err
		}
		if pid == main.Pid {
			return nil
		}
	}
}

// mountPrivate makes the file system as the node sees it: what its programs
// write outside of the cluster's folder ends with the namespaces, and what the
// kubelet would change for the whole machine looks as if it had been changed.
func mountPrivate(l layout) error {
	if err := syscall.Mount("", "/", "", syscall.MS_REC|syscall.MS_PRIVATE, ""); err != nil {
		return fmt.Errorf("keeping mounts private: %w", err)
	}
	if err := syscall.Mount("proc", "/proc", "proc", syscall.MS_NOSUID|syscall.MS_NODEV|syscall.MS_NOEXEC, ""); err != nil {
		return fmt.Errorf("mounting /proc: %w", err)
	}
	if err := syscall.Mount("tmpfs", "/run", "tmpfs", syscall.MS_NOSUID|syscall.MS_NODEV, "mode=755"); err != nil {
		return fmt.Errorf("mounting /run: %w", err)
	}
	for _, dir := range mountPoints {
		own := l.state("var", filepath.Base(dir))
		if err := os.MkdirAll(own, 0o755); err != nil {
			return err
		}
		if err := syscall.Mount(own, dir, "", syscall.MS_BIND, ""); err != nil {
			return fmt.Errorf("mounting %s: %w", dir, err)
		}
	}
	for name, value := range map[string]string{
		"vm/overcommit_memory": "1", "vm/panic_on_oom": "0", "kernel/panic": "10", "kernel/panic_on_oops": "1",
		"kernel/keys/root_maxkeys": "1000000", "kernel/keys/root_maxbytes": "25000000",
	} {
		own := l.state("var", filepath.Base(name))
		if err := os.WriteFile(own, []byte(value+"\n"), 0o644); err != nil {
			return err
		}
		if err := syscall.Mount(own, "/proc/sys/"+name, "", syscall.MS_BIND, ""); err != nil && !errors.Is(err, os.ErrNotExist) {
			return fmt.Errorf("covering /proc/sys/%s: %w", name, err)
		}
	}
	for _, name := range []string{"net/ipv4/ip_forward", "net/bridge/bridge-nf-call-iptables"} {
		if err := os.WriteFile("/proc/sys/"+name, []byte("1\n"), 0o644); err != nil {
			return err
		}
	}
	return nil
}

func insideMain() error {
	var o orders
	if err := json.Unmarshal([]byte(os.Getenv(ordersVariable)), &o); err != nil {
		return err
	}
	started = o.Started
	listener, err := net.FileListener(os.NewFile(listenerFile, "listener"))
	if err != nil {
		return err
	}
	report := os.NewFile(progressFile, "progress")
	closeInherited()
	progress = report

	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	c := &cluster{
		layout: layout(o.Dir), options: options{podReadyDelay: o.Delay}, tools: toolset{o.Folders, o.Version}, contained: true,
	}
	for i, port := range c.ports.all() {
		*port = o.Ports[i]
	}
	n := &real{
		simulated: simulated{count: o.Count, network: simulatedPodCIDR, apart: true},
		hostTools: o.HostTools, archive: o.Archive, key: o.Key,
	}
	err = errors.Join(n.environment(), n.network())
	if err == nil {
		err = c.boot(ctx, n)
	}
	if err != nil {
		return errors.Join(err, os.WriteFile(c.state("failure"), []byte(err.Error()), 0o644))
	}
	go forward(listener, c.ports.api)
	progress = os.Stderr
	report.Close()

	died := make(chan *child, len(c.children))
	for _, ch := range c.children {
		go func() {
			<-ch.done
			died <- ch
		}()
	}
	select {
	case <-ctx.Done():
		return nil
	case ch := <-died:
		// A cluster without one of its parts is worse than none.
		return ch.died()
	}
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
