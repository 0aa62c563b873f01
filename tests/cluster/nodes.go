package main

import (
	"context"
	"fmt"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"
)

// nodes is a way to give the cluster nodes.
type nodes interface {
	// prepare makes what the nodes need beside the tools, into the cache.
	prepare(t toolset) error
	// boot starts the whole cluster.
	boot(ctx context.Context, c *cluster) error
	// start begins to bring the nodes up; the control plane runs already.
	start(ctx context.Context, c *cluster) error
	// wait returns when all of them are Ready.
	wait(ctx context.Context, c *cluster) error
}

func newNodes(o options) (nodes, error) {
	switch o.nodes {
	case "simulated":
		if o.count < 1 || o.count > 200 {
			return nil, usageErrorf("--count must be between 1 and 200")
		}
		return simulated{count: o.count, network: podCIDR}, nil
	case "real":
		if o.count < 0 || o.count > 200 {
			return nil, usageErrorf("--count must be between 0 and 200")
		}
		if o.bare {
			return nil, usageErrorf("--bare has no StorageClass and no DNS: a real node needs both")
		}
		if err := canBeReal(); err != nil {
			return nil, usageErrorf("this machine cannot run a real node: %w; use --nodes simulated", err)
		}
		return &real{simulated: simulated{count: o.count, network: simulatedPodCIDR, apart: true}}, nil
	}
	return nil, usageErrorf("--nodes %q: must be simulated or real", o.nodes)
}

// simulated nodes are objects that kwok keeps Ready; their pods run nothing.
type simulated struct {
	count   int
	network string // that pods get addresses of
	// apart keeps pods away that do not ask for a simulated node: there are
	// real ones too.
	apart bool
}

func (s simulated) prepare(toolset) error { return nil }

func (s simulated) boot(ctx context.Context, c *cluster) error { return c.boot(ctx, s) }

// apartTaint and apartLabel are what kwok's own manual uses. The test charts
// tolerate the one and prefer the other.
const apartTaint, apartLabel = "kwok.x-k8s.io/node", "type"

// nodeIP is from a range that is reserved for documentation, so that nothing
// answers there. Loopback is no choice: endpoints must not be in it.
func nodeIP(i int) string { return fmt.Sprintf("192.0.2.%d", i) }

func (s simulated) start(ctx context.Context, c *cluster) error {
	config, err := s.rules(c)
	if err != nil {
		return err
	}
	if err := os.WriteFile(c.state("conf", "kwok.yaml"), config, 0o644); err != nil {
		return err
	}
	for i := 1; i <= s.count; i++ {
		if err := c.api.create("/api/v1/nodes", s.node(c, i)); err != nil {
			return err
		}
	}
	return c.run("kwok", c.tools.path("kwok", "kwok"),
		"--kubeconfig="+c.kubeconfig(), "--config="+c.state("conf", "kwok.yaml"),
		"--manage-all-nodes=false", "--manage-nodes-with-annotation-selector=kwok.x-k8s.io/node=fake",
		"--cidr="+s.network, "--node-ip="+nodeIP(1),
		// Without leases the nodes turn NotReady after some seconds.
		"--node-lease-duration-seconds=40",
		fmt.Sprintf("--server-address=127.0.0.1:%d", c.ports.kubelet),
		"--tls-cert-file="+c.state("pki", "kubelet.crt"), "--tls-private-key-file="+c.state("pki", "kubelet.key"))
}

// rules are the stages for kwok, with this cluster's values filled in.
func (s simulated) rules(c *cluster) ([]byte, error) {
	names := []string{"node", "pod"}
	if !c.bare {
		names = append(names, "k3s")
	}
	if !c.bare && !s.apart {
		// Beside a real node there is a real provisioner.
		names = append(names, "volumes")
	}
	logs := c.state("pod.log")
	line := time.Now().UTC().Format(time.RFC3339Nano) + " stdout F This pod is simulated: it has no output of its own.\n"
	if err := os.WriteFile(logs, []byte(line), 0o644); err != nil {
		return nil, err
	}
	values := strings.NewReplacer(
		"@POD_READY_MILLISECONDS@", strconv.FormatInt(c.podReadyDelay.Milliseconds(), 10),
		"@NODE_IP@", nodeIP(1),
		"@LOGS@", strconv.Quote(logs),
	)
	var all []string
	for _, name := range names {
		text, err := files.ReadFile("stages/" + name + ".yaml")
		if err != nil {
			return nil, err
		}
		all = append(all, values.Replace(string(text)))
	}
	return []byte(strings.Join(all, "---\n")), nil
}

