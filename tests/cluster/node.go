package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// containerdSocket is in the cluster's own /run, so that its path is short
// whatever the folder is called: the kernel takes 107 characters.
const containerdSocket = "/run/containerd/containerd.sock"

// startNode starts the real node: containerd with all images, kubelet and
// kube-proxy.
func (r *real) startNode(ctx context.Context, c *cluster) error {
	if err := r.fillStore(ctx, c); err != nil {
		return err
	}
	if err := r.startContainerd(ctx, c, "containerd", c.state("containerd")); err != nil {
		return err
	}
	if err := r.startKubelet(c); err != nil {
		return err
	}
	return r.startProxy(c)
}

// run starts a program of the node, with the libraries that were unpacked
// beside it.
func (r *real) run(c *cluster, name, program string, args ...string) error {
	return c.run(name, "env", append([]string{
		"LD_LIBRARY_PATH=" + os.Getenv("LD_LIBRARY_PATH"), "XTABLES_LIBDIR=" + os.Getenv("XTABLES_LIBDIR"), program,
	}, args...)...)
}

// environment makes the unpacked programs the first choice of this process and
// of those that it starts.
func (r *real) environment() error {
	host := func(name string) string { return filepath.Join(r.hostTools, name) }
	libraries, err := filepath.Glob(host("usr/lib/*-linux-gnu"))
	if err != nil || len(libraries) == 0 {
		return fmt.Errorf("no libraries in %s: remove that folder", r.hostTools)
	}
	triplet := filepath.Base(libraries[0])
	links := "/run/mlopsctl-test"
	if err := os.MkdirAll(links, 0o755); err != nil {
		return err
	}
	for variable, value := range map[string]string{
		"PATH":            strings.Join([]string{links, host("usr/bin"), host("usr/sbin"), host("sbin"), host("bin"), os.Getenv("PATH")}, ":"),
		"LD_LIBRARY_PATH": libraries[0] + ":" + host("lib/"+triplet),
		"XTABLES_LIBDIR":  filepath.Join(libraries[0], "xtables"),
	} {
		if err := os.Setenv(variable, value); err != nil {
			return err
		}
	}
	return r.chooseFirewall(links)
}

// chooseFirewall links the iptables programs to the variant that the kernel
// has; the Debian package would do that when it is installed.
func (r *real) chooseFirewall(links string) error {
	var problems []string
	for _, variant := range []string{"nft", "legacy"} {
		multi := filepath.Join(r.hostTools, "usr/sbin/xtables-"+variant+"-multi")
		out, err := exec.Command(multi, "iptables", "-t", "nat", "-S").CombinedOutput()
		if err != nil {
			problems = append(problems, variant+": "+tail(string(out), 1))
			continue
		}
		for _, family := range []string{"iptables", "ip6tables"} {
			for _, name := range []string{family, family + "-save", family + "-restore"} {
				if err := os.Symlink(multi, filepath.Join(links, name)); err != nil {
					return err
				}
			}
		}
		return nil
	}
	return fmt.Errorf("the kernel has no NAT for iptables: %s", strings.Join(problems, "; "))
}

// network gives the node an address. A bridge without ports is an interface
// that every kernel with CNI has; the kubelet refuses loopback.
func (r *real) network() error {
	for _, args := range []string{
		"link set lo up",
		"link add node0 type bridge",
		"addr add " + realNodeIP + "/32 dev node0",
		"link set node0 up",
		// Services are answered by rules of the firewall, but without any route
		// a process of the node cannot even begin to call one.
		"route add " + serviceCIDR + " dev node0",
	} {
		if out, err := exec.Command("ip", strings.Fields(args)...).CombinedOutput(); err != nil {
			return fmt.Errorf("ip %s: %w: %s", args, err, out)
		}
	}
	return nil
}

// fillStore gives containerd a root folder with all images. They are imported
// and unpacked once, into the cache; each cluster gets the files as links,
// since no running container changes them.
func (r *real) fillStore(ctx context.Context, c *cluster) error {
	unlock, err := lock(filepath.Join(cacheDir(), "lock"), "another run uses the images; waiting for it")
	if err != nil {
		return err
	}
	defer unlock()
	full := filepath.Join(cacheDir(), "containerd-"+r.key)
	if _, err := os.Stat(full); err != nil {
		if err := r.importImages(ctx, c, full); err != nil {
			return err
		}
	}
	return linkStore(full, c.state("containerd"))
}

