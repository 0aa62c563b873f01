package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"time"
)

// authority is a certificate authority that lives as long as one cluster.
type authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	pem  []byte
}

// pair is a certificate with its key, both in PEM.
type pair struct{ cert, key []byte }

func newAuthority(name string) (*authority, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	template := certificate(pkix.Name{CommonName: name})
	template.IsCA = true
	template.BasicConstraintsValid = true
	template.KeyUsage = x509.KeyUsageCertSign | x509.KeyUsageCRLSign | x509.KeyUsageDigitalSignature
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return nil, err
	}
	cert, err := x509.ParseCertificate(der)
	return &authority{cert, key, encode("CERTIFICATE", der)}, err
}

func certificate(subject pkix.Name) *x509.Certificate {
	serial, _ := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 127))
	return &x509.Certificate{
		SerialNumber: serial,
		Subject:      subject,
		NotBefore:    time.Now().Add(-time.Hour),
		NotAfter:     time.Now().AddDate(1, 0, 0),
		KeyUsage:     x509.KeyUsageDigitalSignature,
	}
}

// client issues a certificate by which the API server knows user and group.
func (a *authority) client(user string, groups ...string) (pair, error) {
	c := certificate(pkix.Name{CommonName: user, Organization: groups})
	c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}
	return a.sign(c)
}

// server issues a serving certificate.
func (a *authority) server(name string, dns []string, ips ...string) (pair, error) {
	c := certificate(pkix.Name{CommonName: name})
	c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
	c.DNSNames = dns
	for _, ip := range ips {
		c.IPAddresses = append(c.IPAddresses, net.ParseIP(ip))
	}
	return a.sign(c)
}

func (a *authority) sign(c *x509.Certificate) (pair, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return pair{}, err
	}
	der, err := x509.CreateCertificate(rand.Reader, c, a.cert, key.Public(), a.key)
	if err != nil {
		return pair{}, err
	}
	keyPEM, err := encodeKey(key)
	return pair{encode("CERTIFICATE", der), keyPEM}, err
}

func encode(kind string, der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})
}

func encodeKey(key *ecdsa.PrivateKey) ([]byte, error) {
	der, err := x509.MarshalECPrivateKey(key)
	return encode("EC PRIVATE KEY", der), err
}

// pki is what the processes of one cluster need to trust each other.
type pki struct {
	ca    *authority
	admin pair
}

// user is who a program is for the API server.
type user struct {
	name   string
	groups []string
}

// users of the API server beside the administrator, each with a kubeconfig.
var users = map[string]user{
	"kube-controller-manager": {name: "system:kube-controller-manager"},
	"kube-proxy":              {name: "system:kube-proxy"},
	"kube-scheduler":          {name: "system:kube-scheduler"},
	"kubelet":                 {"system:node:" + realNode, []string{"system:nodes"}},
}

// newPKI makes all keys and certificates and writes them, and a kubeconfig for
// each user, where the processes look for them.
func newPKI(l layout, server string) (*pki, error) {
	ca, err := newAuthority("kubernetes-ca")
	if err != nil {
		return nil, err
	}
	frontProxy, err := newAuthority("front-proxy-ca")
	if err != nil {
		return nil, err
	}
	caKey, err := encodeKey(ca.key)
	if err != nil {
		return nil, err
	}
	tokens, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	tokensKey, err := encodeKey(tokens)
	if err != nil {
		return nil, err
	}
	files := map[string][]byte{
		"ca.crt":             ca.pem,
		"ca.key":             caKey,
		"front-proxy-ca.crt": frontProxy.pem,
		"sa.key":             tokensKey,
	}
	issue := func(name string, p pair, err error) error {
		files[name+".crt"], files[name+".key"] = p.cert, p.key
		return err
	}
	names := []string{"kubernetes", "kubernetes.default", "kubernetes.default.svc", "kubernetes.default.svc.cluster.local", "localhost"}
	apiserver, err := ca.server("kube-apiserver", names, "127.0.0.1", firstServiceIP, realNodeIP)
	if err := issue("apiserver", apiserver, err); err != nil {
		return nil, err
	}
	kubelet, err := ca.server("kubelet", []string{"localhost", realNode}, "127.0.0.1", realNodeIP)
	if err := issue("kubelet", kubelet, err); err != nil {
		return nil, err
	}
	kubeletClient, err := ca.client("kube-apiserver-kubelet-client", "system:masters")
	if err := issue("kubelet-client", kubeletClient, err); err != nil {
		return nil, err
	}
	proxyClient, err := frontProxy.client("front-proxy-client")
	if err := issue("front-proxy-client", proxyClient, err); err != nil {
		return nil, err
	}
	for name, data := range files {
		if err := os.WriteFile(filepath.Join(l.state("pki"), name), data, 0o600); err != nil {
			return nil, err
		}
	}
	admin, err := ca.client("admin", "system:masters")
	if err != nil {
		return nil, err
	}
	if err := writeKubeconfig(l.kubeconfig(), server, "admin", ca, admin); err != nil {
		return nil, err
	}
	for name, user := range users {
		p, err := ca.client(user.name, user.groups...)
		if err != nil {
			return nil, err
		}
		if err := writeKubeconfig(l.state("conf", name+".kubeconfig"), server, name, ca, p); err != nil {
			return nil, err
		}
	}
	return &pki{ca, admin}, nil
}

func writeKubeconfig(file, server, user string, ca *authority, p pair) error {
	b64 := base64.StdEncoding.EncodeToString
	text := fmt.Sprintf(`apiVersion: v1
kind: Config
clusters:
- name: mlopsctl-test
  cluster:
    server: %s
    certificate-authority-data: %s
users:
- name: %s
  user:
    client-certificate-data: %s
    client-key-data: %s
contexts:
- name: mlopsctl-test
  context:
    cluster: mlopsctl-test
    user: %[3]s
current-context: mlopsctl-test
`, server, b64(ca.pem), user, b64(p.cert), b64(p.key))
	return os.WriteFile(file, []byte(text), 0o600)
}
