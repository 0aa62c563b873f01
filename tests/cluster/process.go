package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// identity tells one process from every other one that had or will have its
// pid: the start time counts from the boot, so the boot belongs to it.
type identity struct {
	name  string
	pid   int
	start string
	boot  string
}

func bootID() string {
	b, _ := os.ReadFile("/proc/sys/kernel/random/boot_id")
	return strings.TrimSpace(string(b))
}

// statFields reads state and start time from the text of /proc/PID/stat. The
// command name before them may hold spaces and brackets.
func statFields(stat string) (state, start string, err error) {
	end := strings.LastIndexByte(stat, ')')
	if end < 0 {
		return "", "", errors.New("no command name")
	}
	fields := strings.Fields(stat[end+1:])
	if len(fields) < 20 {
		return "", "", errors.New("too few fields")
	}
	return fields[0], fields[19], nil
}

func identify(name string, pid int) (identity, error) {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return identity{}, err
	}
	_, start, err := statFields(string(b))
	return identity{name, pid, start, bootID()}, err
}

// alive says whether the very process still runs. A zombie does not.
func (id identity) alive() bool {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", id.pid))
	if err != nil {
		return false
	}
	state, start, err := statFields(string(b))
	return err == nil && state != "Z" && state != "X" && start == id.start && id.boot == bootID()
}

func (id identity) String() string {
	return fmt.Sprintf("%s %d %s %s", id.name, id.pid, id.start, id.boot)
}

func parseIdentity(line string) (identity, error) {
	f := strings.Fields(line)
	if len(f) != 4 {
		return identity{}, fmt.Errorf("not a process record: %q", line)
	}
	pid, err := strconv.Atoi(f[1])
	return identity{f[0], pid, f[2], f[3]}, err
}

// stop ends the process: kindly, then after two seconds by force.
func (id identity) stop() error {
	// The handle is taken before the look, so that a signal cannot reach a
	// process that got the pid in between.
	p, err := os.FindProcess(id.pid)
	if err != nil || !id.alive() {
		return nil
	}
	defer p.Release()
	for _, s := range []os.Signal{syscall.SIGTERM, syscall.SIGKILL} {
		if err := p.Signal(s); err != nil && !errors.Is(err, os.ErrProcessDone) {
			return fmt.Errorf("ending %s (pid %d): %w", id.name, id.pid, err)
		}
		for deadline := time.Now().Add(2 * time.Second); time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
			if !id.alive() {
				return nil
			}
		}
	}
	return fmt.Errorf("%s (pid %d) does not end", id.name, id.pid)
}

// processes reads the record of all processes that were started.
func (l layout) processes() []identity {
	b, _ := os.ReadFile(l.records())
	var ids []identity
	for line := range strings.Lines(string(b)) {
		// A line that was cut off by a crash names no process.
		if id, err := parseIdentity(line); err == nil {
			ids = append(ids, id)
		}
	}
	return ids
}

// child is a process of this run.
type child struct {
	identity
	log    string
	done   chan struct{} // closed when it has ended
	status string        // how it ended; to be read after that
}

// start runs a program that outlives this one, and records it.
func (l layout) start(name, program string, args ...string) (*child, error) {
	c, err := l.spawn(name, program, args...)
	if err != nil {
		return nil, err
	}
	if err := l.record(c.identity); err != nil {
		return nil, errors.Join(fmt.Errorf("recording %s: %w", name, err), c.stop())
	}
	return c, nil
}

// spawn runs a program in a session of its own, with its output in a file.
func (l layout) spawn(name, program string, args ...string) (*child, error) {
	log, err := os.Create(filepath.Join(l.state("log"), name+".log"))
	if err != nil {
		return nil, err
	}
	defer log.Close()
	c := exec.Command(program, args...)
	c.Dir = l.state()
	c.Env = l.environment()
	c.Stdout, c.Stderr = log, log
	c.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := c.Start(); err != nil {
		return nil, err
	}
	id, err := identify(name, c.Process.Pid)
	if err != nil {
		c.Process.Kill()
		c.Wait()
		return nil, fmt.Errorf("starting %s: %w", name, err)
	}
	ch := &child{identity: id, log: log.Name(), done: make(chan struct{})}
	go func() {
		c.Wait()
		ch.status = c.ProcessState.String()
		close(ch.done)
	}()
	return ch, nil
}

func (l layout) record(id identity) error {
	f, err := os.OpenFile(l.records(), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(f, id)
	return errors.Join(err, f.Close())
}

// died describes the end of a process by the last lines of its log.
func (c *child) died() error {
	b, _ := os.ReadFile(c.log)
	return fmt.Errorf("%s ended (%s). The last lines of %s:\n%s", c.name, c.status, c.log, tail(string(b), 15))
}

// closeInherited keeps files that the caller left open away from the children:
// a test that waits for the end of a pipe would wait for the cluster's end.
func closeInherited() {
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		return
	}
	for _, e := range entries {
		if fd, err := strconv.Atoi(e.Name()); err == nil && fd > 2 {
			syscall.CloseOnExec(fd)
		}
	}
}