// linkStore gives a containerd a root folder of its own with the content of
// another one that is not in use.
func linkStore(from, to string) error {
	if exec.Command("cp", "--archive", "--link", from, to).Run() != nil {
		// They are on different file systems.
		if err := os.RemoveAll(to); err != nil {
			return err
		}
		if out, err := exec.Command("cp", "--archive", from, to).CombinedOutput(); err != nil {
			return fmt.Errorf("copying %s: %w\n%s", from, err, tail(string(out), 5))
		}
		return nil
	}
	// containerd changes its databases in place.
	for _, database := range []string{"io.containerd.metadata.v1.bolt/meta.db", "io.containerd.snapshotter.v1.overlayfs/metadata.db"} {
		name := filepath.Join(to, database)
		if err := os.Remove(name); err != nil {
			return err
		}
		if out, err := exec.Command("cp", "--archive", filepath.Join(from, database), name).CombinedOutput(); err != nil {
			return fmt.Errorf("copying %s: %w: %s", database, err, out)
		}
	}
	return nil
}

// blobFolder is where containerd keeps layers by their hash, below its root.
const blobFolder = "io.containerd.content.v1.content/blobs/sha256"

// importImages makes the folder that clusters link to. What an earlier set of
// images had is taken over, so that a change of one layer takes seconds.
func (r *real) importImages(ctx context.Context, c *cluster, full string) error {
	say("importing the images ...")
	begin := time.Now()
	half := full + ".half"
	if err := os.RemoveAll(half); err != nil {
		return err
	}
	defer os.RemoveAll(half)
	earlier, err := filepath.Glob(filepath.Join(cacheDir(), "containerd-*[0-9a-f]"))
	if err != nil {
		return err
	}
	if len(earlier) > 0 {
		if err := linkStore(earlier[len(earlier)-1], half); err != nil {
			return err
		}
	}
	if err := r.startContainerd(ctx, c, "containerd-import", half); err != nil {
		return err
	}
	daemon := c.children[len(c.children)-1]
	archive := exec.CommandContext(ctx, c.tools.path("images", "images"), append([]string{"export", "--have", filepath.Join(half, blobFolder)}, r.archive...)...)
	load := exec.CommandContext(ctx, "ctr", "--address", containerdSocket, "--namespace", "k8s.io", "images", "import", "-")
	pipe, err := archive.StdoutPipe()
	if err != nil {
		return err
	}
	load.Stdin = pipe
	var problems, trouble strings.Builder
	archive.Stderr, load.Stderr = &problems, &trouble
	if err := archive.Start(); err != nil {
		return err
	}
	loaded := load.Run()
	if err := archive.Wait(); err != nil && loaded == nil {
		return fmt.Errorf("exporting the images: %w\n%s", err, tail(problems.String(), 5))
	}
	if loaded != nil {
		return fmt.Errorf("importing the images: %w\n%s", loaded, tail(trouble.String(), 5))
	}
	c.children = c.children[:len(c.children)-1]
	if err := daemon.stop(); err != nil {
		return err
	}
	if err := os.Rename(half, full); err != nil {
		return err
	}
	for _, dir := range earlier {
		if err := os.RemoveAll(dir); err != nil {
			return err
		}
	}
	say("images imported in %.0f s", time.Since(begin).Seconds())
	return nil
}

// startContainerd starts a containerd on a root folder and waits for it.
func (r *real) startContainerd(ctx context.Context, c *cluster, name, root string) error {
	networks := c.state("conf", "cni")
	if err := os.MkdirAll(networks, 0o755); err != nil {
		return err
	}
	network, err := json.Marshal(object{
		"cniVersion": "1.0.0", "name": "cluster",
		"plugins": []object{
			{
				"type": "bridge", "bridge": "cni0", "isGateway": true, "hairpinMode": true,
				"ipam": object{
					"type": "host-local", "dataDir": "/run/cni-addresses",
					"ranges": [][]object{{{"subnet": realPodCIDR}}}, "routes": []object{{"dst": "0.0.0.0/0"}},
				},
			},
			{"type": "portmap", "capabilities": object{"portMappings": true}},
		},
	})
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(networks, "10-cluster.conflist"), network, 0o644); err != nil {
		return err
	}
	config := fmt.Sprintf(`version = 2
root = %q
state = "/run/containerd"
disabled_plugins = ["io.containerd.snapshotter.v1.btrfs", "io.containerd.snapshotter.v1.zfs", "io.containerd.snapshotter.v1.devmapper", "io.containerd.snapshotter.v1.aufs"]
[grpc]
  address = %q
[plugins."io.containerd.internal.v1.opt"]
  path = "/run/containerd/opt"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "localhost/mlopsctl-test/pause:1"
  restrict_oom_score_adj = true
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = %q
    conf_dir = %q
`, root, containerdSocket, filepath.Join(r.hostTools, "usr/lib/cni"), networks)
	file := c.state("conf", name+".toml")
	if err := os.WriteFile(file, []byte(config), 0o644); err != nil {
		return err
	}
	if err := r.run(c, name, filepath.Join(r.hostTools, "usr/bin/containerd"), "--config", file); err != nil {
		return err
	}
	return c.wait(ctx, "containerd", 30*time.Second, func() bool {
		return exec.Command("ctr", "--address", containerdSocket, "version").Run() == nil
	})
}

