package main

import (
	"context"
	"fmt"
	"os"
	"time"
)

// startControlPlane starts etcd and the three processes of Kubernetes.
func (c *cluster) startControlPlane(ctx context.Context) error {
	pki := func(name string) string { return c.state("pki", name) }
	port := func(n int) string { return fmt.Sprintf("--secure-port=%d", n) }
	etcd := fmt.Sprintf("http://127.0.0.1:%d", c.ports.etcd)
	peer := fmt.Sprintf("http://127.0.0.1:%d", c.ports.etcdPeer)

	err := c.run("etcd", c.tools.kube("etcd"),
		"--data-dir="+c.state("etcd"),
		"--listen-client-urls="+etcd, "--advertise-client-urls="+etcd,
		"--listen-peer-urls="+peer, "--initial-advertise-peer-urls="+peer, "--initial-cluster=default="+peer,
		// The data lives no longer than the test.
		"--unsafe-no-fsync", "--log-level=warn")
	if err != nil {
		return err
	}
	if err := c.wait(ctx, "etcd", 30*time.Second, func() bool { return plainOK(etcd + "/readyz") }); err != nil {
		return err
	}

	// A loopback address is not allowed as an endpoint of the Service
	// "kubernetes", and nothing here goes through it.
	reach := []string{"--bind-address=127.0.0.1", "--advertise-address=127.0.0.1", "--endpoint-reconciler-type=none"}
	if c.contained {
		// All addresses are those of the cluster's own network.
		reach = []string{"--bind-address=0.0.0.0", "--advertise-address=" + realNodeIP}
	}
	err = c.run("kube-apiserver", c.tools.kube("kube-apiserver"), append(reach,
		"--etcd-servers="+etcd, port(c.ports.api),
		"--service-cluster-ip-range="+serviceCIDR,
		"--tls-cert-file="+pki("apiserver.crt"), "--tls-private-key-file="+pki("apiserver.key"),
		"--client-ca-file="+pki("ca.crt"), "--cert-dir="+c.state("pki"),
		"--service-account-issuer=https://kubernetes.default.svc.cluster.local",
		"--service-account-key-file="+pki("sa.key"), "--service-account-signing-key-file="+pki("sa.key"),
		"--authorization-mode=Node,RBAC", "--enable-admission-plugins=NodeRestriction", "--allow-privileged",
		// The addresses of simulated nodes lead nowhere. Logs and the like
		// come from kwok, to which the nodes' internal DNS name points. A real
		// node has no such name.
		"--kubelet-preferred-address-types=InternalDNS,InternalIP",
		"--kubelet-client-certificate="+pki("kubelet-client.crt"), "--kubelet-client-key="+pki("kubelet-client.key"),
		"--kubelet-certificate-authority="+pki("ca.crt"),
		"--proxy-client-cert-file="+pki("front-proxy-client.crt"), "--proxy-client-key-file="+pki("front-proxy-client.key"),
		"--requestheader-client-ca-file="+pki("front-proxy-ca.crt"), "--requestheader-allowed-names=front-proxy-client",
		"--requestheader-extra-headers-prefix=X-Remote-Extra-", "--requestheader-group-headers=X-Remote-Group",
		"--requestheader-username-headers=X-Remote-User")...)
	if err != nil {
		return err
	}
	if err := c.wait(ctx, "the API server", 2*time.Minute, func() bool { return c.api.ok("/readyz") }); err != nil {
		return err
	}

	// Both start at once without an election, which has no second candidate.
	as := func(name string) []string {
		kubeconfig := c.state("conf", name+".kubeconfig")
		return []string{
			"--kubeconfig=" + kubeconfig, "--authentication-kubeconfig=" + kubeconfig, "--authorization-kubeconfig=" + kubeconfig,
			"--bind-address=127.0.0.1", "--leader-elect=false",
		}
	}
	err = c.run("kube-controller-manager", c.tools.kube("kube-controller-manager"), append(as("kube-controller-manager"),
		port(c.ports.controllers), "--use-service-account-credentials",
		// The default of 20 requests a second delays the start by 4 s.
		"--kube-api-qps=500", "--kube-api-burst=1000",
		// It makes this folder, by default outside of the cluster's own.
		"--flex-volume-plugin-dir="+c.state("flexvolume"),
		"--service-account-private-key-file="+pki("sa.key"), "--root-ca-file="+pki("ca.crt"),
		"--cluster-signing-cert-file="+pki("ca.crt"), "--cluster-signing-key-file="+pki("ca.key"))...)
	if err != nil {
		return err
	}
	return c.run("kube-scheduler", c.tools.kube("kube-scheduler"), append(as("kube-scheduler"), port(c.ports.scheduler))...)
}

// environment is that of all processes: nothing of the caller's own settings
// reaches the cluster, and nothing is written to the caller's home.
func (l layout) environment() []string {
	// Memory is cheaper here than the time that collecting garbage takes.
	return []string{"PATH=" + os.Getenv("PATH"), "HOME=" + l.state(), "GOGC=300"}
}
