package main

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

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