func (r *real) startKubelet(c *cluster) error {
	resolver := c.state("conf", "resolv.conf")
	if err := os.WriteFile(resolver, nil, 0o644); err != nil {
		return err
	}
	config, err := json.Marshal(object{
		"apiVersion": "kubelet.config.k8s.io/v1beta1", "kind": "KubeletConfiguration",
		"authentication": object{
			"anonymous": object{"enabled": false}, "webhook": object{"enabled": true},
			"x509": object{"clientCAFile": c.state("pki", "ca.crt")},
		},
		"authorization":     object{"mode": "Webhook"},
		"tlsCertFile":       c.state("pki", "kubelet.crt"),
		"tlsPrivateKeyFile": c.state("pki", "kubelet.key"),
		"address":           realNodeIP,
		"readOnlyPort":      0, "healthzPort": 0,
		"cgroupDriver": "cgroupfs", "cgroupRoot": "/" + c.cgroup(), "failCgroupV1": false,
		"failSwapOn": false,
		// Containers may have no right to raise it.
		"oomScoreAdj":   0,
		"clusterDomain": "cluster.local", "clusterDNS": []string{clusterDNS},
		// Empty: pods never see the machine's resolver.
		"resolvConf":               resolver,
		"containerRuntimeEndpoint": "unix://" + containerdSocket,
		"volumePluginDir":          c.state("flexvolume"),
		"evictionHard":             object{"nodefs.available": "1%", "imagefs.available": "1%"},
		// An image that is removed cannot be pulled again.
		"imageGCHighThresholdPercent": 100,
		"maxPods":                     110,
		// The default of 50 requests a second slows a start of many pods.
		"kubeAPIQPS": 200, "kubeAPIBurst": 400,
	})
	if err != nil {
		return err
	}
	file := c.state("conf", "kubelet.yaml")
	if err := os.WriteFile(file, config, 0o644); err != nil {
		return err
	}
	return r.run(c, "kubelet", c.tools.kube("kubelet"),
		"--config="+file, "--kubeconfig="+c.state("conf", "kubelet.kubeconfig"), "--cert-dir="+c.state("pki"),
		"--hostname-override="+realNode, "--node-ip="+realNodeIP,
		"--node-labels=mlopsctl.dev/real-node=true,node.kubernetes.io/instance-type=k3s")
}

func (r *real) startProxy(c *cluster) error {
	config, err := json.Marshal(object{
		"apiVersion": "kubeproxy.config.k8s.io/v1alpha1", "kind": "KubeProxyConfiguration",
		"mode": "iptables", "bindAddress": realNodeIP, "clusterCIDR": realPodCIDR, "hostnameOverride": realNode,
		"clientConnection":   object{"kubeconfig": c.state("conf", "kube-proxy.kubeconfig")},
		"conntrack":          object{"maxPerCore": 0, "min": 0, "tcpEstablishedTimeout": "0s", "tcpCloseWaitTimeout": "0s"},
		"iptables":           object{"localhostNodePorts": false, "syncPeriod": "30s", "minSyncPeriod": "100ms"},
		"nodePortAddresses":  []string{realNodeIP + "/32"},
		"healthzBindAddress": realNodeIP + ":10256", "metricsBindAddress": realNodeIP + ":10249",
		"oomScoreAdj": 0,
	})
	if err != nil {
		return err
	}
	file := c.state("conf", "kube-proxy.yaml")
	if err := os.WriteFile(file, config, 0o644); err != nil {
		return err
	}
	return r.run(c, "kube-proxy", c.tools.kube("kube-proxy"), "--config="+file)
}
