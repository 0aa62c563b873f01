package main

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
)

// layout knows what lies where in the folder of a cluster. Everything but the
// files for the user is in one subfolder, so that down removes nothing else.
type layout string

func (l layout) path(name ...string) string {
	return filepath.Join(append([]string{string(l)}, name...)...)
}

func (l layout) state(name ...string) string {
	return l.path(append([]string{"cluster"}, name...)...)
}

func (l layout) kubeconfig() string { return l.path("kubeconfig") }
func (l layout) env() string        { return l.path("env") }
func (l layout) images() string     { return l.path("images.yaml") }
func (l layout) records() string    { return l.state("processes") }

// lock keeps two runs on the same folder apart.
func (l layout) lock() (func(), error) {
	return lock(l.state("lock"), "another run works on "+string(l)+"; waiting for it")
}

// commands are the names under bin/.
var commands = []string{"helm", "helm3", "kubectl"}

// down ends the cluster and removes it. A cluster that is not there is down.
func down(l layout) error {
	if _, err := os.Stat(l.state()); errors.Is(err, os.ErrNotExist) {
		say("no cluster in %s", l)
		return nil
	}
	unlock, err := l.lock()
	if errors.Is(err, os.ErrNotExist) {
		say("no cluster in %s", l) // another run removed it in the meantime
		return nil
	} else if err != nil {
		return err
	}
	defer unlock()
	if err := l.remove(); err != nil {
		return err
	}
	say("the cluster in %s is down", l)
	return nil
}

// endProcesses ends what was started, in reverse order: the clients of the
// API server first, since it waits for their watches.
func (l layout) endProcesses() error {
	ids := l.processes()
	var errs []error
	for i := len(ids) - 1; i >= 0; i-- {
		errs = append(errs, ids[i].stop())
	}
	return errors.Join(errs...)
}

// end ends all processes and takes away what they left outside of the folder.
func (l layout) end() error {
	if err := l.endProcesses(); err != nil {
		return err
	}
	return l.leaveHost()
}

func (l layout) remove() error {
	if err := l.end(); err != nil {
		return err
	}
	errs := []error{removeFile(l.kubeconfig()), removeFile(l.env()), removeFile(l.images())}
	for _, name := range commands {
		errs = append(errs, removeFile(l.path("bin", name)))
	}
	errs = append(errs, os.RemoveAll(l.state()))
	// Both fail when something else is in there, which then stays.
	os.Remove(l.path("bin"))
	os.Remove(l.path())
	return errors.Join(errs...)
}

func removeFile(file string) error {
	if err := os.Remove(file); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return nil
}

// prepare makes the folders, the links and the file for shells.
func (l layout) prepare(t toolset) error {
	for _, dir := range []string{l.path("bin"), l.state("log"), l.state("conf"), l.state("etcd")} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return err
		}
	}
	if err := os.MkdirAll(l.state("pki"), 0o700); err != nil {
		return err
	}
	targets := map[string]string{
		"helm":    t.path("helm4", "helm"),
		"helm3":   t.path("helm3", "helm"),
		"kubectl": t.kube("kubectl"),
	}
	for _, name := range commands {
		link := l.path("bin", name)
		if err := removeFile(link); err != nil {
			return err
		}
		if err := os.Symlink(targets[name], link); err != nil {
			return err
		}
	}
	quote := func(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }
	env := "export KUBECONFIG=" + quote(l.kubeconfig()) + "\nexport PATH=" + quote(l.path("bin")) + ":\"$PATH\"\n"
	return os.WriteFile(l.env(), []byte(env), 0o644)
}
