package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

func TestKeyChangesWithEveryPart(t *testing.T) {
	base := func() recipe {
		return recipe{[]byte("module a\n"), []byte("sum\n"), nil, []string{"-trimpath"}, "go1.26.0\namd64\n"}
	}
	if base().key() != base().key() {
		t.Fatal("the same recipe has two keys")
	}
	for name, change := range map[string]func(*recipe){
		"go.mod":                  func(r *recipe) { r.goMod = []byte("module b\n") },
		"go.sum":                  func(r *recipe) { r.goSum = nil },
		"sources":                 func(r *recipe) { r.sources = []byte("package main\n") },
		"flags":                   func(r *recipe) { r.flags = append(r.flags, "-race") },
		"go version":              func(r *recipe) { r.goVersion = "go1.27.0\namd64\n" },
		"bytes between two parts": func(r *recipe) { r.goMod, r.goSum = []byte("module a"), []byte("\nsum\n") },
	} {
		r := base()
		change(&r)
		if r.key() == base().key() {
			t.Errorf("a change of %s keeps the key", name)
		}
	}
}

func TestPinned(t *testing.T) {
	goMod := []byte("require helm.sh/helm/v4 v4.3.1\n" +
		"require (\n\tk8s.io/client-go v0.37.2 // indirect\n\tk8s.io/kubernetes v1.37.2\n)\n" +
		"replace (\n\tk8s.io/api => k8s.io/api v0.37.2\n)\n")
	for name, want := range map[string]string{
		"helm.sh/helm/v4":   "v4.3.1",
		"k8s.io/client-go":  "v0.37.2",
		"k8s.io/kubernetes": "v1.37.2",
		"k8s.io/api":        "v0.0.0",
		"k8s.io/kube":       "v0.0.0",
	} {
		if got := pinned(goMod, name); got != want {
			t.Errorf("%s: %s, want %s", name, got, want)
		}
	}
	if got := moduleVersion(goMod, "k8s.io/kubernetes/cmd/kubectl"); got != "v1.37.2" {
		t.Errorf("version of a package: %s", got)
	}
}

func TestStatFields(t *testing.T) {
	stat := "42 (a) b (c) S 1 42 42 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 777 9 9"
	state, start, err := statFields(stat)
	if err != nil || state != "S" || start != "777" {
		t.Errorf("%q %q %v", state, start, err)
	}
	if _, _, err := statFields("42 (cut off"); err == nil {
		t.Error("no error for a text that was cut off")
	}
}

// sleeper starts a process that these tests may end.
func sleeper(t *testing.T) (*exec.Cmd, identity) {
	t.Helper()
	c := exec.Command("sleep", "60")
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		c.Process.Kill()
		c.Wait()
	})
	id, err := identify("sleep", c.Process.Pid)
	if err != nil {
		t.Fatal(err)
	}
	return c, id
}

func TestOnlyTheRecordedProcessEnds(t *testing.T) {
	_, id := sleeper(t)
	restored, err := parseIdentity(id.String())
	if err != nil || restored != id {
		t.Fatalf("%v became %v: %v", id, restored, err)
	}
	later, elsewhere := id, id
	later.start = "1"
	elsewhere.boot = "00000000-0000-0000-0000-000000000000"
	for _, stranger := range []identity{later, elsewhere} {
		if stranger.alive() {
			t.Errorf("%v counts as alive", stranger)
		}
		if err := stranger.stop(); err != nil {
			t.Error(err)
		}
	}
	if !id.alive() {
		t.Fatal("a process with another start time or boot was ended")
	}
	// Nobody waits for the process here, so it stays a zombie.
	if err := id.stop(); err != nil || id.alive() {
		t.Errorf("not ended: %v", err)
	}
}

func TestStubbornProcessIsKilled(t *testing.T) {
	c := exec.Command("sh", "-c", "trap '' TERM; echo; while :; do sleep 0.1; done")
	ready, err := c.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	defer c.Wait()
	if _, err := ready.Read(make([]byte, 1)); err != nil {
		t.Fatal(err)
	}
	id, err := identify("sh", c.Process.Pid)
	if err != nil {
		t.Fatal(err)
	}
	begin := time.Now()
	if err := id.stop(); err != nil || id.alive() {
		t.Errorf("not ended: %v", err)
	}
	if took := time.Since(begin); took < 1900*time.Millisecond {
		t.Errorf("killed after %s", took)
	}
}

// A reader of the record must get along with a line that a crash cut off.
func TestRecordIsReadAfterACrash(t *testing.T) {
	l := layout(t.TempDir())
	if err := os.Mkdir(l.state(), 0o755); err != nil {
		t.Fatal(err)
	}
	_, id := sleeper(t)
	if err := l.record(id); err != nil {
		t.Fatal(err)
	}
	f, err := os.OpenFile(l.records(), os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	f.WriteString("kwok 12")
	f.Close()
	if got := l.processes(); len(got) != 1 || got[0] != id {
		t.Errorf("%v", got)
	}
}

func TestPortsDiffer(t *testing.T) {
	p, err := freePorts()
	if err != nil {
		t.Fatal(err)
	}
	seen := map[int]bool{}
	for _, port := range []int{p.etcd, p.etcdPeer, p.api, p.controllers, p.scheduler, p.kubelet} {
		if seen[port] {
			t.Errorf("%d twice in %+v", port, p)
		}
		seen[port] = true
	}
}

func TestOutsideNames(t *testing.T) {
	log := `2026-11-23T22:00:00Z stdout F [INFO] 10.42.0.5:4711 - 7 "A IN pypi.org. udp 26 false 512" NXDOMAIN qr,aa,rd 26 0.0001s
2026-11-23T22:00:00Z stdout F [INFO] 10.42.0.5:4711 - 8 "AAAA IN pypi.org. udp 26 false 512" NXDOMAIN qr,aa,rd 26 0.0001s
2026-11-23T22:00:00Z stdout F [INFO] plugin/ready: Plugins not ready: "kubernetes"
2026-11-23T22:00:01Z stdout F [INFO] 10.42.0.6:4712 - 9 "A IN Example.COM. udp 29 false 512" NXDOMAIN qr,aa,rd 29 0.0001s
`
	if got := outsideNames(log); len(got) != 2 || got[0] != "example.com" || got[1] != "pypi.org" {
		t.Errorf("%q", got)
	}
}

func TestSourcesBelongToTheKey(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	write("go.mod", "module a\n")
	write("go.sum", "")
	if text, err := sources(dir); err != nil || len(text) != 0 {
		t.Errorf("a module without own files has %q, %v", text, err)
	}
	write("main.go", "package main\n")
	one, _ := sources(dir)
	write("main.go", "package main \n")
	two, _ := sources(dir)
	if len(one) == 0 || string(one) == string(two) {
		t.Errorf("%q and %q", one, two)
	}
}

// Beside a real node no pod may land on a simulated one that does not ask for it.
func TestSimulatedNodesKeepApart(t *testing.T) {
	c := &cluster{}
	for _, apart := range []bool{false, true} {
		spec := simulated{count: 1, apart: apart}.node(c, 1)["spec"].(object)
		if _, tainted := spec["taints"]; tainted != apart {
			t.Errorf("apart %v: %v", apart, spec)
		}
	}
}