type object map[string]any

// node is what the agent of K3s would register.
func (s simulated) node(c *cluster, i int) object {
	name, ip := fmt.Sprintf("sim-%d", i), nodeIP(i)
	labels := object{
		"kubernetes.io/hostname":           name,
		"kubernetes.io/os":                 "linux",
		"kubernetes.io/arch":               runtime.GOARCH,
		"beta.kubernetes.io/os":            "linux",
		"beta.kubernetes.io/arch":          runtime.GOARCH,
		"node.kubernetes.io/instance-type": "k3s",
		"beta.kubernetes.io/instance-type": "k3s",
	}
	if i == 1 {
		labels["node-role.kubernetes.io/control-plane"] = "true"
	}
	spec := object{"providerID": "k3s://" + name}
	if s.apart {
		labels[apartLabel] = "kwok"
		spec["taints"] = []object{{"key": apartTaint, "value": "fake", "effect": "NoSchedule"}}
	}
	resources := object{"cpu": "32", "memory": "256Gi", "pods": "110", "ephemeral-storage": "500Gi"}
	version := c.tools.version + "+k3s1"
	return object{
		"apiVersion": "v1", "kind": "Node",
		"metadata": object{
			"name":   name,
			"labels": labels,
			"annotations": object{
				"kwok.x-k8s.io/node": "fake",
				"k3s.io/hostname":    name,
				"k3s.io/internal-ip": ip,
			},
		},
		"spec": spec,
		"status": object{
			"capacity":    resources,
			"allocatable": resources,
			"addresses": []object{
				{"type": "InternalIP", "address": ip},
				{"type": "Hostname", "address": name},
				{"type": "InternalDNS", "address": "localhost"},
			},
			"daemonEndpoints": object{"kubeletEndpoint": object{"Port": c.ports.kubelet}},
			"nodeInfo": object{
				"kubeletVersion":          version,
				"kubeProxyVersion":        version,
				"containerRuntimeVersion": "containerd://2.1.0-k3s1",
				"osImage":                 "Simulated by kwok",
				"kernelVersion":           "6.12.0",
				"operatingSystem":         "linux",
				"architecture":            runtime.GOARCH,
				"machineID":               fmt.Sprintf("%032d", i),
				"systemUUID":              fmt.Sprintf("00000000-0000-4000-8000-%012d", i),
				"bootID":                  fmt.Sprintf("00000000-0000-4000-8000-%012d", i),
			},
		},
	}
}

func (s simulated) wait(ctx context.Context, c *cluster) error {
	return c.wait(ctx, "the simulated nodes", time.Minute, func() bool { return readyNodes(c.api, "sim-") == s.count })
}

// readyNodes counts the nodes whose names begin so and that take pods.
func readyNodes(a *api, prefix string) int {
	var list struct {
		Items []struct {
			Metadata struct{ Name string }
			Spec     struct{ Taints []struct{ Key string } }
			Status   struct {
				Conditions []struct{ Type, Status string }
			}
		}
	}
	if a.get("/api/v1/nodes", &list) != nil {
		return 0
	}
	ready := 0
	for _, n := range list.Items {
		// The controllers' not-ready taint goes a moment later than the
		// condition, and pods wait for that.
		waits := slices.ContainsFunc(n.Spec.Taints, func(t struct{ Key string }) bool { return t.Key != apartTaint })
		if waits || !strings.HasPrefix(n.Metadata.Name, prefix) {
			continue
		}
		for _, condition := range n.Status.Conditions {
			if condition.Type == "Ready" && condition.Status == "True" {
				ready++
			}
		}
	}
	return ready
}
