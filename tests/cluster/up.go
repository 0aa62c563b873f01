package main

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"syscall"
	"time"
)

// The networks of K3s, so that addresses look as users know them. Nothing
// routes to them: neither Services nor pods have a data path here.
const (
	serviceCIDR    = "10.43.0.0/16"
	firstServiceIP = "10.43.0.1"
	podCIDR        = "10.42.0.0/16"
)

// Objects and simulation rules, applied or given to kwok as they are.
//
//go:embed k3s/*.yaml stages/*.yaml
var files embed.FS

// cluster is one that is being started.
type cluster struct {
	layout
	options
	tools    toolset
	ports    ports
	api      *api
	children []*child
	// contained says that the cluster has namespaces of its own: its
	// processes end with them.
	contained bool
}

// ports that the processes listen on, all on 127.0.0.1.
type ports struct{ etcd, etcdPeer, api, controllers, scheduler, kubelet int }

func (p *ports) all() []*int {
	return []*int{&p.etcd, &p.etcdPeer, &p.api, &p.controllers, &p.scheduler, &p.kubelet}
}

func up(o options, nodes nodes) error {
	closeInherited()
	l := layout(o.dir)
	tools, err := buildTools(o)
	if err != nil {
		return err
	}
	if err := nodes.prepare(tools); err != nil {
		return err
	}
	unlock, err := l.create()
	if err != nil {
		return err
	}
	defer unlock()
	if l.running() {
		say("a cluster runs already: export KUBECONFIG=%s", l.kubeconfig())
		return nil
	}
	if err := l.clear(); err != nil {
		return err
	}
	if err := l.prepare(tools); err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP)
	defer stop()
	c := &cluster{layout: l, options: o, tools: tools}
	if c.ports, err = freePorts(); err != nil {
		return err
	}
	if err := nodes.boot(ctx, c); err != nil {
		// The logs stay for whoever looks for the cause; down removes them.
		return errors.Join(err, l.end())
	}
	say("Kubernetes %s is up: export KUBECONFIG=%s", tools.version, l.kubeconfig())
	return nil
}

// create makes the folder and takes its lock.
func (l layout) create() (unlock func(), err error) {
	for {
		if err := os.MkdirAll(l.state(), 0o755); err != nil {
			return nil, err
		}
		// A down that ran until now has removed the folder again.
		if unlock, err = l.lock(); !errors.Is(err, os.ErrNotExist) {
			return unlock, err
		}
	}
}

// running says whether all of an earlier run's processes are there and serve.
func (l layout) running() bool {
	ids := l.processes()
	for _, id := range ids {
		if !id.alive() {
			return false
		}
	}
	// The complete marker is missing when a run was cut off half-way.
	_, err := os.Stat(l.state("complete"))
	return err == nil && len(ids) > 0
}

// clear takes away what a crashed cluster left. The lock stays: it is held.
func (l layout) clear() error {
	if err := l.end(); err != nil {
		return err
	}
	entries, err := os.ReadDir(l.state())
	if err != nil {
		return err
	}
	for _, e := range entries {
		if e.Name() == "lock" {
			continue
		}
		if err := os.RemoveAll(l.state(e.Name())); err != nil {
			return err
		}
	}
	return nil
}

// boot starts everything and returns when the cluster takes workloads.
func (c *cluster) boot(ctx context.Context, nodes nodes) error {
	server := fmt.Sprintf("https://127.0.0.1:%d", c.ports.api)
	keys, err := newPKI(c.layout, server)
	if err != nil {
		return err
	}
	if c.api, err = newAPI(server, keys); err != nil {
		return err
	}
	if err := c.startControlPlane(ctx); err != nil {
		return err
	}
	say("control plane is up")
	if err := nodes.start(ctx, c); err != nil {
		return err
	}
	if !c.bare {
		if err := c.likeK3s(ctx); err != nil {
			return err
		}
	}
	if err := nodes.wait(ctx, c); err != nil {
		return err
	}
	// Without it no pod can be made in the namespace.
	err = c.wait(ctx, "the default service account", 30*time.Second, func() bool {
		return c.api.ok("/api/v1/namespaces/default/serviceaccounts/default")
	})
	if err != nil {
		return err
	}
	return os.WriteFile(c.state("complete"), nil, 0o644)
}

// likeK3s applies what a K3s has from the start.
func (c *cluster) likeK3s(ctx context.Context) error {
	if err := c.apply(ctx, "k3s/crds.yaml"); err != nil {
		return err
	}
	err := c.wait(ctx, "the HelmChart API", 30*time.Second, func() bool { return c.api.ok("/apis/helm.cattle.io/v1/helmcharts") })
	if err != nil {
		return err
	}
	if err := c.apply(ctx, "k3s/objects.yaml"); err != nil {
		return err
	}
	if c.contained {
		return c.apply(ctx, "k3s/real.yaml", "@VOLUMES@", c.state("volumes"), "@NODE@", realNode)
	}
	return c.apply(ctx, "k3s/simulated.yaml")
}

// apply applies embedded objects; the rest are pairs of a placeholder and what
// takes its place.
func (c *cluster) apply(ctx context.Context, name string, replace ...string) error {
	content, err := files.ReadFile(name)
	if err != nil {
		return err
	}
	text := strings.NewReplacer(replace...).Replace(string(content))
	k := exec.CommandContext(ctx, c.tools.kube("kubectl"), "--kubeconfig", c.kubeconfig(), "apply", "--server-side", "--validate=false", "-f", "-")
	k.Env = c.environment()
	k.Stdin = strings.NewReader(text)
	if out, err := k.CombinedOutput(); err != nil {
		return fmt.Errorf("applying %s: %w\n%s", name, err, tail(string(out), 10))
	}
	return nil
}

// run starts a process that belongs to the cluster.
func (c *cluster) run(name string, program string, args ...string) error {
	start := c.layout.start
	if c.contained {
		start = c.layout.spawn
	}
	ch, err := start(name, program, args...)
	if err == nil {
		c.children = append(c.children, ch)
	}
	return err
}

// wait polls a condition and gives up when the time is over, the run is
// interrupted or a process has died, which it names.
func (c *cluster) wait(ctx context.Context, what string, limit time.Duration, done func() bool) error {
	deadline := time.Now().Add(limit)
	for {
		for _, ch := range c.children {
			select {
			case <-ch.done:
				return ch.died()
			default:
			}
		}
		if done() {
			return nil
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("waited %s in vain for %s; the logs are in %s", limit, what, c.state("log"))
		}
		select {
		case <-ctx.Done():
			return errors.New("interrupted")
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// freePorts picks ports outside of the range from which the kernel takes those
// of outgoing connections, at random: clusters that start at the same time must
// not find the same ones.
func freePorts() (ports, error) {
	var p ports
	taken := map[int]bool{}
	for _, port := range p.all() {
		for try := 0; *port == 0; try++ {
			if try == 1000 {
				return p, errors.New("no free port between 20000 and 30000 on 127.0.0.1")
			}
			n := 20000 + rand.IntN(10000)
			if taken[n] {
				continue
			}
			if l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", n)); err == nil {
				l.Close()
				taken[n] = true
				*port = n
			}
		}
	}
	return p, nil
}
