package main

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"time"
)

// api is the little of a Kubernetes client that starting a cluster needs.
type api struct {
	server string
	client http.Client
}

func newAPI(server string, keys *pki) (*api, error) {
	admin, err := tls.X509KeyPair(keys.admin.cert, keys.admin.key)
	if err != nil {
		return nil, err
	}
	roots := x509.NewCertPool()
	roots.AddCert(keys.ca.cert)
	return &api{server, http.Client{
		Timeout: 10 * time.Second,
		// A transport of its own: it knows no proxy.
		Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots, Certificates: []tls.Certificate{admin}}},
	}}, nil
}

// ok says whether a path answers 200.
func (a *api) ok(path string) bool { return get(&a.client, a.server+path, nil) == nil }

// get reads an object.
func (a *api) get(path string, into any) error { return get(&a.client, a.server+path, into) }

// plainOK is ok for a server without TLS.
func plainOK(url string) bool {
	return get(&http.Client{Timeout: 2 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}, url, nil) == nil
}

func get(client *http.Client, url string, into any) error {
	r, err := client.Get(url)
	if err != nil {
		return err
	}
	return answer(r, into)
}

// create makes an object.
func (a *api) create(path string, object any) error {
	body, err := json.Marshal(object)
	if err != nil {
		return err
	}
	r, err := a.client.Post(a.server+path, "application/json", bytes.NewReader(body))
	if err != nil {
		return err
	}
	return answer(r, nil)
}

func answer(r *http.Response, into any) error {
	defer r.Body.Close()
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return err
	}
	if r.StatusCode/100 != 2 {
		return fmt.Errorf("%s %s: %s: %s", r.Request.Method, r.Request.URL.Path, r.Status, bytes.TrimSpace(body))
	}
	if into == nil {
		return nil
	}
	return json.Unmarshal(body, into)
}
